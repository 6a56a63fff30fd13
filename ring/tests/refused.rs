//! Where the kernel refuses a system call (a container's filter, a limit, an old kernel): sleepers still sleep and are
//! woken, and do not burn the processor. What cannot be had is reported.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use feed_ring::{CreateError, Join, Publisher, Subscriber, TryRecvError, WaitStrategy, Wake};
use feed_testing::{Child, PrivateRoot, as_child, child, refuse};

/// What the kernel may refuse to a sleeper, by name.
const REFUSALS: [(&str, &[libc::c_long], i32); 6] = [
    ("nothing", &[], 0),
    ("an old kernel", &[libc::SYS_futex_waitv], libc::ENOSYS),
    ("a filter of futex_waitv", &[libc::SYS_futex_waitv], libc::EPERM),
    ("no threads", &[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN),
    ("a filter of poll", &[libc::SYS_poll, libc::SYS_ppoll], libc::ENOMEM),
    ("a filter of membarrier", &[libc::SYS_membarrier], libc::EPERM),
];

/// Subscribes while some system calls are refused, and prints every message and event.
#[test]
#[ignore = "a child of other tests"]
fn sleep_where_refused() {
    if !as_child() {
        return;
    }
    let refused = std::env::var("REFUSED").unwrap();
    let (_, calls, errno) = REFUSALS.iter().find(|(name, ..)| *name == refused).unwrap();
    refuse(calls, None, *errno);
    let options = Subscriber::<u64>::options("r").root(std::env::var("ROOT").unwrap()).join(Join::Oldest);
    let mut subscriber = options.wait(WaitStrategy::Block).open().unwrap();
    println!("\nattached");
    let interrupter = subscriber.interrupter();
    loop {
        match subscriber.recv_timeout(Duration::MAX) {
            // It interrupts itself: the next wait returns at once.
            Ok(u64::MAX) => interrupter.interrupt(),
            told => println!("told {told:?}"),
        }
    }
}

/// Publishes the numbers from its standard input.
#[test]
#[ignore = "a child of other tests"]
fn publish_numbers_from_stdin() {
    if !as_child() {
        return;
    }
    let mut publisher =
        Publisher::<u64>::options("r").root(std::env::var("ROOT").unwrap()).capacity(64).create().unwrap();
    println!("\nwakes {:?}", publisher.wake());
    for line in std::io::stdin().lines() {
        publisher.publish(&line.unwrap().parse().unwrap());
    }
}

/// Processor time of all threads of a process.
fn on_cpu(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let times = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
    Duration::from_nanos(times.map(|times| times.split(' ').next().unwrap().parse::<u64>().unwrap()).sum())
}

#[test]
fn a_sleeper_is_woken_whatever_is_refused() {
    for (refused, ..) in REFUSALS {
        let root = PrivateRoot::new();
        let (told, mut tell) = std::io::pipe().unwrap();
        let mut publisher = Child::start(child("publish_numbers_from_stdin").env("ROOT", root.path()).stdin(told));
        let wake = publisher.wait_for("wakes");
        let mut sleeper = Child::start(child("sleep_where_refused").env("ROOT", root.path()).env("REFUSED", refused));
        sleeper.wait_for("attached");
        let mut say = |number: u64| {
            use std::io::Write;
            writeln!(tell, "{number}").unwrap();
        };
        // Long enough for the sleeper to be asleep each time, and far from the end of a bounded sleep. Only the fastest
        // counts, because the machine may be busy.
        let mut fastest = Duration::MAX;
        for number in 0..40 {
            std::thread::sleep(Duration::from_millis(3));
            let begun = Instant::now();
            say(number);
            assert_eq!(sleeper.wait_for("told"), format!("Ok({number})"), "{refused}");
            fastest = fastest.min(begun.elapsed());
        }
        say(u64::MAX);
        assert_eq!(sleeper.wait_for("told"), "Err(Empty)", "{refused}: it was interrupted");

        let before = on_cpu(sleeper.id());
        std::thread::sleep(Duration::from_secs(1));
        let used = on_cpu(sleeper.id()) - before;
        println!("{refused} ({wake}): a wake-up in {fastest:?}, {used:?} of processor time in a second of silence");
        assert!(fastest < Duration::from_millis(10), "{refused}: a message wakes nobody, it is found in {fastest:?}");
        // A busy loop would use all of the second, or as much as it gets.
        assert!(used < Duration::from_millis(50), "{refused}: {used:?} of processor time in a second of silence");

        publisher.kill();
        assert_eq!(sleeper.wait_for("told"), "Err(PublisherDead)", "{refused}");
    }
}

/// The calls that the tasks of a process wait in, if the kernel shows them: number and arguments.
fn calls(pid: u32) -> Vec<Vec<String>> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let calls = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("syscall")).ok());
    calls.map(|call| call.split_whitespace().map(str::to_owned).collect()).collect()
}

/// Waits until a task waits in a call that `like` accepts, and returns its number and arguments.
fn await_call(pid: u32, like: impl Fn(&[String]) -> bool) -> Option<Vec<String>> {
    for _ in 0..2_000 {
        if let Some(call) = calls(pid).into_iter().find(|call| like(call)) {
            return Some(call);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

/// Whether the kernel shows which call a process waits in; prints if not.
fn shows_calls() -> bool {
    // This thread is just reading that file.
    let shows = std::fs::read_to_string("/proc/thread-self/syscall").is_ok();
    if !shows {
        feed_testing::skipped("the kernel does not show what a process waits in");
    }
    shows
}

/// A message wakes at once, not at the next look: the sleeper sleeps on the event word, with `FUTEX_WAIT`.
#[test]
fn without_futex_waitv_a_message_wakes_at_once() {
    let root = PrivateRoot::new();
    let _publisher = Publisher::<u64>::options("r").root(&root).capacity(64).create().unwrap();
    for refused in ["an old kernel", "a filter of futex_waitv"] {
        let mut sleeper = Child::start(child("sleep_where_refused").env("ROOT", root.path()).env("REFUSED", refused));
        sleeper.wait_for("attached");
        if !shows_calls() {
            return;
        }
        // The fields: number, word, operation, value, timeout. The sleep must not be on a private word.
        let on_event = |call: &[String]| {
            call[0] == libc::SYS_futex.to_string() && mapped(sleeper.id(), &call[1], "segment") && call[2] == "0x0"
        };
        let call = await_call(sleeper.id(), on_event);
        let call =
            call.unwrap_or_else(|| panic!("{refused}: sleeps on no word of the segment: {:?}", calls(sleeper.id())));
        assert_ne!(call[4], "0x0", "{refused}: a death and an interruption wake nobody: {call:?}");
    }
}

/// Whether an address of a process lies in a mapping of a ring's file.
fn mapped(pid: u32, address: &str, file: &str) -> bool {
    let address = u64::from_str_radix(address.trim_start_matches("0x"), 16).unwrap();
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().lines().any(|line| {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        (hex(start)..hex(end)).contains(&address) && line.contains(&format!("r.ring/{file}"))
    })
}

/// How often the threads of a process gave up their processor by themselves.
fn switches(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let all = tasks.map(|task| std::fs::read_to_string(task.path().join("status")).unwrap());
    let of = |status: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    all.map(|status| of(&status)).sum()
}

/// A sleeper whose barrier is refused may have missed a message, so it looks again much sooner than another.
#[test]
fn without_membarrier_a_sleep_is_bounded() {
    let root = PrivateRoot::new();
    let publisher = Publisher::<u64>::options("r").root(&root).capacity(64).create().unwrap();
    if publisher.wake() == Wake::Fence {
        return feed_testing::skipped("the kernel refuses membarrier to everybody here");
    }
    let start = |refused| {
        let mut sleeper = Child::start(child("sleep_where_refused").env("ROOT", root.path()).env("REFUSED", refused));
        sleeper.wait_for("attached");
        sleeper
    };
    let sleepers = [start("a filter of membarrier"), start("nothing")];
    for sleeper in &sleepers {
        while !feed_testing::sleeps(sleeper.id()) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let before = sleepers.each_ref().map(|sleeper| switches(sleeper.id()));
    std::thread::sleep(Duration::from_secs(2));
    let [without, with] = [0, 1].map(|index| switches(sleepers[index].id()) - before[index]);
    println!("in two seconds a sleeper looked {without} times without membarrier, {with} times with it");
    assert!(without > 3 * with, "{without} {with}");
}

/// Publishes where membarrier is refused, and prints how it finds out that a subscriber sleeps.
#[test]
#[ignore = "a child of other tests"]
fn publish_without_membarrier() {
    if !as_child() {
        return;
    }
    refuse(&[libc::SYS_membarrier], None, libc::EPERM);
    let root = std::env::var("ROOT").unwrap();
    let mut publisher = Publisher::<u64>::options("r").root(root).capacity(64).create().unwrap();
    println!("\nwakes {:?}", publisher.wake());
    for line in std::io::stdin().lines() {
        publisher.publish(&line.unwrap().parse().unwrap());
    }
}

#[test]
fn a_publisher_without_membarrier_fences() {
    let root = PrivateRoot::new();
    let (told, mut tell) = std::io::pipe().unwrap();
    let mut publisher = Child::start(child("publish_without_membarrier").env("ROOT", root.path()).stdin(told));
    assert_eq!(publisher.wait_for("wakes"), "Fence", "although it was asked for membarrier");
    let options = Subscriber::<u64>::options("r").root(&root).join(Join::Oldest).wait(WaitStrategy::Block);
    let mut subscriber = options.open().unwrap();
    for number in 0..100 {
        use std::io::Write;
        let sleeping = std::thread::spawn(move || {
            let received = subscriber.recv_timeout(Duration::from_secs(20));
            (received, subscriber)
        });
        std::thread::sleep(Duration::from_millis(2));
        writeln!(tell, "{number}").unwrap();
        let received;
        (received, subscriber) = sleeping.join().unwrap();
        assert_eq!(received, Ok(number));
    }
    drop(tell);
    assert!(publisher.finish().0.success());
    assert!(matches!(subscriber.recv_timeout(Duration::from_secs(20)), Err(TryRecvError::Closed)));
}

/// Makes a ring where its memory cannot be reserved.
#[test]
#[ignore = "a child of other tests"]
fn create_where_full() {
    if !as_child() {
        return;
    }
    let root = PathBuf::from(std::env::var("ROOT").unwrap());
    refuse(&[libc::SYS_fallocate], None, libc::ENOSPC);
    let options = || Publisher::<u64>::options("r").capacity(64);
    let said = |error: CreateError| match error {
        CreateError::NoRoom { needed, free, .. } => format!("NoRoom {} {}", needed > 0, free > 0),
        CreateError::NoMemory { needed, free, .. } => format!("NoMemory {} {}", needed > 0, free > 0),
        other => format!("{other:?}"),
    };
    println!("\ndisk {}", said(options().root(&root).create().unwrap_err()));
    println!("sealed {}", said(options().serve(Path::new(&root).join("s")).create().unwrap_err()));
    println!("left {:?}", std::fs::read_dir(&root).unwrap().count());
}

/// Another process may take the memory after the check.
#[test]
fn room_that_is_gone_when_it_is_taken_is_told() {
    let root = PrivateRoot::new();
    let mut full = Child::start(child("create_where_full").env("ROOT", root.path()));
    assert_eq!(full.wait_for("disk"), "NoRoom true true");
    assert_eq!(full.wait_for("sealed"), "NoMemory true true");
    assert_eq!(full.wait_for("left"), "0");
}

/// Tries to replace a ring where that fails.
#[test]
#[ignore = "a child of other tests"]
fn fail_to_replace() {
    if !as_child() {
        return;
    }
    refuse(&[libc::SYS_fallocate], None, libc::EIO);
    let options = Publisher::<u64>::options("r").root(std::env::var("ROOT").unwrap()).capacity(16);
    println!("\nfailed {}", options.create().unwrap_err());
}

/// The old ring ends only once nothing can fail any more.
#[test]
fn a_ring_that_cannot_be_replaced_stays_as_it_is() {
    let root = PrivateRoot::new();
    let options = || Publisher::<u64>::options("r").root(&root).capacity(8).keep(true);
    options().create().unwrap().publish(&1);
    let mut subscriber = Subscriber::<u64>::options("r").root(&root).join(Join::Oldest).open().unwrap();
    let failed = Child::start(child("fail_to_replace").env("ROOT", root.path())).wait_for("failed");
    assert!(failed.contains("cannot reserve memory in (fallocate)"), "{failed}");
    assert_eq!(subscriber.try_recv(), Ok(1));
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed), "not superseded: there is nothing in its place");
    let _next = options().create().unwrap();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 1 }));
}

/// Makes a ring that is too large for its cgroup, and one that is not.
#[test]
#[ignore = "a child of other tests"]
fn create_under_a_limit() {
    if !as_child() {
        return;
    }
    let root = PathBuf::from(std::env::var("ROOT").unwrap());
    let options = |capacity| Publisher::<[u64; 7]>::options("r").root(&root).capacity(capacity);
    match options(1 << 21).create() {
        Err(error @ CreateError::MemoryLimit { needed, free, .. }) => {
            assert!(needed > 1 << 27 && free <= 64 << 20, "{needed} {free}");
            let text = error.to_string();
            assert!(text.contains(&needed.to_string()) && text.contains(&free.to_string()), "{text}");
            assert!(
                text.contains("lower the capacity, or raise the limit") && text.contains("feed-ring-test"),
                "{text}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "nothing is left behind");
    drop(options(1 << 16).create().unwrap());
    println!("\ntold");
}

/// A memory cgroup of its own, removed when dropped.
struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes one with a limit of 64 MiB, of cgroup version 1 or 2. `None` where this process may not.
    fn new() -> Option<Self> {
        let name = format!("feed-ring-test.{}", std::process::id());
        let places = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        places.into_iter().find_map(|(place, limit)| {
            let path = Path::new(place).join(&name);
            std::fs::create_dir(&path).ok()?;
            let cgroup = Cgroup(path);
            // Without the memory controller, or outside a cgroup file system, there is no such file.
            cgroup.0.join(limit).exists().then_some(())?;
            std::fs::write(cgroup.0.join(limit), (64 << 20).to_string()).ok()?;
            Some(cgroup)
        })
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_memory_limit_is_an_error() {
    let Some(cgroup) = Cgroup::new() else {
        return feed_testing::skipped("this user may not make a memory cgroup here");
    };
    let root = PrivateRoot::new();
    let program = child("create_under_a_limit");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "echo $$ > \"$CGROUP/cgroup.procs\" && exec \"$@\"", "sh"]);
    command.arg(program.get_program()).args(program.get_args()).env("ROOT", root.path()).env("CGROUP", &cgroup.0);
    command.envs(program.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
    let (status, said) = Child::start(&mut command).finish();
    assert!(status.success() && said.contains("told"), "{status}: {said}");
}

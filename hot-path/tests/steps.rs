//! A publisher that is killed between any two instructions of publishing one message, as it is shipped: a debugger steps it
//! through the release's machine code, and kills it after one instruction, after two, and so on. After each death nobody
//! sees half a message, no sequence number stands for two messages, everything is accounted for, and a new publisher takes
//! over. (`make faults` kills at every store of all other operations, in a build that stores short messages word by word.)
#![cfg(target_arch = "x86_64")]
#![allow(unsafe_code)] // ptrace

use std::arch::asm;
use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use feed_ring::inspect::Ring;
use feed_ring::{Join, Payload, Publisher, Subscriber, TryRecvError};
use feed_ring_hot_path::{FourLines, OneLine, publish_56, publish_248};
use feed_testing::{Child, PrivateRoot, as_child, child, skipped};

const CAPACITY: usize = 4;

/// A message whose words follow from its publisher and its number.
trait Message: Payload + Copy + PartialEq + std::fmt::Debug {
    fn of(publisher: u64, number: u64) -> Self;
    fn words(&self) -> &[u64];
    /// Publishes it by the function that is stepped through.
    fn publish(&self, publisher: &mut Publisher<Self>);
}

fn words<const WORDS: usize>(publisher: u64, number: u64) -> [u64; WORDS] {
    let start = publisher << 32 | number;
    std::array::from_fn(|index| {
        start.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(start) ^ (index as u64 + 1) << 56
    })
}

impl Message for OneLine {
    fn of(publisher: u64, number: u64) -> Self {
        words(publisher, number)
    }
    fn words(&self) -> &[u64] {
        self
    }
    fn publish(&self, publisher: &mut Publisher<Self>) {
        publish_56(publisher, self);
    }
}

impl Message for FourLines {
    fn of(publisher: u64, number: u64) -> Self {
        words(publisher, number)
    }
    fn words(&self) -> &[u64] {
        self
    }
    fn publish(&self, publisher: &mut Publisher<Self>) {
        publish_248(publisher, self);
    }
}

fn create<M: Message>(root: &Path) -> Publisher<M> {
    Publisher::options("steps").root(root).capacity(CAPACITY).keep(true).create().unwrap()
}

/// Takes the ring over and publishes one message between two breakpoints.
fn publish_between_breakpoints<M: Message>() {
    let root = PathBuf::from(std::env::var("ROOT").unwrap());
    let (mut publisher, message) = (create::<M>(&root), M::of(1, 0));
    // SAFETY: it takes no pointers. This thread's parent is the test.
    let traced = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) } == 0;
    // SAFETY: it takes no arguments.
    println!("\nthread {} {traced}", unsafe { libc::gettid() });
    if traced {
        // SAFETY: the debugger takes the signal of a breakpoint.
        unsafe { asm!("int3") };
        message.publish(&mut publisher);
        // SAFETY: as above.
        unsafe { asm!("int3") };
    }
    std::mem::forget(publisher);
}

#[test]
#[ignore = "a child of another test"]
fn publish_56_under_a_debugger() {
    if as_child() {
        publish_between_breakpoints::<OneLine>();
    }
}

#[test]
#[ignore = "a child of another test"]
fn publish_248_under_a_debugger() {
    if as_child() {
        publish_between_breakpoints::<FourLines>();
    }
}

/// A thread that this thread debugs.
struct Debugged {
    thread: libc::pid_t,
    child: Child,
}

impl Debugged {
    /// Starts the child and lets it run to its first breakpoint. `None` where debugging is not allowed.
    fn start(test: &str, root: &PrivateRoot) -> Option<Self> {
        let mut child = Child::start(child(test).env("ROOT", root.path()));
        let said = child.wait_for("thread");
        let (thread, traced) = said.split_once(' ').unwrap();
        let debugged = Debugged { thread: thread.parse().unwrap(), child };
        if traced != "true" {
            return None;
        }
        debugged.wait();
        Some(debugged)
    }

    /// Waits until it stops at a trap.
    fn wait(&self) {
        let mut status = 0;
        // SAFETY: the kernel writes to `status`.
        let stopped = unsafe { libc::waitpid(self.thread, &mut status, libc::__WALL) };
        assert_eq!(stopped, self.thread, "{}", std::io::Error::last_os_error());
        assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGTRAP, "status {status:#x}");
    }

    fn step(&self) {
        // SAFETY: the thread is stopped, and it is this thread's.
        let result = unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.thread, 0, 0) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        self.wait();
    }

    /// Whether the next instruction is a breakpoint.
    fn is_at_breakpoint(&self) -> bool {
        // SAFETY: all zeros is a value.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        // SAFETY: the thread is stopped, and the kernel writes to `registers`.
        let result = unsafe { libc::ptrace(libc::PTRACE_GETREGS, self.thread, 0, &mut registers) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        // SAFETY: the thread is stopped, and the kernel returns the word at its next instruction.
        let code = unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, self.thread, registers.rip, 0) };
        code.to_le_bytes()[0] == 0xcc
    }
}

impl Drop for Debugged {
    fn drop(&mut self) {
        // SAFETY: the process is this one's child and not waited for yet.
        unsafe { libc::kill(self.child.id().cast_signed(), libc::SIGKILL) };
        // The process has ended only once its debugger has seen its thread end.
        let mut status = 0;
        // SAFETY: the kernel writes to `status`.
        while unsafe { libc::waitpid(self.thread, &mut status, libc::__WALL) } == self.thread
            && libc::WIFSTOPPED(status)
        {}
        self.child.kill();
    }
}

/// Reads everything there is; returns the error that ended it.
fn drain<M: Message>(from: &mut Subscriber<M>, seen: &mut HashMap<u64, M>, context: &str) -> TryRecvError {
    loop {
        let at = from.sequence();
        match from.try_recv() {
            Ok(found) => {
                let whole = (0..3).any(|publisher| (0..8).any(|number| M::of(publisher, number) == found));
                assert!(whole, "{context}: half a message at {at}: {found:x?}");
                let before = *seen.entry(at).or_insert(found);
                assert_eq!(before, found, "{context}: sequence {at} stood for another message");
            }
            Err(TryRecvError::Lagged { .. } | TryRecvError::Restarted { .. }) => {}
            Err(end) => {
                let told = from.first() + from.received() + from.lost() + from.skipped();
                assert_eq!(told, from.sequence(), "{context}");
                assert!(matches!(end, TryRecvError::Empty | TryRecvError::PublisherDead), "{context}: {end}");
                return end;
            }
        }
    }
}

fn join<M: Message>(root: &Path) -> Subscriber<M> {
    Subscriber::options("steps").root(root).join(Join::Oldest).open().unwrap()
}

/// Which words of the slot of message `sequence` belong to the new message, as text: `..xx`.
fn new_words<M: Message>(root: &Path, sequence: u64, new: &M) -> String {
    let segment = std::fs::File::open(root.join("steps.ring/segment")).unwrap();
    let word = |at: u64| {
        let mut bytes = [0; 8];
        segment.read_exact_at(&mut bytes, at).unwrap();
        u64::from_ne_bytes(bytes)
    };
    // From the header: where the slots begin, and how large one is.
    let (slots_at, slot) = (word(48 * 8), word(49 * 8));
    let at = slots_at + sequence % CAPACITY as u64 * slot + 8;
    let is_new = |(index, new): (usize, &u64)| word(at + index as u64 * 8) == *new;
    new.words().iter().enumerate().map(|word| if is_new(word) { 'x' } else { '.' }).collect()
}

/// Kills a publisher after each number of instructions. Returns that number when the message was published, and every state
/// that a death left its slot in.
fn die_everywhere<M: Message>(test: &str) -> Option<(usize, BTreeSet<String>)> {
    let mut states = BTreeSet::new();
    for steps in 0.. {
        let context = format!("{test}, killed after {steps} instructions");
        let root = PrivateRoot::new();
        // The ring has been lapped, so half a message in any slot would spoil a whole one.
        let mut first = create::<M>(root.path());
        let mut all_along = join::<M>(root.path());
        let mut seen = HashMap::new();
        (0..5).for_each(|number| _ = first.publish(&M::of(0, number)));
        drain(&mut all_along, &mut seen, &context);
        // As a killed one leaves it.
        first_ends(first);
        let debugged = Debugged::start(test, &root)?;
        let mut over = debugged.is_at_breakpoint();
        for _ in 0..steps {
            debugged.step();
            over = debugged.is_at_breakpoint();
            if over {
                break;
            }
        }
        states.insert(new_words(root.path(), 5, &M::of(1, 0)));
        drain(&mut all_along, &mut seen, &context);
        drop(debugged);
        drain(&mut all_along, &mut seen, &context);
        let mut late = join::<M>(root.path());
        drain(&mut late, &mut seen, &context);
        assert!(Ring::open(root.path(), "steps").unwrap().verify().is_fine(), "{context}");
        if over {
            assert_eq!(seen.get(&5), Some(&M::of(1, 0)), "{context}: it was published");
        }
        let mut next = create::<M>(root.path());
        let begin = next.published();
        assert!(seen.keys().all(|&sequence| sequence < begin), "{context}: {begin} was published already");
        (0..2).for_each(|number| _ = next.publish(&M::of(2, number)));
        for witness in [&mut all_along, &mut late, &mut join(root.path())] {
            assert_eq!(drain(witness, &mut seen, &context), TryRecvError::Empty, "{context}");
            assert_eq!(witness.sequence(), begin + 2, "{context}: a permanent gap");
        }
        assert_eq!(seen.get(&(begin + 1)), Some(&M::of(2, 1)), "{context}");
        drop(next);
        if over {
            println!("{test}: killed after each of {steps} instructions; the slot's words: {states:#?}");
            return Some((steps, states));
        }
    }
    unreachable!("publishing ends")
}

/// A publisher that ends without closing its ring.
fn first_ends<M: Message>(publisher: Publisher<M>) {
    let panicked = std::thread::spawn(move || {
        let _publisher = publisher;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(panicked.join().is_err());
}

const REFUSED: &str = "this process may not debug its children";

#[test]
fn killed_between_two_instructions_of_a_short_message() {
    let Some((steps, states)) = die_everywhere::<OneLine>("publish_56_under_a_debugger") else {
        return skipped(REFUSED);
    };
    assert!((20..400).contains(&steps), "{steps} instructions");
    // The shipped copy: three stores of two words, then one word.
    let expected = [".......", "xx.....", "xxxx...", "xxxxxx.", "xxxxxxx"];
    assert_eq!(states, expected.map(str::to_owned).into());
}

#[test]
fn killed_between_two_instructions_of_a_long_message() {
    let Some((steps, states)) = die_everywhere::<FourLines>("publish_248_under_a_debugger") else {
        return skipped(REFUSED);
    };
    assert!((40..800).contains(&steps), "{steps} instructions");
    assert!(states.len() > 8, "{states:?}");
}

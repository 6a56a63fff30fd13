//! Shows what each kernel mechanism does when a side is gone or slow, as `docs/ipc.md` states it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

use feed_ring_benches::harness::contender::{Contender, Direction, Receiver, Sender, Unavailable};
use feed_ring_benches::harness::message::pattern;
use feed_ring_benches::harness::private_dir::PrivateDir;
use feed_ring_benches::kernel::posix::PosixQueue;
use feed_ring_benches::kernel::sysv::SystemVQueue;
use feed_ring_benches::kernel::unix::bind_stream;
use feed_ring_benches::sys::posix_mq::{Access, open, unlink};
use feed_testing::{PrivateRoot, skipped};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// A writer without readers gets EPIPE (Rust ignores SIGPIPE). A reader without writers gets end-of-file.
#[test]
fn a_pipe_tells_either_side_that_the_other_is_gone() {
    let (reader, mut writer) = std::io::pipe().expect("pipe");
    drop(reader);
    assert_eq!(writer.write(b"x").expect_err("there is no reader").kind(), ErrorKind::BrokenPipe);
    let (mut reader, mut writer) = std::io::pipe().expect("pipe");
    writer.write_all(b"x").expect("write");
    drop(writer);
    let mut all = Vec::new();
    reader.read_to_end(&mut all).expect("data written before the end is not lost");
    assert_eq!(all, b"x");
}

/// A datagram socket tells the sender (ECONNREFUSED) but never the receiver, which keeps waiting.
#[test]
fn a_datagram_receiver_is_never_told_that_the_sender_is_gone() {
    let root = PrivateRoot::new();
    let path = root.path().join("datagram");
    let receiver = UnixDatagram::bind(&path).expect("bind");
    let sender = UnixDatagram::unbound().expect("socket");
    sender.connect(&path).expect("connect");
    drop(sender);
    receiver.set_nonblocking(true).expect("nonblocking");
    let mut polled = [PollFd::new(&receiver, PollFlags::IN)];
    assert_eq!(poll(&mut polled, Some(&Timespec::default())).expect("poll"), 0, "nothing, not even a hang-up");
    assert_eq!(receiver.recv(&mut [0; 8]).expect_err("nothing").kind(), ErrorKind::WouldBlock);

    let sender = UnixDatagram::unbound().expect("socket");
    sender.connect(&path).expect("connect");
    drop(receiver);
    assert_eq!(sender.send(b"x").expect_err("there is no receiver").kind(), ErrorKind::ConnectionRefused);
}

/// An eventfd reports neither an end nor an error when the other side is gone.
#[test]
fn an_eventfd_never_tells_of_a_death() {
    let counter = eventfd(0, EventfdFlags::NONBLOCK).expect("eventfd");
    drop(counter.try_clone().expect("the other side's descriptor"));
    let mut polled = [PollFd::new(&counter, PollFlags::IN)];
    assert_eq!(poll(&mut polled, Some(&Timespec::default())).expect("poll"), 0);
    rustix::io::write(&counter, &1_u64.to_ne_bytes()).expect("adding without a reader is no error");
}

/// A socket file outlives its server. The next server gets EADDRINUSE unless it removes the file, which it may do only
/// if no process listens there.
#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let root = PrivateRoot::new();
    let path = root.path().join("socket");
    drop(UnixListener::bind(&path).expect("bind"));
    assert_eq!(UnixStream::connect(&path).expect_err("stale").kind(), ErrorKind::ConnectionRefused);
    assert_eq!(UnixListener::bind(&path).expect_err("stale").kind(), ErrorKind::AddrInUse);
    let _server = bind_stream(&path).expect("a stale socket is replaced");
    let error = bind_stream(&path).expect_err("a live one is not").to_string();
    assert!(error.contains("a process listens there already"), "{error}");
    std::fs::write(root.path().join("file"), "precious").expect("write");
    assert!(bind_stream(&root.path().join("file")).is_err(), "a file that is no socket is not removed");
    assert!(root.path().join("file").exists());
}

/// A full POSIX queue makes the sender wait, up to a deadline. The queue and its messages outlive all its users.
#[test]
fn a_posix_queue_keeps_its_messages_and_times_out_when_full() {
    let name = format!("feed-ring-test.{}", std::process::id());
    match open(&name, Access::Create { depth: 2, size: 8 }) {
        Ok(queue) => drop(queue),
        Err(error) => return skipped(&format!("POSIX queues: {error}")),
    }
    let queue = open(&name, Access::Send).expect("open");
    let sent: Vec<_> = (0..3_u64).map(|n| queue.send(&n.to_ne_bytes(), Duration::from_millis(10))).collect();
    drop(queue);
    let queue = open(&name, Access::Receive).expect("no process has it open, but it still exists");
    unlink(&name).expect("unlink");
    let mut message = [0; 8];
    for expected in 0..2_u64 {
        queue.receive(&mut message, Duration::from_secs(10)).expect("it kept its messages");
        assert_eq!(u64::from_ne_bytes(message), expected);
    }
    assert!(sent[0].is_ok() && sent[1].is_ok());
    assert_eq!(sent[2].as_ref().expect_err("the queue was full").kind(), ErrorKind::TimedOut);
}

/// A message larger than the queue allows is refused before anything is sent. The error names the limit.
#[test]
fn queues_say_which_limit_is_too_small() {
    const WORDS: usize = 16 << 10;
    let root = PrivateRoot::new();
    let dir = PrivateDir::existing(root.path().to_owned());
    let posix = Contender::<WORDS>::link(&PosixQueue, &dir, Direction::Ping).map(drop);
    let system_v = Contender::<WORDS>::link(&SystemVQueue, &dir, Direction::Ping).map(drop);
    for (result, limit) in [(posix, "fs.mqueue.msgsize_max"), (system_v, "kernel.msgmax")] {
        match result {
            Ok(()) => skipped(&format!("{limit} is above {} here", WORDS * 8)),
            Err(error) => {
                assert!(error.is::<Unavailable>(), "{error:#}");
                let reason = error.to_string();
                if reason.contains("the kernel does not offer this") {
                    skipped(&reason);
                } else {
                    assert!(reason.contains(limit) && reason.contains("sysctl"), "{reason}");
                }
            }
        }
    }
}

/// A System V queue exists until it is removed. Its removal wakes waiting processes with an error.
#[test]
fn a_system_v_queue_outlives_its_users_until_it_is_removed() {
    let root = PrivateRoot::new();
    let dir = PrivateDir::create(root.path()).expect("a dir");
    let queue = match Contender::<1>::link(&SystemVQueue, &dir, Direction::Ping) {
        Ok(queue) => queue,
        Err(error) => return skipped(&format!("System V queues: {error}")),
    };
    let mut sender = Contender::<1>::sender(&SystemVQueue, &queue).expect("open");
    Sender::<1>::send(&mut sender, &pattern(0, 0)).expect("send");
    let mut receiver = Contender::<1>::receiver(&SystemVQueue, &queue).expect("open");
    receiver.receive(|message| assert_eq!(*message, pattern::<1>(0, 0))).expect("receive");
    // The directory notes the queue, so removing the directory removes the queue.
    drop(dir);
    assert!(receiver.receive(|_| ()).is_err(), "the queue is removed");
}

//! A pair: the two sides of one measurement, as two processes or, for what works only within one process, as two threads.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use signal_hook::consts::SIGCHLD;

use super::barrier::{self, Barrier};
use super::clock::Ticks;
use super::contender::{Contender, Direction, Unavailable};
use super::cores::{Cores, pin};
use super::fork;
use super::measurement::{Measurement, Plan, SubscriberResults};
use super::private_dir::PrivateDir;
use super::publisher::{PublisherSide, complete};
use super::subscriber::SubscriberSide;
use crate::sys::words::Memory;

/// What a pair needs to know.
#[derive(Debug)]
pub struct Session {
    /// Where its files go.
    pub dir: PrivateDir,
    /// Where the two sides run.
    pub cores: Cores,
    /// How long to do what.
    pub plan: Plan,
    /// How long a tick is.
    pub ticks: Ticks,
}

/// Exit status of a pair whose subscriber ended too early; what went wrong stands on standard error.
pub const SUBSCRIBER_ENDED: i32 = 3;

/// Measurements a contender with the subscriber in a process of its own.
///
/// # Errors
/// The contender's. If the subscriber fails this process exits at once with [`SUBSCRIBER_ENDED`], because it may be
/// waiting, spinning even, for a message that will never come.
pub fn processes<C: Contender<W>, const W: usize>(contender: &C, session: &Session) -> anyhow::Result<Measurement> {
    let (ping, pong, memory) = links(contender, session)?;
    let (mut ours, mut theirs) = UnixStream::pair().context("socketpair")?;
    let ends_too_early = Arc::new(AtomicBool::new(true));
    signal_hook::flag::register_conditional_shutdown(SIGCHLD, SUBSCRIBER_ENDED, Arc::clone(&ends_too_early))?;
    let child = fork::child(|| {
        // Children of its own are the contender's affair.
        ends_too_early.store(false, Ordering::SeqCst);
        let results = subscriber(contender, session, &ping, &pong, &memory)?;
        theirs.write_all(&serde_json::to_vec(&results)?).context("reporting to the publisher")
    })?;
    drop(theirs);
    let mut measurement = publisher(contender, session, &ping, &pong, &memory, || {
        ends_too_early.store(false, Ordering::SeqCst);
    })?;
    let mut results = Vec::new();
    ours.read_to_end(&mut results).context("the subscriber's results")?;
    child.wait()?;
    let results = serde_json::from_slice(&results).context("the subscriber's results")?;
    complete(&mut measurement, results, C::NEVER_WAITS)?;
    Ok(measurement)
}

/// Measurements a contender with the subscriber in a thread of this process.
///
/// # Errors
/// The contender's. If the subscriber fails the process exits at once, as with [`processes`].
pub fn threads<C: Contender<W> + Sync, const W: usize>(
    contender: &C,
    session: &Session,
) -> anyhow::Result<Measurement> {
    let (ping, pong, memory) = links(contender, session)?;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            subscriber(contender, session, &ping, &pong, &memory).unwrap_or_else(|error| {
                print_error(&error);
                std::process::exit(SUBSCRIBER_ENDED)
            })
        });
        let mut measurement = publisher(contender, session, &ping, &pong, &memory, || ()).unwrap_or_else(|error| {
            // Returning would wait for the other thread, which may be waiting for us.
            print_error(&error);
            std::process::exit(1)
        });
        let results = other.join().map_err(|_| anyhow::anyhow!("the subscriber's thread panicked"))?;
        complete(&mut measurement, results, C::NEVER_WAITS)?;
        Ok(measurement)
    })
}

/// One line on standard error: what went wrong, or what was skipped and why.
pub fn print_error(error: &anyhow::Error) {
    match error.chain().find_map(|cause| cause.downcast_ref::<Unavailable>()) {
        Some(unavailable) => eprintln!("SKIPPED: {unavailable}"),
        None => eprintln!("{error:#}"),
    }
}

fn links<C: Contender<W>, const W: usize>(
    contender: &C,
    session: &Session,
) -> anyhow::Result<(C::Link, C::Link, Memory)> {
    Ok((
        contender.link(&session.dir, Direction::Ping)?,
        contender.link(&session.dir, Direction::Pong)?,
        barrier::memory().context("memory to meet in")?,
    ))
}

fn publisher<C: Contender<W>, const W: usize>(
    contender: &C,
    session: &Session,
    ping: &C::Link,
    pong: &C::Link,
    memory: &Memory,
    about_to_end: impl FnOnce(),
) -> anyhow::Result<Measurement> {
    pin(session.cores.publisher)?;
    let barrier = Barrier::publisher(memory).context("memory to meet in")?;
    let sender = contender.sender(ping).context("opening the sender")?;
    let receiver = contender.receiver(pong).context("opening the receiver")?;
    let mut side = PublisherSide::new(sender, receiver, barrier, &session.plan, session.ticks);
    let measurement = side.measure(C::NEVER_WAITS)?;
    about_to_end();
    side.barrier.wait();
    Ok(measurement)
}

fn subscriber<C: Contender<W>, const W: usize>(
    contender: &C,
    session: &Session,
    ping: &C::Link,
    pong: &C::Link,
    memory: &Memory,
) -> anyhow::Result<SubscriberResults> {
    pin(session.cores.subscriber)?;
    let barrier = Barrier::subscriber(memory).context("memory to meet in")?;
    let receiver = contender.receiver(ping).context("opening the receiver")?;
    let sender = contender.sender(pong).context("opening the sender")?;
    let mut side = SubscriberSide::new(receiver, sender, barrier, &session.plan, session.ticks);
    let mut results = side.measure(C::NEVER_WAITS)?;
    if contender.shares_core() {
        results.preempted.fill(false);
    }
    side.barrier.wait();
    Ok(results)
}

//! A pair: the two sides of one measurement.
//!
//! They are two processes or, for a contender that works only within one process, two threads.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use signal_hook::consts::SIGCHLD;

use super::barrier::{self, Barrier};
use super::clock::Ticks;
use super::contender::{Contender, Direction, Unavailable};
use super::cores::{Cores, pin};
use super::fork;
use super::measurement::{Measurement, Plan, SubscriberResults};
use super::private_dir::PrivateDir;
use super::publisher::{PublisherSide, add_subscriber_results};
use super::round::{Follows as _, Leads as _};
use super::subscriber::SubscriberSide;
use crate::sys::words::Memory;

/// The settings of a measurement.
#[derive(Debug)]
pub struct Session {
    /// The directory for the pair's files.
    pub dir: PrivateDir,
    /// The cores of the two sides.
    pub cores: Cores,
    /// The length of the rounds.
    pub plan: Plan,
    /// The length of a tick.
    pub ticks: Ticks,
}

/// Exit status of a pair whose subscriber ended too early. The reason stands on standard error.
pub const SUBSCRIBER_ENDED: i32 = 3;

/// Measures a contender with the subscriber in a process of its own.
///
/// # Errors
/// As [`in_two_processes`].
pub fn processes<C: Contender<W>, const W: usize>(contender: &C, session: &Session) -> anyhow::Result<Measurement> {
    let (ping, pong, memory) = links(contender, session)?;
    let (mut measurement, results) = in_two_processes(
        || subscriber(contender, session, &ping, &pong, &memory),
        |about_to_end| publisher(contender, session, &ping, &pong, &memory, about_to_end),
    )?;
    add_subscriber_results(&mut measurement, results, C::NEVER_WAITS)?;
    Ok(measurement)
}

/// Runs `leads` in this process and `follows` in a child. Returns the results of both. `leads` calls what it is given
/// before it lets the other side end.
///
/// # Errors
/// Those of `leads`. If the other side fails, this process exits at once with [`SUBSCRIBER_ENDED`]: this side may be
/// waiting for a message that will never come.
pub fn in_two_processes<L, F: Serialize + DeserializeOwned>(
    follows: impl FnOnce() -> anyhow::Result<F>,
    leads: impl FnOnce(&dyn Fn()) -> anyhow::Result<L>,
) -> anyhow::Result<(L, F)> {
    let (mut ours, mut theirs) = UnixStream::pair().context("socketpair")?;
    let ends_too_early = Arc::new(AtomicBool::new(true));
    signal_hook::flag::register_conditional_shutdown(SIGCHLD, SUBSCRIBER_ENDED, Arc::clone(&ends_too_early))?;
    let child = fork::child(|| {
        // A contender may start children of its own on this side. Their end must not end this side.
        ends_too_early.store(false, Ordering::SeqCst);
        let results = follows()?;
        theirs.write_all(&serde_json::to_vec(&results)?).context("reporting to the side that leads")
    })?;
    drop(theirs);
    let led = leads(&|| ends_too_early.store(false, Ordering::SeqCst))?;
    let mut results = Vec::new();
    ours.read_to_end(&mut results).context("the other side's results")?;
    child.wait()?;
    Ok((led, serde_json::from_slice(&results).context("the other side's results")?))
}

/// Measures a contender with the subscriber in a thread of this process.
///
/// # Errors
/// The contender's. If the subscriber fails, the process exits at once, as in [`processes`].
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
        let mut measurement = publisher(contender, session, &ping, &pong, &memory, &|| ()).unwrap_or_else(|error| {
            // Returning would join the other thread, which may be waiting for this one.
            print_error(&error);
            std::process::exit(1)
        });
        let results = other.join().map_err(|_| anyhow::anyhow!("the subscriber's thread panicked"))?;
        add_subscriber_results(&mut measurement, results, C::NEVER_WAITS)?;
        Ok(measurement)
    })
}

/// Prints one line to standard error: the error, or `SKIPPED` with the reason.
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
        barrier::memory().context("memory of the barrier")?,
    ))
}

fn publisher<C: Contender<W>, const W: usize>(
    contender: &C,
    session: &Session,
    ping: &C::Link,
    pong: &C::Link,
    memory: &Memory,
    about_to_end: &dyn Fn(),
) -> anyhow::Result<Measurement> {
    pin(session.cores.publisher)?;
    let barrier = Barrier::publisher(memory).context("memory of the barrier")?;
    let sender = contender.sender(ping).context("opening the sender")?;
    let receiver = contender.receiver(pong).context("opening the receiver")?;
    let mut side = PublisherSide::new(sender, receiver, barrier, &session.plan, session.ticks);
    let measurement = side.measure(C::NEVER_WAITS)?;
    about_to_end();
    side.lead().barrier.wait();
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
    let barrier = Barrier::subscriber(memory).context("memory of the barrier")?;
    let receiver = contender.receiver(ping).context("opening the receiver")?;
    let sender = contender.sender(pong).context("opening the sender")?;
    let shares_core = contender.shares_core();
    let mut side = SubscriberSide::new(receiver, sender, barrier, &session.plan, session.ticks, shares_core);
    let results = side.measure(C::NEVER_WAITS)?;
    side.follow().barrier.wait();
    Ok(results)
}

//! A pair: the two sides of one visit, as two processes or, for what works only within one process, as two threads.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use signal_hook::consts::SIGCHLD;

use super::clock::Ticks;
use super::contender::{Contender, Direction, Unavailable};
use super::cores::{Cores, pin};
use super::follow::Follow;
use super::fork;
use super::lead::{Lead, complete};
use super::meeting::{self, Meeting};
use super::place::Place;
use super::visit::{Findings, Plan, Visit};
use crate::sys::words::Memory;

/// What a pair needs to know.
#[derive(Debug)]
pub struct Session {
    /// Where its files go.
    pub place: Place,
    /// Where the two sides run.
    pub cores: Cores,
    /// How long to do what.
    pub plan: Plan,
    /// How long a tick is.
    pub ticks: Ticks,
}

/// Exit status of a pair whose subscriber ended too early; what went wrong stands on standard error.
pub const SUBSCRIBER_ENDED: i32 = 3;

/// Visits a contender with the subscriber in a process of its own.
///
/// # Errors
/// The contender's. If the subscriber fails this process exits at once with [`SUBSCRIBER_ENDED`], because it may be
/// waiting, spinning even, for a message that will never come.
pub fn processes<C: Contender<W>, const W: usize>(contender: &C, session: &Session) -> anyhow::Result<Visit> {
    let (ping, pong, memory) = links(contender, session)?;
    let (mut ours, mut theirs) = UnixStream::pair().context("socketpair")?;
    let ends_too_early = Arc::new(AtomicBool::new(true));
    signal_hook::flag::register_conditional_shutdown(SIGCHLD, SUBSCRIBER_ENDED, Arc::clone(&ends_too_early))?;
    let child = fork::child(|| {
        // Children of its own are the contender's affair.
        ends_too_early.store(false, Ordering::SeqCst);
        let findings = subscriber(contender, session, &ping, &pong, &memory)?;
        theirs.write_all(&serde_json::to_vec(&findings)?).context("reporting to the publisher")
    })?;
    drop(theirs);
    let mut visit = publisher(contender, session, &ping, &pong, &memory, || {
        ends_too_early.store(false, Ordering::SeqCst);
    })?;
    let mut findings = Vec::new();
    ours.read_to_end(&mut findings).context("the subscriber's findings")?;
    child.wait()?;
    let findings = serde_json::from_slice(&findings).context("the subscriber's findings")?;
    complete(&mut visit, findings, C::NEVER_WAITS)?;
    Ok(visit)
}

/// Visits a contender with the subscriber in a thread of this process.
///
/// # Errors
/// The contender's. If the subscriber fails the process exits at once, as with [`processes`].
pub fn threads<C: Contender<W> + Sync, const W: usize>(contender: &C, session: &Session) -> anyhow::Result<Visit> {
    let (ping, pong, memory) = links(contender, session)?;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            subscriber(contender, session, &ping, &pong, &memory).unwrap_or_else(|error| {
                complain(&error);
                std::process::exit(SUBSCRIBER_ENDED)
            })
        });
        let mut visit = publisher(contender, session, &ping, &pong, &memory, || ()).unwrap_or_else(|error| {
            // Returning would wait for the other thread, which may be waiting for us.
            complain(&error);
            std::process::exit(1)
        });
        let findings = other.join().map_err(|_| anyhow::anyhow!("the subscriber's thread panicked"))?;
        complete(&mut visit, findings, C::NEVER_WAITS)?;
        Ok(visit)
    })
}

/// One line on standard error: what went wrong, or what was skipped and why.
pub fn complain(error: &anyhow::Error) {
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
        contender.link(&session.place, Direction::Ping)?,
        contender.link(&session.place, Direction::Pong)?,
        meeting::memory().context("memory to meet in")?,
    ))
}

fn publisher<C: Contender<W>, const W: usize>(
    contender: &C,
    session: &Session,
    ping: &C::Link,
    pong: &C::Link,
    memory: &Memory,
    about_to_end: impl FnOnce(),
) -> anyhow::Result<Visit> {
    pin(session.cores.publisher)?;
    let meeting = Meeting::publisher(memory).context("memory to meet in")?;
    let sender = contender.sender(ping).context("opening the sender")?;
    let receiver = contender.receiver(pong).context("opening the receiver")?;
    let mut lead = Lead::new(sender, receiver, meeting, &session.plan, session.ticks);
    let visit = lead.visit(C::NEVER_WAITS)?;
    about_to_end();
    lead.meeting.meet();
    Ok(visit)
}

fn subscriber<C: Contender<W>, const W: usize>(
    contender: &C,
    session: &Session,
    ping: &C::Link,
    pong: &C::Link,
    memory: &Memory,
) -> anyhow::Result<Findings> {
    pin(session.cores.subscriber)?;
    let meeting = Meeting::subscriber(memory).context("memory to meet in")?;
    let receiver = contender.receiver(ping).context("opening the receiver")?;
    let sender = contender.sender(pong).context("opening the sender")?;
    let mut follow = Follow::new(receiver, sender, meeting, &session.plan, session.ticks);
    let mut findings = follow.visit(C::NEVER_WAITS)?;
    if contender.shares_core() {
        findings.preempted.fill(false);
    }
    follow.meeting.meet();
    Ok(findings)
}

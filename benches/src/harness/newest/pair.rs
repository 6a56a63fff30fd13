//! The writer's and the reader's process of one measurement.

use anyhow::Context as _;

use super::contender::{Keeper, Writer as _};
use super::measurement::{Newest, ReaderResults};
use super::reader::ReaderSide;
use super::writer::WriterSide;
use crate::harness::barrier::{self, Barrier};
use crate::harness::cores::pin;
use crate::harness::message;
use crate::harness::pair::{Session, in_two_processes};
use crate::harness::round::{Follows as _, Leads as _};
use crate::sys::words::Memory;

/// Measures a contender with the reader in a process of its own.
///
/// # Errors
/// As [`in_two_processes`].
pub fn processes<C: Keeper<W>, const W: usize>(contender: &C, session: &Session) -> anyhow::Result<Newest> {
    let (link, memory) = (contender.link(&session.dir)?, barrier::memory().context("memory of the barrier")?);
    let (mut measurement, results) = in_two_processes(
        || reader(contender, session, &link, &memory),
        |about_to_end| writer(contender, session, &link, &memory, about_to_end),
    )?;
    measurement.add(results);
    Ok(measurement)
}

fn writer<C: Keeper<W>, const W: usize>(
    contender: &C,
    session: &Session,
    link: &C::Link,
    memory: &Memory,
    about_to_end: &dyn Fn(),
) -> anyhow::Result<Newest> {
    pin(session.cores.publisher)?;
    let mut barrier = Barrier::publisher(memory).context("memory of the barrier")?;
    let mut writer = contender.writer(link).context("opening the writer")?;
    writer.store(&message::pattern(0, 0))?;
    // The reader opens behind this.
    barrier.wait();
    let mut side = WriterSide::new(writer, barrier, &session.plan, session.ticks);
    let measurement = side.measure()?;
    about_to_end();
    side.lead().barrier.wait();
    Ok(measurement)
}

fn reader<C: Keeper<W>, const W: usize>(
    contender: &C,
    session: &Session,
    link: &C::Link,
    memory: &Memory,
) -> anyhow::Result<ReaderResults> {
    pin(session.cores.subscriber)?;
    let mut barrier = Barrier::subscriber(memory).context("memory of the barrier")?;
    barrier.wait();
    let reader = contender.reader(link).context("opening the reader")?;
    let mut side = ReaderSide::new(reader, barrier, &session.plan, session.ticks);
    let results = side.measure()?;
    side.follow().barrier.wait();
    Ok(results)
}

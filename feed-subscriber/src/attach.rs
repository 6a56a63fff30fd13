//! Opens the first ring, and says what a ring lacks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use feed::clock::realtime_ns;
use feed_program::say::say;
use feed_ring::follow::{Event, FollowError};
use feed_ring::{OpenError, SegmentKind};

use crate::options::Options;
use crate::reader::{Reader, Taken, opened, ring};

/// The time between two attempts to find the first ring. A signal is noticed this late.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// The first ring.
pub(crate) struct Opened {
    pub(crate) ring: Reader,
    /// A time shortly before it was joined, ns since 1970.
    pub(crate) joined: u64,
    pub(crate) first: u64,
    pub(crate) epoch: u64,
    pub(crate) capacity: usize,
}

/// Opens the first ring as soon as it exists. Returns `None` if a signal came first.
pub(crate) fn open(options: &Options, stop: &AtomicBool) -> Result<Option<Opened>, OpenError> {
    let mut reader = Reader::of_messages(options);
    loop {
        let joined = realtime_ns();
        match reader.open() {
            Ok(Taken::Event(Event::Opened { first, epoch, capacity, .. })) => {
                return Ok(Some(Opened { ring: reader, joined, first, epoch, capacity }));
            }
            Ok(_) if stop.load(Ordering::Relaxed) => return Ok(None),
            Ok(_) => std::thread::sleep(POLL_INTERVAL),
            Err(FollowError::Open(error)) => match error {
                OpenError::Kind { found: SegmentKind::Records, .. } if matches!(reader, Reader::Ring(_)) => {
                    reader = Reader::of_records(options);
                }
                OpenError::NotFound { .. } | OpenError::Unfinished { .. } | OpenError::NotServed { .. }
                    if stop.load(Ordering::Relaxed) =>
                {
                    return Ok(None);
                }
                error => return Err(error),
            },
            Err(error) => unreachable!("no ring was left yet: {error}"),
        }
    }
}

/// Reports on standard error what the ring lacks: an entry for this subscriber, or the huge pages that --huge-pages asks for.
pub(crate) fn report_lacks(reader: &Reader, options: &Options) {
    let title = options.title();
    if let Some(reason) = ring!(reader, ring => ring.without_entry()) {
        say(format_args!("feed-subscriber: {title}: no tool and no publisher counts this subscriber: {reason}"));
    }
    if !options.placement.huge_pages {
        return;
    }
    match ring!(reader, ring => ring.placement()) {
        Ok(placed) => {
            if let Some(missing) = placed.huge_pages_missing() {
                say(format_args!("feed-subscriber: {title}: huge pages: {missing}"));
            }
        }
        Err(error) => say(format_args!("feed-subscriber: {title}: cannot tell where its memory is: {error}")),
    }
}

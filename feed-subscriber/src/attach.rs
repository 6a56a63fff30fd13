//! Opens the ring by its name, and notices when another ring takes the name.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use feed::Message;
use feed::board;
use feed::clock::realtime_ns;
use feed_program::say::say;
use feed_ring::{Join, OpenError, RecordSubscriber, SegmentKind, Subscriber, SubscriberOptions};

use crate::options::Options;
use crate::reader::{Contents, Reader, TableSubscriber};

/// The time between two attempts to find a ring or a publisher. A signal is noticed this late.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// An open ring.
pub(crate) struct Ring {
    pub(crate) subscriber: Reader,
    /// A time shortly before it was joined, ns since 1970.
    pub(crate) joined: u64,
    /// The identity of its file; `None` if the file was removed while it was opened.
    identity: Option<Identity>,
    path: PathBuf,
}

/// Device and inode. No other file has them while this one is mapped.
type Identity = (u64, u64);

impl Ring {
    /// Opens the ring that has the name at present.
    pub(crate) fn open(options: &Options, join: Join, contents: &Contents) -> Result<Self, OpenError> {
        // For a sealed ring, the socket: each publisher makes a new one.
        let on_disk = || options.root.join(format!("{}.ring/segment", options.ring));
        let path = options.connect.clone().unwrap_or_else(on_disk);
        loop {
            let before = identity(&path);
            let joined = realtime_ns();
            let subscriber = subscriber(options, join, contents)?;
            let after = identity(&path);
            // If the name had the same file before and after, that file was opened. Otherwise it was replaced
            // meanwhile: open its successor.
            if after.is_none() || before == after {
                let identity = before.filter(|_| before == after);
                return Ok(Ring { subscriber, joined, identity, path });
            }
        }
    }

    /// Opens the ring as soon as it exists, within `timeout`. Returns `None` if a signal came first. Calls `on_wait`
    /// once if this takes longer than a second.
    pub(crate) fn wait(
        options: &Options,
        join: Join,
        contents: &Contents,
        timeout: Duration,
        stop: &AtomicBool,
        on_wait: impl FnOnce(&OpenError),
    ) -> Result<Option<Self>, OpenError> {
        /// After this long it reports that it is waiting.
        const PATIENCE: Duration = Duration::from_secs(1);
        let begun = Instant::now();
        let mut on_wait = Some(on_wait);
        loop {
            // The library could wait, but a signal would not end that.
            match Ring::open(options, join, contents) {
                Ok(ring) => return Ok(Some(ring)),
                Err(OpenError::NotFound { .. } | OpenError::Unfinished { .. } | OpenError::NotServed { .. })
                    if stop.load(Ordering::Relaxed) =>
                {
                    return Ok(None);
                }
                Err(
                    error @ (OpenError::NotFound { .. } | OpenError::Unfinished { .. } | OpenError::NotServed { .. }),
                ) if begun.elapsed() < timeout => {
                    if begun.elapsed() > PATIENCE
                        && let Some(on_wait) = on_wait.take()
                    {
                        on_wait(&error);
                    }
                    std::thread::sleep(POLL_INTERVAL);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reports on standard error what the ring lacks: an entry for this subscriber, or the huge pages that --huge-pages
    /// asks for.
    pub(crate) fn report_lacks(&self, options: &Options) {
        let ring = options.title();
        if let Some(reason) = self.subscriber.without_entry() {
            say(format_args!("feed-subscriber: {ring}: no tool and no publisher counts this subscriber: {reason}"));
        }
        if !options.placement.huge_pages {
            return;
        }
        match self.subscriber.placement() {
            Ok(placed) => {
                if let Some(missing) = placed.huge_pages_missing() {
                    say(format_args!("feed-subscriber: {ring}: huge pages: {missing}"));
                }
            }
            Err(error) => say(format_args!("feed-subscriber: {ring}: cannot tell where its memory is: {error}")),
        }
    }

    /// True if another ring has the name. If no ring has it, this one is still followed: its publisher may live.
    pub(crate) fn is_replaced(&self) -> bool {
        identity(&self.path).is_some_and(|now| Some(now) != self.identity)
    }
}

fn identity(path: &std::path::Path) -> Option<Identity> {
    path.symlink_metadata().ok().map(|file| (file.dev(), file.ino()))
}

fn subscriber(options: &Options, join: Join, contents: &Contents) -> Result<Reader, OpenError> {
    if options.needs_table() {
        let both = match &options.connect {
            Some(path) => TableSubscriber::connect(path),
            None => TableSubscriber::options(&options.ring).root(&options.root),
        };
        return Ok(Reader::Table(Box::new(configure(options, join, both).open_keyed(board::key)?)));
    }
    if let Contents::Records(_) = contents {
        return records(options, join, contents);
    }
    let ring = match &options.connect {
        Some(path) => Subscriber::<Message>::connect(path),
        None => Subscriber::<Message>::options(&options.ring).root(&options.root),
    };
    match configure(options, join, ring).open() {
        Err(OpenError::Kind { found: SegmentKind::Records, .. }) if *contents == Contents::Any => {
            records(options, join, contents)
        }
        opened => Ok(Reader::Ring(opened?)),
    }
}

fn records(options: &Options, join: Join, contents: &Contents) -> Result<Reader, OpenError> {
    let ring = match &options.connect {
        Some(path) => RecordSubscriber::connect(path),
        None => RecordSubscriber::options(&options.ring).root(&options.root),
    };
    let ring = configure(options, join, ring);
    Ok(Reader::Records(Box::new(match contents {
        Contents::Records(format) => ring.open_records_of(format)?,
        Contents::Any | Contents::Messages => ring.open_records()?,
    })))
}

fn configure<T>(options: &Options, join: Join, opened: SubscriberOptions<T>) -> SubscriberOptions<T> {
    let opened = opened.join(join).wait(options.wait()).map(options.mapping()).huge_pages(options.placement.huge_pages);
    options.trust_uid.iter().fold(opened, |opened, &uid| opened.trust_uid(uid))
}

//! Opening the ring by its name, and noticing that another one has taken it.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use feed::Message;
use feed_program::say::say;
use feed_ring::{Join, OpenError, Subscriber};

use crate::options::Options;

/// Between two looks for a ring, or for a publisher that is to come back. A signal is noticed as late as this.
pub(crate) const LOOK: Duration = Duration::from_millis(2);

/// A ring that is open.
pub(crate) struct Ring {
    pub(crate) subscriber: Subscriber<Message>,
    /// Which file it is; `None` if it was removed while it was opened.
    identity: Option<Identity>,
    path: PathBuf,
}

/// Device and inode: no other file has them while this one is mapped.
type Identity = (u64, u64);

impl Ring {
    /// Opens the ring that has the name now.
    pub(crate) fn open(options: &Options, join: Join) -> Result<Self, OpenError> {
        // A new publisher of a sealed ring makes the socket anew.
        let on_disk = || options.root.join(format!("{}.ring/segment", options.ring));
        let path = options.connect.clone().unwrap_or_else(on_disk);
        loop {
            let before = identity(&path);
            let subscriber = subscriber(options, join)?;
            let after = identity(&path);
            // What had the name before and after had it in between. Else it was replaced meanwhile, by what is there now.
            if after.is_none() || before == after {
                let identity = before.filter(|_| before == after);
                return Ok(Ring { subscriber, identity, path });
            }
        }
    }

    /// Opens it as soon as it is there, for so long; `None` if a signal came first. `told` is called once if it has to be
    /// waited for longer.
    pub(crate) fn wait(
        options: &Options,
        join: Join,
        timeout: Duration,
        stop: &AtomicBool,
        told: impl FnOnce(&OpenError),
    ) -> Result<Option<Self>, OpenError> {
        /// After this long without a ring, says what it is waiting for.
        const PATIENCE: Duration = Duration::from_secs(1);
        let begun = Instant::now();
        let mut told = Some(told);
        loop {
            // Waiting is done here and not by the library, so that a signal ends it.
            match Ring::open(options, join) {
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
                        && let Some(told) = told.take()
                    {
                        told(&error);
                    }
                    std::thread::sleep(LOOK);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Says on standard error what is not as it was asked for.
    pub(crate) fn tell(&self, options: &Options) {
        if !options.placement.huge_pages {
            return;
        }
        let ring = options.title();
        match self.subscriber.placement() {
            Ok(placed) => {
                if let Some(missing) = placed.huge_pages_missing() {
                    say(format_args!("feed-subscriber: {ring}: huge pages: {missing}"));
                }
            }
            Err(error) => say(format_args!("feed-subscriber: {ring}: cannot tell where its memory is: {error}")),
        }
    }

    /// Whether another ring has the name. A ring whose name nobody has is still followed: its publisher may live.
    pub(crate) fn is_replaced(&self) -> bool {
        identity(&self.path).is_some_and(|now| Some(now) != self.identity)
    }
}

fn identity(path: &std::path::Path) -> Option<Identity> {
    path.symlink_metadata().ok().map(|file| (file.dev(), file.ino()))
}

fn subscriber(options: &Options, join: Join) -> Result<Subscriber<Message>, OpenError> {
    let ring = match &options.connect {
        Some(path) => Subscriber::<Message>::connect(path),
        None => Subscriber::<Message>::options(&options.ring).root(&options.root),
    };
    let ring = ring.join(join).wait(options.wait()).map(options.mapping()).huge_pages(options.placement.huge_pages);
    options.trust_uid.iter().fold(ring, |ring, &uid| ring.trust_uid(uid)).open()
}

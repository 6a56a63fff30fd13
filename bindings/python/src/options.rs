//! The options of handles, as the Python functions pass them: dictionaries in which no key is missing.

use std::path::PathBuf;
use std::time::Duration;

use feed_ring::{Ahead, Join, Mapping, OpenError, PublisherOptions, SubscriberOptions, WaitStrategy, Wake};
use pyo3::prelude::*;

use crate::errors;
use crate::waiting::Deadline;

/// Options for opening.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Open {
    /// Empty for what is sealed.
    pub(crate) name: String,
    /// The socket of what is sealed.
    pub(crate) path: Option<PathBuf>,
    root: Option<PathBuf>,
    join: JoinAt,
    wait: String,
    open_timeout: Option<f64>,
    hold_back: bool,
    map: String,
    trust_uids: Vec<u32>,
    huge_pages: bool,
    lock_memory: bool,
    events: String,
}

/// Where to join: a word or a number.
#[derive(FromPyObject)]
enum JoinAt {
    Sequence(u64),
    Word(String),
}

impl Open {
    /// The same as Rust has them.
    fn apply<T>(&self, mut options: SubscriberOptions<T>) -> PyResult<SubscriberOptions<T>> {
        let join = match &self.join {
            JoinAt::Sequence(sequence) => Join::Sequence(*sequence),
            JoinAt::Word(word) => one_of("join", word, [("latest", Join::Latest), ("oldest", Join::Oldest)])?,
        };
        let strategies = [("block", WaitStrategy::Block), ("spin", WaitStrategy::Spin), ("yield", WaitStrategy::Yield)];
        let mappings = [("read-only", Mapping::ReadOnly), ("read-write", Mapping::ReadWrite)];
        options = options
            .join(join)
            .wait(one_of("wait", &self.wait, strategies)?)
            .map(one_of("map", &self.map, mappings)?)
            .hold_back(self.hold_back)
            .huge_pages(self.huge_pages)
            .lock_memory(self.lock_memory);
        if let Some(root) = &self.root {
            options = options.root(root);
        }
        Ok(self.trust_uids.iter().fold(options, |options, uid| options.trust_uid(*uid)))
    }

    /// Whether events are returned in messages' places instead of being raised.
    pub(crate) fn yields_events(&self) -> PyResult<bool> {
        one_of("events", &self.events, [("raise", false), ("yield", true)])
    }

    /// Opens what `options` name, with Python's lock released, and waits for it as long as it was told to. The outer error is
    /// an option that does not exist, or what a signal's handler raised.
    pub(crate) fn open<T: Clone + Send, R: Send>(
        &self,
        py: Python<'_>,
        options: SubscriberOptions<T>,
        open: impl Fn(SubscriberOptions<T>) -> Result<R, OpenError> + Sync,
    ) -> PyResult<Result<R, OpenError>> {
        /// While it is being made, it may not be read: the library bears with that for half a second.
        const MAKING: Duration = Duration::from_millis(600);
        let options = self.apply(options)?;
        let deadline = Deadline::after(self.open_timeout)?;
        loop {
            let slice = deadline.slice();
            let within = |time: Duration| py.detach(|| open(options.clone().open_timeout(time)));
            match (within(slice.unwrap_or_default()), slice) {
                (
                    Err(OpenError::NotFound { .. } | OpenError::Unfinished { .. } | OpenError::NotServed { .. }),
                    Some(_),
                ) => {
                    py.check_signals()?;
                }
                (Err(OpenError::Permission { .. }), Some(_)) => {
                    return Ok(within(MAKING));
                }
                (result, _) => return Ok(result),
            }
        }
    }
}

/// Options for making.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Make {
    pub(crate) name: String,
    /// `None` for the library's default.
    capacity: Option<usize>,
    mode: u32,
    group: Option<u32>,
    root: Option<PathBuf>,
    keep: bool,
    fresh: bool,
    serve: Option<PathBuf>,
    allow_uids: Vec<u32>,
    allow_gids: Vec<u32>,
    max_clients: Option<usize>,
    wake: Option<String>,
    ahead: u8,
    huge_pages: bool,
    numa_node: Option<u32>,
    lock_memory: bool,
}

impl Make {
    /// The same as Rust has them.
    pub(crate) fn apply<T>(&self, mut options: PublisherOptions<T>) -> PyResult<PublisherOptions<T>> {
        let ahead = match self.ahead {
            1 => Ahead::One,
            2 => Ahead::Two,
            found => return Err(errors::value(format!("ahead={found}"), "1 or 2")),
        };
        options = options
            .mode(self.mode)
            .keep(self.keep)
            .fresh(self.fresh)
            .ahead(ahead)
            .huge_pages(self.huge_pages)
            .lock_memory(self.lock_memory);
        if let Some(capacity) = self.capacity {
            options = options.capacity(capacity);
        }
        if let Some(gid) = self.group {
            options = options.group(gid);
        }
        if let Some(root) = &self.root {
            options = options.root(root);
        }
        if let Some(path) = &self.serve {
            options = options.serve(path);
        }
        if let Some(clients) = self.max_clients {
            options = options.max_clients(clients);
        }
        if let Some(node) = self.numa_node {
            options = options.numa_node(node);
        }
        if let Some(wake) = &self.wake {
            let ways = [Wake::Membarrier, Wake::Fence, Wake::Thread].map(|wake| (wake.name(), wake));
            options = options.wake(one_of("wake", wake, ways)?);
        }
        let options = self.allow_uids.iter().fold(options, |options, uid| options.allow_uid(*uid));
        Ok(self.allow_gids.iter().fold(options, |options, gid| options.allow_gid(*gid)))
    }
}

/// The value that a word stands for.
fn one_of<T: Copy, const N: usize>(option: &str, found: &str, words: [(&str, T); N]) -> PyResult<T> {
    let expected = || words.map(|(word, _)| format!("\"{word}\"")).join(" or ");
    let value = words.iter().find(|(word, _)| *word == found).map(|(_, value)| *value);
    value.ok_or_else(|| errors::value(format!("{option}={found:?}"), &expected()))
}

//! A contender that keeps the newest value of a row: a way to store it and a way to read it.

use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;

/// Rows that a contender is made with. One of them is measured.
pub const ROWS: usize = 64;

/// The key of the row that is measured.
pub const KEY: u64 = 7;

/// A way to keep the newest value, of `W` words, of each of [`ROWS`] rows.
pub trait Keeper<const W: usize> {
    /// What both sides inherit. It is made before the fork.
    type Link;
    /// The storing end.
    type Writer: Writer<W>;
    /// The reading end.
    type Reader: Reader<W>;

    /// Makes the link. All its files go into `dir`, which is removed even after a crash.
    ///
    /// # Errors
    /// The kernel's or the peer's.
    fn link(&self, dir: &PrivateDir) -> anyhow::Result<Self::Link>;

    /// Makes the rows, and the end that stores into one of them.
    ///
    /// # Errors
    /// The kernel's or the peer's.
    fn writer(&self, link: &Self::Link) -> anyhow::Result<Self::Writer>;

    /// Opens the end that reads this row. A value has been stored into it before.
    ///
    /// # Errors
    /// The kernel's or the peer's.
    fn reader(&self, link: &Self::Link) -> anyhow::Result<Self::Reader>;
}

/// The storing end.
pub trait Writer<const W: usize> {
    /// Stores a value over the one before.
    ///
    /// # Errors
    /// The peer's.
    fn store(&mut self, value: &Message<W>) -> anyhow::Result<()>;
}

/// The reading end.
pub trait Reader<const W: usize> {
    /// Reads the newest value and passes it to `look` without copying it once more.
    ///
    /// # Errors
    /// The peer's.
    fn read<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R>;

    /// The attempts of the read that took the most so far. `None` if the contender does not tell.
    fn most_attempts(&self) -> Option<u32> {
        None
    }
}

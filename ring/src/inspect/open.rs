//! Opens rings, tables and cells for inspection. What is just being made, replaced or removed is looked at again, and all
//! that is so in one call shares the waiting: anybody can make any number of directories that look like a ring.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::facts::State;
use super::ring::Ring;
use super::segment::Segment;
use super::table::Table;
use crate::error::OpenError;
use crate::format::name;
use crate::format::rows::SegmentKind;
use crate::transport::files::{Directory, Trust};

/// Pauses between two looks at what is in motion. There are at most so many, and none after [`PATIENCE`].
const PAUSES: u32 = 19;

/// A pause.
const PAUSE: Duration = Duration::from_millis(1);

/// The time for all pauses and the looks between them.
const PATIENCE: Duration = Duration::from_millis(20);

/// What was found under a name.
#[derive(Debug)]
pub enum Inspected {
    /// A ring, of messages or of records.
    Ring(Ring),
    /// A table or a cell.
    Table(Table),
}

impl Inspected {
    /// Opens what has the name `name` in `root` for inspection, whoever owns it.
    ///
    /// If its control file or FIFO is missing or damaged, it opens all the same, and `verify` reports it.
    ///
    /// # Errors
    /// [`OpenError`]: there is no such thing, it may not be read, it is none of ours, or its header is damaged.
    pub fn open(root: impl AsRef<Path>, name: &str) -> Result<Self, OpenError> {
        let mut result = None;
        open_each(root, &[name], |_, opened| result = Some(opened));
        result.expect("open_each calls once for each name")
    }

    /// Opens what is served at the socket `path`: see [`Ring::connect`].
    ///
    /// # Errors
    /// As [`Ring::connect`].
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Segment::connect(path.as_ref()).map(Self::of)
    }

    fn of(segment: Segment) -> Self {
        match segment.facts.kind {
            SegmentKind::Ring | SegmentKind::Records => Inspected::Ring(Ring::of(segment)),
            SegmentKind::Table | SegmentKind::Cell => Inspected::Table(Table::of(segment)),
        }
    }

    /// What rings, tables and cells have in common.
    pub fn segment(&self) -> &Segment {
        match self {
            Inspected::Ring(ring) => ring,
            Inspected::Table(table) => table,
        }
    }

    /// The ring.
    ///
    /// # Errors
    /// [`OpenError::Kind`] if it is none.
    pub fn ring(self) -> Result<Ring, OpenError> {
        match self {
            Inspected::Ring(ring) => Ok(ring),
            Inspected::Table(table) => Err(table.is_no(SegmentKind::Ring)),
        }
    }

    /// The table or cell.
    ///
    /// # Errors
    /// [`OpenError::Kind`] if it is a ring.
    pub fn table(self) -> Result<Table, OpenError> {
        match self {
            Inspected::Table(table) => Ok(table),
            Inspected::Ring(ring) => Err(ring.is_no(SegmentKind::Table)),
        }
    }
}

impl Ring {
    /// Opens the ring `name` in `root` for inspection: see [`Inspected::open`].
    ///
    /// # Errors
    /// [`OpenError`]: there is no such ring, it may not be read, it is not a ring, or its header is damaged.
    pub fn open(root: impl AsRef<Path>, name: &str) -> Result<Self, OpenError> {
        Inspected::open(root, name)?.ring()
    }

    /// Opens, for inspection, the sealed ring that a publisher serves at the socket `path`, whoever the publisher is:
    /// see [`PublisherOptions::serve`](crate::PublisherOptions::serve).
    ///
    /// The publisher decides whom it serves, as for a subscriber. The connection is closed at once, so an inspection
    /// takes no client's place.
    ///
    /// ```no_run
    /// use feed_ring::{Publisher, inspect};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let path = "/dev/shm/quotes.sock";
    ///     let mut publisher = Publisher::<u64>::options("quotes").capacity(8).serve(path).create()?;
    ///     publisher.publish(&7);
    ///     let ring = inspect::Ring::connect(path)?; // in another process
    ///     assert_eq!((ring.held(), ring.is_sealed()), (0..1, true));
    ///     assert_eq!(publisher.subscribers()?, 0);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`OpenError`]: nobody serves there, or the publisher does not serve this user; the file is not such a socket;
    /// what the publisher sends is not sealed, or not a ring.
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Inspected::connect(path)?.ring()
    }
}

impl Table {
    /// Opens the table or cell `name` in `root` for inspection: see [`Inspected::open`].
    ///
    /// # Errors
    /// [`OpenError`]: there is no such table, it may not be read, it is a ring, or its header is damaged.
    pub fn open(root: impl AsRef<Path>, name: &str) -> Result<Self, OpenError> {
        Inspected::open(root, name)?.table()
    }

    /// Opens, for inspection, the sealed table or cell that a writer serves at the socket `path`: see
    /// [`Ring::connect`](super::Ring::connect).
    ///
    /// # Errors
    /// As [`Ring::connect`](super::Ring::connect).
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Inspected::connect(path)?.table()
    }
}

/// Opens what has these names in `root`, each as [`Inspected::open`] does. Calls `each` once for every name, with its index
/// and what was found or the error. The order is not that of the names: what is just being made, replaced or removed
/// comes last. However much that is, the waiting for it takes some 20 ms in all.
pub fn open_each<N: AsRef<str>>(
    root: impl AsRef<Path>,
    names: &[N],
    each: impl FnMut(usize, Result<Inspected, OpenError>),
) {
    let root = root.as_ref();
    let mut begun = None;
    let pause = |paused: u32| {
        let goes_on = paused < PAUSES && begun.get_or_insert_with(Instant::now).elapsed() < PATIENCE;
        if goes_on {
            sleep(PAUSE);
        }
        goes_on
    };
    in_rounds(names.len(), |index| look(root, names[index].as_ref()), pause, each);
}

/// What one look at a name found. What is in motion may be another thing at the next look.
enum Look<T> {
    Settled(T),
    InMotion(T),
}

fn directory(root: &Path, name: &str) -> Result<Directory, OpenError> {
    name::check(name)?;
    Ok(Directory::root_to_look_in(root)?.ring(name, Trust::Anybody)?)
}

fn look(root: &Path, name: &str) -> Look<Result<Inspected, OpenError>> {
    let ring = match directory(root, name) {
        Ok(ring) => ring,
        Err(error) => return Look::Settled(Err(error)),
    };
    let path = ring.path.clone();
    match Segment::open_once(ring).map(Inspected::of) {
        Ok(found) if is_in_motion(found.segment()) => Look::InMotion(Ok(found)),
        Err(OpenError::NotFound { .. }) => {
            let found = "a directory without a segment".to_owned();
            Look::InMotion(Err(OpenError::NotARing { path, found, expected: "a ring" }))
        }
        result => Look::Settled(result),
    }
}

fn is_in_motion(segment: &Segment) -> bool {
    segment.state() == State::Superseded || segment.control_damage().is_some() || segment.live.is_err()
}

/// Looks at `count` things until each is settled, or `pause` returns false: what is still in motion is then taken as it is
/// at a last look. `pause` gets the number of pauses before it.
fn in_rounds<T>(
    count: usize,
    mut look: impl FnMut(usize) -> Look<T>,
    mut pause: impl FnMut(u32) -> bool,
    mut each: impl FnMut(usize, T),
) {
    let mut open: Vec<usize> = (0..count).collect();
    let mut goes_on = true;
    for paused in 0.. {
        open.retain(|&index| match look(index) {
            Look::InMotion(_) if goes_on => true,
            Look::InMotion(found) | Look::Settled(found) => {
                each(index, found);
                false
            }
        });
        if open.is_empty() {
            return;
        }
        goes_on = pause(paused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_motion_shares_the_pauses() {
        for count in [1, 500] {
            let (mut looks, mut pauses, mut told) = (0, 0, vec![0; count]);
            let look = |index| {
                looks += 1;
                if index % 10 == 3 { Look::Settled(index) } else { Look::InMotion(index) }
            };
            let pause = |paused| {
                assert_eq!(paused, pauses);
                pauses += 1;
                pauses < 5
            };
            in_rounds(count, look, pause, |index, found| {
                assert_eq!(index, found);
                told[index] += 1;
            });
            assert_eq!((pauses, told), (5, vec![1; count]), "as many pauses for {count} as for one");
            let settled = count / 10;
            assert_eq!(looks, settled + 6 * (count - settled));
        }
    }

    #[test]
    fn what_settles_is_not_looked_at_again() {
        let mut told = Vec::new();
        let mut looks = [0; 3];
        let look = |index: usize| {
            looks[index] += 1;
            if looks[index] > index { Look::Settled(looks[index]) } else { Look::InMotion(0) }
        };
        in_rounds(3, look, |_| true, |index, found| told.push((index, found)));
        assert_eq!(told, [(0, 1), (1, 2), (2, 3)]);
    }
}

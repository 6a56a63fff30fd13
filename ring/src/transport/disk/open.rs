//! Opens a ring on disk for a subscriber.

use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, OFlags};

use crate::error::OpenError;
use crate::format::layout::{control, state, word};
use crate::memory::{Mapping, Pinned};
use crate::presence::liveness::Liveness;
use crate::segment::check;
use crate::transport::attachment::{Attachment, Opened};
use crate::transport::files::{Directory, Fault, What, file};
use crate::transport::request::Expected;

/// Attempts, 1 ms apart, while the ring is being made, replaced or removed.
const ATTEMPTS: u32 = 50;

/// Opens the ring `expected.name` below `root`, if its messages are the expected ones.
pub(crate) fn open(root: &Path, expected: Expected<'_>) -> Result<Opened, OpenError> {
    let root = Directory::root_to_look_in(root)?;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let ring = root.ring(expected.name, expected.trust)?;
        match (open_once(&ring, expected), attempts.next()) {
            (Ok(Some(opened)), _) => return Ok(opened),
            (Err(error), _) => return Err(error),
            // The files belong to two rings: the ring is being replaced or removed at this moment.
            (Ok(None), Some(_)) => std::thread::sleep(Duration::from_millis(1)),
            (Ok(None), None) => return Err(OpenError::Unfinished { path: ring.path }),
        }
    }
}

/// One attempt. `None` if the files do not all belong to one ring.
fn open_once(ring: &Directory, expected: Expected<'_>) -> Result<Option<Opened>, OpenError> {
    let path = ring.path.join(file::SEGMENT);
    let Expected { trust, mapping, placement, .. } = expected;
    let flags = match mapping {
        Mapping::ReadOnly => OFlags::RDONLY,
        Mapping::ReadWrite => OFlags::RDWR,
    };
    let (segment, segment_stat) = ring.open(file::SEGMENT, flags, FileType::RegularFile, trust)?;
    let (memory, header) = check::segment(&segment, &segment_stat, (mapping, placement), &path)?;
    header.expect(expected.message, &path)?;
    if memory[word::STATE].load() == state::SUPERSEDED {
        return Ok(None);
    }

    let (control_file, stat) = match ring.open(file::CONTROL, OFlags::RDWR, FileType::RegularFile, trust) {
        Err(Fault { what: What::Missing, .. }) => return Ok(None),
        control => control?,
    };
    let control_path = ring.path.join(file::CONTROL);
    check::control_size(&stat, &control_path)?;
    let control = check::control(&control_file, &stat, header.nonce).map_err(|source| OpenError::Io {
        doing: "map",
        path: control_path,
        source,
    })?;
    let Some(control) = control else { return Ok(None) };
    let live = match ring.open(file::LIVE, OFlags::RDONLY, FileType::Fifo, trust) {
        Err(Fault { what: What::Missing, .. }) => return Ok(None),
        live => live?.0,
    };
    check::prefault_and_lock(&memory, &control, &segment_stat, placement, &path)?;
    let sleepers = Pinned::new(&control, control::SLEEPERS);
    let attachment = Attachment::with_entries(Liveness::Fifo(live), (control_file, control), ());
    let layout = header.layout();
    Ok(Some(Opened { memory, layout, sleepers, attachment, found: Some((header.geometry, ring.path.clone())) }))
}

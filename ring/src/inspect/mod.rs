//! Inspecting any ring, table or cell without its Rust types, and without disturbing it.
//!
//! Tools read the segment and the control file through read-only mappings, and ask the kernel. They take no lock and
//! claim no entry, so nobody can tell that a tool looks. Only [`remove_dead`] changes anything. No value in a segment
//! is trusted: no content whatever causes a panic, an endless loop, or an allocation larger than the file.
//!
//! ```no_run
//! use feed_ring::{DEFAULT_ROOT, Publisher, inspect};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut publisher = Publisher::<[u32; 2]>::options("quotes").capacity(8).create()?;
//!     publisher.publish(&[3, 4]);
//!
//!     let ring = inspect::Ring::open(DEFAULT_ROOT, "quotes")?; // in another process
//!     assert_eq!((ring.facts().capacity, ring.facts().payload_size), (8, 8));
//!     assert_eq!((ring.held(), ring.publisher()), (0..1, inspect::Life::Alive));
//!     let mut bytes = Vec::new();
//!     ring.read(0, &mut bytes)?;
//!     assert_eq!(ring.message_type()?.text(&bytes), "value=[3, 4]");
//!     assert!(ring.verify().is_fine());
//!     Ok(())
//! }
//! ```

mod entries;
mod facts;
mod headroom;
mod open;
mod records;
mod remove;
mod ring;
mod segment;
mod table;
mod verify;

pub use crate::format::fields::{Field, MessageType, Number, SchemaError, Type};
pub use entries::{Entry, REPORTED_EVERY};
pub use facts::{Facts, FileFacts, KeyFacts, Life, State, Unread, names};
pub use headroom::memory_headroom;
pub use open::{Inspected, open_each};
pub use remove::{Kept, Removal, remove_dead};
pub use ring::Ring;
pub use segment::Segment;
pub use table::Table;
pub use verify::{Finding, Verdict};

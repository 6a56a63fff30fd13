//! Publishers and subscribers of untyped messages, and writers and readers of untyped tables and cells: bytes, of a size known
//! only at run time.
//!
//! For programs that handle any ring or table: bindings for other languages, recorders, bridges. They use the same rings and
//! tables as the typed handles, and report losses, restarts and ends in the same way.

pub use crate::format::message::MessageFormat;
pub use crate::publisher::raw::RawPublisher as Publisher;
pub use crate::publisher::relay::{NotFollowing, Relay, RelayPublisher};
pub use crate::records::TooFar;
pub use crate::records::relay::{RecordRelay, RecordRelayPublisher};
pub use crate::subscriber::raw::{Account, RawSubscriber as Subscriber};
pub use crate::table::raw::{RawTableReader as TableReader, RawTableWriter as TableWriter};
pub use crate::table::raw_cell::{RawCellReader as CellReader, RawCellWriter as CellWriter};
pub use crate::table::raw_options::{AnyCell, AnyTable};

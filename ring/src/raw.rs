//! Publishers and subscribers of untyped messages: bytes, of a size known only at run time.
//!
//! For programs that handle any ring: bindings for other languages, recorders, bridges. They use the same rings as the
//! typed publishers and subscribers, and report losses, restarts and ends in the same way.

pub use crate::format::message::MessageFormat;
pub use crate::publisher::raw::RawPublisher as Publisher;
pub use crate::subscriber::raw::{Account, RawSubscriber as Subscriber};

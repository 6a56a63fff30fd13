//! Publishers and subscribers of messages that are bytes, of a size known when the program runs.
//!
//! For programs that carry any ring's messages: bindings for other languages, recorders, bridges. The rings are the same as
//! the typed ones, and so is what is told of loss, restarts and ends.

pub use crate::format::message::MessageFormat;
pub use crate::publisher::raw::RawPublisher as Publisher;
pub use crate::subscriber::raw::{Account, RawSubscriber as Subscriber};

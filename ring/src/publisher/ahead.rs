//! How many messages ahead a publisher's core owns the cache lines that it will write.

/// How many messages ahead a publisher brings cache lines to its core:
/// [`PublisherOptions::ahead`](crate::PublisherOptions::ahead).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ahead {
    /// One message: the lines of the next message, by marking its slot at the end of each publish. Costs nothing extra.
    #[default]
    One,
    /// Two messages: also the lines of the message after the next, by storing into them what they already hold. On some
    /// processors a message then arrives a fifth sooner, if the publisher idles between messages and its subscriber
    /// spins on a writable [mapping](crate::Mapping). In a stream without pauses each message takes the publisher up to
    /// twice as long. docs/performance.md has the measurements.
    Two,
}

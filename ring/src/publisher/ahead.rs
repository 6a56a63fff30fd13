//! How far ahead a publisher owns cache lines.

/// How many messages ahead a publisher takes cache lines into its hands: [`Publisher::set_ahead`](crate::Publisher::set_ahead).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ahead {
    /// The lines of the next message, by marking its slot: at the end of each publish, at no cost.
    #[default]
    One,
    /// Those of the message after it, too, by storing into them what they hold. On some processors a message then arrives
    /// a fifth sooner when the publisher idles in between and its subscriber spins on a writable
    /// [mapping](crate::Mapping); a stream without pauses takes the publisher up to twice as long for each message.
    /// docs/performance.md has the measurements.
    Two,
}

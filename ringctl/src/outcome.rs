//! The outcome of a command that ran without an error.

/// The outcome of a command: its exit code is 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing is wrong.
    Fine,
    /// Something is wrong.
    Wrong,
}

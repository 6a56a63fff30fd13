//! The publisher: the one writer of a ring.

pub(crate) mod ahead;
pub(crate) mod handle;
pub(crate) mod life;
pub(crate) mod options;
pub(crate) mod raw;
pub(crate) mod relay;
mod writer;

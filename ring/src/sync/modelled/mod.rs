//! Loom's side of the shim: models run on it in place of `real` and `park`.

pub(super) mod atomic;
pub mod model;
pub(super) mod park;
pub(super) mod placed;

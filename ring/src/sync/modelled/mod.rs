//! The half of this folder that models run on.

pub(super) mod atomic;
pub mod model;
pub(super) mod park;
pub(super) mod placed;

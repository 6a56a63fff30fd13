//! How the ring is verified: models of its production source under loom, a mutant for every ordering, and the torn read
//! on the real processor. docs/protocol.md says what each of them proves.
//!
//! The models are built with `RUSTFLAGS="--cfg loom"` (`make loom`); without it there are the list of sites and the real
//! processor's torn read.

#[cfg(not(loom))]
pub mod layers;
pub mod mutants;
pub mod sites;

#[cfg(loom)]
pub mod explore;
#[cfg(loom)]
pub mod incident;
#[cfg(loom)]
pub mod models;
#[cfg(loom)]
pub mod oracle;
#[cfg(not(loom))]
pub mod torn;

//! Verification of the ring: models of its production source under loom, a mutant for every ordering, and the torn read
//! on a real processor. docs/protocol.md says what each of them proves.
//!
//! The models need `RUSTFLAGS="--cfg loom"` (`make loom`). Without it this crate has only the lists of sites and
//! layers, and the torn read on a real processor.

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
#[cfg(loom)]
pub mod record_oracle;
#[cfg(loom)]
pub mod table;
#[cfg(not(loom))]
pub mod torn;
#[cfg(not(loom))]
pub mod torn_verdict;
#[cfg(loom)]
pub mod truth;

//! The peers: other projects that a user could choose instead.
//!
//! Those that work only within one process are measured between two threads and marked so.

mod capacity;
mod crossbeam;
mod disruptor;
mod halves;
mod iceoryx;
mod photon;
mod ringfire;
mod rows;
mod rtrb;

pub use rows::rows;

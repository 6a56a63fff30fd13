//! The peers: other projects that a user could choose instead.
//!
//! Those that work only within one process are measured between two threads and marked so.

mod capacity;
mod crossbeam;
mod disruptor;
mod halves;
mod iceoryx;
mod iceoryx_blackboard;
mod photon;
mod ringfire;
mod ringfire_table;
mod rows;
mod rtrb;

pub use rows::{newest_rows, rows};

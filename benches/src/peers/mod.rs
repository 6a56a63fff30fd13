//! The peers: other projects that a user could choose instead.
//!
//! Those that work only within one process are measured between two threads and marked so.

mod bcast;
mod capacity;
mod crossbeam;
mod disruptor;
mod halves;
mod iceoryx;
mod iceoryx_blackboard;
mod outcry;
mod photon;
mod reader_there;
mod ringfire;
mod ringfire_arena;
mod ringfire_table;
mod rows;
mod rtrb;

pub use rows::{newest_rows, rows};

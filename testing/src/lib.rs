//! Common parts of this workspace's tests.
//!
//! They are private roots for rings, child processes that end with their parent, and market data.

mod alone;
mod asleep;
mod assertions;
mod attributes;
mod bad_rings;
mod child;
mod data;
mod full;
mod identity;
mod namespace;
mod program;
mod refuse;
mod root;
mod shell;
mod terminal;

pub use alone::alone;
pub use asleep::sleeps;
pub use bad_rings::{NOBODY, Replacement, assert_names_refused, can_run, is_root, replaced};
pub use child::{Child, as_child, child};
pub use data::{market_data, skipped};
pub use full::on_a_full_disk;
pub use identity::ProcessIdentity;
pub use namespace::with_mounts;
pub use program::{Finished, Program, program};
pub use refuse::{Argument, kill_on_any_call, refuse};
pub use root::PrivateRoot;
pub use shell::{after, ignoring_hangups};
pub use terminal::{On, Terminal};

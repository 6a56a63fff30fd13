//! Placement of a ring's memory and of its programs: huge pages, a NUMA node, locked memory, a CPU.
//!
//! The options of [`Publisher`](crate::Publisher) and [`Subscriber`](crate::Subscriber) place a ring's memory, because
//! that must happen before the memory is first touched. The functions of this module place a thread or the whole
//! process. None of this costs time once the ring is open.
//!
//! | requested with | acts on | if the machine refuses |
//! |---|---|---|
//! | [`PublisherOptions::huge_pages`](crate::PublisherOptions::huge_pages), [`SubscriberOptions::huge_pages`](crate::SubscriberOptions::huge_pages) | the segment | the ring works on small pages, and [`Placement::huge_pages_missing`] says why |
//! | [`PublisherOptions::numa_node`](crate::PublisherOptions::numa_node) | segment and control file | an error; [`Placement::missing_from_node`] tells which memory of a ring taken over could not be moved |
//! | [`PublisherOptions::lock_memory`](crate::PublisherOptions::lock_memory), [`SubscriberOptions::lock_memory`](crate::SubscriberOptions::lock_memory) | segment and control file | an error |
//! | [`pin_to_cpu`] | the calling thread | an error |
//! | [`allocate_on_node`] | allocations of the calling thread | an error |
//! | [`lock_memory`] | all mapped memory of the process | an error |
//!
//! ```no_run
//! use feed_ring::Publisher;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let publisher = Publisher::<u64>::options("ticks").huge_pages(true).create()?;
//!     if let Some(missing) = publisher.placement()?.huge_pages_missing() {
//!         eprintln!("huge pages: {missing}");
//!     }
//!     Ok(())
//! }
//! ```

pub(crate) mod cpu;
pub(crate) mod error;
pub(crate) mod look;
mod nodes;
pub(crate) mod request;

pub use cpu::pin_to_cpu;
pub use error::PlacementError;
pub use look::Placement;
pub(crate) use look::Side;
pub(crate) use request::{PlacementRequest, beyond_memlock, max_file_size};
pub use request::{allocate_on_node, lock_memory};

//! The kernel's mechanisms, each used as a careful user would write it.

pub mod eventfd;
pub mod fifo;
mod limit;
pub mod monitor;
pub mod pipe;
pub mod posix;
mod rows;
pub mod splice;
pub mod stream;
pub mod sysv;
pub mod tcp;
pub mod unix;

pub use limit::limit;
pub use rows::rows;

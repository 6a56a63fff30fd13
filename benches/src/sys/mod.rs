//! The system calls and C functions for which no safe crate exists, each wrapped once.

pub mod posix_mq;
mod retry;
pub mod robust;
pub mod scheduler;
pub mod sysv_mq;
pub mod words;

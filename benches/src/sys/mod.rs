//! The system calls and C functions that no safe crate wraps, each wrapped here once.

pub mod posix_mq;
mod retry;
pub mod robust;
pub mod sysv_mq;
pub mod words;

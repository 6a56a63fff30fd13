//! The scheduling policy of the calling thread. Children and threads that it starts inherit the policy.
#![allow(unsafe_code)] // C functions; each call below says why it is sound.

use std::io;

/// The present policy and priority.
///
/// # Errors
/// The kernel's.
pub fn current() -> io::Result<(libc::c_int, libc::c_int)> {
    // SAFETY: takes a number and returns one.
    let policy = unsafe { libc::sched_getscheduler(0) };
    if policy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the structure consists of numbers, for which zero is a value.
    let mut parameter: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: writes into the structure, which lives on.
    let status = unsafe { libc::sched_getparam(0, &raw mut parameter) };
    if status < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((policy, parameter.sched_priority))
}

/// Changes policy and priority.
///
/// # Errors
/// The kernel's: `EPERM` if this process may not.
pub fn set(policy: libc::c_int, priority: libc::c_int) -> io::Result<()> {
    // SAFETY: the structure consists of numbers, for which zero is a value.
    let mut parameter: libc::sched_param = unsafe { std::mem::zeroed() };
    parameter.sched_priority = priority;
    // SAFETY: only reads the structure.
    let status = unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

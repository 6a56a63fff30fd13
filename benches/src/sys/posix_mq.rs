//! POSIX message queues: open, send and receive with a deadline, unlink.
#![allow(unsafe_code)] // mq_* have no safe wrapper.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::retry::retry;

/// An open queue. On Linux its descriptor is a file descriptor, closed on drop.
#[derive(Debug)]
pub struct Queue(OwnedFd);

/// How a queue is opened.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// Create it, for sending and receiving. Fails if it exists.
    Create {
        /// Number of messages that it holds.
        depth: usize,
        /// Size of the largest message in bytes.
        size: usize,
    },
    /// Open it for sending.
    Send,
    /// Open it for receiving.
    Receive,
}

/// Opens the queue `/name`.
///
/// # Errors
/// The kernel's: `EINVAL` if depth or size exceed `/proc/sys/fs/mqueue`, `EMFILE` if `RLIMIT_MSGQUEUE` is used up.
pub fn open(name: &str, access: Access) -> io::Result<Queue> {
    let name = c_name(name)?;
    let descriptor = match access {
        Access::Create { depth, size } => {
            // SAFETY: the struct is plain integers, all zero is one of its values.
            let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
            attributes.mq_maxmsg = depth as libc::c_long;
            attributes.mq_msgsize = size as libc::c_long;
            let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | libc::O_CLOEXEC;
            // SAFETY: name and attributes outlive the call; O_CREAT has its two further arguments.
            unsafe { libc::mq_open(name.as_ptr(), flags, 0o600 as libc::c_uint, &raw const attributes) }
        }
        // SAFETY: the name outlives the call.
        Access::Send => unsafe { libc::mq_open(name.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) },
        // SAFETY: the name outlives the call.
        Access::Receive => unsafe { libc::mq_open(name.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) },
    };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    Ok(Queue(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}

/// Removes the name `/name`. Processes that have the queue open keep it.
///
/// # Errors
/// The kernel's; `NotFound` if there is no such queue.
pub fn unlink(name: &str) -> io::Result<()> {
    let name = c_name(name)?;
    // SAFETY: the name outlives the call.
    if unsafe { libc::mq_unlink(name.as_ptr()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Queue {
    /// Sends one message. Waits at most `timeout` while the queue is full.
    ///
    /// # Errors
    /// The kernel's; `TimedOut` if the queue stayed full.
    pub fn send(&self, message: &[u8], timeout: Duration) -> io::Result<()> {
        let (queue, deadline) = (self.0.as_raw_fd(), deadline(timeout));
        retry(|| {
            // SAFETY: message and deadline outlive the call, the length is the message's.
            let result =
                unsafe { libc::mq_timedsend(queue, message.as_ptr().cast(), message.len(), 0, &raw const deadline) };
            result as isize
        })
        .map(drop)
    }

    /// Receives one message into `buffer`, which must have at least the queue's message size. Waits at most `timeout`.
    /// Returns the length.
    ///
    /// # Errors
    /// The kernel's; `TimedOut` if no message came.
    pub fn receive(&self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let (queue, deadline) = (self.0.as_raw_fd(), deadline(timeout));
        let (start, length, no_priority) = (buffer.as_mut_ptr().cast(), buffer.len(), std::ptr::null_mut());
        retry(|| {
            // SAFETY: buffer and deadline outlive the call, the length is the buffer's; a null priority is allowed.
            unsafe { libc::mq_timedreceive(queue, start, length, no_priority, &raw const deadline) }
        })
    }
}

/// The deadline of a wait. It is on the wall clock, so setting the clock forward ends the wait early.
fn deadline(timeout: Duration) -> libc::timespec {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + timeout;
    libc::timespec { tv_sec: at.as_secs() as libc::time_t, tv_nsec: libc::c_long::from(at.subsec_nanos() as i32) }
}

fn c_name(name: &str) -> io::Result<CString> {
    Ok(CString::new(format!("/{name}"))?)
}

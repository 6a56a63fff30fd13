//! System V message queues: get, send, receive, remove.
#![allow(unsafe_code)] // msg* have no safe wrapper.

use std::io;

use super::retry::retry;

/// A queue, by its id. Any process of the same user may use the id, and the queue lives until it is removed.
#[derive(Clone, Copy, Debug)]
pub struct Queue(libc::c_int);

impl Queue {
    /// Makes a new queue without a key.
    ///
    /// # Errors
    /// The kernel's; `ENOSPC` if there are `/proc/sys/kernel/msgmni` queues already.
    pub fn private() -> io::Result<Self> {
        // SAFETY: takes two numbers.
        let id = unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600) };
        if id < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(id)) }
    }

    /// The queue of an id that another process got.
    pub fn from_id(id: i32) -> Self {
        Self(id)
    }

    /// The id of the queue.
    pub fn id(self) -> i32 {
        self.0
    }
}

/// A message of `W` words in the form that `msgsnd` expects: a type above zero, then the bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MsgBuf<const W: usize> {
    kind: libc::c_long,
    /// The message.
    pub words: [u64; W],
}

impl<const W: usize> MsgBuf<W> {
    /// Adds the type to a message.
    pub fn new(words: [u64; W]) -> Self {
        Self { kind: 1, words }
    }
}

impl Queue {
    /// Sends one message. Waits while the queue is full.
    ///
    /// # Errors
    /// The kernel's; `EIDRM` or `EINVAL` if the queue was removed.
    pub fn send<const W: usize>(self, message: &MsgBuf<W>) -> io::Result<()> {
        retry(|| {
            // SAFETY: the buffer begins with its type and is W words longer.
            let result = unsafe { libc::msgsnd(self.0, (&raw const *message).cast(), W * 8, 0) };
            result as isize
        })
        .map(drop)
    }

    /// Receives one message. Waits for one. Returns the length in bytes.
    ///
    /// # Errors
    /// The kernel's; `EIDRM` or `EINVAL` if the queue was removed, `E2BIG` if the message is longer.
    pub fn receive<const W: usize>(self, message: &mut MsgBuf<W>) -> io::Result<usize> {
        retry(|| {
            // SAFETY: the buffer begins with its type and has room for W words, all of whose values are valid.
            unsafe { libc::msgrcv(self.0, (&raw mut *message).cast(), W * 8, 0, 0) }
        })
    }

    /// The number of bytes that the queue holds.
    ///
    /// # Errors
    /// The kernel's.
    pub fn bytes(self) -> io::Result<usize> {
        // SAFETY: the struct is plain integers, all zero is one of its values.
        let mut about: libc::msqid_ds = unsafe { std::mem::zeroed() };
        // SAFETY: the struct outlives the call, which fills it.
        let result = unsafe { libc::msgctl(self.0, libc::IPC_STAT, &raw mut about) };
        if result == 0 { Ok(about.msg_qbytes as usize) } else { Err(io::Error::last_os_error()) }
    }

    /// Removes the queue. Waiting processes wake with `EIDRM`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn remove(self) -> io::Result<()> {
        // SAFETY: removing takes no struct.
        let result = unsafe { libc::msgctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

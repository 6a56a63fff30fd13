//! System V message queues: get, send, receive, remove.
#![allow(unsafe_code)] // msg* have no safe wrapper.

use std::io;

/// A queue, known by a number that any process of the same user may use; it lives until it is removed.
#[derive(Clone, Copy, Debug)]
pub struct Queue(libc::c_int);

impl Queue {
    /// A new queue without a key.
    ///
    /// # Errors
    /// The kernel's; `ENOSPC` when there are `/proc/sys/kernel/msgmni` already.
    pub fn private() -> io::Result<Self> {
        // SAFETY: takes two numbers.
        let id = unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600) };
        if id < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(id)) }
    }

    /// The queue of a number that another process got.
    pub fn of(id: i32) -> Self {
        Self(id)
    }

    /// Its number.
    pub fn id(self) -> i32 {
        self.0
    }
}

/// A message of `W` words as msgsnd wants it: a type above zero, then the bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Envelope<const W: usize> {
    kind: libc::c_long,
    /// The message.
    pub words: [u64; W],
}

impl<const W: usize> Envelope<W> {
    /// A message in its envelope.
    pub fn new(words: [u64; W]) -> Self {
        Self { kind: 1, words }
    }
}

impl Queue {
    /// Sends one message, waiting while the queue is full.
    ///
    /// # Errors
    /// The kernel's; `EIDRM` or `EINVAL` when the queue was removed.
    pub fn send<const W: usize>(self, message: &Envelope<W>) -> io::Result<()> {
        loop {
            // SAFETY: the envelope begins with its type and is W words longer.
            let result = unsafe { libc::msgsnd(self.0, (&raw const *message).cast(), W * 8, 0) };
            if result == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// Receives one message, waiting for it; its length in bytes.
    ///
    /// # Errors
    /// The kernel's; `EIDRM` or `EINVAL` when the queue was removed, `E2BIG` when the message is longer.
    pub fn receive<const W: usize>(self, message: &mut Envelope<W>) -> io::Result<usize> {
        loop {
            // SAFETY: the envelope begins with its type and has room for W words, all of whose values are valid.
            let result = unsafe { libc::msgrcv(self.0, (&raw mut *message).cast(), W * 8, 0, 0) };
            if let Ok(length) = usize::try_from(result) {
                return Ok(length);
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// How many bytes the queue holds.
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

    /// Removes the queue: whoever waits in it is woken with `EIDRM`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn remove(self) -> io::Result<()> {
        // SAFETY: removing takes no struct.
        let result = unsafe { libc::msgctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

//! A robust, process-shared pthread mutex with two condition variables, in shared memory.
#![allow(unsafe_code)] // pthread_* on memory that two processes map.

use std::cell::UnsafeCell;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::words::{Memory, Words};

/// The mutex and the condition variables, as they lie in shared memory.
#[repr(C)]
pub struct Monitor {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    conditions: [UnsafeCell<libc::pthread_cond_t>; 2],
}

// SAFETY: pthread mutexes and conditions are made for use by several threads through shared pointers.
unsafe impl Sync for Monitor {}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

/// One of the two conditions.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    /// A message was put in.
    NotEmpty,
    /// A message was taken out.
    NotFull,
}

/// How the previous owner gave up the mutex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreviousOwner {
    /// It unlocked the mutex.
    Unlocked,
    /// It died while it held the mutex (`EOWNERDEAD`). The data under the mutex may be half-written.
    Died,
}

/// The attributes of the mutex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// `PTHREAD_PROCESS_SHARED` and `PTHREAD_MUTEX_ROBUST`.
    ProcessesRobust,
    /// Neither. Only for a test that shows what breaks without them.
    Private,
}

impl Monitor {
    /// Initialises a monitor in place.
    ///
    /// # Errors
    /// pthread's.
    ///
    /// # Safety
    /// `at` is aligned and valid for writes, and no thread uses the monitor there yet.
    pub unsafe fn initialise(at: *mut Self, sharing: Sharing) -> io::Result<()> {
        let mut mutex = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        // SAFETY: the attributes outlive the call.
        check(unsafe { libc::pthread_mutexattr_init(mutex.as_mut_ptr()) })?;
        let mut condition = MaybeUninit::<libc::pthread_condattr_t>::uninit();
        // SAFETY: the attributes outlive the call.
        check(unsafe { libc::pthread_condattr_init(condition.as_mut_ptr()) })?;
        if sharing == Sharing::ProcessesRobust {
            // SAFETY: initialised above.
            check(unsafe { libc::pthread_mutexattr_setpshared(mutex.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED) })?;
            // SAFETY: initialised above.
            check(unsafe { libc::pthread_mutexattr_setrobust(mutex.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST) })?;
            // SAFETY: initialised above.
            check(unsafe { libc::pthread_condattr_setpshared(condition.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED) })?;
            // SAFETY: initialised above. Setting the time does not move a deadline on the monotonic clock.
            check(unsafe { libc::pthread_condattr_setclock(condition.as_mut_ptr(), libc::CLOCK_MONOTONIC) })?;
        }
        // SAFETY: the caller vouches for `at`.
        let place = unsafe { &raw mut (*at).mutex };
        // SAFETY: place and attributes are valid for the call.
        check(unsafe { libc::pthread_mutex_init(place.cast(), mutex.as_ptr()) })?;
        for index in 0..2 {
            // SAFETY: the caller vouches for `at`.
            let place = unsafe { &raw mut (*at).conditions[index] };
            // SAFETY: place and attributes are valid for the call.
            check(unsafe { libc::pthread_cond_init(place.cast(), condition.as_ptr()) })?;
        }
        Ok(())
    }

    /// Locks. After [`PreviousOwner::Died`] the caller must repair the data and call [`Monitor::make_consistent`].
    /// Unlocking without that makes the mutex unusable for good.
    ///
    /// # Errors
    /// pthread's: `ENOTRECOVERABLE` if a process unlocked without repairing.
    pub fn lock(&self) -> io::Result<PreviousOwner> {
        // SAFETY: the monitor is initialised where it lies.
        acquired(unsafe { libc::pthread_mutex_lock(self.mutex.get()) })
    }

    /// Locks, or fails with `WouldBlock` if the mutex is held.
    ///
    /// # Errors
    /// pthread's.
    pub fn try_lock(&self) -> io::Result<PreviousOwner> {
        // SAFETY: the monitor is initialised where it lies.
        acquired(unsafe { libc::pthread_mutex_trylock(self.mutex.get()) })
    }

    /// Declares the data under the mutex repaired, after [`PreviousOwner::Died`].
    ///
    /// # Errors
    /// pthread's: `EINVAL` if no owner died.
    pub fn make_consistent(&self) -> io::Result<()> {
        // SAFETY: the monitor is initialised where it lies.
        check(unsafe { libc::pthread_mutex_consistent(self.mutex.get()) })
    }

    /// Unlocks.
    ///
    /// # Errors
    /// pthread's: `EPERM` when this thread does not hold it.
    pub fn unlock(&self) -> io::Result<()> {
        // SAFETY: the monitor is initialised where it lies.
        check(unsafe { libc::pthread_mutex_unlock(self.mutex.get()) })
    }

    /// Unlocks, sleeps until the condition is signalled or `timeout` has passed, and locks again. May wake without a
    /// signal.
    ///
    /// # Errors
    /// pthread's; `TimedOut`, with the mutex locked.
    pub fn wait(&self, condition: Condition, timeout: Duration) -> io::Result<PreviousOwner> {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let at = Duration::new(now.tv_sec as u64, now.tv_nsec as u32) + timeout;
        let deadline = libc::timespec {
            tv_sec: at.as_secs() as libc::time_t,
            tv_nsec: libc::c_long::from(at.subsec_nanos() as i32),
        };
        let condition = self.conditions[condition as usize].get();
        // SAFETY: mutex and condition are initialised where they lie, the deadline outlives the call.
        acquired(unsafe { libc::pthread_cond_timedwait(condition, self.mutex.get(), &raw const deadline) })
    }

    /// Wakes one thread that waits for the condition.
    ///
    /// # Errors
    /// pthread's.
    pub fn signal(&self, condition: Condition) -> io::Result<()> {
        // SAFETY: the condition is initialised where it lies.
        check(unsafe { libc::pthread_cond_signal(self.conditions[condition as usize].get()) })
    }
}

/// The memory of one monitor. Processes share it by inheriting the descriptor.
#[derive(Debug)]
pub struct MonitorMemory {
    memory: Memory,
}

impl AsFd for MonitorMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

/// A monitor, mapped from shared memory.
#[derive(Debug)]
pub struct SharedMonitor {
    words: Words,
}

impl MonitorMemory {
    /// New memory with an initialised monitor.
    ///
    /// # Errors
    /// The kernel's or pthread's.
    pub fn new(sharing: Sharing) -> io::Result<Self> {
        let memory = Memory::new(size_of::<Monitor>().div_ceil(8))?;
        let words = memory.read_write()?;
        // SAFETY: the mapping is large enough and page-aligned, and no other thread has it yet.
        unsafe { Monitor::initialise(words.word(0).as_ptr().cast(), sharing) }?;
        Ok(Self { memory })
    }

    /// The memory of a monitor that another process initialised, from its descriptor.
    pub fn existing(file: File) -> Self {
        Self { memory: Memory::existing(file, size_of::<Monitor>().div_ceil(8)) }
    }

    /// Maps the monitor.
    ///
    /// # Errors
    /// The kernel's.
    pub fn map(&self) -> io::Result<SharedMonitor> {
        Ok(SharedMonitor { words: self.memory.read_write()? })
    }
}

impl std::ops::Deref for SharedMonitor {
    type Target = Monitor;

    fn deref(&self) -> &Monitor {
        // SAFETY: `MonitorMemory::new` initialised it at the mapping's start; all inside it is behind `UnsafeCell`.
        unsafe { &*self.words.word(0).as_ptr().cast() }
    }
}

fn check(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

fn acquired(code: libc::c_int) -> io::Result<PreviousOwner> {
    match code {
        0 => Ok(PreviousOwner::Unlocked),
        libc::EOWNERDEAD => Ok(PreviousOwner::Died),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

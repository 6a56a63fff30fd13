//! The clock that stamps messages: the CPU's time-stamp counter on x86-64, `CLOCK_MONOTONIC` elsewhere.
#![allow(unsafe_code)] // `_rdtsc` and `_mm_lfence` are unsafe functions; nothing else here is.

use std::time::{Duration, Instant};

/// The time in ticks; two cores of one machine agree on it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: every x86-64 CPU has the instruction; it reads a register and touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The time in ticks, not read before every earlier load has its value: the stamp of something received.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn now_after_loads() -> u64 {
    // SAFETY: SSE2 is part of x86-64; the instruction only waits.
    unsafe { core::arch::x86_64::_mm_lfence() };
    now()
}

/// The time in ticks; two cores of one machine agree on it.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The time in ticks, not read before every earlier load has its value: the stamp of something received.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub fn now_after_loads() -> u64 {
    std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
    now()
}

/// How long a tick is, measured once and handed to every process, so that all of them agree.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    per_ns: f64,
}

impl Ticks {
    /// Compares ticks with the kernel's monotonic clock for 50 ms.
    pub fn measure() -> Self {
        let (began, first) = (Instant::now(), now());
        std::thread::sleep(Duration::from_millis(50));
        let (last, elapsed) = (now(), began.elapsed());
        Self { per_ns: (last - first) as f64 / elapsed.as_nanos() as f64 }
    }

    /// Ticks of a known length, as measured by the parent process.
    pub fn from_per_ns(per_ns: f64) -> Self {
        Self { per_ns }
    }

    /// Ticks per nanosecond.
    pub fn per_ns(self) -> f64 {
        self.per_ns
    }

    /// Nanoseconds in so many ticks.
    pub fn ns(self, ticks: f64) -> f64 {
        ticks / self.per_ns
    }

    /// Ticks in a duration.
    pub fn ticks(self, duration: Duration) -> u64 {
        (duration.as_nanos() as f64 * self.per_ns) as u64
    }
}

//! The clock that stamps messages: the CPU's time-stamp counter on x86-64, `CLOCK_MONOTONIC` elsewhere.
#![allow(unsafe_code)] // `_rdtsc` and `_mm_lfence` are unsafe functions; nothing else here is.

use std::time::{Duration, Instant};

/// The time in ticks. All cores of a machine agree on it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: every x86-64 CPU has the instruction; it reads a register and touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The time in ticks, read after all earlier loads are complete. It stamps the receipt of a message.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn now_after_loads() -> u64 {
    // SAFETY: SSE2 is part of x86-64; the instruction only waits.
    unsafe { core::arch::x86_64::_mm_lfence() };
    now()
}

/// The time in ticks. All cores of a machine agree on it.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The time in ticks, read after all earlier loads are complete. It stamps the receipt of a message.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub fn now_after_loads() -> u64 {
    std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
    now()
}

/// The length of a tick. It is measured once and passed to every process; else their figures would not compare.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    per_ns: f64,
}

impl Ticks {
    /// Measures the tick against the kernel's monotonic clock, for 50 ms.
    pub fn measure() -> Self {
        let (began, first) = (Instant::now(), now());
        std::thread::sleep(Duration::from_millis(50));
        let (last, elapsed) = (now(), began.elapsed());
        Self { per_ns: (last - first) as f64 / elapsed.as_nanos() as f64 }
    }

    /// The length of a tick as the parent process measured it.
    pub fn from_per_ns(per_ns: f64) -> Self {
        Self { per_ns }
    }

    /// Ticks per nanosecond.
    pub fn per_ns(self) -> f64 {
        self.per_ns
    }

    /// Ticks in nanoseconds.
    pub fn ns(self, ticks: f64) -> f64 {
        ticks / self.per_ns
    }

    /// A duration in ticks.
    pub fn ticks(self, duration: Duration) -> u64 {
        (duration.as_nanos() as f64 * self.per_ns) as u64
    }
}

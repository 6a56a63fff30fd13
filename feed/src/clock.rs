//! The wall clock as nanoseconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// `CLOCK_REALTIME` in ns since 1970. 0 for a time before 1970, `u64::MAX` for one after the year 2554.
pub fn realtime_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_this_century_and_in_nanoseconds() {
        let now = super::realtime_ns();
        // 2020-01-01 and 2100-01-01.
        assert!((1_577_836_800_000_000_000..4_102_444_800_000_000_000).contains(&now), "{now}");
    }
}

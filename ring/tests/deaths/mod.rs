//! Deaths at every point of a scenario, one after the other.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Runs a scenario again and again, with a death one point later each time, until it ends without. `die` is given the point
/// and returns how the process ended. Returns how many points there were.
pub(crate) fn points_of(scenario: &str, die: impl Fn(u64) -> ExitStatus) -> u64 {
    for points in 0.. {
        let status = die(points);
        if status.signal().is_none() {
            assert!(status.success(), "{scenario}: {status}");
            println!("{scenario}: killed at each of {points} points");
            assert!(points >= 5, "{scenario}: only {points} points: nothing was injected");
            return points;
        }
        assert_eq!(status.signal(), Some(9), "{scenario}: {status}");
    }
    unreachable!("every scenario ends")
}

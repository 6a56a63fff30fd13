//! How long one side of a pair waits for the other.

use std::io;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// How long one side waits for the other side to appear or to make room.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Repeats `attempt` while it fails as it does when the other side is not there yet.
///
/// # Errors
/// Any other error; the last error after [`PATIENCE`].
pub fn until_there<T>(what: &str, mut attempt: impl FnMut() -> io::Result<T>) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
                    && began.elapsed() < PATIENCE =>
            {
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(error) => return Err(error).with_context(|| what.to_owned()),
        }
    }
}

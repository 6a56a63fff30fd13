//! A reader that stops waiting once a flag is set: a program that reads from a pipe ends at once when it is told to.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A stop is noticed this late.
const POLL_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// A file whose reads fail once the flag is set and there is nothing to read. The file may be non-blocking.
pub(crate) struct Interruptible {
    file: File,
    stop: Arc<AtomicBool>,
}

impl Interruptible {
    pub(crate) fn new(file: File, stop: Arc<AtomicBool>) -> Self {
        Interruptible { file, stop }
    }
}

/// The error of a read that was stopped.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;

/// True for the error of a read that was stopped. A decompressor passes it on unchanged.
pub(crate) fn is_stop(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Stopped>())
}

impl Read for Interruptible {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&POLL_INTERVAL)) {
                Ok(0) | Err(Errno::INTR) if self.stop.load(Ordering::Relaxed) => {
                    return Err(io::Error::other(Stopped));
                }
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => match self.file.read(buffer) {
                    // Another reader of the same file took the data.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return read,
                },
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn a_stop_ends_a_read_that_waits_but_none_that_has_data() {
        let (reader, mut writer) = io::pipe().unwrap();
        let stop = Arc::new(AtomicBool::new(true));
        let mut reader = Interruptible::new(File::from(OwnedFd::from(reader)), Arc::clone(&stop));
        writer.write_all(b"12").unwrap();
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 2);
        assert!(is_stop(&reader.read(&mut [0; 8]).unwrap_err()));
        drop(writer);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0, "the end is no waiting");
    }

    #[test]
    fn a_decompressor_hands_the_stop_on() {
        for file in [crate::sample::gzip(&crate::sample::csv(3_000)), crate::sample::zstd(&crate::sample::csv(3_000))] {
            let (reader, mut writer) = io::pipe().unwrap();
            writer.write_all(&file[..file.len() / 2]).unwrap();
            let reader = Interruptible::new(File::from(OwnedFd::from(reader)), Arc::new(AtomicBool::new(true)));
            let failure = match crate::source::input::from_reader("pipe", reader, None, None) {
                Err(error) => error,
                Ok(mut input) => loop {
                    use crate::source::Source;
                    match input.next_message() {
                        Ok(message) => assert!(message.is_some(), "the input has not ended"),
                        Err(error) => break error,
                    }
                },
            };
            assert!(matches!(failure.reason, crate::source::Reason::Stopped), "{failure}");
        }
    }
}

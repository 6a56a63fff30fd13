//! Standard output whose writes end on a signal, so that a program whose pipe nobody reads still ends.
//!
//! Output is buffered and written in whole lines, or in whole records. A write to a pipe is at most `PIPE_BUF` bytes, which
//! the pipe takes whole or not at all. So the output ends with a whole line or record, whatever ends the program.

use std::io::{self, StdoutLock, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;

use crate::remedy;
use crate::say::try_say;

/// The size of the buffer in bytes.
const BUFFER: usize = 8 * 1024;

/// The longest write that a pipe with room takes whole (`PIPE_BUF`).
const PIPE_BUF: usize = 4096;

/// A stop is noticed this late.
const POLL_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// After a stop, a reader that takes nothing for this long is given up. A slow one is not.
const GRACE: Duration = Duration::from_secs(1);

/// Standard output could not be written: the kernel's error with its remedy.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}: {remedy}", remedy = remedy::output(.0))]
pub struct OutputError(#[from] io::Error);

impl OutputError {
    /// True if the reader of standard output closed the pipe.
    pub fn is_closed(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// The error of a write that was given up after a stop.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads it")]
struct Unread;

/// True for the error of a write that was given up after a stop.
pub fn is_unread(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Unread>())
}

/// Buffered standard output (in tests: a pipe).
#[derive(Debug)]
pub struct Stdout<'a, F = StdoutLock<'static>> {
    file: F,
    stop: &'a AtomicBool,
    buffer: Vec<u8>,
    /// Of records: where each ends in the buffer. `None`: a line feed ends a line.
    ends: Option<Vec<usize>>,
    /// True for a pipe, a socket or a terminal: a write may wait for the reader.
    blocks: bool,
    /// Since when there has been no room after a stop.
    no_room_since: Option<Instant>,
}

impl<'a> Stdout<'a> {
    /// Locks standard output. Once `stop` is set, a write fails whose reader takes nothing: [`is_unread`].
    pub fn new(stop: &'a AtomicBool) -> Self {
        Self::of(io::stdout().lock(), stop)
    }

    /// The same for records: each write is one.
    pub fn of_records(stop: &'a AtomicBool) -> Self {
        Stdout { ends: Some(Vec::new()), ..Self::new(stop) }
    }
}

impl<'a, F: AsFd> Stdout<'a, F> {
    fn of(file: F, stop: &'a AtomicBool) -> Self {
        let kind = rustix::fs::fstat(&file).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let blocks = !matches!(kind, Ok(FileType::RegularFile | FileType::BlockDevice));
        Stdout { file, stop, buffer: Vec::with_capacity(BUFFER), ends: None, blocks, no_room_since: None }
    }

    /// Writes the whole lines of the buffer, or with `all` the whole buffer.
    fn drain(&mut self, all: bool) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut written = 0;
        let result = loop {
            let rest = &buffer[written..];
            let rest = if all { rest } else { &rest[..self.whole(written, rest)] };
            if rest.is_empty() {
                break Ok(());
            }
            match self.write_some(written, rest) {
                Ok(count) => written += count,
                Err(error) => break Err(error),
            }
        };
        buffer.drain(..written);
        self.buffer = buffer;
        if let Some(ends) = &mut self.ends {
            ends.retain(|&end| end > written);
            ends.iter_mut().for_each(|end| *end -= written);
        }
        result
    }

    /// The end of the last whole line or record of these bytes, which begin at `at` in the buffer.
    fn whole(&self, at: usize, bytes: &[u8]) -> usize {
        match &self.ends {
            None => end_of_lines(bytes),
            Some(ends) => {
                let within = ends.iter().rfind(|&&end| end > at && end <= at + bytes.len());
                within.map_or(0, |end| end - at)
            }
        }
    }

    fn write_some(&mut self, at: usize, bytes: &[u8]) -> io::Result<usize> {
        let mut bytes = bytes;
        if self.blocks && bytes.len() > PIPE_BUF {
            // A line or a record longer than this is split.
            let whole = self.whole(at, &bytes[..PIPE_BUF]);
            bytes = &bytes[..if whole > 0 { whole } else { PIPE_BUF }];
        }
        loop {
            if self.blocks {
                self.wait_for_room()?;
            }
            match rustix::io::write(&self.file, bytes) {
                // EAGAIN: the parent process may have made the file non-blocking.
                Err(Errno::INTR | Errno::AGAIN) => {}
                written => return Ok(written?),
            }
        }
    }

    fn wait_for_room(&mut self) -> io::Result<()> {
        loop {
            match poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], Some(&POLL_INTERVAL)) {
                Ok(0) | Err(Errno::INTR) if self.stop.load(Ordering::Relaxed) => {
                    if self.no_room_since.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                        return Err(io::Error::other(Unread));
                    }
                }
                Ok(0) | Err(Errno::INTR) => {}
                // Also if the reader is gone: the write reports that.
                Ok(_) => {
                    self.no_room_since = None;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Writes a summary to standard output. A closed pipe is not an error. If nobody reads the pipe and `stop` is set, the
/// summary goes to standard error.
///
/// # Errors
/// The kernel's error, with its remedy.
pub fn print_summary(summary: &str, stop: &AtomicBool) -> io::Result<()> {
    let mut stdout = Stdout::new(stop);
    match stdout.write_all(summary.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) if is_unread(&error) => try_say(summary.trim_end()),
        Err(error) => Err(with_remedy(error)),
        Ok(()) => Ok(()),
    }
}

/// The error with its remedy.
pub fn with_remedy(error: io::Error) -> io::Error {
    let remedy = remedy::output(&error);
    io::Error::new(error.kind(), format!("{error}: {remedy}"))
}

/// The end of the last whole line.
fn end_of_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)
}

impl<F: AsFd> Write for Stdout<'_, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.drain(false)?;
        }
        self.buffer.extend_from_slice(bytes);
        if let Some(ends) = &mut self.ends {
            ends.push(self.buffer.len());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain(true)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn output_is_unchanged() {
        let (mut reader, writer) = io::pipe().unwrap();
        let read = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        let stop = AtomicBool::new(false);
        let mut stdout = Stdout::of(&writer, &stop);
        let mut expected = String::new();
        for number in 0..50_000 {
            // In pieces, as formatting does.
            write!(stdout, "{number},").unwrap();
            writeln!(stdout, "{}", "x".repeat(number % 50)).unwrap();
            expected += &format!("{number},{}\n", "x".repeat(number % 50));
        }
        // Longer than the buffer, and without a line feed.
        expected += &"y".repeat(30_000);
        stdout.write_all("y".repeat(30_000).as_bytes()).unwrap();
        stdout.flush().unwrap();
        drop(writer);
        assert!(read.join().unwrap() == expected);
    }

    #[test]
    fn a_stop_ends_a_write_that_nobody_reads_at_the_end_of_a_line() {
        // The pipe fills up at different places of the buffer.
        for pages in [0, 1] {
            let (mut reader, mut writer) = io::pipe().unwrap();
            writer.write_all(&[b'\n'; 4096].repeat(pages)).unwrap();
            let stop = AtomicBool::new(true);
            let mut stdout = Stdout::of(&writer, &stop);
            let mut lines = 0;
            let error = loop {
                if let Err(error) = writeln!(stdout, "line {lines} {}", "x".repeat(lines % 100)) {
                    break error;
                }
                lines += 1;
            };
            assert!(is_unread(&error), "{error}");
            let begun = Instant::now();
            assert!(is_unread(&stdout.flush().unwrap_err()), "and so does the next, at once");
            assert!(begun.elapsed() < GRACE / 2);
            drop(stdout);
            drop(writer);
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            assert!(text.len() > 30_000 && text.ends_with('\n'), "{}", text.len());
            for (number, line) in text.lines().skip(pages * 4096).enumerate() {
                assert_eq!(line, format!("line {number} {}", "x".repeat(number % 100)));
            }
        }
    }

    #[test]
    fn a_stop_ends_records_at_the_end_of_one_and_whole_ones_come_through() {
        // Longer than a pipe takes at once, without a line feed, and of many lengths.
        let record = |number: usize| vec![number as u8 | 128; [8, 56, 1000, 5000, 20_000][number % 5]];
        let (mut reader, writer) = io::pipe().unwrap();
        let stop = AtomicBool::new(true);
        let mut stdout = Stdout { ends: Some(Vec::new()), ..Stdout::of(&writer, &stop) };
        let mut number = 0;
        while stdout.write_all(&record(number % 3)).is_ok() {
            number += 1;
        }
        drop(stdout);
        drop(writer);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        let mut rest = &read[..];
        let mut numbers = 0..;
        while let (false, Some(number)) = (rest.is_empty(), numbers.next()) {
            let record = record(number % 3);
            assert_eq!(rest.get(..record.len()), Some(&record[..]), "record {number} is whole, of {} read", read.len());
            rest = &rest[record.len()..];
        }
        assert!(read.len() > 30_000, "{}", read.len());

        let (mut reader, writer) = io::pipe().unwrap();
        let writes = std::thread::spawn(move || {
            let stop = AtomicBool::new(false);
            let mut stdout = Stdout { ends: Some(Vec::new()), ..Stdout::of(&writer, &stop) };
            (0..500).for_each(|number| stdout.write_all(&record(number)).unwrap());
            stdout.flush().unwrap();
        });
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        writes.join().unwrap();
        assert!(read == (0..500).flat_map(record).collect::<Vec<u8>>());
    }

    #[test]
    fn a_reader_that_is_only_slow_gets_everything_after_a_stop() {
        let (mut reader, writer) = io::pipe().unwrap();
        let read = std::thread::spawn(move || {
            // In total longer than the grace, but never so long at a time.
            let (mut text, mut page) = (Vec::new(), [0; 8192]);
            for _ in 0..4 {
                std::thread::sleep(GRACE / 3);
                let count = reader.read(&mut page).unwrap();
                text.extend_from_slice(&page[..count]);
            }
            reader.read_to_end(&mut text).unwrap();
            text.iter().filter(|&&byte| byte == b'\n').count()
        });
        let stop = AtomicBool::new(true);
        let mut stdout = Stdout::of(&writer, &stop);
        (0..40_000).for_each(|number| writeln!(stdout, "line {number}").unwrap());
        stdout.flush().unwrap();
        drop(writer);
        assert_eq!(read.join().unwrap(), 40_000);
    }

    #[test]
    fn a_reader_that_is_gone_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let stop = AtomicBool::new(false);
        let mut stdout = Stdout::of(&writer, &stop);
        writeln!(stdout, "line").unwrap();
        assert_eq!(stdout.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}

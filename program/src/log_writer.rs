//! Writes the log to standard error without ever waiting for its reader: a thread that logs is never held up. A line that
//! a full pipe or a stopped terminal does not take at once is dropped, and the next one that it takes is preceded by a line
//! that says how many were.

use std::io::{self, IoSlice, Stderr, Write, stderr};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::{Errno, ReadWriteFlags};

/// The longest write that a pipe with room takes whole (`PIPE_BUF`). A longer line is cut.
const PIPE_BUF: usize = 4096;

/// The end of a line that was cut.
const CUT: &[u8] = b"...\n";

/// Lines dropped since the last line that was written. The lock also keeps lines of several threads apart.
static DROPPED: Mutex<u64> = Mutex::new(0);

/// One line of the log, for `with_writer`. Its one `write` gets the whole line.
#[derive(Debug)]
pub(crate) struct LogWriter<F = Stderr> {
    file: F,
    dropped: &'static Mutex<u64>,
    json: bool,
}

impl LogWriter {
    /// Writes to standard error. `json`: whether the log's lines are JSON.
    pub(crate) fn new(json: bool) -> Self {
        LogWriter { file: stderr(), dropped: &DROPPED, json }
    }
}

impl<F> LogWriter<F> {
    /// The line that says how many were dropped.
    fn says(&self, dropped: u64) -> String {
        let what = "lines of the log were dropped: standard error was not read";
        match self.json {
            true => format!("{{\"level\":\"WARN\",\"fields\":{{\"message\":\"{what}\",\"count\":{dropped}}}}}\n"),
            false => format!("{dropped} {what}\n"),
        }
    }
}

impl<F: AsFd> Write for LogWriter<F> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        if *dropped > 0 && offer(&self.file, self.says(*dropped).as_bytes())? {
            *dropped = 0;
        }
        if *dropped > 0 || !offer(&self.file, line)? {
            *dropped += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a line if that needs no waiting. Returns whether it was written.
fn offer(file: impl AsFd, line: &[u8]) -> io::Result<bool> {
    let kind = rustix::fs::fstat(&file).map(|stat| FileType::from_raw_mode(stat.st_mode));
    if matches!(kind, Ok(FileType::RegularFile)) {
        return written(rustix::io::write(&file, line));
    }
    let cut;
    let line = match line.len() {
        0..=PIPE_BUF => line,
        _ => {
            cut = [&line[..PIPE_BUF - CUT.len()], CUT].concat();
            &cut
        }
    };
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut [PollFd::new(&file, PollFlags::OUT)], Some(&now)) {
        Ok(0) | Err(Errno::INTR) => return Ok(false),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    // Another process, or a message of this one, may have taken the room meanwhile. The offset says that there is none.
    match rustix::io::pwritev2(&file, &[IoSlice::new(line)], u64::MAX, ReadWriteFlags::NOWAIT) {
        // An old kernel, a kind of file that cannot do so, or a filter of system calls.
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::PERM | Errno::SPIPE) => {
            written(rustix::io::write(&file, line))
        }
        result => written(result),
    }
}

fn written(result: Result<usize, Errno>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(Errno::AGAIN | Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn writer(file: io::PipeWriter) -> LogWriter<io::PipeWriter> {
        LogWriter { file, dropped: Box::leak(Box::default()), json: false }
    }

    /// If a write waited for the reader, this test would not end.
    #[test]
    fn a_full_pipe_holds_nobody_up_and_the_dropped_lines_are_counted() {
        let (mut reader, pipe) = io::pipe().unwrap();
        let mut log = writer(pipe);
        let mut lines = 0_u64;
        while *log.dropped.lock().unwrap() < 5 {
            log.write_all(format!("line {lines}\n").as_bytes()).unwrap();
            lines += 1;
        }
        let mut page = vec![0; 1 << 20];
        let count = reader.read(&mut page).unwrap();
        let text = String::from_utf8(page[..count].to_vec()).unwrap();
        let expected: String = (0..lines - 5).map(|line| format!("line {line}\n")).collect();
        assert!(text == expected, "whole lines, and no other: {} bytes", text.len());
        log.write_all(b"there is room\n").unwrap();
        drop(log);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "5 lines of the log were dropped: standard error was not read\nthere is room\n");
    }

    #[test]
    fn dropped_lines_are_said_in_the_log_s_own_format() {
        let (_, pipe) = io::pipe().unwrap();
        let json = LogWriter { json: true, ..writer(pipe) };
        let expected = r#"{"level":"WARN","fields":{"message":"lines of the log were dropped: standard error was not read","count":7}}"#;
        assert_eq!(json.says(7), format!("{expected}\n"));
    }

    #[test]
    fn a_long_line_is_cut() {
        let (mut reader, pipe) = io::pipe().unwrap();
        let mut log = writer(pipe);
        log.write_all(&[[b'x'; 10_000].as_slice(), b"\n"].concat()).unwrap();
        log.write_all(b"short\n").unwrap();
        drop(log);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("{}...\nshort\n", "x".repeat(PIPE_BUF - 4)));
    }

    #[test]
    fn a_reader_that_is_gone_is_an_error() {
        let (reader, pipe) = io::pipe().unwrap();
        drop(reader);
        assert_eq!(writer(pipe).write(b"line\n").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}

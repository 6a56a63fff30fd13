//! Opens an input: a file or standard input, with compression and format recognised by the first bytes.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::csv::CsvSource;
use super::dbn::DbnSource;
use super::error::{Position, Reason, SourceError, read_failed};
use super::interruptible::Interruptible;
use super::itch::ItchSource;
use super::stream::Source;
use crate::message::Message;

/// The size of a read in bytes.
const BUFFER: usize = 256 * 1024;

/// How many first bytes are examined to recognise compression and format: at least and at most.
const PEEK: (usize, usize) = (16, 256);

/// A format of market data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Databento DBN, versions 1 to 3: MBO, MBP-1, TBBO, trades.
    Dbn,
    /// NASDAQ ITCH 5.0 with two-byte length prefixes, which may be zero.
    Itch,
    /// CSV with the columns of [`CsvSource`].
    Csv,
}

impl Format {
    /// The name in lower case, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Dbn => "dbn",
            Format::Itch => "itch",
            Format::Csv => "csv",
        }
    }

    /// The format that begins with these bytes, if there is one.
    pub fn recognise(first: &[u8]) -> Option<Format> {
        if first.starts_with(b"DBN") {
            Some(Format::Dbn)
        } else if super::itch::begins_like_itch(first) {
            Some(Format::Itch)
        } else if super::csv::begins_like_csv(first) {
            Some(Format::Csv)
        } else {
            None
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Format::Dbn, Format::Itch, Format::Csv]
            .into_iter()
            .find(|format| format.name() == text)
            .ok_or_else(|| format!("{text:?} is no format: expected dbn, itch or csv"))
    }
}

/// How an input is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Plain,
    Gzip,
    Zstd,
}

impl Compression {
    fn recognise(first: &[u8]) -> Compression {
        match first {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            // A frame, or a skippable frame, which parallel compressors write first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::Plain,
        }
    }
}

/// An open input: a [`Source`] that knows its name, its format and how far it has read.
pub struct Input {
    name: String,
    format: Format,
    source: Box<dyn Source>,
    bytes: Option<u64>,
    bytes_read: Arc<AtomicU64>,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("name", &self.name).field("format", &self.format).finish_non_exhaustive()
    }
}

impl Input {
    /// The file's name, or `standard input`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format as which it is read.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The size in bytes as stored (compressed), if it is a regular file.
    pub fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// The bytes read so far, as stored. Buffers make this larger than what the messages so far took.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }
}

impl Source for Input {
    fn next_message(&mut self) -> Result<Option<Message>, SourceError> {
        self.source.next_message()
    }
}

/// Opens a file, or standard input for `-`. Recognises the format by content if `format` is `None`.
///
/// Once `stop` is set, a read that would wait (for a pipe, a terminal) fails with [`Reason::Stopped`].
///
/// # Errors
/// An input that cannot be opened or read, has no supported format, or is malformed before its first message.
pub fn open(path: &Path, format: Option<Format>, stop: Arc<AtomicBool>) -> Result<Input, SourceError> {
    let stdin = path == Path::new("-");
    let name = if stdin { "standard input".to_owned() } else { path.display().to_string() };
    let failed = |error| Reason::Open(error).at(&name, Position::Whole);
    // The file descriptor itself: `io::stdin` would put a buffer before it.
    let file = if stdin { io::stdin().as_fd().try_clone_to_owned().map(File::from) } else { open_at_once(path) };
    let file = file.map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let bytes = metadata.is_file().then_some(metadata.len());
    from_reader(&name, Interruptible::new(file, stop), bytes, format)
}

/// Opens a file without blocking. Opening a FIFO that has no writer would wait, and not notice a stop.
fn open_at_once(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    loop {
        match rustix::fs::open(path, flags, Mode::empty()) {
            Err(Errno::INTR) => {}
            opened => return Ok(File::from(opened?)),
        }
    }
}

/// Reads from any reader. Errors begin with `name`; `bytes` is the size as stored, if known.
///
/// # Errors
/// As [`open`].
pub fn from_reader(
    name: &str,
    reader: impl Read + Send + 'static,
    bytes: Option<u64>,
    format: Option<Format>,
) -> Result<Input, SourceError> {
    let bytes_read = Arc::new(AtomicU64::new(0));
    let counted = Counted { reader, bytes_read: Arc::clone(&bytes_read) };
    let failed = |error| read_failed(error).at(name, Position::Byte(0));
    let (first, stored) = peek(counted).map_err(failed)?;
    let plain: Box<dyn BufRead + Send> = match Compression::recognise(&first) {
        Compression::Plain => Box::new(stored),
        Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(stored))),
        Compression::Zstd => Box::new(BufReader::with_capacity(
            BUFFER,
            zstd::stream::read::Decoder::with_buffer(stored).map_err(failed)?,
        )),
    };
    let (first, plain) = peek(plain).map_err(failed)?;
    let Some(format) = format.or_else(|| Format::recognise(&first)) else {
        let position = if first.is_empty() { Position::Whole } else { Position::Byte(0) };
        return Err(unrecognised(&first).at(name, position));
    };
    let plain = Box::new(plain);
    let source: Box<dyn Source> = match format {
        Format::Dbn => Box::new(DbnSource::new(name, plain)?),
        Format::Itch => Box::new(ItchSource::new(name, plain)),
        Format::Csv => Box::new(CsvSource::new(name, plain)?),
    };
    Ok(Input { name: name.to_owned(), format, source, bytes, bytes_read })
}

fn unrecognised(first: &[u8]) -> Reason {
    const REMEDY: &str = "expected DBN, NASDAQ ITCH 5.0, or CSV that begins with its header, each plain or compressed \
                          (gzip, zstd); name the format with --format if it is one of them";
    if first.is_empty() {
        return Reason::Unrecognised(format!("is empty: {REMEDY}"));
    }
    let shown: Vec<String> = first.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Reason::Unrecognised(format!("begins with the bytes {}, which no known format does: {REMEDY}", shown.join(" ")))
}

/// The first bytes, and a reader that yields them again.
fn peek<R: Read>(mut reader: R) -> io::Result<(Vec<u8>, BufReader<impl Read + use<R>>)> {
    let mut first = vec![0; PEEK.1];
    let mut filled = 0;
    while filled < PEEK.0 {
        match reader.read(&mut first[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    first.truncate(filled);
    let whole = Cursor::new(first.clone()).chain(reader);
    Ok((first, BufReader::with_capacity(BUFFER, whole)))
}

/// A reader that counts the bytes read.
struct Counted<R> {
    reader: R,
    bytes_read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

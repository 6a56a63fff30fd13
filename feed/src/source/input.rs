//! Opens an input: a file or standard input, with compression and format recognised by the first bytes.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::compressed::{Compression, Decompressed, Padding};
use super::csv::CsvSource;
use super::dbn::DbnSource;
use super::error::{Position, Reason, SourceError, read_failed};
use super::foreign;
use super::interruptible::Interruptible;
use super::itch::ItchSource;
use super::notes::{Notes, PassedOver};
use super::padding;
use super::peek::Peek;
use super::stream::{Captured, Source};
use crate::board::Symbol;
use crate::record::{Encoding, Record};

/// The size of a read in bytes.
const BUFFER: usize = 256 * 1024;

/// How many first bytes are examined to recognise compression and format: at least and at most.
const FIRST: (usize, usize) = (16, 512);

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

/// An open input: a [`Source`] that knows its name, its format and how far it has read.
pub struct Input {
    name: String,
    format: Format,
    encoding: Option<Encoding>,
    source: Box<dyn Source>,
    bytes: Option<u64>,
    bytes_read: Arc<AtomicU64>,
    padding: Arc<Padding>,
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

    /// What its records are; `None` if it is read as messages.
    pub fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// The size in bytes as stored (compressed), if it is a regular file.
    pub fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// The bytes read so far, as stored. Buffers make this larger than what the messages so far took.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Lets the first record that cannot become a message end the input with an error, instead of being passed over.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.source.notes().set_strict(strict);
        self.padding.strict.store(strict, Ordering::Relaxed);
        self
    }

    /// What was passed over so far, between records and between compressed data.
    pub fn passed_over(&mut self) -> PassedOver {
        let mut passed = self.source.notes().passed_over().clone();
        passed.add(padding::WHAT, self.padding.bytes.load(Ordering::Relaxed));
        passed
    }
}

impl Source for Input {
    fn next_captured(&mut self) -> Result<Option<Captured>, SourceError> {
        self.source.next_captured()
    }

    fn next_record(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        self.source.next_record()
    }

    fn notes(&mut self) -> &mut Notes {
        self.source.notes()
    }

    fn symbol(&self, instrument: u32) -> Option<Symbol> {
        self.source.symbol(instrument)
    }
}

/// What an input is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// Messages: [`Source::next_captured`].
    Messages,
    /// Its own bytes: [`Source::next_record`].
    Records,
}

/// Opens a file, or standard input for `-`, to be read as messages. Recognises the format by content if `format` is `None`.
///
/// Once `stop` is set, a read that would wait (for a pipe, a terminal) fails with [`Reason::Stopped`].
///
/// # Errors
/// An input that cannot be opened or read, has no supported format, or is malformed before its first message.
pub fn open(path: &Path, format: Option<Format>, stop: Arc<AtomicBool>) -> Result<Input, SourceError> {
    open_as(As::Messages, path, format, stop)
}

/// Opens a file, or standard input for `-`, to be read as messages or as records.
///
/// # Errors
/// As [`open`], and of records also an input of a format that has none.
pub fn open_as(read: As, path: &Path, format: Option<Format>, stop: Arc<AtomicBool>) -> Result<Input, SourceError> {
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
    from_reader_as(read, &name, Interruptible::new(file, stop), bytes, format)
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

/// Reads messages from any reader. Errors begin with `name`; `bytes` is the size as stored, if known.
///
/// # Errors
/// As [`open`].
pub fn from_reader(
    name: &str,
    reader: impl Read + Send + 'static,
    bytes: Option<u64>,
    format: Option<Format>,
) -> Result<Input, SourceError> {
    from_reader_as(As::Messages, name, reader, bytes, format)
}

/// Reads messages or records from any reader.
///
/// # Errors
/// As [`open_as`].
pub fn from_reader_as(
    read: As,
    name: &str,
    reader: impl Read + Send + 'static,
    bytes: Option<u64>,
    format: Option<Format>,
) -> Result<Input, SourceError> {
    let bytes_read = Arc::new(AtomicU64::new(0));
    let counted = Counted { reader, bytes_read: Arc::clone(&bytes_read) };
    let failed = |error| read_failed(error).at(name, Position::Byte(0));
    let padding = Arc::new(Padding::default());
    let mut stored = Peek::new(BufReader::with_capacity(BUFFER, counted));
    let first = first_bytes(&mut stored, FIRST.0).map_err(failed)?;
    refuse_foreign(name, &first)?;
    let plain: Box<dyn BufRead + Send> = match Compression::recognise(&first) {
        None => Box::new(stored),
        Some(_) => {
            let decompressed = Decompressed::new(stored, Arc::clone(&padding));
            Box::new(BufReader::with_capacity(BUFFER, decompressed))
        }
    };
    let mut plain = Peek::new(plain);
    let first = first_bytes(&mut plain, FIRST.0).map_err(failed)?;
    refuse_foreign(name, &first)?;
    let Some(format) = format.or_else(|| Format::recognise(&first)) else {
        let first = first_bytes(&mut plain, foreign::NEEDED).map_err(failed)?;
        refuse_foreign(name, &first)?;
        let position = if first.is_empty() { Position::Whole } else { Position::Byte(0) };
        return Err(unrecognised(&first).at(name, position));
    };
    let plain = Box::new(plain);
    let (source, encoding): (Box<dyn Source>, _) = match (format, read) {
        (Format::Dbn, As::Messages) => (Box::new(DbnSource::new(name, plain)?), None),
        (Format::Dbn, As::Records) => (Box::new(DbnSource::of_records(name, plain)?), Some(Encoding::Dbn)),
        (Format::Itch, As::Messages) => (Box::new(ItchSource::new(name, plain)), None),
        (Format::Itch, As::Records) => (Box::new(ItchSource::new(name, plain)), Some(Encoding::Itch)),
        (Format::Csv, As::Messages) => (Box::new(CsvSource::new(name, plain)?), None),
        (Format::Csv, As::Records) => return Err(no_records().at(name, Position::Byte(0))),
    };
    Ok(Input { name: name.to_owned(), format, encoding, source, bytes, bytes_read, padding })
}

/// The first bytes: at least so many, unless there are fewer, and more if they are there.
fn first_bytes(reader: &mut Peek<impl BufRead>, least: usize) -> io::Result<Vec<u8>> {
    let bytes = reader.peek(least)?;
    Ok(bytes[..bytes.len().min(FIRST.1)].to_vec())
}

/// Fails if these are the first bytes of a file of another kind, whatever format was asked for.
fn refuse_foreign(name: &str, first: &[u8]) -> Result<(), SourceError> {
    match foreign::named(first) {
        Some(what) => Err(Reason::Unrecognised(what).at(name, Position::Byte(0))),
        None => Ok(()),
    }
}

fn unrecognised(first: &[u8]) -> Reason {
    const REMEDY: &str = "expected DBN, NASDAQ ITCH 5.0, or CSV that begins with its header, each plain or compressed \
                          (gzip, zstd); name the format with --format if it is one of them";
    if first.is_empty() {
        return Reason::Unrecognised(format!("is empty: {REMEDY}"));
    }
    if Compression::recognise(first).is_some() {
        return Reason::Unrecognised("is compressed twice: decompress it once (gzip -dc, zstd -dc)".to_owned());
    }
    Reason::Unrecognised(format!("{}, which no known format does: {REMEDY}", foreign::shown(first)))
}

fn no_records() -> Reason {
    Reason::Unsupported(
        "is CSV, whose rows are text and no records: expected DBN or ITCH; publish its rows as messages (--as messages)"
            .to_owned(),
    )
}

/// A reader that counts the bytes read, and repeats interrupted reads.
struct Counted<R> {
    reader: R,
    bytes_read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

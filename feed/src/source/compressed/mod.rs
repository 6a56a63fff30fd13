//! Compressed inputs: gzip members and zstd frames, any number of them one behind the other.
//!
//! Files that were joined with `cat` are read on, also of the two in turn. Skippable frames of zstd are skipped. Zero
//! bytes behind the last member, with which tapes and some storages fill up a block, are passed over and counted.

mod window;

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flate2::bufread::GzDecoder;
use zstd::stream::raw::{Decoder, Operation};

use super::error::Unreadable;
use super::foreign;
use super::peek::Peek;

/// How the bytes at a place are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// The compression that begins with these bytes, if there is one.
    pub(super) fn recognise(first: &[u8]) -> Option<Compression> {
        match first {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            // A frame, or a skippable frame, which parallel compressors write first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
            _ => None,
        }
    }
}

/// Zero bytes between and behind the compressed data.
#[derive(Debug, Default)]
pub(super) struct Padding {
    pub(super) bytes: AtomicU64,
    /// Padding is an error.
    pub(super) strict: AtomicBool,
}

/// Decompresses everything that a reader holds.
pub(super) struct Decompressed<R> {
    state: State<R>,
    /// Kept from frame to frame: it is large.
    zstd: Option<Decoder<'static>>,
    padding: Arc<Padding>,
}

enum State<R> {
    Between(Peek<R>),
    Gzip(GzDecoder<Peek<R>>),
    Zstd(Peek<R>),
    Ended,
}

impl<R: BufRead> Decompressed<R> {
    pub(super) fn new(stored: Peek<R>, padding: Arc<Padding>) -> Self {
        Decompressed { state: State::Between(stored), zstd: None, padding }
    }

    /// Begins the next member or frame.
    fn begin(&mut self, mut stored: Peek<R>) -> io::Result<State<R>> {
        let first = stored.peek(window::LONGEST_HEADER)?;
        match (first, Compression::recognise(first)) {
            ([], _) => return Ok(State::Ended),
            (_, Some(Compression::Gzip)) => return Ok(State::Gzip(GzDecoder::new(stored))),
            ([0x28, ..], Some(Compression::Zstd)) => {
                window::check(first)?;
                match &mut self.zstd {
                    Some(decoder) => decoder.reinit()?,
                    none => *none = Some(Decoder::new()?),
                }
                return Ok(State::Zstd(stored));
            }
            (_, Some(Compression::Zstd)) => skip_frame(&mut stored)?,
            ([0, ..], None) => self.skip_zeros(&mut stored)?,
            (_, None) => {
                let (shown, joined) = (foreign::shown(first), foreign::joined(first));
                let what = format!("the compressed data is followed by something else, which {shown}{joined}");
                return Err(Unreadable::error(format!("{what}: decompress it and give what is to be read")));
            }
        }
        Ok(State::Between(stored))
    }

    fn skip_zeros(&self, stored: &mut Peek<R>) -> io::Result<()> {
        if self.padding.strict.load(Ordering::Relaxed) {
            return Err(Unreadable::error("the compressed data is followed by zero bytes".to_owned()));
        }
        loop {
            let bytes = stored.fill_buf()?;
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
            if zeros == 0 {
                return Ok(());
            }
            stored.consume(zeros);
            self.padding.bytes.fetch_add(zeros as u64, Ordering::Relaxed);
        }
    }

    /// Decompresses some of a frame; returns how much, and whether that was the frame's end.
    fn read_zstd(&mut self, stored: &mut Peek<R>, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
        let decoder = self.zstd.as_mut().expect("it was made when the frame began");
        loop {
            let bytes = stored.fill_buf()?;
            let at_end = bytes.is_empty();
            // Also without further input: there may be output that had no room.
            let status = decoder.run_on_buffers(bytes, buffer)?;
            stored.consume(status.bytes_read);
            match status.bytes_written {
                count if status.remaining == 0 => return Ok((count, true)),
                0 if at_end => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "incomplete frame")),
                0 => {}
                count => return Ok((count, false)),
            }
        }
    }
}

/// Skips a skippable frame.
fn skip_frame(stored: &mut impl BufRead) -> io::Result<()> {
    let mut header = [0; 8];
    stored.read_exact(&mut header)?;
    let length = u64::from(u32::from_le_bytes([header[4], header[5], header[6], header[7]]));
    let skipped = io::copy(&mut stored.take(length), &mut io::sink())?;
    if skipped < length {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "incomplete skippable frame"));
    }
    Ok(())
}

impl<R: BufRead> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            // An error ends it: there is nothing to go on with.
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Between(stored) => self.begin(stored)?,
                State::Gzip(mut member) => match member.read(buffer)? {
                    0 => State::Between(member.into_inner()),
                    count => {
                        self.state = State::Gzip(member);
                        return Ok(count);
                    }
                },
                State::Zstd(mut stored) => {
                    let (count, ended) = self.read_zstd(&mut stored, buffer)?;
                    self.state = if ended { State::Between(stored) } else { State::Zstd(stored) };
                    if count > 0 {
                        return Ok(count);
                    }
                    continue;
                }
                State::Ended => return Ok(0),
            };
        }
    }
}

//! A reader that can look ahead.

use std::io::{self, BufRead, Read};

/// The most that can be looked at ahead, in bytes.
pub(super) const FARTHEST: usize = 2048;

/// Looks at bytes without taking them, whatever the size of the reads below. An interrupted read is an error: the reader
/// below repeats it.
pub(super) struct Peek<R> {
    reader: R,
    /// Bytes that were read ahead because the reader's buffer had too few, from `at` on.
    ahead: Vec<u8>,
    at: usize,
}

impl<R: BufRead> Peek<R> {
    pub(super) fn new(reader: R) -> Self {
        Peek { reader, ahead: Vec::new(), at: 0 }
    }

    /// At least the next `count` bytes, or all that are left. `count` is at most [`FARTHEST`].
    #[inline]
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        debug_assert!(count <= FARTHEST);
        if self.at == self.ahead.len() && self.reader.fill_buf()?.len() >= count {
            return self.reader.fill_buf();
        }
        self.peek_further(count)
    }

    /// Where the reader's buffer has too few. No more is read ahead than needed, so that the buffer is used again.
    #[cold]
    fn peek_further(&mut self, count: usize) -> io::Result<&[u8]> {
        if self.ahead.len() - self.at < count {
            self.ahead.drain(..self.at);
            self.at = 0;
        }
        while self.ahead.len() - self.at < count {
            let bytes = self.reader.fill_buf()?;
            let taken = bytes.len().min(count - self.ahead.len());
            if taken == 0 {
                break;
            }
            self.ahead.extend_from_slice(&bytes[..taken]);
            self.reader.consume(taken);
        }
        Ok(&self.ahead[self.at..])
    }
}

impl<R: BufRead> BufRead for Peek<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at < self.ahead.len() { Ok(&self.ahead[self.at..]) } else { self.reader.fill_buf() }
    }

    fn consume(&mut self, count: usize) {
        if self.at < self.ahead.len() {
            self.at += count;
        } else {
            self.reader.consume(count);
        }
    }
}

impl<R: BufRead> Read for Peek<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn what_was_looked_at_is_still_read() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for capacity in [1, 7, 4_000] {
            let mut peek = Peek::new(BufReader::with_capacity(capacity, &bytes[..]));
            let mut read = 0;
            for step in (0..).map(|n| 1 + n * 7 % 60) {
                let ahead = peek.peek(step + 3).unwrap();
                let left = bytes.len() - read;
                assert!(ahead.len() >= (step + 3).min(left));
                assert_eq!(ahead, &bytes[read..read + ahead.len()]);
                let mut piece = vec![0; step.min(left)];
                peek.read_exact(&mut piece).unwrap();
                assert_eq!(piece, &bytes[read..read + piece.len()]);
                read += piece.len();
                if piece.len() < step {
                    break;
                }
            }
            assert_eq!((read, peek.peek(FARTHEST).unwrap().len()), (bytes.len(), 0));
        }
    }
}

//! Where each record of a DBN stream begins and ends.
//!
//! The crate's state machine is driven here and not by the crate's own reader, which takes an input that ends within a
//! record for a complete one.

use std::io::{self, BufRead, Read};

use ::dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use ::dbn::{MboMsg, Metadata, RecordHeader, RecordRef, VersionUpgradePolicy};

use super::super::compressed::Compression;
use super::super::error::{Reason, read_failed};
use super::super::foreign;
use super::metadata::{self, MAGIC, PRELUDE};

/// The first byte of a record is its length in units of so many bytes.
const UNIT: usize = RecordHeader::LENGTH_MULTIPLIER;

/// So many bytes decide what comes next.
const LOOKED_AT: usize = 4;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A record: see [`Frames::record`].
    Record,
    /// So many zero bytes, behind which the input ends or another file begins.
    Padding(u64),
    /// The metadata of another file, joined behind.
    Metadata,
    /// The end of the input.
    End,
}

/// Finds records.
pub(super) struct Frames {
    reader: Box<dyn BufRead + Send>,
    fsm: DbnFsm,
    /// The offset of the byte behind what was found last.
    byte: u64,
}

impl Frames {
    pub(super) fn new(reader: Box<dyn BufRead + Send>) -> Result<Self, Reason> {
        let fsm = DbnFsm::builder().upgrade_policy(VersionUpgradePolicy::AsIs).build();
        Ok(Frames { reader, fsm: fsm.map_err(metadata::failed)?, byte: 0 })
    }

    /// The offset of the byte behind what was found last.
    pub(super) fn byte(&self) -> u64 {
        self.byte
    }

    /// The record that was just found.
    pub(super) fn record(&self) -> RecordRef<'_> {
        self.fsm.last_record().expect("the state machine holds the record it announced")
    }

    /// Reads the metadata with which a stream begins, also as the bytes that it is.
    pub(super) fn metadata(&mut self) -> Result<(Metadata, Vec<u8>), Reason> {
        self.have(PRELUDE)?;
        let length = PRELUDE + metadata::check(self.fsm.data())? as usize;
        // The state machine takes metadata only when it is new. What was read on from here is given to it again.
        let mut ahead = self.fsm.data().to_vec();
        if let Some(missing) = length.checked_sub(ahead.len()) {
            // Not more room than there are bytes: the length is only a claim.
            (&mut self.reader).take(missing as u64).read_to_end(&mut ahead).map_err(read_failed)?;
        }
        if ahead.len() < length {
            return Err(Reason::Malformed(metadata::ENDS_WITHIN.to_owned()));
        }
        self.fsm.reset();
        self.fsm.write_all(&ahead);
        let metadata = match self.fsm.process() {
            ProcessResult::Metadata(metadata) => metadata,
            ProcessResult::Err(error) => return Err(metadata::failed(error)),
            ProcessResult::ReadMore(_) => return Err(Reason::Malformed(metadata::ENDS_WITHIN.to_owned())),
            ProcessResult::Record(()) => unreachable!("the state machine yields metadata before records"),
        };
        self.byte += length as u64;
        ahead.truncate(length);
        Ok((metadata, ahead))
    }

    /// Finds what comes next.
    pub(super) fn next(&mut self) -> Result<Frame, Reason> {
        // Nearly always a record is there whose length alone shows that nothing else begins here.
        if let &[length, _, ..] = self.fsm.data()
            && is_plain(length)
        {
            return self.find_record(usize::from(length) * UNIT).map(|()| Frame::Record);
        }
        self.have(LOOKED_AT)?;
        match self.fsm.data() {
            [] => Ok(Frame::End),
            data if Compression::recognise(data).is_some() => {
                Err(Reason::Malformed(format!("is no DBN record{}", foreign::joined(data))))
            }
            // As a record it would be of a type that does not exist.
            [b'D', b'B', b'N', ..] => Ok(Frame::Metadata),
            [0, ..] => self.zeros().map(Frame::Padding),
            &[length, ..] => self.find_record(usize::from(length) * UNIT).map(|()| Frame::Record),
        }
    }

    fn find_record(&mut self, length: usize) -> Result<(), Reason> {
        let header = size_of::<RecordHeader>();
        if length < header {
            let named = foreign::joined(self.fsm.data());
            return Err(Reason::Malformed(format!(
                "claims to be {length} bytes long: expected at least the {header} of a record's header{named}"
            )));
        }
        // The next record begins where this one ends, and would not be aligned.
        if !length.is_multiple_of(align_of::<MboMsg>()) {
            let named = foreign::joined(self.fsm.data());
            return Err(Reason::Malformed(format!("is {length} bytes long: expected a multiple of 8{named}")));
        }
        loop {
            match self.fsm.process() {
                ProcessResult::Record(()) => {
                    self.byte += length as u64;
                    return Ok(());
                }
                ProcessResult::ReadMore(_) => {
                    if self.fill()? == 0 {
                        let rest = self.fsm.data().len();
                        return Err(Reason::Malformed(format!("the input ends {rest} bytes into this record")));
                    }
                }
                ProcessResult::Err(_) => {
                    return Err(Reason::Malformed(format!("is {length} bytes long, which no DBN record is")));
                }
                ProcessResult::Metadata(_) => unreachable!("the state machine yields metadata once"),
            }
        }
    }

    /// Skips zero bytes up to the end of the input or to the metadata of another file; returns how many.
    fn zeros(&mut self) -> Result<u64, Reason> {
        let mut count = 0;
        loop {
            let zeros = self.fsm.data().iter().take_while(|&&byte| byte == 0).count();
            self.fsm.skip(zeros);
            count += zeros as u64;
            self.have(MAGIC.len())?;
            match self.fsm.data() {
                [0, ..] => {}
                [] | [b'D', b'B', b'N', ..] => {
                    self.byte += count;
                    return Ok(count);
                }
                _ => {
                    return Err(Reason::Malformed(format!(
                        "claims to be 0 bytes long: expected a record, or only zero bytes up to the end or to another \
                         DBN file; {count} zero bytes are followed by something else"
                    )));
                }
            }
        }
    }

    /// Reads until so many bytes are there, or the input ends.
    fn have(&mut self, count: usize) -> Result<(), Reason> {
        while self.fsm.data().len() < count && self.fill()? > 0 {}
        Ok(())
    }

    /// Reads into the state machine's buffer; returns 0 at the end of the input.
    fn fill(&mut self) -> Result<usize, Reason> {
        loop {
            match self.reader.read(self.fsm.space()) {
                Ok(count) => {
                    self.fsm.fill(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_failed(error)),
            }
        }
    }
}

/// True for the length of a record, in units, that is right by itself and the first byte of nothing else.
fn is_plain(length: u8) -> bool {
    let other = matches!(length, b'D' | 0x1f | 0x28 | 0x50..=0x5f);
    length >= 4 && length.is_multiple_of(2) && !other
}

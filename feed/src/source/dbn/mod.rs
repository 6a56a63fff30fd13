//! Databento DBN, versions 1 to 3: market by order, best bid and offer (MBP-1), trades with it (TBBO), trades.
//!
//! The crate `dbn` decodes. This file drives its state machine itself, because the crate's own reader takes an input
//! that ends within a record for a complete one. It turns records into messages:
//!
//! | record | message |
//! |---|---|
//! | MBO | its action: add, cancel, modify, clear, trade, fill; `N` (none) is other |
//! | trades, TBBO, and MBP-1 with action trade | trade |
//! | MBP-1 with action clear | clear |
//! | MBP-1 otherwise | quote: the level after the change |
//! | symbol mapping, system and error messages in a live capture | other |

use std::ffi::c_char;
use std::io::{self, BufRead, Read};

use ::dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use ::dbn::{
    MboMsg, Mbp1Msg, Metadata, Record, RecordHeader, RecordRef, Schema, TradeMsg, UNDEF_ORDER_SIZE,
    VersionUpgradePolicy, rtype,
};

use super::error::{Position, Reason, SourceError, read_failed};
use super::stream::Source;
use crate::decimal::SCALE;
use crate::message::{Kind, Message, Side, UNDEFINED_SIZE};

/// The largest metadata in bytes. A real file has a few kilobytes, or some hundred with thousands of symbols.
const METADATA_LIMIT: u32 = 64 << 20;

/// The length of the fixed start of a DBN stream: `DBN`, version, length of the metadata that follows.
const PRELUDE: usize = 8;

const ENDS_WITHIN_METADATA: &str = "ends within its DBN metadata";

const SUPPORTED: &str = "mbo, mbp-1, tbbo and trades are supported";

/// Decodes decompressed DBN.
pub struct DbnSource {
    file: String,
    reader: Box<dyn BufRead + Send>,
    fsm: DbnFsm,
    position: Position,
    next_byte: u64,
    ended: bool,
}

impl DbnSource {
    /// Reads the metadata.
    ///
    /// # Errors
    /// An input that does not begin with DBN metadata of versions 1 to 3, or has an unsupported schema.
    pub fn new(file: &str, mut reader: Box<dyn BufRead + Send>) -> Result<Self, SourceError> {
        // Errors in the metadata are reported at the start of the input.
        let fail = |reason: Reason| reason.at(file, Position::Byte(0));
        let mut prelude = Vec::with_capacity(PRELUDE);
        reader.by_ref().take(PRELUDE as u64).read_to_end(&mut prelude).map_err(|error| fail(read_failed(error)))?;
        let length = check_prelude(&prelude).map_err(fail)?;
        let fsm = DbnFsm::builder().upgrade_policy(VersionUpgradePolicy::AsIs).build();
        let mut source = DbnSource {
            file: file.to_owned(),
            reader,
            fsm: fsm.map_err(|error| fail(Reason::Unsupported(error.to_string())))?,
            position: Position::Byte(0),
            next_byte: PRELUDE as u64 + u64::from(length),
            ended: false,
        };
        source.fsm.write_all(&prelude);
        let metadata = source.metadata().map_err(fail)?;
        match metadata.schema {
            None | Some(Schema::Mbo | Schema::Mbp1 | Schema::Tbbo | Schema::Trades) => Ok(source),
            Some(schema) => Err(fail(Reason::Unsupported(format!("holds DBN schema {schema}: {SUPPORTED}")))),
        }
    }

    fn metadata(&mut self) -> Result<Metadata, Reason> {
        loop {
            match self.fsm.process() {
                ProcessResult::Metadata(metadata) => return Ok(metadata),
                ProcessResult::ReadMore(_) => {
                    if self.fill()? == 0 {
                        return Err(Reason::Malformed(ENDS_WITHIN_METADATA.to_owned()));
                    }
                }
                ProcessResult::Err(error) => return Err(Reason::Malformed(format!("DBN metadata: {error}"))),
                ProcessResult::Record(()) => unreachable!("the state machine yields metadata before records"),
            }
        }
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

    fn next(&mut self) -> Result<Option<Message>, Reason> {
        let number = match self.position {
            Position::Record { number, .. } => number + 1,
            _ => 1,
        };
        self.position = Position::Record { number, byte: self.next_byte };
        loop {
            match self.fsm.process() {
                ProcessResult::Record(()) => {
                    let record = self.fsm.last_record().expect("the state machine holds the record it announced");
                    let size = record.record_size();
                    // The next record begins where this one ends, and would not be aligned.
                    if !size.is_multiple_of(align_of::<MboMsg>()) {
                        return Err(Reason::Malformed(format!("is {size} bytes long: expected a multiple of 8")));
                    }
                    self.next_byte += size as u64;
                    return message(record).map(Some);
                }
                ProcessResult::ReadMore(_) => {
                    if self.fill()? == 0 {
                        return match self.fsm.data().len() {
                            0 => Ok(None),
                            rest => Err(Reason::Malformed(format!("the input ends {rest} bytes into this record"))),
                        };
                    }
                }
                ProcessResult::Err(error) => return Err(Reason::Malformed(error.to_string())),
                ProcessResult::Metadata(_) => unreachable!("the state machine yields metadata once"),
            }
        }
    }
}

impl Source for DbnSource {
    fn next_message(&mut self) -> Result<Option<Message>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        let next = self.next();
        self.ended = !matches!(next, Ok(Some(_)));
        next.map_err(|reason| reason.at(&self.file, self.position))
    }
}

/// Checks the start of a stream; returns the length of the metadata that follows it.
fn check_prelude(prelude: &[u8]) -> Result<u32, Reason> {
    if !prelude.starts_with(b"DBN") {
        return Err(Reason::Malformed("does not begin with DBN: is the format right?".to_owned()));
    }
    let &[_, _, _, version, a, b, c, d] = prelude else {
        return Err(Reason::Malformed(ENDS_WITHIN_METADATA.to_owned()));
    };
    if !(1..=3).contains(&version) {
        return Err(Reason::Unsupported(format!("is DBN version {version}: versions 1 to 3 are supported")));
    }
    let length = u32::from_le_bytes([a, b, c, d]);
    if length > METADATA_LIMIT {
        return Err(Reason::Malformed(format!(
            "claims DBN metadata of {length} bytes: expected at most {METADATA_LIMIT}"
        )));
    }
    Ok(length)
}

fn message(record: RecordRef<'_>) -> Result<Message, Reason> {
    let short = |error: ::dbn::Error| Reason::Malformed(error.to_string());
    match record.header().rtype {
        rtype::MBO => mbo(record.try_get::<MboMsg>().map_err(short)?),
        rtype::MBP_0 => trade(record.try_get::<TradeMsg>().map_err(short)?),
        rtype::MBP_1 => mbp1(record.try_get::<Mbp1Msg>().map_err(short)?),
        rtype::SYMBOL_MAPPING | rtype::SYSTEM | rtype::ERROR => Ok(base(Kind::Other, record.header())),
        other => Err(Reason::Unsupported(match record.header().rtype() {
            Ok(name) => format!("is a DBN record of type {name:?}: {SUPPORTED}"),
            Err(_) => format!("is a DBN record of unknown type {other:#04x}: {SUPPORTED}"),
        })),
    }
}

fn base(kind: Kind, header: &RecordHeader) -> Message {
    Message { instrument: header.instrument_id, ..Message::new(kind, header.ts_event) }
}

fn mbo(record: &MboMsg) -> Result<Message, Reason> {
    Ok(Message {
        side: side(record.side)? as u8,
        flags: record.flags.raw(),
        price: record.price,
        size: size(record.size),
        order_id: record.order_id,
        extra: record.ts_recv,
        ..base(kind(record.action)?, &record.hd)
    })
}

fn trade(record: &TradeMsg) -> Result<Message, Reason> {
    Ok(Message {
        side: side(record.side)? as u8,
        flags: record.flags.raw(),
        price: record.price,
        size: size(record.size),
        extra: record.ts_recv,
        ..base(kind(record.action)?, &record.hd)
    })
}

fn mbp1(record: &Mbp1Msg) -> Result<Message, Reason> {
    let kind = kind(record.action)?;
    let message = Message {
        side: side(record.side)? as u8,
        flags: record.flags.raw(),
        price: record.price,
        size: size(record.size),
        extra: record.ts_recv,
        ..base(kind, &record.hd)
    };
    Ok(match kind {
        Kind::Trade | Kind::Clear => message,
        _ => {
            let level = &record.levels[0];
            let (bid, ask) = ((level.bid_px, size(level.bid_sz)), (level.ask_px, size(level.ask_sz)));
            message.with_quote(bid, ask)
        }
    })
}

/// DBN's sizes are whole numbers of 32 bits: in units of 1e-9 they always fit into 64.
fn size(size: u32) -> u64 {
    if size == UNDEF_ORDER_SIZE { UNDEFINED_SIZE } else { u64::from(size) * SCALE }
}

fn kind(action: c_char) -> Result<Kind, Reason> {
    let letter = action.cast_unsigned();
    match letter {
        b'N' => Ok(Kind::Other),
        b'A' | b'C' | b'M' | b'R' | b'T' | b'F' => Ok(Kind::try_from(letter).expect("DBN's letters are ours")),
        _ => Err(Reason::Malformed(format!("action is {letter:#04x}: expected one of A C M R T F N"))),
    }
}

fn side(side: c_char) -> Result<Side, Reason> {
    Side::try_from(side.cast_unsigned()).map_err(|error| Reason::Malformed(error.to_string()))
}

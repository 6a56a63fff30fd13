//! A DBN record as its fields, whatever it is, by the format's own encoder.

use ::dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use ::dbn::encode::EncodeRecordRef;
use ::dbn::encode::json::Encoder;
use ::dbn::{RType, RecordHeader, RecordRef, VersionUpgradePolicy};

use super::record::is_of_a_length;
use crate::shown::{Shown, Value};

/// The longest record: its length is a byte, in units of four.
const LONGEST: usize = u8::MAX as usize * RecordHeader::LENGTH_MULTIPLIER;

/// One record of DBN version 1, 2 or 3 as its fields. Its JSON is that of Databento's own encoder, with prices in units of 1e-9 and
/// times in ns; in its text prices are decimals and times are in UTC. `None` if the bytes are no record.
pub fn shown(bytes: &[u8]) -> Option<Shown> {
    let length = usize::from(*bytes.first()?) * RecordHeader::LENGTH_MULTIPLIER;
    if length != bytes.len() || length < size_of::<RecordHeader>() || !length.is_multiple_of(8) {
        return None;
    }
    let fsm = DbnFsm::builder().upgrade_policy(VersionUpgradePolicy::AsIs).skip_metadata(true).compat_size(0);
    let mut fsm = fsm.buffer_size(LONGEST + 8).build().ok()?;
    fsm.write_all(bytes);
    let ProcessResult::Record(()) = fsm.process() else { return None };
    let record = fsm.last_record()?;
    let rtype = RType::try_from(record.header().rtype).ok()?;
    // The encoder takes for granted that a record has the length of its type. One of type TBBO, which no capture has (they are
    // MBP-1), it cannot encode.
    if rtype == RType::Tbbo || !is_of_a_length(record.header()) {
        return None;
    }
    let name = rtype.as_str();
    let Value::Fields(fields) = serde_json::from_str(&encoded(record, true)?).ok()? else { return None };
    Some(Shown::new(name, flat(fields)).with_json(encoded(record, false)?))
}

/// The record as one line of JSON.
fn encoded(record: RecordRef<'_>, pretty: bool) -> Option<String> {
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, false, pretty, pretty).encode_record_ref(record).ok()?;
    bytes.truncate(bytes.trim_ascii_end().len());
    String::from_utf8(bytes).ok()
}

/// The fields with those of the header among them.
fn flat(fields: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (name, value) in fields {
        match value {
            // The type's name says as much as its number.
            Value::Fields(header) if name == "hd" => all.extend(header.into_iter().filter(|(name, _)| name != "rtype")),
            value => all.push((name, value)),
        }
    }
    all
}

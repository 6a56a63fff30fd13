//! The symbols of a DBN stream: from its metadata, and from symbol-mapping records within it.

use std::collections::HashMap;
use std::ffi::c_char;

use ::dbn::{Metadata, Record, RecordRef, SType, v1, v3};

use super::record::TS_OUT;
use crate::board::Symbol;

/// The largest number of symbols. It bounds memory (about 150 MB) for a stream that has a new one in each record.
const LIMIT: usize = 1 << 20;

/// The symbol of each instrument id.
#[derive(Default)]
pub(super) struct Symbols(HashMap<u32, Symbol>);

impl Symbols {
    /// The symbol of an instrument.
    pub(super) fn get(&self, instrument: u32) -> Option<Symbol> {
        self.0.get(&instrument).copied()
    }

    /// Takes the mappings of metadata, between instrument ids and symbols in either direction. Of several symbols of an
    /// instrument it is that of the earliest date.
    pub(super) fn learn(&mut self, metadata: &Metadata) {
        let inverse = metadata.stype_in == Some(SType::InstrumentId);
        if !inverse && metadata.stype_out != SType::InstrumentId {
            return;
        }
        let mut intervals: Vec<_> = metadata
            .mappings
            .iter()
            .flat_map(|mapping| mapping.intervals.iter().map(|interval| (&mapping.raw_symbol, interval)))
            .collect();
        // The earliest last: it stays.
        intervals.sort_by_key(|(_, interval)| std::cmp::Reverse(interval.start_date));
        for (raw, interval) in intervals {
            let (id, symbol) = if inverse { (raw, &interval.symbol) } else { (&interval.symbol, raw) };
            if let Ok(id) = id.parse() {
                self.insert(id, symbol.as_bytes());
            }
        }
    }

    /// Takes the mapping of a record, if it is one.
    #[cold]
    pub(super) fn note(&mut self, record: RecordRef<'_>) {
        let id = record.header().instrument_id;
        let length = record.record_size();
        let is = |size: usize| length == size || length == size + TS_OUT;
        if is(size_of::<v1::SymbolMappingMsg>()) {
            if let Some(mapping) = record.get::<v1::SymbolMappingMsg>() {
                self.insert(id, &bytes(&mapping.stype_out_symbol));
            }
        } else if is(size_of::<v3::SymbolMappingMsg>())
            && let Some(mapping) = record.get::<v3::SymbolMappingMsg>()
        {
            self.insert(id, &bytes(&mapping.stype_out_symbol));
        }
    }

    fn insert(&mut self, id: u32, symbol: &[u8]) {
        let symbol = Symbol::cut(symbol);
        if !symbol.as_str().is_empty() && (self.0.len() < LIMIT || self.0.contains_key(&id)) {
            self.0.insert(id, symbol);
        }
    }
}

fn bytes(text: &[c_char]) -> Vec<u8> {
    text.iter().map(|letter| letter.cast_unsigned()).collect()
}

//! The columns, and where a file has them.

use super::super::error::Reason;
use super::split::Fields;

/// The columns, in the order in which this project writes them.
pub const COLUMNS: [&str; 12] =
    ["recv_ts_ns", "exch_ts_ms", "kind", "symbol", "px", "qty", "bid_px", "bid_qty", "ask_px", "ask_qty", "side", "id"];

// The indices of the columns in `COLUMNS`.
pub(super) const RECV_TS_NS: usize = 0;
pub(super) const EXCH_TS_MS: usize = 1;
pub(super) const KIND: usize = 2;
pub(super) const SYMBOL: usize = 3;
pub(super) const PX: usize = 4;
pub(super) const QTY: usize = 5;
pub(super) const BID_PX: usize = 6;
pub(super) const BID_QTY: usize = 7;
pub(super) const ASK_PX: usize = 8;
pub(super) const ASK_QTY: usize = 9;
pub(super) const SIDE: usize = 10;
pub(super) const ID: usize = 11;

/// The position in a file of each of [`COLUMNS`].
pub(super) type Places = [usize; COLUMNS.len()];

/// The places that a header gives.
pub(super) fn places(header: &Fields) -> Result<Places, Reason> {
    let expected = || format!("expected the columns {}", COLUMNS.join(","));
    let mut places = [usize::MAX; COLUMNS.len()];
    for place in 0..header.len() {
        let name = header.get(place);
        let shown = || String::from_utf8_lossy(name).chars().take(40).collect::<String>();
        match COLUMNS.iter().position(|column| column.as_bytes() == name) {
            Some(column) if places[column] == usize::MAX => places[column] = place,
            Some(_) => return Err(Reason::Malformed(format!("column {:?} stands there twice", shown()))),
            None => return Err(Reason::Malformed(format!("column {:?} is unknown: {}", shown(), expected()))),
        }
    }
    match places.iter().position(|&place| place == usize::MAX) {
        Some(missing) => Err(Reason::Malformed(format!("column {:?} is missing: {}", COLUMNS[missing], expected()))),
        None => Ok(places),
    }
}

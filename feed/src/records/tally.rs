//! Counts and a digest of records, in their order: equal in two programs that had the same records.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::Xxh3Default;

use crate::record::Encoding;

/// Counts of records by their kind, their bytes, the times of the first and the last, and a digest.
pub struct Tally {
    encoding: Encoding,
    records: u64,
    bytes: u64,
    by_kind: Box<[u64; 256]>,
    pub(crate) first_ts: Option<u64>,
    pub(crate) last_ts: Option<u64>,
    digest: Xxh3Default,
}

impl Tally {
    /// Of no records yet.
    pub fn new(encoding: Encoding) -> Self {
        Tally {
            encoding,
            records: 0,
            bytes: 0,
            by_kind: Box::new([0; 256]),
            first_ts: None,
            last_ts: None,
            digest: Xxh3Default::new(),
        }
    }

    /// Adds a record.
    pub fn add(&mut self, kind: u8, bytes: &[u8]) {
        self.records += 1;
        self.bytes += bytes.len() as u64;
        self.by_kind[usize::from(kind)] += 1;
        if let Some(time) = self.encoding.ts_event(kind, bytes) {
            self.first_ts.get_or_insert(time);
            self.last_ts = Some(time);
        }
        // Kind and length first, so that other records with the same bytes in a row have another digest.
        let [a, b, c, d] = (bytes.len() as u32).to_le_bytes();
        self.digest.update(&[kind, a, b, c, d]);
        self.digest.update(bytes);
    }

    /// The number of records added.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The sum of their lengths.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of records of each kind that there was, by its name.
    pub fn by_type(&self) -> BTreeMap<String, u64> {
        let kinds = (0..=u8::MAX).zip(self.by_kind.iter());
        kinds.filter(|(_, count)| **count > 0).map(|(kind, count)| (self.encoding.name(kind).into(), *count)).collect()
    }

    /// The 64-bit xxh3 of kind, length (4 bytes, little-endian) and bytes of each record in their order, as 16 hexadecimal
    /// digits.
    pub fn digest(&self) -> String {
        format!("{:016x}", self.digest.digest())
    }
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally").field("records", &self.records).field("digest", &self.digest()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(records: &[(u8, &[u8])]) -> Tally {
        let mut tally = Tally::new(Encoding::Itch);
        records.iter().for_each(|(kind, bytes)| tally.add(*kind, bytes));
        tally
    }

    #[test]
    fn records_are_counted_by_their_kind() {
        let tally = of(&[(b'S', b"S\0\0\0\0\0\0\0\0\0\x05O"), (b'Z', b"Z"), (b'S', b"S\0\0\0\0\0\0\0\0\0\x07O")]);
        assert_eq!((tally.records(), tally.bytes()), (3, 25));
        assert_eq!(tally.by_type(), [("S".to_owned(), 2), ("Z".to_owned(), 1)].into());
        assert_eq!((tally.first_ts, tally.last_ts), (Some(5), Some(7)));
    }

    #[test]
    fn the_digest_tells_records_apart() {
        let digest = |records: &[(u8, &[u8])]| of(records).digest();
        assert_eq!(digest(&[(1, b"ab"), (2, b"c")]), digest(&[(1, b"ab"), (2, b"c")]));
        for other in [&[(1, &b"a"[..]), (2, b"bc")][..], &[(2, b"ab"), (2, b"c")], &[(2, b"c"), (1, b"ab")]] {
            assert_ne!(digest(&[(1, b"ab"), (2, b"c")]), digest(other), "{other:?}");
        }
    }
}

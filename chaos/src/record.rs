//! A record that checks itself: its length and every byte follow from its number and its publisher's number.
//!
//! Two publishers give one number records of different lengths. So a publisher that takes over from one that died within a record
//! leaves some of the dead one's slots behind its own record.

/// The longest record, in bytes.
const LONGEST: u64 = 8192;

/// The kind of the records of `publisher`. Those of 256 in a row differ.
pub(crate) fn kind_of(publisher: u64) -> u8 {
    publisher as u8
}

/// A number that follows from a record's number and kind, and is another one for each.
fn mixed(number: u64, kind: u8) -> u64 {
    let mixed = (number << 8 | u64::from(kind)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Half of all records are short: from 0 to 63 bytes. The others are of any length.
fn length_of(mixed: u64) -> usize {
    let random = mixed >> 21;
    (if random.is_multiple_of(2) { random / 2 % 64 } else { random / 2 % (LONGEST + 1) }) as usize
}

/// Eight of a record's bytes.
fn word_of(mixed: u64, index: u64) -> [u8; 8] {
    mixed.wrapping_add(index.wrapping_mul(0x2545_f491_4f6c_dd1d)).to_ne_bytes()
}

/// Makes `bytes` those of record `number` of this kind.
pub(crate) fn fill(number: u64, kind: u8, bytes: &mut Vec<u8>) {
    let mixed = mixed(number, kind);
    let length = length_of(mixed);
    bytes.clear();
    (0..length.div_ceil(8) as u64).for_each(|index| bytes.extend(word_of(mixed, index)));
    bytes.truncate(length);
}

/// Whether these are the bytes of record `number` of this kind, each of them and no more.
pub(crate) fn is_whole(number: u64, kind: u8, bytes: &[u8]) -> bool {
    let mixed = mixed(number, kind);
    let mut chunks = (0..).zip(bytes.chunks(8));
    bytes.len() == length_of(mixed) && chunks.all(|(index, chunk)| *chunk == word_of(mixed, index)[..chunk.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_or_a_length_of_another_record_shows() {
        let (mut bytes, mut other) = (Vec::new(), Vec::new());
        for number in 0..200 {
            fill(number, 1, &mut bytes);
            assert!(is_whole(number, 1, &bytes));
            fill(number, 2, &mut other);
            for index in 0..bytes.len() {
                let mut mixed = bytes.clone();
                mixed[index] = *other.get(index).unwrap_or(&!bytes[index]);
                assert_eq!(is_whole(number, 1, &mixed), mixed == bytes, "byte {index} of record {number}");
            }
            assert!(bytes.is_empty() || !is_whole(number, 1, &bytes[1..]));
            bytes.push(0);
            assert!(!is_whole(number, 1, &bytes));
        }
    }

    #[test]
    fn records_are_of_all_lengths() {
        let lengths = (0..100_000).map(|number| length_of(mixed(number, 7))).collect::<Vec<_>>();
        assert!(lengths.contains(&0) && lengths.contains(&(LONGEST as usize)));
        assert!((40_000..60_000).contains(&lengths.iter().filter(|length| **length < 64).count()));
    }
}

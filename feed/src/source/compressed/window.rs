//! The window that a zstd frame needs: memory by what the input claims.

use std::io;

use super::super::error::Unreadable;

/// The longest header of a frame, its magic number included.
pub(super) const LONGEST_HEADER: usize = 18;

/// The largest window: that of zstd's own programs.
const LIMIT: u64 = 128 << 20;

/// What zstd's own programs can be told to give, with `--long=31`.
const MOST: u64 = 1 << 31;

/// Fails if a frame that begins so needs more than the limit.
pub(super) fn check(header: &[u8]) -> io::Result<()> {
    // The decoder says what else is wrong with it.
    let Some(window) = window(header).filter(|&window| window > LIMIT) else { return Ok(()) };
    let remedy = if window <= MOST {
        let log = u64::BITS - (window - 1).leading_zeros();
        format!("zstd -dc --long={log} FILE | feed-publisher --input -, or compress it without --long and --ultra")
    } else {
        "zstd itself gives at most 2 GiB, so it is damaged: get it again from where it came".to_owned()
    };
    Err(Unreadable::error(format!(
        "the zstd frame needs a window of {} ({window} bytes): expected at most {}, so that memory does not depend on the \
         input; {remedy}",
        shown(window),
        shown(LIMIT)
    )))
}

/// The window of a frame (RFC 8878, 3.1.1.1); `None` if the header is cut off or has its reserved bit set.
fn window(header: &[u8]) -> Option<u64> {
    let descriptor = *header.get(4)?;
    if descriptor & 0x08 != 0 {
        return None;
    }
    let single_segment = descriptor & 0x20 != 0;
    if !single_segment {
        let window = *header.get(5)?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // The window is the content.
    let at = 5 + [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = header.get(at..)?;
    match descriptor >> 6 {
        0 => size.first().map(|&size| u64::from(size)),
        1 => size.first_chunk().map(|&size| u64::from(u16::from_le_bytes(size)) + 256),
        2 => size.first_chunk().map(|&size| u64::from(u32::from_le_bytes(size))),
        _ => size.first_chunk().map(|&size| u64::from_le_bytes(size)),
    }
}

fn shown(bytes: u64) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1 << 30) => format!("{} GiB", bytes >> 30),
        _ => format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

    fn of(header: &[u8]) -> Option<u64> {
        window(&[&MAGIC, header].concat())
    }

    #[test]
    fn windows_are_those_of_the_format() {
        assert_eq!(of(&[0x00, 0xa0]), Some(1 << 30));
        assert_eq!(of(&[0x04, 0x58]), Some(2 << 20));
        assert_eq!(of(&[0x04, 0x59]), Some((2 << 20) + (1 << 18)));
        assert_eq!(of(&[0x00, 0xff]), Some((1 << 41) + 7 * (1 << 38)));
        assert_eq!(of(&[0x20, 0x11]), Some(0x11));
        assert_eq!(of(&[0x60, 0x00, 0x01]), Some(512));
        assert_eq!(of(&[0xa3, 1, 2, 3, 4, 0, 0, 0, 0x10]), Some(1 << 28));
        assert_eq!(of(&[0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80]), Some(1 << 63));
        assert_eq!(of(&[0xe0, 0]), None);
        assert_eq!(of(&[0xff; 14]), None);
        assert_eq!(window(&MAGIC), None);
    }

    #[test]
    fn a_window_above_the_limit_is_named_with_its_remedy() {
        let of = |header: &[u8]| check(&[&MAGIC, header].concat()).map_err(|error| error.to_string());
        assert_eq!(of(&[0x00, 0x88]), Ok(()), "128 MiB");
        let says = of(&[0x00, 0xa0]).unwrap_err();
        for part in ["window of 1 GiB (1073741824 bytes)", "at most 128 MiB", "zstd -dc --long=30 FILE"] {
            assert!(says.contains(part), "{says}");
        }
        assert!(of(&[0x00, 0x89]).unwrap_err().contains("window of 144 MiB"), "one step more");
        let damaged = of(&[0xe0, 0, 0, 0, 0, 0, 0, 0, 0xff]).unwrap_err();
        assert!(damaged.ends_with("so it is damaged: get it again from where it came"), "{damaged}");
    }
}

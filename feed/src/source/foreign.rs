//! Files of other kinds, recognised by their first bytes and named with the command that opens them.

/// A kind of file that is not read here.
struct Foreign {
    /// Its first bytes, behind so many others.
    magic: &'static [u8],
    at: usize,
    name: &'static str,
    remedy: &'static str,
}

/// The first bytes that are needed to recognise every kind.
pub(super) const NEEDED: usize = 257 + 5;

const fn foreign(magic: &'static [u8], name: &'static str, remedy: &'static str) -> Foreign {
    Foreign { magic, at: 0, name, remedy }
}

const PCAP: &str = "tshark -r FILE shows its packets; give the DBN, ITCH or CSV that they carry";

const KINDS: &[Foreign] = &[
    foreign(b"PK\x03\x04", "a zip archive", "unzip -p FILE | feed-publisher --input -"),
    foreign(b"PK\x05\x06", "an empty zip archive", "get it again from where it came"),
    foreign(b"\xfd7zXZ\0", "compressed with xz", "xz -dc FILE | feed-publisher --input -"),
    foreign(b"\x5d\0\0", "compressed with lzma", "xz -dc FILE | feed-publisher --input -"),
    foreign(b"\x04\x22\x4d\x18", "compressed with lz4", "lz4 -dc FILE | feed-publisher --input -"),
    foreign(b"\x02\x21\x4c\x18", "compressed with lz4", "lz4 -dc FILE | feed-publisher --input -"),
    foreign(b"BZh", "compressed with bzip2", "bzip2 -dc FILE | feed-publisher --input -"),
    foreign(b"LZIP", "compressed with lzip", "lzip -dc FILE | feed-publisher --input -"),
    foreign(b"\x89LZO", "compressed with lzop", "lzop -dc FILE | feed-publisher --input -"),
    foreign(b"\xff\x06\0\0sNaPpY", "compressed with snappy", "snzip -dc FILE | feed-publisher --input -"),
    foreign(b"\x1f\x9d", "compressed with compress", "gzip -dc FILE | feed-publisher --input -"),
    foreign(b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x -so FILE | feed-publisher --input -"),
    foreign(b"Rar!\x1a\x07", "a rar archive", "unrar p -inul FILE | feed-publisher --input -"),
    Foreign {
        magic: b"ustar",
        at: 257,
        name: "a tar archive",
        remedy: "tar -xOf FILE MEMBER | feed-publisher --input - (tar -tf FILE lists its members)",
    },
    foreign(b"PAR1", "Parquet", "duckdb -csv -c \"FROM 'FILE'\" shows it; convert it to CSV with this feed's columns"),
    foreign(b"ARROW1", "Arrow", "convert it to CSV with this feed's columns: pandas.read_feather, then to_csv"),
    foreign(b"FEA1", "Feather", "convert it to CSV with this feed's columns: pandas.read_feather, then to_csv"),
    foreign(b"\x89HDF\r\n\x1a\n", "HDF5", "h5dump FILE shows it; convert it to CSV with this feed's columns"),
    foreign(b"\x93NUMPY", "a NumPy array", "convert it to CSV with this feed's columns: numpy.load, then savetxt"),
    foreign(
        b"SQLite format 3\0",
        "an SQLite database",
        "sqlite3 -csv -header FILE 'SELECT …' | feed-publisher --input -",
    ),
    foreign(b"\xd4\xc3\xb2\xa1", "a capture of packets (pcap)", PCAP),
    foreign(b"\xa1\xb2\xc3\xd4", "a capture of packets (pcap)", PCAP),
    foreign(b"\x4d\x3c\xb2\xa1", "a capture of packets (pcap)", PCAP),
    foreign(b"\xa1\xb2\x3c\x4d", "a capture of packets (pcap)", PCAP),
    foreign(b"\x0a\x0d\x0d\x0a", "a capture of packets (pcapng)", PCAP),
    foreign(b"\xff\xfe", "text in UTF-16", "iconv -f UTF-16 -t UTF-8 FILE | feed-publisher --input -"),
    foreign(b"\xfe\xff", "text in UTF-16", "iconv -f UTF-16 -t UTF-8 FILE | feed-publisher --input -"),
    foreign(b"%PDF-", "a PDF document", "get the data from where the document describes it"),
];

const DBZ: Foreign =
    foreign(b"", "DBZ, the format before DBN", "dbn FILE -o FILE.dbn makes DBN of it (cargo install dbn-cli)");
const JSON: Foreign =
    foreign(b"", "JSON", "jq -r makes CSV of it, which needs the header and the columns of this feed (@csv)");
const WEB_PAGE: Foreign = foreign(
    b"",
    "a web page",
    "the server answered with a page instead of the file: open it in a browser, then get the file again (curl -fL)",
);

fn find(first: &[u8]) -> Option<&'static Foreign> {
    let known = KINDS.iter().find(|kind| first.get(kind.at..).is_some_and(|rest| rest.starts_with(kind.magic)));
    known.or_else(|| {
        // A skippable frame of zstd that holds the metadata.
        if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, _, _, _, _, b'D', b'B', b'Z', ..] = first {
            return Some(&DBZ);
        }
        let text = first.trim_ascii_start();
        match text.first()? {
            b'{' | b'[' => Some(&JSON),
            b'<' => Some(&WEB_PAGE),
            _ => None,
        }
    })
}

/// What a file with these first bytes is, with the command that opens it, if it is of a known kind.
pub(super) fn named(first: &[u8]) -> Option<String> {
    find(first).map(|kind| format!("is {}: {}", kind.name, kind.remedy))
}

/// For the end of an error: what stands behind the last record, if it is the beginning of another file.
pub(super) fn joined(next: &[u8]) -> String {
    let what = match next {
        [0x1f, 0x8b, 8, ..] => "data compressed with gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "data compressed with zstd",
        [b'D', b'B', b'N', 1..=3, ..] => "DBN",
        _ if next.starts_with(b"recv_ts_ns,") => "CSV",
        _ => match find(next) {
            Some(kind) if !kind.magic.is_empty() && kind.magic.len() > 3 => kind.name,
            _ => return String::new(),
        },
    };
    format!(" (here begins what looks like {what}: files of different kinds were joined; give each by itself)")
}

/// How much of an unknown input is shown.
const SHOWN: (usize, usize) = (40, 8);

/// What an unknown input begins with: text as text, other bytes as hexadecimal numbers.
pub(super) fn shown(first: &[u8]) -> String {
    let begin = &first[..first.len().min(SHOWN.0)];
    // The last character may be cut through.
    let text = match str::from_utf8(begin) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => str::from_utf8(&begin[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    match text {
        Some(text) if !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) => {
            format!("begins with the text {text:?}")
        }
        _ => {
            let bytes: Vec<String> = first.iter().take(SHOWN.1).map(|byte| format!("{byte:02x}")).collect();
            format!("begins with the bytes {}", bytes.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_first_bytes() {
        for kind in KINDS {
            let mut first = vec![b' '; kind.at];
            first.extend_from_slice(kind.magic);
            assert!(first.len() <= NEEDED);
            let named = named(&first).unwrap_or_else(|| panic!("{}", kind.name));
            assert!(named.starts_with(&format!("is {}: ", kind.name)), "{named}");
        }
        assert!(named(b"{\"a\": 1, \"b\": 2}").unwrap().starts_with("is JSON: jq -r"));
        assert!(
            named(b"\x51\x2a\x4d\x18\x20\0\0\0DBZ\x01").unwrap().starts_with("is DBZ, the format before DBN: dbn FILE")
        );
        assert!(named(b"\n [1, 2]").unwrap().starts_with("is JSON: "));
        assert!(named(b"<!DOCTYPE html>").unwrap().starts_with("is a web page: "));
        for ours in [&b"DBN\x03"[..], b"recv_ts_ns,exch_ts_ms", b"\0\x0cS\0\0", b"\0\0A", b"", b"hello"] {
            assert_eq!(named(ours), None, "{ours:?}");
        }
    }

    #[test]
    fn text_is_shown_as_text_and_bytes_as_bytes() {
        for (first, says) in [
            (&b"hello world\n"[..], "begins with the text \"hello world\\n\""),
            (b"\x7fELF\x02", "begins with the bytes 7f 45 4c 46 02"),
            (b"\xff\xfe\x00\x01\x02\x03\x04\x05\x06", "begins with the bytes ff fe 00 01 02 03 04 05"),
        ] {
            assert_eq!(shown(first), says);
        }
        // A character of two bytes is cut through.
        let text = format!("{}ß", "x".repeat(39));
        assert_eq!(shown(text.as_bytes()), format!("begins with the text {:?}", "x".repeat(39)));
    }
}

//! Tests of opening inputs: what is recognised, and the errors for the rest.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{failure, read_as};
use feed::sample::{self, Prefix};
use feed::source::{Format, Input, Source, SourceError, input};

fn open(path: &Path) -> Result<Input, SourceError> {
    input::open(path, None, Arc::default())
}

#[test]
fn formats_are_recognised_by_content_through_any_compression() {
    let files = [
        (Format::Dbn, sample::dbn(3, "mbo", 5)),
        (Format::Itch, sample::itch(Prefix::True, 5)),
        (Format::Itch, sample::itch(Prefix::Zero, 5)),
        (Format::Csv, sample::csv(5)),
    ];
    for (format, plain) in files {
        for file in [plain.clone(), sample::gzip(&plain), sample::zstd(&plain)] {
            let mut input = input::from_reader("sample", std::io::Cursor::new(file), None, None).unwrap();
            assert_eq!(input.format(), format);
            assert_eq!(common::drain(&mut input).0.len(), 5);
        }
    }
}

#[test]
fn an_unknown_format_is_reported_with_its_first_bytes() {
    let remedy = "expected DBN, NASDAQ ITCH 5.0, or CSV that begins with its header, each plain or compressed (gzip, \
                  zstd); name the format with --format if it is one of them";
    for (bytes, what) in [
        (&b""[..], "is empty".to_owned()),
        (b"\x7fELF\x02", "byte 0: begins with the bytes 7f 45 4c 46 02, which no known format does".to_owned()),
        (
            b"hello world\n",
            "byte 0: begins with the bytes 68 65 6c 6c 6f 20 77 6f, which no known format does".to_owned(),
        ),
        (b"PK\x03\x04", "byte 0: begins with the bytes 50 4b 03 04, which no known format does".to_owned()),
    ] {
        assert_eq!(failure(bytes), (0, format!("sample: {what}: {remedy}")));
        if !bytes.is_empty() {
            assert_eq!(failure(sample::gzip(bytes)), (0, format!("sample: {what}: {remedy}")));
        }
    }
}

#[test]
fn a_named_format_is_not_second_guessed() {
    let (messages, error) = read_as(sample::csv(5), Some(Format::Dbn));
    assert!(messages.is_empty());
    assert_eq!(error.unwrap().to_string(), "sample: byte 0: does not begin with DBN: is the format right?");
    let (messages, error) = read_as(sample::csv(5), Some(Format::Itch));
    assert!(messages.is_empty());
    let line = error.unwrap().to_string();
    assert!(line.starts_with("sample: record 1 (byte 0): "), "{line}");
}

#[test]
fn compressed_bytes_that_are_damaged_are_an_error() {
    let plain = sample::csv(50_000);
    for mut file in [sample::gzip(&plain), sample::zstd(&plain)] {
        let middle = file.len() / 2;
        file[middle..middle + 40].fill(0xff);
        let (before, line) = failure(file);
        assert!(before > 1_000, "{line}");
        assert!(line.starts_with("sample: line "), "{line}");
    }
    // Only its checksum is damaged.
    let mut file = sample::gzip(&plain);
    let checksum = file.len() - 8;
    file[checksum] ^= 1;
    let (before, line) = failure(file);
    assert_eq!(before, 50_000);
    assert!(line.contains(": the compressed input is damaged: "), "{line}");
    assert!(line.ends_with(": get it again from where it came"), "{line}");
    // In the header before the content.
    let gzip = |flags: u8| [&[0x1f, 0x8b, 8, flags][..], &[0xff; 20]].concat();
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd][..], &[0xff; 20]].concat();
    for file in [gzip(0xff), gzip(0), zstd] {
        let (before, line) = failure(file);
        assert_eq!(before, 0);
        assert!(line.starts_with("sample: byte 0: the compressed input "), "{line}");
    }
}

#[test]
fn files_say_their_size_and_how_far_they_were_read() {
    let root = feed_testing::PrivateRoot::new();
    let path = root.path().join("sample.csv");
    let bytes = sample::csv(100_000);
    std::fs::write(&path, &bytes).unwrap();
    let mut input = open(&path).unwrap();
    assert_eq!((input.bytes(), input.name()), (Some(bytes.len() as u64), path.to_str().unwrap()));
    input.next_message().unwrap().unwrap();
    let begun = input.bytes_read();
    assert!(begun > 0 && begun < bytes.len() as u64 / 2, "{begun}");
    assert_eq!(common::drain(&mut input).0.len(), 99_999);
    assert_eq!(input.bytes_read(), bytes.len() as u64);
}

#[test]
fn an_input_that_cannot_be_opened_is_an_error_with_its_name() {
    let missing = open("/nowhere/feed.dbn".as_ref()).unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/feed.dbn: cannot be opened: No such file"), "{missing}");
    assert!(missing.ends_with(": check the path"), "{missing}");
    let directory = open("/".as_ref()).unwrap_err().to_string();
    assert!(directory.starts_with("/: cannot be opened: is a directory: name a file in it"), "{directory}");
}

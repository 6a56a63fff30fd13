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
        (b"hello world\n", "byte 0: begins with the text \"hello world\\n\", which no known format does".to_owned()),
    ] {
        assert_eq!(failure(bytes), (0, format!("sample: {what}: {remedy}")));
        if !bytes.is_empty() {
            assert_eq!(failure(sample::gzip(bytes)), (0, format!("sample: {what}: {remedy}")));
        }
    }
}

#[test]
fn files_of_other_kinds_are_named_with_the_command_that_opens_them() {
    let tar = [&b"feed.csv"[..], &[0; 249], b"ustar\x0000", &[0; 200]].concat();
    let dbz = [&[0x51, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"DBZ\x01", &sample::zstd(b"")].concat();
    for (bytes, says) in [
        (&b"PK\x03\x04\x14\0"[..], "is a zip archive: unzip -p FILE | feed-publisher --input -"),
        (b"\xfd7zXZ\0\0\x04", "is compressed with xz: xz -dc FILE | feed-publisher --input -"),
        (b"\x04\x22\x4d\x18\x64", "is compressed with lz4: lz4 -dc FILE | feed-publisher --input -"),
        (b"BZh91AY", "is compressed with bzip2: bzip2 -dc FILE | feed-publisher --input -"),
        (b"PAR1\x15\x04", "is Parquet: duckdb "),
        (b"\xd4\xc3\xb2\xa1\x02\0", "is a capture of packets (pcap): tshark -r FILE"),
        (b"\x0a\x0d\x0d\x0a\x1c\0", "is a capture of packets (pcapng): tshark -r FILE"),
        (b"ARROW1\0\0", "is Arrow: "),
        (b"\x89HDF\r\n\x1a\n", "is HDF5: h5dump FILE"),
        (&tar, "is a tar archive: tar -xOf FILE MEMBER | feed-publisher --input -"),
        (&dbz, "is DBZ, the format before DBN: dbn FILE -o FILE.dbn"),
        (b"{\"px\": 1, \"qty\": 2}\n", "is JSON: "),
        (b"<!DOCTYPE html>\n<html>", "is a web page: "),
    ] {
        for format in [None, Some(Format::Csv), Some(Format::Dbn)] {
            // An archive is known once its name has been passed over, which a named format does not wait for.
            if bytes == tar && format.is_some() {
                continue;
            }
            let (messages, error) = read_as(bytes, format);
            let line = error.unwrap().to_string();
            assert!(messages.is_empty() && line.starts_with(&format!("sample: byte 0: {says}")), "{line}");
        }
        let line = failure(sample::gzip(bytes)).1;
        assert!(line.starts_with(&format!("sample: byte 0: {says}")) || bytes == dbz, "{line}");
        let in_drops = common::read_in_drops(bytes).1.unwrap().to_string();
        assert!(in_drops.starts_with(&format!("sample: byte 0: {says}")), "{in_drops}");
    }
    let twice = sample::gzip(&sample::gzip(b"x"));
    assert_eq!(
        failure(twice).1,
        "sample: byte 0: is compressed twice: decompress it once (gzip -dc, zstd -dc)".to_owned()
    );
}

/// A zstd file with skippable frames at every place where one may stand.
fn with_skippable(frames: &[Vec<u8>]) -> Vec<u8> {
    let skippable = |kind: u8, length: u32| {
        [&[kind, 0x2a, 0x4d, 0x18][..], &length.to_le_bytes(), &vec![0xab; length as usize]].concat()
    };
    let mut file = skippable(0x50, 7);
    for frame in frames {
        file.extend_from_slice(frame);
        file.extend_from_slice(&skippable(0x5f, 0));
        file.extend_from_slice(&skippable(0x5a, 300_000));
    }
    file
}

#[test]
fn compressed_files_that_were_joined_are_read_on() {
    let plain = sample::csv(5_000);
    let expected = common::read_all(&*plain);
    let parts: Vec<&[u8]> = plain.chunks(plain.len() / 5).collect();
    let gzip: Vec<Vec<u8>> = parts.iter().map(|part| sample::gzip(part)).collect();
    let zstd: Vec<Vec<u8>> = parts.iter().map(|part| sample::zstd(part)).collect();
    let mixed =
        parts.iter().enumerate().map(|(n, part)| if n % 2 == 0 { sample::zstd(part) } else { sample::gzip(part) });
    let empty = [sample::gzip(b""), zstd.concat(), sample::zstd(b""), sample::gzip(b"")].concat();
    for file in [gzip.concat(), zstd.concat(), with_skippable(&zstd), mixed.collect::<Vec<_>>().concat(), empty] {
        common::assert_same(&common::read_all(&*file), &expected, "joined");
        common::assert_same(&common::read_in_drops(file).0, &expected, "joined, in drops");
    }
    // Cut off within any part, it is an error.
    for file in [gzip.concat(), zstd.concat(), with_skippable(&zstd)] {
        for cut in [1, 9, file.len() / 2 + 1, file.len() / 3] {
            let (_, error) = common::read(&file[..file.len() - cut]);
            let line = error.unwrap_or_else(|| panic!("{cut}")).to_string();
            assert!(line.contains("ends early") || line.contains("followed by something else"), "{cut}: {line}");
        }
    }
}

#[test]
fn zeros_behind_compressed_data_are_padding() {
    let plain = sample::csv(100);
    let expected = common::read_all(&*plain);
    for stored in [sample::gzip(&plain), sample::zstd(&plain)] {
        for zeros in [1, 2, 512, 1_000_000] {
            let file = [&stored[..], &vec![0; zeros]].concat();
            let (messages, passed) = common::read_passing(&*file);
            common::assert_same(&messages, &expected, "padded");
            assert_eq!(passed, [("zero byte of padding".to_owned(), zeros as u64)]);
            let (_, line) = common::strict_failure(file);
            assert!(line.ends_with("the compressed data is followed by zero bytes"), "{line}");
        }
        // Between files.
        let file = [&stored[..], &[0; 512], &stored, &[0; 512]].concat();
        let (messages, passed) = common::read_passing(file);
        assert_eq!((messages.len(), passed), (200, vec![("zero byte of padding".to_owned(), 1_024)]));
        for (behind, says) in [
            (&b"hello"[..], "followed by something else, which begins with the text \"hello\": decompress it"),
            (&sample::dbn(3, "mbo", 0), "(here begins what looks like DBN: files of different kinds were joined"),
        ] {
            let (before, line) = failure([&stored[..], behind].concat());
            assert!(before >= 99 && line.contains(says), "{line}");
        }
    }
}

#[test]
fn a_window_above_the_limit_is_named_with_its_remedy() {
    let plain = sample::csv(100);
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(30).unwrap();
    std::io::Write::write_all(&mut encoder, &plain).unwrap();
    let wide = encoder.finish().unwrap();
    let says = "sample: byte 0: the zstd frame needs a window of 1 GiB (1073741824 bytes): expected at most 128 MiB, so \
                that memory does not depend on the input; zstd -dc --long=30 FILE | feed-publisher --input -, or compress \
                it without --long and --ultra";
    assert_eq!(failure(&*wide), (0, says.to_owned()));
    // As a later frame, too.
    let (before, line) = failure([sample::zstd(&plain), wide].concat());
    assert!(before >= 99 && line.contains(": the zstd frame needs a window of 1 GiB (1073741824 bytes): "), "{line}");
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
        let (before, line) = common::strict_failure(&*file);
        // What the damage made of some rows is passed over. A checksum still shows it; zstd's are optional.
        let (messages, error) = common::read(&*file);
        assert!(error.is_some() || file[..2] != [0x1f, 0x8b], "{} messages", messages.len());
        assert!(messages.len() >= before);
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

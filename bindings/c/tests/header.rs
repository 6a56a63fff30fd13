//! The committed header is the one that cbindgen makes of the source. `FEED_RING_WRITE_HEADER=1` writes it (`make c-header`).

use std::fs;
use std::path::Path;

/// The header of the source as it is.
fn generated() -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(here.join("cbindgen.toml")).unwrap();
    let mut header = Vec::new();
    cbindgen::Builder::new().with_crate(here).with_config(config).generate().unwrap().write(&mut header);
    plain(&String::from_utf8(header).unwrap())
}

/// The header with the pointers that `pointers.rs` wraps as what they are to C, pointers, and without Rust's marks of code.
fn plain(header: &str) -> String {
    let wrappers = ["Bytes", "BytesMut", "Text", "Values_", "Out_", "OutValues_"];
    let mut pointers: Vec<(&str, &str)> = Vec::new();
    let mut lines: Vec<&str> = Vec::new();
    for line in header.lines() {
        let definition = line.strip_prefix("typedef ").and_then(|line| line.strip_suffix(';'));
        match definition.and_then(|definition| Some(definition.split_at(definition.rfind('*')? + 1))) {
            Some((pointer, name)) if wrappers.iter().any(|wrapper| name.starts_with(wrapper)) => {
                pointers.push((name, pointer));
                // The comment of the wrapper.
                while lines.last().is_some_and(|line| line.starts_with("//")) {
                    lines.pop();
                }
            }
            _ if line.is_empty() && lines.last().is_some_and(|line| line.is_empty()) => {}
            _ => lines.push(line),
        }
    }
    // The longest first: one name may begin another.
    pointers.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut plain = lines.join("\n") + "\n";
    for (name, pointer) in pointers {
        plain = plain.replace(&format!("{name} "), pointer);
    }
    plain.replace('`', "")
}

#[test]
fn the_header_is_that_of_the_source() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/feed_ring.h");
    let generated = generated();
    if std::env::var_os("FEED_RING_WRITE_HEADER").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let differs = generated.lines().zip(committed.lines()).find(|(one, other)| one != other);
    assert!(generated == committed, "include/feed_ring.h is not of this source: run make c-header; {differs:?}");
}

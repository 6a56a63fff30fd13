//! Writes the seeds of the fuzz targets, valid inputs of every kind, into `fuzz/corpus/`.

use std::fs;
use std::path::Path;

use feed::sample::{self, DBN_SCHEMAS, Prefix};
use feed_testing::PrivateRoot;

fn main() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder).expect("make the corpus");
        fs::write(folder.join(name), bytes).expect("write a seed");
    };
    for schema in DBN_SCHEMAS {
        for version in 1..=3 {
            let plain = sample::dbn(version, schema, 8);
            write("dbn", &format!("{schema}.{version}"), &plain);
            write("dbn", &format!("{schema}.{version}.zst"), &sample::zstd(&plain));
        }
    }
    for (name, prefix) in [("true", Prefix::True), ("zero", Prefix::Zero)] {
        let plain = sample::itch(prefix, 23);
        write("itch", name, &plain);
        write("itch", &format!("{name}.gz"), &sample::gzip(&plain));
    }
    let (dbn, itch, csv) = (sample::dbn(3, "mbo", 3), sample::itch(Prefix::True, 5), sample::csv(3));
    let unknown = b"\x00\x05Zabcd";
    write("dbn", "joined", &[&dbn[..], &[0; 9], &sample::dbn(1, "trades", 3), &[0; 9]].concat());
    write("itch", "joined", &[&itch[..], unknown, &itch, &[0; 2], &sample::itch(Prefix::Zero, 5), &[0; 2]].concat());
    let quoted = String::from_utf8(csv.clone()).expect("text").replace("SYN1", "\"SYN1\"");
    write("csv", "joined", &[&csv[..], quoted.replace("0.000", "1e-05").as_bytes()].concat());
    write("csv", "members", &[sample::gzip(&csv), sample::zstd(&csv), vec![0; 9]].concat());
    let plain = sample::csv(12);
    write("csv", "plain", &plain);
    write("csv", "gz", &sample::gzip(&plain));
    let root = PrivateRoot::new();
    let (segment, _) = feed_fuzz::valid(root.path());
    for how in 0..8u8 {
        write("segment", &how.to_string(), &[&[how], &segment[..]].concat());
    }
    for (kind, segment) in feed_fuzz::rows::valid(root.path()).into_iter().enumerate() {
        for since in 0..4u8 {
            write("table", &format!("{kind}.{since}"), &[&[kind as u8 | since << 1], &segment[..]].concat());
        }
    }
    let segment = feed_fuzz::records::valid(root.path());
    for how in [0, 1, 3, 35 << 2 | 3] {
        write("records", &how.to_string(), &[&[how], &segment[..]].concat());
    }
    println!("{}", corpus.display());
}

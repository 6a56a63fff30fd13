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
    let plain = sample::csv(12);
    write("csv", "plain", &plain);
    write("csv", "gz", &sample::gzip(&plain));
    let root = PrivateRoot::new();
    let (segment, _) = feed_fuzz::valid(root.path());
    for how in 0..8u8 {
        write("segment", &how.to_string(), &[&[how], &segment[..]].concat());
    }
    println!("{}", corpus.display());
}

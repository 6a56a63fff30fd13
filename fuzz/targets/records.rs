//! Any bytes as the segment of a ring of records.
#![no_main]

use std::sync::OnceLock;

use feed_fuzz::records::Target;

static TARGET: OnceLock<Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET.get_or_init(Target::new).exercise(input));

//! Any bytes as the segment of a table or a cell.
#![no_main]

use std::sync::OnceLock;

use feed_fuzz::rows::Target;

static TARGET: OnceLock<Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET.get_or_init(Target::new).exercise(input));

//! Any bytes as ITCH, plain or compressed.
#![no_main]

use feed::sample::exhaust;
use feed::source::Format;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // What is wrong with it is its error's business; what must hold is checked on the way.
    let _ = exhaust(input.to_vec(), Some(Format::Itch), false, drop);
    let _ = exhaust(input.to_vec(), Some(Format::Itch), true, drop);
});

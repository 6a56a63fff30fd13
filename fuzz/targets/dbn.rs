//! Any bytes as DBN, plain or compressed.
#![no_main]

use feed::sample::exhaust;
use feed::source::Format;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // An error is a valid outcome. `exhaust` checks what must hold until then.
    let _ = exhaust(input.to_vec(), Some(Format::Dbn), false, drop);
    let _ = exhaust(input.to_vec(), Some(Format::Dbn), true, drop);
});

//! Race-free copies of what spans slots: bytes into the slots of a record and out of them, as copy.rs has it for one message.
//!
//! With AVX a slot of one line takes two loads and two stores, which overlap: 56 bytes are no multiple of a register. A store
//! costs a cycle whatever its width, so their number decides how long a record takes. Everything else is left to copy.rs.
#![allow(unsafe_code)] // inline assembly over slots whose bounds were checked

use super::copy;
use super::slots::{Slots, Stride};
use crate::format::records::in_further;
use crate::sync::{LINE_WORDS, Word, WriteWord};

/// Bytes that a further slot of one line holds.
pub(crate) const ONE_LINE: usize = in_further(LINE_WORDS);

/// Stores the bytes of a record's further slots, from `position` on.
#[inline(always)]
pub(crate) fn store<S: Stride>(slots: &Slots<WriteWord, S>, mut position: u64, mut bytes: &[u8]) {
    if slots.words() == LINE_WORDS {
        while bytes.len() >= 2 * ONE_LINE {
            let run = slots.run(position, (bytes.len() / ONE_LINE) as u64);
            let count = run.len() / LINE_WORDS;
            let (lines, rest) = bytes.split_at(count * ONE_LINE);
            if !bulk::store_lines(run, lines) {
                let each = run.chunks_exact(LINE_WORDS).zip(lines.as_chunks::<ONE_LINE>().0);
                each.for_each(|(slot, line)| copy::store_bytes(&slot[1..], line));
            }
            (position, bytes) = (position + count as u64, rest);
        }
        if let Some((line, rest)) = bytes.split_first_chunk::<ONE_LINE>() {
            store_short(&slots.at(position)[1..], line);
            (position, bytes) = (position + 1, rest);
        }
        if !bytes.is_empty() {
            store_short(&slots.at(position)[1..], bytes);
        }
        return;
    }
    for bytes in bytes.chunks(in_further(slots.words())) {
        store_one(&slots.at(position)[1..], bytes);
        position += 1;
    }
}

/// Stores bytes that are within one line. Words behind them may be changed.
#[inline(always)]
pub(crate) fn store_short(words: &[WriteWord], bytes: &[u8]) {
    if !bulk::store_short(words, bytes) {
        copy::store_bytes(words, bytes);
    }
}

/// Stores the bytes of one slot, which has several lines, and begins within the first.
#[inline(always)]
pub(crate) fn store_one(words: &[WriteWord], bytes: &[u8]) {
    // The rest of the first line by itself: from there on no store crosses lines.
    let first = words.len() % LINE_WORDS;
    let (head, rest) = bytes.split_at(bytes.len().min(first * 8));
    store_short(words, head);
    if !rest.is_empty() && !bulk::store_one(&words[first..], rest) {
        copy::store_bytes(&words[first..], rest);
    }
}

/// Brings the lines of these slots to this core, for a record that will need them. It is a hint to the processor: the slots keep
/// what they hold, and a processor without such a hint takes the lines when the record comes.
#[inline(always)]
pub(crate) fn own<S: Stride>(slots: &Slots<WriteWord, S>, position: u64, count: u64) {
    if slots.words() == LINE_WORDS {
        bulk::own(slots.run(position, count));
    }
}

/// Copies the bytes of a record's further slots out, from `position` on. The result may be torn.
#[inline(always)]
pub(crate) fn load<S: Stride>(slots: &Slots<Word, S>, mut position: u64, mut bytes: &mut [u8]) {
    if slots.words() == LINE_WORDS {
        while bytes.len() >= 2 * ONE_LINE {
            let run = slots.run(position, (bytes.len() / ONE_LINE) as u64);
            let count = run.len() / LINE_WORDS;
            let (lines, rest) = bytes.split_at_mut(count * ONE_LINE);
            if !bulk::load_lines(run, lines) {
                let each = run.chunks_exact(LINE_WORDS).zip(lines.as_chunks_mut::<ONE_LINE>().0);
                each.for_each(|(slot, line)| copy::load_over_bytes(&slot[1..], line));
            }
            (position, bytes) = (position + count as u64, rest);
        }
        if bytes.len() >= ONE_LINE {
            let (line, rest) = bytes.split_at_mut(ONE_LINE);
            copy::load_over_bytes(&slots.at(position)[1..], line);
            (position, bytes) = (position + 1, rest);
        }
        if !bytes.is_empty() {
            copy::load_over_bytes(&slots.at(position)[1..], bytes);
        }
        return;
    }
    for bytes in bytes.chunks_mut(in_further(slots.words())) {
        load_one(&slots.at(position)[1..], bytes);
        position += 1;
    }
}

/// Copies the bytes of one slot out, which has several lines.
#[inline(always)]
pub(crate) fn load_one(words: &[Word], bytes: &mut [u8]) {
    if !bulk::load_one(words, bytes) {
        copy::load_over_bytes(words, bytes);
    }
}

#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
mod bulk {
    use std::arch::asm;

    use super::{LINE_WORDS, ONE_LINE, Word, WriteWord};

    /// Bytes of a register.
    const REGISTER: usize = 32;

    /// Whether there is AVX. A fault test kills a publisher after each store, so there every word is a store of its own.
    fn is_wide() -> bool {
        !cfg!(feed_ring_faults) && std::is_x86_feature_detected!("avx")
    }

    /// Bytes from one slot of one line to the next.
    const SLOT: usize = LINE_WORDS * 8;

    /// Copies [`ONE_LINE`] bytes `count` times, which is not 0. They are `FROM` bytes apart at `from`, and `TO` at `to`.
    ///
    /// # Safety
    /// They must be readable at `from` and writable at `to`, and the processor must have AVX. Other threads may write at
    /// `from`, or read at `to`, meanwhile.
    #[inline(always)]
    unsafe fn lines<const FROM: usize, const TO: usize>(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            asm!(
                "2:",
                "vmovdqu ymm0, [{from}]",
                "vmovdqu ymm1, [{from} + 24]",
                "vmovdqu [{to}], ymm0",
                "vmovdqu [{to} + 24], ymm1",
                "add {from}, {from_step}",
                "add {to}, {to_step}",
                "dec {count}",
                "jnz 2b",
                "vzeroupper",
                from = inout(reg) from => _,
                to = inout(reg) to => _,
                count = inout(reg) count => _,
                from_step = const FROM,
                to_step = const TO,
                // vzeroupper clears the upper halves of all sixteen.
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                options(nostack),
            );
        }
    }

    /// Stores whole slots of one line, if that can be done with wide registers.
    #[inline(always)]
    pub(super) fn store_lines(run: &[WriteWord], bytes: &[u8]) -> bool {
        let count = bytes.len() / ONE_LINE;
        assert!(run.len() >= count * LINE_WORDS, "fewer slots than bytes");
        if count == 0 || !is_wide() {
            return false;
        }
        let to = run[1..].as_ptr().cast::<u8>().cast_mut();
        // SAFETY: `count` slots are there, whose memory allows to write (WriteWord), and as many times ONE_LINE bytes.
        unsafe { lines::<ONE_LINE, SLOT>(to, bytes.as_ptr(), count) };
        true
    }

    /// Stores 8 to [`ONE_LINE`] bytes, by blocks of which the last overlaps the one before it. Like copy.rs it loads words, which
    /// may have been stored a moment ago, and stores two at a time.
    #[inline(always)]
    pub(super) fn store_short(words: &[WriteWord], bytes: &[u8]) -> bool {
        let length = bytes.len();
        assert!(size_of_val(words) >= length, "more bytes than words");
        if !(8..=ONE_LINE).contains(&length) || cfg!(feed_ring_faults) {
            return false;
        }
        let (to, from) = (words.as_ptr(), bytes.as_ptr());
        macro_rules! blocks {
            ($($at:literal),* ; $last:literal) => {
                // SAFETY: the blocks lie within the bytes, and within the words, whose memory allows to write (WriteWord).
                unsafe {
                    asm!(
                        $(
                            concat!("movq xmm0, [{from} + ", $at, "]"),
                            concat!("movhps xmm0, [{from} + ", $at, " + 8]"),
                            concat!("movups [{to} + ", $at, "], xmm0"),
                        )*
                        concat!("movq xmm0, [{from} + {length} - ", $last, "]"),
                        concat!("movhps xmm0, [{from} + {length} - ", $last, " + 8]"),
                        concat!("movups [{to} + {length} - ", $last, "], xmm0"),
                        from = in(reg) from, to = in(reg) to, length = in(reg) length,
                        out("xmm0") _,
                        options(nostack, preserves_flags),
                    );
                }
            };
        }
        match length {
            33..=48 => blocks!(0, 16; 16),
            49.. => blocks!(0, 16, 32; 16),
            17..=32 => blocks!(0; 16),
            16 => blocks!(; 16),
            // SAFETY: as above, with words.
            _ => unsafe {
                asm!(
                    "movq {one}, [{from}]",
                    "movq {other}, [{from} + {length} - 8]",
                    "movq [{to}], {one}",
                    "movq [{to} + {length} - 8], {other}",
                    from = in(reg) from, to = in(reg) to, length = in(reg) length,
                    one = out(xmm_reg) _, other = out(xmm_reg) _,
                    options(nostack, preserves_flags),
                );
            },
        }
        true
    }

    /// Asks for the ownership of these lines. Nothing is stored.
    #[inline(always)]
    pub(super) fn own(run: &[WriteWord]) {
        for line in run.chunks_exact(LINE_WORDS) {
            // SAFETY: a hint, which is no access.
            unsafe { asm!("prefetchw [{}]", in(reg) line.as_ptr(), options(nostack, preserves_flags)) };
        }
    }

    /// Copies whole slots of one line out, if that can be done with wide registers.
    #[inline(always)]
    pub(super) fn load_lines(run: &[Word], bytes: &mut [u8]) -> bool {
        let count = bytes.len() / ONE_LINE;
        assert!(run.len() >= count * LINE_WORDS, "fewer slots than bytes");
        if count == 0 || !is_wide() {
            return false;
        }
        let from = run[1..].as_ptr().cast();
        // SAFETY: as `store_lines`, the other way round. Others may write to the slots meanwhile.
        unsafe { lines::<SLOT, ONE_LINE>(bytes.as_mut_ptr(), from, count) };
        true
    }

    /// Stores all bytes, if that can be done with wide registers.
    #[inline(always)]
    pub(super) fn store_one(words: &[WriteWord], bytes: &[u8]) -> bool {
        assert!(size_of_val(words) >= bytes.len(), "more bytes than words");
        let fits = bytes.len() >= REGISTER && is_wide();
        if fits {
            // SAFETY: so many bytes can be read at `bytes` and written at `words`, whose memory allows it (WriteWord).
            unsafe { copy(words.as_ptr().cast::<u8>().cast_mut(), bytes.as_ptr(), bytes.len()) };
        }
        fits
    }

    /// Copies all bytes out, if that can be done with wide registers.
    #[inline(always)]
    pub(super) fn load_one(words: &[Word], bytes: &mut [u8]) -> bool {
        assert!(size_of_val(words) >= bytes.len(), "more bytes than words");
        let fits = bytes.len() >= REGISTER && is_wide();
        if fits {
            // SAFETY: so many bytes can be read at `words` and written at `bytes`.
            unsafe { copy(bytes.as_mut_ptr(), words.as_ptr().cast(), bytes.len()) };
        }
        fits
    }

    /// Copies `length` bytes, at least [`REGISTER`]. The last register overlaps the one before it.
    ///
    /// # Safety
    /// They must be readable at `from` and writable at `to`, and the processor must have AVX. Other threads may write at
    /// `from`, or read at `to`, meanwhile.
    #[inline(always)]
    unsafe fn copy(to: *mut u8, from: *const u8, length: usize) {
        let last = length - REGISTER;
        // SAFETY: as the caller promises. The index ends at `last` or within a register behind it, where the last one is copied.
        unsafe {
            asm!(
                "jmp 3f",
                "2:",
                "vmovdqu ymm0, [{from} + {i}]",
                "vmovdqu [{to} + {i}], ymm0",
                "add {i}, 32",
                "3:",
                "cmp {i}, {last}",
                "jb 2b",
                "vmovdqu ymm0, [{from} + {last}]",
                "vmovdqu [{to} + {last}], ymm0",
                "vzeroupper",
                from = in(reg) from,
                to = in(reg) to,
                last = in(reg) last,
                i = inout(reg) 0usize => _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                options(nostack),
            );
        }
    }
}

/// The same functions where there is no assembly: they leave all bytes to copy.rs.
#[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
mod bulk {
    use super::{Word, WriteWord};

    #[inline(always)]
    pub(super) fn store_lines(_run: &[WriteWord], _bytes: &[u8]) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn store_short(_words: &[WriteWord], _bytes: &[u8]) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn own(_run: &[WriteWord]) {}

    #[inline(always)]
    pub(super) fn load_lines(_run: &[Word], _bytes: &mut [u8]) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn store_one(_words: &[WriteWord], _bytes: &[u8]) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn load_one(_words: &[Word], _bytes: &mut [u8]) -> bool {
        false
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::format::layout::Layout;
    use crate::memory::Memory;
    use crate::protocol::slots::DynamicStride;

    /// For every length, from every position of a ring, wide registers and words copy the same bytes and none beyond.
    #[test]
    fn whatever_copies_copies_the_same_bytes() {
        let bytes: Vec<u8> = (0..4096).map(|i| (i * 31 + i / 251) as u8).collect();
        for words in [8, 16, 32] {
            let layout = Layout::records_in_process(words, 16);
            let ring = || Memory::heap(layout.slots + layout.words_of_slots());
            let slots = |memory: &Memory<WriteWord>| Slots::new(memory.clone(), &layout, DynamicStride::of(&layout));
            let longest = if cfg!(miri) { 200 } else { 15 * in_further(words) };
            for length in (0..longest.min(700)).chain(longest - 70..=longest) {
                let from = length as u64 * 7;
                let (by_lines, by_words) = (ring(), ring());
                store(&slots(&by_lines), from, &bytes[length % 8..][..length]);
                for (position, bytes) in (from..).zip(bytes[length % 8..][..length].chunks(in_further(words))) {
                    copy::store_bytes(&slots(&by_words).at(position)[1..], bytes);
                }
                let mut stored = vec![0; length];
                load(&Slots::new(by_lines.reader(), &layout, DynamicStride::of(&layout)), from, &mut stored);
                assert_eq!(stored, bytes[length % 8..][..length], "{length} bytes in slots of {words} words");
                let untouched = (0..16).all(|slot| by_lines[layout.slots + slot * words].load() == 0);
                assert!(untouched, "{length} bytes in slots of {words} words: the word of a slot");
                let mut read = vec![0xaa; length + 2];
                let reader = Slots::new(by_words.reader(), &layout, DynamicStride::of(&layout));
                load(&reader, from, &mut read[1..=length]);
                assert_eq!(read[1..=length], bytes[length % 8..][..length]);
                assert_eq!((read[0], read[length + 1]), (0xaa, 0xaa));
            }
        }
    }
}

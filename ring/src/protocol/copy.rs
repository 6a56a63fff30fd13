//! Race-free copies of a payload, into the words of a slot and out of them.
//!
//! A payload may be overwritten while it is read. In Rust's memory model each word is therefore a relaxed atomic: there
//! is no data race, and the slot's second look discards a torn copy. But copying word by word needs so many loads that
//! a subscriber falls behind a publisher at full speed, and large messages reach only half of memcpy's speed. So inline
//! assembly copies bytes out, and large messages in as well. The compiler cannot see into it, so it is no race in its
//! model either. The assembly uses ordinary loads and stores, which the processor keeps in order as it does those of
//! the words. (Non-temporal stores would need a fence of their own.) On other processors, under loom and under Miri,
//! everything is copied by words.
//!
//! A short message is loaded word by word on its way *in*, on purpose. Its fields were stored a moment ago, one by one,
//! and a wider load would wait until they have left the store buffer. It is stored two words at a time: fewer stores
//! wait for their line, so more messages fit into the store buffer.
//!
//! Bytes of the last word that lie beyond the payload are stored as zero.
#![allow(unsafe_code)] // a value's bytes, and a value from bytes that were all written; inline assembly

use std::mem::MaybeUninit;

use crate::format::layout::slot_words;
use crate::format::payload::Field;
use crate::memory::Memory;
use crate::sync::{LINE_WORDS, Word, WriteWord};

/// Bytes of payload that share the first line of a slot with its sequence word.
const FIRST_LINE: usize = (LINE_WORDS - 1) * size_of::<u64>();

/// Copies a message into the payload words of a slot. It writes further lines first and the first line last, so the
/// line that a waiting subscriber polls is touched once.
#[inline(always)]
pub(crate) fn store<T: Field>(words: &[WriteWord], message: &T) {
    store_bytes(words, bytes_of(message));
}

/// The bytes of a value.
#[inline(always)]
pub(crate) fn bytes_of<T: Field>(value: &T) -> &[u8] {
    let bytes: *const T = value;
    // SAFETY: the bytes of a borrowed value, which has no padding and does not change while it is borrowed (`Field`).
    unsafe { std::slice::from_raw_parts(bytes.cast(), size_of::<T>()) }
}

/// The value with these bytes. `None` if it has another length.
pub(crate) fn from_bytes<T: Field>(bytes: &[u8]) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    if bytes.len() != size_of::<T>() {
        return None;
    }
    // SAFETY: as many bytes as the value has, from a slice to a value of this function's own.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), value.as_mut_ptr().cast(), bytes.len()) };
    // SAFETY: every byte was written, and any bytes are a T (`Field`).
    Some(unsafe { value.assume_init() })
}

/// The bytes of numbers, to be written.
#[inline(always)]
pub(crate) fn bytes_of_mut(words: &mut [u64]) -> &mut [u8] {
    let bytes: *mut [u64] = words;
    // SAFETY: numbers have no padding, any bytes are numbers, and they are borrowed mutably.
    unsafe { std::slice::from_raw_parts_mut(bytes.cast(), size_of_val(words)) }
}

/// The bytes of numbers.
#[inline(always)]
pub(crate) fn bytes_of_words(words: &[u64]) -> &[u8] {
    let bytes: *const [u64] = words;
    // SAFETY: numbers have no padding, and do not change while they are borrowed.
    unsafe { std::slice::from_raw_parts(bytes.cast(), size_of_val(words)) }
}

/// As [`store`], for a message that is bytes.
#[inline(always)]
pub(crate) fn store_bytes(words: &[WriteWord], bytes: &[u8]) {
    let (first, further) = bytes.split_at(bytes.len().min(FIRST_LINE));
    let words_further = &words[first.len() / 8..];
    let copied = bulk::store(words_further, further);
    store_words(&words_further[copied / 8..], &further[copied..]);
    let copied = bulk::store_short(words, first);
    store_words(&words[copied / 8..], &first[copied..]);
}

#[inline(always)]
fn store_words(words: &[WriteWord], bytes: &[u8]) {
    let (whole, tail) = bytes.as_chunks::<8>();
    for (word, bytes) in words.iter().zip(whole) {
        word.store(u64::from_ne_bytes(*bytes));
    }
    if !tail.is_empty() {
        words[whole.len()].store(u64::from_ne_bytes(padded(tail)));
    }
}

/// Up to seven bytes, and zeros behind them. Four, two and one at a time: a copy of a length that is not known before is a call
/// of a function.
#[inline(always)]
fn padded(mut tail: &[u8]) -> [u8; 8] {
    let (mut last, mut at) = ([0; 8], 0);
    if let Some((four, rest)) = tail.split_first_chunk::<4>() {
        last[..4].copy_from_slice(four);
        (tail, at) = (rest, 4);
    }
    if let Some((two, rest)) = tail.split_first_chunk::<2>() {
        last[at..at + 2].copy_from_slice(two);
        (tail, at) = (rest, at + 2);
    }
    if let [one, ..] = tail {
        last[at] = *one;
    }
    last
}

/// Copies the payload words of a slot out. The result may be torn: only the slot's second look tells.
#[inline(always)]
pub(crate) fn load<'a, T: Field>(words: &[Word], message: &'a mut MaybeUninit<T>) -> &'a mut T {
    let bytes: *mut MaybeUninit<u8> = message.as_mut_ptr().cast();
    // SAFETY: the bytes of a MaybeUninit<T> that is borrowed mutably.
    load_bytes(words, unsafe { std::slice::from_raw_parts_mut(bytes, size_of::<T>()) });
    // SAFETY: load_bytes wrote every byte, and any bytes are a T (`Field`).
    unsafe { message.assume_init_mut() }
}

/// As [`load`], by value.
#[inline(always)]
pub(crate) fn load_value<T: Field + Copy>(words: &[Word]) -> T {
    *load(words, &mut MaybeUninit::uninit())
}

/// As [`load`], over an existing message.
#[inline(always)]
pub(crate) fn load_over<T: Field>(words: &[Word], message: &mut T) {
    let message: *mut T = message;
    // SAFETY: a `&mut T` is a `&mut MaybeUninit<T>` as long as nothing uninitialised is written, and `load` writes none.
    load(words, unsafe { &mut *message.cast::<MaybeUninit<T>>() });
}

/// As [`load`], over existing bytes.
#[inline(always)]
pub(crate) fn load_over_bytes(words: &[Word], bytes: &mut [u8]) {
    let bytes: *mut [u8] = bytes;
    // SAFETY: a `&mut [u8]` is a `&mut [MaybeUninit<u8>]` as long as nothing uninitialised is written, and `load_bytes`
    // writes initialised bytes only.
    load_bytes(words, unsafe { &mut *(bytes as *mut [MaybeUninit<u8>]) });
}

/// Copies words out into bytes, and writes every byte.
#[inline(always)]
pub(crate) fn load_bytes(words: &[Word], bytes: &mut [MaybeUninit<u8>]) {
    assert!(words.len() >= bytes.len().div_ceil(8), "fewer words than the message has");
    let copied = bulk::load(words, bytes);
    load_words(&words[copied / 8..], &mut bytes[copied..]);
}

#[inline(always)]
fn load_words(words: &[Word], bytes: &mut [MaybeUninit<u8>]) {
    let (whole, tail) = bytes.as_chunks_mut::<8>();
    for (word, bytes) in words.iter().zip(&mut *whole) {
        *bytes = word.load().to_ne_bytes().map(MaybeUninit::new);
    }
    if !tail.is_empty() {
        let last = words[whole.len()].load().to_ne_bytes();
        for (byte, last) in tail.iter_mut().zip(last) {
            byte.write(last);
        }
    }
}

/// Copies by inline assembly. Each function copies as many bytes as it can, from the first on, and returns how many.
/// The rest, less than 16 or 64 bytes, is copied by words.
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
mod bulk {
    use std::arch::asm;
    use std::arch::x86_64::__m128i;

    use super::{FIRST_LINE, MaybeUninit, Word, WriteWord};

    /// Bytes that one step with wide registers copies.
    const STEP: usize = 128;

    /// From this many bytes on, AVX's wider registers are used if the processor has them: see docs/performance.md. It
    /// is a head of 64 bytes and one step, so there is at least one step.
    const WIDE: usize = 64 + STEP;

    /// From this many bytes on, AVX-512's registers are used if the processor has them.
    const WIDEST: usize = 512;

    /// Stores the whole lines.
    #[inline(always)]
    pub(super) fn store(words: &[WriteWord], bytes: &[u8]) -> usize {
        let length = bytes.len() / 64 * 64;
        assert!(size_of_val(words) >= length, "fewer words than bytes");
        let to = words.as_ptr().cast::<u8>().cast_mut();
        let by_lines = if length < 2 * STEP { length } else { length % STEP };
        if by_lines > 0 {
            // SAFETY: `by_lines` bytes can be read at `bytes` and written at `words`, whose memory allows it (WriteWord).
            unsafe { narrow(to, bytes.as_ptr(), by_lines) };
        }
        if by_lines < length {
            let (to, from) = (to.wrapping_add(by_lines), bytes[by_lines..].as_ptr());
            // SAFETY: the same for the rest, a multiple of STEP.
            unsafe { copy(to, from, length - by_lines) };
        }
        length
    }

    /// Stores the blocks of 16 bytes that share a line with the sequence word: two loads and one store for each.
    #[inline(always)]
    pub(super) fn store_short(words: &[WriteWord], bytes: &[u8]) -> usize {
        assert!(
            size_of_val(words) >= bytes.len() && bytes.len() <= FIRST_LINE,
            "more bytes than words, or than a line"
        );
        if cfg!(feed_ring_faults) {
            return 0; // word by word: fault tests kill a publisher after each store
        }
        let (to, from) = (words.as_ptr(), bytes.as_ptr());
        macro_rules! pairs {
            ($($xmm:literal $at:literal),+) => {
                // SAFETY: the bytes from the first to the last block can be read at `from` and written at `to`, whose
                // memory allows it (WriteWord).
                unsafe {
                    asm!(
                        $(
                            concat!("movq ", $xmm, ", [{from} + ", $at, "]"),
                            concat!("movhps ", $xmm, ", [{from} + ", $at, " + 8]"),
                            concat!("movups [{to} + ", $at, "], ", $xmm),
                        )+
                        from = in(reg) from, to = in(reg) to,
                        out("xmm0") _, out("xmm1") _, out("xmm2") _,
                        options(nostack, preserves_flags),
                    );
                }
            };
        }
        let blocks = bytes.len() / 16;
        match blocks {
            0 => {}
            1 => pairs!("xmm0" 0),
            2 => pairs!("xmm0" 0, "xmm1" 16),
            _ => pairs!("xmm0" 0, "xmm1" 16, "xmm2" 32),
        }
        blocks * 16
    }

    /// Loads all of a large message, or the blocks of 16 bytes of a smaller one.
    #[inline(always)]
    pub(super) fn load(words: &[Word], bytes: &mut [MaybeUninit<u8>]) -> usize {
        assert!(size_of_val(words) >= bytes.len(), "fewer words than bytes");
        if bytes.len() >= WIDE {
            load_wide(words, bytes);
            return bytes.len();
        }
        let (pairs, blocks) = (words.as_chunks::<2>().0, bytes.as_chunks_mut::<16>().0);
        for (pair, block) in pairs.iter().zip(&mut *blocks) {
            // SAFETY: both types are 16 bytes, and any value of them is valid.
            *block = unsafe { std::mem::transmute::<__m128i, [MaybeUninit<u8>; 16]>(load_pair(pair)) };
        }
        size_of_val(blocks)
    }

    /// Loads two words at once.
    #[inline(always)]
    fn load_pair(pair: &[Word; 2]) -> __m128i {
        let value;
        // SAFETY: 16 bytes can be read at `pair`. It is not `pure`, so it stays between the fences.
        unsafe {
            asm!("movups {}, [{}]", out(xmm_reg) value, in(reg) pair, options(nostack, preserves_flags, readonly));
        }
        value
    }

    /// Copies what lies before the first line of `bytes`, then whole lines, then the end, so that no store crosses a
    /// line boundary. A crossing costs twice as much for a store as for a load. Some bytes are copied twice for it.
    #[inline(always)]
    fn load_wide(words: &[Word], bytes: &mut [MaybeUninit<u8>]) {
        let (from, to, length) = (words.as_ptr().cast::<u8>(), bytes.as_mut_ptr().cast::<u8>(), bytes.len());
        let before = 64 - to.addr() % 64;
        let lines = (length - before) / STEP * STEP;
        // SAFETY: `length` bytes can be read at `words` and written at `bytes`; it is at least WIDE.
        unsafe { narrow(to, from, 64) };
        // SAFETY: `before` is at most 64, so `lines` is at least STEP, and both together are at most `length`.
        unsafe { copy(to.wrapping_add(before), from.wrapping_add(before), lines) };
        let rest = length - STEP;
        // SAFETY: the last STEP of the `length` bytes.
        unsafe { copy(to.wrapping_add(rest), from.wrapping_add(rest), STEP) };
    }

    /// Copies `length` bytes, a multiple of [`STEP`] and not 0.
    ///
    /// # Safety
    /// They must be readable at `from` and writable at `to`. Other threads may write at `from`, or read at `to`,
    /// meanwhile.
    #[inline(always)]
    unsafe fn copy(to: *mut u8, from: *const u8, length: usize) {
        if length >= WIDEST && std::is_x86_feature_detected!("avx512f") {
            // SAFETY: as this function's, and the processor has AVX-512.
            unsafe { widest(to, from, length) }
        } else if std::is_x86_feature_detected!("avx") {
            // SAFETY: as this function's, and the processor has AVX.
            unsafe { wide(to, from, length) }
        } else {
            // SAFETY: as this function's; a multiple of STEP is one of 64.
            unsafe { narrow(to, from, length) }
        }
    }

    /// A loop that copies `length` bytes, `$step` at a time. Its index starts negative and ends at 0.
    macro_rules! copy_loop {
        ($(#[$doc:meta])* $name:ident, $step:literal, $($line:literal),+ ; $last:literal) => {
            $(#[$doc])*
            #[inline(always)]
            unsafe fn $name(to: *mut u8, from: *const u8, length: usize) {
                // SAFETY: as the caller promises. Without `nomem` the compiler keeps it in its place between the
                // fences.
                unsafe {
                    asm!(
                        "2:",
                        $($line,)+
                        "add {i}, {step}",
                        "jnz 2b",
                        $last,
                        from = in(reg) from.wrapping_add(length),
                        to = in(reg) to.wrapping_add(length),
                        i = inout(reg) -length.cast_signed() => _,
                        step = const $step,
                        // vzeroupper clears the upper halves of all sixteen.
                        out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                        out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                        out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                        out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                        options(nostack),
                    );
                }
            }
        };
    }

    copy_loop! {
        /// With the 16-byte registers that every x86-64 has.
        ///
        /// # Safety
        /// As [`copy`], for a multiple of 64 bytes.
        narrow, 64,
        "movups xmm0, [{from} + {i}]",
        "movups xmm1, [{from} + {i} + 16]",
        "movups xmm2, [{from} + {i} + 32]",
        "movups xmm3, [{from} + {i} + 48]",
        "movups [{to} + {i}], xmm0",
        "movups [{to} + {i} + 16], xmm1",
        "movups [{to} + {i} + 32], xmm2",
        "movups [{to} + {i} + 48], xmm3";
        ""
    }

    copy_loop! {
        /// With AVX's 32-byte registers.
        ///
        /// # Safety
        /// As [`copy`]; the processor has AVX.
        wide, 128,
        "vmovdqu ymm0, [{from} + {i}]",
        "vmovdqu ymm1, [{from} + {i} + 32]",
        "vmovdqu ymm2, [{from} + {i} + 64]",
        "vmovdqu ymm3, [{from} + {i} + 96]",
        "vmovdqu [{to} + {i}], ymm0",
        "vmovdqu [{to} + {i} + 32], ymm1",
        "vmovdqu [{to} + {i} + 64], ymm2",
        "vmovdqu [{to} + {i} + 96], ymm3";
        "vzeroupper"
    }

    copy_loop! {
        /// With AVX-512's 64-byte registers.
        ///
        /// # Safety
        /// As [`copy`]; the processor has AVX-512.
        widest, 128,
        "vmovdqu64 zmm0, [{from} + {i}]",
        "vmovdqu64 zmm1, [{from} + {i} + 64]",
        "vmovdqu64 [{to} + {i}], zmm0",
        "vmovdqu64 [{to} + {i} + 64], zmm1";
        "vzeroupper"
    }
}

/// The same functions where there is no assembly: they leave all bytes to the words.
#[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
mod bulk {
    use super::{MaybeUninit, Word, WriteWord};

    #[inline(always)]
    pub(super) fn store(_words: &[WriteWord], _bytes: &[u8]) -> usize {
        0
    }

    #[inline(always)]
    pub(super) fn store_short(_words: &[WriteWord], _bytes: &[u8]) -> usize {
        0
    }

    #[inline(always)]
    pub(super) fn load(_words: &[Word], _bytes: &mut [MaybeUninit<u8>]) -> usize {
        0
    }
}

/// The copies alone, so that the report can compare them with memcpy. Not part of the interface.
#[doc(hidden)]
pub struct Alone<T> {
    slot: Memory<WriteWord>,
    reader: Memory<Word>,
    message: std::marker::PhantomData<T>,
}

impl<T: Field> Default for Alone<T> {
    fn default() -> Self {
        let slot = Memory::heap(slot_words(size_of::<T>()));
        Alone { reader: slot.reader(), slot, message: std::marker::PhantomData }
    }
}

impl<T: Field> Alone<T> {
    /// Copies into a slot.
    #[inline(always)]
    pub fn store(&self, message: &T) {
        store(&self.slot[1..], message);
    }

    /// Copies out of the slot.
    #[inline(always)]
    pub fn load(&self, message: &mut T) {
        load_over(&self.reader[1..], message);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn there_and_back<const N: usize>() {
        let memory = Memory::heap(N.div_ceil(8) + 1);
        let message: [u8; N] = std::array::from_fn(|i| (i * 7 + N) as u8);
        memory[N.div_ceil(8)].store(u64::MAX);
        store(&memory, &message);
        assert_eq!(load(&memory.reader(), &mut MaybeUninit::<[u8; N]>::uninit()), &message);
        assert_eq!(memory[N.div_ceil(8)].load(), u64::MAX, "{N} bytes wrote beyond their words");
    }

    #[test]
    fn messages_of_every_kind_of_length_come_back() {
        there_and_back::<1>();
        there_and_back::<7>();
        there_and_back::<8>();
        there_and_back::<9>();
        there_and_back::<16>();
        there_and_back::<31>();
        there_and_back::<40>();
        there_and_back::<55>();
        there_and_back::<56>();
        there_and_back::<57>();
        there_and_back::<63>();
        there_and_back::<64>();
        there_and_back::<65>();
        there_and_back::<119>();
        there_and_back::<120>();
        there_and_back::<1016>();
        there_and_back::<4093>();
    }

    /// For every length, assembly and words copy the same bytes and none beyond.
    #[test]
    fn assembly_and_words_copy_the_same_bytes() {
        let longest: usize = if cfg!(miri) { 300 } else { 4096 };
        let bytes: Vec<u8> = (0..longest + 8).map(|i| (i * 31 + i / 251) as u8).collect();
        for length in 8..=longest {
            let words = length.div_ceil(8) + 1;
            let (by_words, by_lines) = (Memory::heap(words), Memory::heap(words));
            for memory in [&by_words, &by_lines] {
                memory[words - 1].store(0x5555_5555_5555_5555);
            }
            // From an odd address, as a message in a batch may be.
            let from = &bytes[length % 8..][..length];
            store_words(&by_words, from);
            let copied = bulk::store(&by_lines, from);
            store_words(&by_lines[copied / 8..], &from[copied..]);
            let same = by_words.iter().zip(&*by_lines).all(|(one, other)| one.load() == other.load());
            assert!(same, "{length} bytes were stored differently");
            if length <= FIRST_LINE {
                let short = Memory::heap(words);
                short[words - 1].store(0x5555_5555_5555_5555);
                let copied = bulk::store_short(&short, from);
                store_words(&short[copied / 8..], &from[copied..]);
                let same = by_words.iter().zip(&*short).all(|(one, other)| one.load() == other.load());
                assert!(same, "{length} bytes were stored differently two words at a time");
            }

            let (mut one, mut other) =
                (vec![MaybeUninit::new(0xaa); length + 9], vec![MaybeUninit::new(0xaa); length + 9]);
            let words = by_words.reader();
            load_words(&words, &mut one[1..=length]);
            let copied = bulk::load(&words, &mut other[1..=length]);
            load_words(&words[copied / 8..], &mut other[1 + copied..=length]);
            // SAFETY: every byte was initialised when the vectors were made.
            let read =
                |bytes: &[MaybeUninit<u8>]| bytes.iter().map(|byte| unsafe { byte.assume_init() }).collect::<Vec<u8>>();
            assert_eq!(read(&one), read(&other), "{length} bytes were loaded differently");
            assert_eq!(&read(&one)[1..=length], from);
        }
    }
}

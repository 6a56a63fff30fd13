//! Race-free copies of a payload, into words and out of them.
//!
//! A payload may be overwritten while it is read. In Rust's model every word is therefore a relaxed atomic: no data race,
//! and what came out torn is thrown away by the slot's re-check. Relaxed words are copied one by one, though, at half the
//! speed of memcpy; so where it pays, lines are copied by inline assembly: machine loads and stores that the compiler
//! cannot see into, and that are no race in its model either. They are ordinary stores, kept in order by the processor as
//! the words are (no non-temporal ones, which would need a fence of their own). Elsewhere, under loom and under Miri it is
//! the words.
//!
//! Bytes beyond the payload in its last word are stored as zero.
#![allow(unsafe_code)] // a value from bytes that were all written; inline assembly

use std::mem::MaybeUninit;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::layout::slot_words;
use crate::memory::Memory;
use crate::sync::{LINE_WORDS, Word, WriteWord};

/// Bytes of payload that share the first line of a slot with its sequence word.
const FIRST_LINE: usize = (LINE_WORDS - 1) * size_of::<u64>();

/// Copies a message into the payload words of a slot: further lines first, the first line last, so that the line a
/// waiting subscriber polls is touched once.
#[inline(always)]
pub(crate) fn store<T: IntoBytes + Immutable>(words: &[WriteWord], message: &T) {
    let bytes = message.as_bytes();
    let (first, further) = bytes.split_at(bytes.len().min(FIRST_LINE));
    let words_further = &words[first.len() / 8..];
    let copied = bulk::store(words_further, further);
    store_words(&words_further[copied / 8..], &further[copied..]);
    store_words(words, first);
}

#[inline(always)]
fn store_words(words: &[WriteWord], bytes: &[u8]) {
    let (whole, tail) = bytes.as_chunks::<8>();
    for (word, bytes) in words.iter().zip(whole) {
        word.store(u64::from_ne_bytes(*bytes));
    }
    if !tail.is_empty() {
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        words[whole.len()].store(u64::from_ne_bytes(last));
    }
}

/// Copies the payload words of a slot out. What comes back may be torn: only the slot's re-check tells.
#[inline(always)]
pub(crate) fn load<'a, T: FromBytes>(words: &[Word], message: &'a mut MaybeUninit<T>) -> &'a mut T {
    let bytes: *mut MaybeUninit<u8> = message.as_mut_ptr().cast();
    // SAFETY: the bytes of a MaybeUninit<T> that is borrowed mutably.
    load_bytes(words, unsafe { std::slice::from_raw_parts_mut(bytes, size_of::<T>()) });
    // SAFETY: load_bytes wrote every byte, and any bytes are a T (FromBytes).
    unsafe { message.assume_init_mut() }
}

/// The same over a message that is there already.
#[inline(always)]
pub(crate) fn load_over<T: FromBytes + IntoBytes>(words: &[Word], message: &mut T) {
    let message: *mut T = message;
    // SAFETY: a `&mut T` is a `&mut MaybeUninit<T>` as long as nothing uninitialised is written, and `load` writes none.
    load(words, unsafe { &mut *message.cast::<MaybeUninit<T>>() });
}

/// Copies words out into bytes, all of which are written.
#[inline(always)]
pub(crate) fn load_bytes(words: &[Word], bytes: &mut [MaybeUninit<u8>]) {
    assert!(words.len() >= bytes.len().div_ceil(8), "fewer words than the message has");
    let (first, further) = bytes.split_at_mut(bytes.len().min(FIRST_LINE));
    let words_further = &words[first.len() / 8..];
    load_words(words, first);
    let copied = bulk::load(words_further, further);
    load_words(&words_further[copied / 8..], &mut further[copied..]);
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

/// Copies by inline assembly. Each copies the whole lines among the bytes, and returns how many bytes these are: none
/// where it would not pay.
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
mod bulk {
    use super::{MaybeUninit, Word, WriteWord};

    /// From so many bytes on with the 32-byte registers of AVX: measured in docs/performance.md.
    const WIDE: usize = 256;

    #[inline(always)]
    pub(super) fn store(words: &[WriteWord], bytes: &[u8]) -> usize {
        let length = bytes.len() / 64 * 64;
        assert!(size_of_val(words) >= length, "fewer words than bytes");
        if length > 0 {
            // SAFETY: `length` bytes can be read at `bytes` and written at `words`, whose memory allows it (WriteWord).
            unsafe { copy(words.as_ptr().cast::<u8>().cast_mut(), bytes.as_ptr(), length) };
        }
        length
    }

    #[inline(always)]
    pub(super) fn load(words: &[Word], bytes: &mut [MaybeUninit<u8>]) -> usize {
        let length = bytes.len() / 64 * 64;
        assert!(size_of_val(words) >= length, "fewer words than bytes");
        if length > 0 {
            // SAFETY: `length` bytes can be read at `words` and written at `bytes`.
            unsafe { copy(bytes.as_mut_ptr().cast(), words.as_ptr().cast(), length) };
        }
        length
    }

    /// Copies `length` bytes, a multiple of 64 and not 0.
    ///
    /// # Safety
    /// They can be read at `from` and written at `to`. Others may write at `from`, or read at `to`, meanwhile.
    #[inline(always)]
    unsafe fn copy(to: *mut u8, from: *const u8, length: usize) {
        if length >= WIDE && std::is_x86_feature_detected!("avx") {
            // SAFETY: as this function's, and the processor has AVX.
            unsafe { wide(to, from, length) }
        } else {
            // SAFETY: as this function's.
            unsafe { narrow(to, from, length) }
        }
    }

    /// With the 16-byte registers that every x86-64 has.
    ///
    /// # Safety
    /// As [`copy`].
    #[inline(always)]
    unsafe fn narrow(to: *mut u8, from: *const u8, length: usize) {
        // SAFETY: the caller's; without `nomem` the compiler keeps it in its place between the fences.
        unsafe {
            std::arch::asm!(
                "2:",
                "movups {a}, xmmword ptr [{from} + {i}]",
                "movups {b}, xmmword ptr [{from} + {i} + 16]",
                "movups {c}, xmmword ptr [{from} + {i} + 32]",
                "movups {d}, xmmword ptr [{from} + {i} + 48]",
                "movups xmmword ptr [{to} + {i}], {a}",
                "movups xmmword ptr [{to} + {i} + 16], {b}",
                "movups xmmword ptr [{to} + {i} + 32], {c}",
                "movups xmmword ptr [{to} + {i} + 48], {d}",
                "add {i}, 64",
                "jnz 2b",
                from = in(reg) from.wrapping_add(length),
                to = in(reg) to.wrapping_add(length),
                i = inout(reg) -length.cast_signed() => _,
                a = out(xmm_reg) _, b = out(xmm_reg) _, c = out(xmm_reg) _, d = out(xmm_reg) _,
                options(nostack),
            );
        }
    }

    /// With AVX's.
    ///
    /// # Safety
    /// As [`copy`]; the processor has AVX.
    #[inline(always)]
    unsafe fn wide(to: *mut u8, from: *const u8, length: usize) {
        // SAFETY: as above.
        unsafe {
            std::arch::asm!(
                "2:",
                "vmovdqu ymm0, ymmword ptr [{from} + {i}]",
                "vmovdqu ymm1, ymmword ptr [{from} + {i} + 32]",
                "vmovdqu ymmword ptr [{to} + {i}], ymm0",
                "vmovdqu ymmword ptr [{to} + {i} + 32], ymm1",
                "add {i}, 64",
                "jnz 2b",
                "vzeroupper",
                from = in(reg) from.wrapping_add(length),
                to = in(reg) to.wrapping_add(length),
                i = inout(reg) -length.cast_signed() => _,
                // vzeroupper clears the upper halves of all of them.
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                options(nostack),
            );
        }
    }
}

/// Where there is no assembly.
#[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
mod bulk {
    use super::{MaybeUninit, Word, WriteWord};

    #[inline(always)]
    pub(super) fn store(_words: &[WriteWord], _bytes: &[u8]) -> usize {
        0
    }

    #[inline(always)]
    pub(super) fn load(_words: &[Word], _bytes: &mut [MaybeUninit<u8>]) -> usize {
        0
    }
}

/// The copies alone, for the report to hold against memcpy. No part of the interface.
#[doc(hidden)]
pub struct Alone<T> {
    slot: Memory<WriteWord>,
    reader: Memory<Word>,
    message: std::marker::PhantomData<T>,
}

impl<T: FromBytes + IntoBytes + Immutable> Default for Alone<T> {
    fn default() -> Self {
        let slot = Memory::heap(slot_words(size_of::<T>()));
        Alone { reader: slot.reader(), slot, message: std::marker::PhantomData }
    }
}

impl<T: FromBytes + IntoBytes + Immutable> Alone<T> {
    /// Into a slot.
    #[inline(always)]
    pub fn store(&self, message: &T) {
        store(&self.slot[1..], message);
    }

    /// Out of it.
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
    fn every_length_and_tail_comes_back() {
        there_and_back::<1>();
        there_and_back::<7>();
        there_and_back::<8>();
        there_and_back::<9>();
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

    /// The assembly and the words copy the same bytes, and not one beyond, for every length.
    #[test]
    fn both_ways_to_copy_agree() {
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

//! Shared memory as 8-byte words: a memfd that both sides map and reach only through atomic loads and stores.
#![allow(unsafe_code)] // Words inside a mapping are reached through raw pointers.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{Advice, MmapOptions, MmapRaw};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

/// Bytes of a cache line.
pub const LINE: usize = 64;

/// Words per cache line.
pub const WORDS_PER_LINE: usize = LINE / 8;

/// Shared memory in a memfd. The kernel frees it with the last descriptor and mapping, so a crash leaves nothing
/// behind.
#[derive(Debug)]
pub struct Memory {
    file: File,
    words: usize,
}

impl Memory {
    /// New memory of `words` words, all zero.
    ///
    /// # Errors
    /// The kernel's, from creating or growing the memfd.
    pub fn new(words: usize) -> io::Result<Self> {
        let file = File::from(memfd_create("feed-ring-report", MemfdFlags::CLOEXEC)?);
        ftruncate(&file, words as u64 * 8)?;
        Ok(Self { file, words })
    }

    /// Memory that another process made, of `words` words.
    pub fn existing(file: File, words: usize) -> Self {
        Self { file, words }
    }

    /// Maps the memory read-write. All pages are present afterwards.
    ///
    /// # Errors
    /// The kernel's, from mapping or from populating the pages.
    pub fn read_write(&self) -> io::Result<Words> {
        let map = MmapOptions::new().len(self.words * 8).map_raw(&self.file)?;
        map.advise(Advice::PopulateWrite)?;
        Ok(Words { map, words: self.words })
    }

    /// Maps the memory read-write, with a protection key that denies this thread to write. All pages are present
    /// afterwards.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] if the processor or the kernel has no protection keys; else the kernel's.
    pub fn read_write_denied(&self) -> io::Result<Words> {
        const DENY_WRITE: libc::c_ulong = 2;
        // SAFETY: takes no pointers.
        let key = unsafe { libc::syscall(libc::SYS_pkey_alloc, 0 as libc::c_ulong, DENY_WRITE) };
        if key < 0 {
            let reason = format!("no protection keys (pku): {}", io::Error::last_os_error());
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
        }
        let words = self.read_write()?;
        let (start, length) = (words.map.as_mut_ptr(), words.words * 8);
        // SAFETY: only changes the protection of this process's own mapping, and the new protection allows loads.
        let status =
            unsafe { libc::syscall(libc::SYS_pkey_mprotect, start, length, libc::PROT_READ | libc::PROT_WRITE, key) };
        if status == 0 { Ok(words) } else { Err(io::Error::last_os_error()) }
    }

    /// Maps the memory read-only. All pages are present afterwards.
    ///
    /// # Errors
    /// The kernel's, from mapping or from populating the pages.
    pub fn read_only(&self) -> io::Result<ReadOnlyWords> {
        let map = MmapOptions::new().len(self.words * 8).map_raw_read_only(&self.file)?;
        map.advise(Advice::PopulateRead)?;
        Ok(ReadOnlyWords { map, words: self.words })
    }
}

impl AsFd for Memory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A mapping whose words can be loaded.
pub trait Load {
    /// The word at `index`.
    ///
    /// # Panics
    /// `index` lies outside the mapping.
    fn load(&self, index: usize, order: Ordering) -> u64;
}

/// A read-write mapping.
#[derive(Debug)]
pub struct Words {
    map: MmapRaw,
    words: usize,
}

impl Words {
    /// The word at `index`.
    ///
    /// # Panics
    /// `index` lies outside the mapping.
    #[inline(always)]
    pub fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.words);
        // SAFETY: the offset is within the mapping, as just asserted.
        let word = unsafe { self.map.as_mut_ptr().cast::<u64>().add(index) };
        // SAFETY: words of a page are aligned. The mapping is writable and lives as long as `self`. All access to the
        // words is atomic: this type and `ReadOnlyWords` offer nothing else.
        unsafe { AtomicU64::from_ptr(word) }
    }
}

impl Load for Words {
    #[inline(always)]
    fn load(&self, index: usize, order: Ordering) -> u64 {
        self.word(index).load(order)
    }
}

/// A read-only mapping.
#[derive(Debug)]
pub struct ReadOnlyWords {
    map: MmapRaw,
    words: usize,
}

impl Load for ReadOnlyWords {
    #[inline(always)]
    fn load(&self, index: usize, order: Ordering) -> u64 {
        assert!(index < self.words);
        // SAFETY: the offset is within the mapping, as just asserted.
        let word = unsafe { self.map.as_ptr().cast::<AtomicU64>().add(index) };
        // SAFETY: aligned, alive as long as `self`, and only loaded. std allows relaxed loads of read-only memory.
        let value = unsafe { &*word }.load(Ordering::Relaxed);
        if order != Ordering::Relaxed {
            std::sync::atomic::fence(order);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_through_one_mapping_are_seen_through_the_other() {
        let memory = Memory::new(1024).unwrap();
        let (words, view) = (memory.read_write().unwrap(), memory.read_only().unwrap());
        words.word(1023).store(7, Ordering::Release);
        assert_eq!(view.load(1023, Ordering::Acquire), 7);
        assert_eq!(words.load(0, Ordering::Acquire), 0);
    }

    #[test]
    #[should_panic(expected = "index < self.words")]
    fn words_outside_are_refused() {
        let _ = Memory::new(8).unwrap().read_write().unwrap().word(8);
    }
}

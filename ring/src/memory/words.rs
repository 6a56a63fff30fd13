//! Memory as a slice of words, in a mapped file or on the heap.
//!
//! Other processes may write the memory at any time. So this file makes references to words only, which are atomics,
//! and never a `&[u8]` or a `&T`.
#![allow(unsafe_code)] // a slice over a mapping that this file maps and unmaps; words without bounds checks

use std::ffi::c_void;
use std::io;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::Arc;

use memmap2::{Advice, MmapOptions, MmapRaw};
use rustix::mm::{MapFlags, ProtFlags, mmap};

use super::creator::CreatorPid;
use super::guard::Guarded;
use super::mapping::Mapping;
use crate::sync::{MAPPABLE, Word, WriteWord};

enum Backing {
    Map(Mapped),
    Heap(Box<[WriteWord]>),
}

/// A mapping and its entry in the guard's table. The entry is freed before the mapping.
struct Mapped {
    guarded: Option<Guarded>,
    /// The whole mapping. It is larger than the file if the file had to begin on a boundary; the file begins at
    /// `offset`.
    map: ManuallyDrop<MmapRaw>,
    creator: CreatorPid,
    offset: usize,
    bytes: usize,
    for_huge_pages: bool,
}

impl Drop for Mapped {
    fn drop(&mut self) {
        drop(self.guarded.take());
        // A forked child lacks the mapping. Unmapping there could hit a mapping of its own at the same addresses.
        if self.creator.is_this() {
            // SAFETY: this is the only drop of `map`, and nothing uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.map) };
        }
    }
}

impl Mapped {
    fn span(&self) -> Span {
        let start = self.map.as_mut_ptr().wrapping_add(self.offset).cast();
        Span { start, bytes: self.bytes, for_huge_pages: self.for_huge_pages }
    }
}

/// The addresses at which a file is mapped.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: *mut c_void,
    pub(crate) bytes: usize,
    /// Whether it begins on a boundary for huge pages.
    pub(crate) for_huge_pages: bool,
}

/// A slice of words that keeps its address as long as any handle lives. `W` is [`Word`] (loads) or [`WriteWord`]
/// (stores too).
pub(crate) struct Memory<W> {
    words: NonNull<[W]>,
    backing: Arc<Backing>,
}

// SAFETY: words are atomics, and any thread may drop the last handle and free the backing.
unsafe impl<W: Send + Sync> Send for Memory<W> {}
// SAFETY: a shared handle gives out nothing but `&[W]`, and `W` is `Sync`.
unsafe impl<W: Send + Sync> Sync for Memory<W> {}

impl Memory<WriteWord> {
    /// Zeroed heap memory on a boundary of 128 bytes. Without the boundary a slot would not begin on a cache line.
    pub(crate) fn heap(words: usize) -> Self {
        const BOUNDARY: usize = 128;
        // Models need no boundary, and each spare word would cost them time.
        let spare = if MAPPABLE { BOUNDARY / size_of::<u64>() } else { 0 };
        let backing = Arc::new(Backing::Heap((0..words + spare).map(|_| WriteWord::new(0)).collect()));
        let Backing::Heap(all) = &*backing else { unreachable!("it was made a line ago") };
        let skip = (all.as_ptr().addr().wrapping_neg() % BOUNDARY / size_of::<u64>()).min(spare);
        let words = NonNull::from(&all[skip..skip + words]);
        Memory { words, backing }
    }

    /// Maps the first `bytes` of a file for reading and writing.
    pub(crate) fn map_writable(file: impl AsFd, bytes: usize) -> io::Result<Self> {
        Self::map_writable_on(file, bytes, None)
    }

    /// [`map_writable`](Self::map_writable) at a multiple of `boundary`, if one is given.
    pub(crate) fn map_writable_on(file: impl AsFd, bytes: usize, boundary: Option<usize>) -> io::Result<Self> {
        if let Some(boundary) = boundary {
            return Self::map_on_boundary(file.as_fd(), bytes, boundary, Mapping::ReadWrite);
        }
        let map = MmapOptions::new().len(bytes).map_raw(&file.as_fd())?;
        let start = map.as_mut_ptr().cast();
        Self::from_map(map, Span { start, bytes, for_huge_pages: false }, Mapping::ReadWrite)
    }

    /// Another handle to the same memory, for loads only.
    pub(crate) fn reader(&self) -> Memory<Word> {
        let words: *const [Word] = self.words.as_ptr() as *const [Word]; // repr(transparent)
        // SAFETY: the pointer comes from a NonNull.
        let words = unsafe { NonNull::new_unchecked(words.cast_mut()) };
        Memory { words, backing: Arc::clone(&self.backing) }
    }
}

impl Memory<Word> {
    /// Maps the first `bytes` of a file read-only. A write through it raises SIGSEGV.
    pub(crate) fn map_read_only(file: impl AsFd, bytes: usize) -> io::Result<Self> {
        Self::map(file, bytes, Mapping::ReadOnly, None)
    }

    /// Maps the first `bytes` of a file for loads, through pages of the given kind, at a multiple of `boundary` if one
    /// is given.
    pub(crate) fn map(file: impl AsFd, bytes: usize, mapping: Mapping, boundary: Option<usize>) -> io::Result<Self> {
        match (mapping, boundary) {
            (Mapping::ReadWrite, _) => {
                Memory::<WriteWord>::map_writable_on(file, bytes, boundary).map(|memory| memory.reader())
            }
            (Mapping::ReadOnly, Some(boundary)) => {
                Self::map_on_boundary(file.as_fd(), bytes, boundary, Mapping::ReadOnly)
            }
            (Mapping::ReadOnly, None) => {
                let map = MmapOptions::new().len(bytes).map_raw_read_only(&file.as_fd())?;
                let start = map.as_mut_ptr().cast();
                Self::from_map(map, Span { start, bytes, for_huge_pages: false }, Mapping::ReadOnly)
            }
        }
    }

    /// Whether the file was cut short, to any length. Loads the last word of the mapping first: without that load the
    /// guard would not notice, because nothing else may ever touch the missing pages.
    pub(crate) fn look_if_cut_short(&self) -> bool {
        if let (Backing::Map(_), Some(last)) = (&*self.backing, self.last()) {
            last.load();
        }
        self.is_cut_short()
    }
}

impl<W> Memory<W> {
    /// Maps a file at a multiple of `boundary`, within a larger reservation of addresses. The kernel itself chooses
    /// such an address only if the file system was mounted for huge pages.
    fn map_on_boundary(file: BorrowedFd<'_>, bytes: usize, boundary: usize, mapping: Mapping) -> io::Result<Self> {
        let whole = bytes.checked_add(boundary).ok_or(io::ErrorKind::OutOfMemory)?;
        // Nobody touches the reservation. The part beside the file stays empty and is unmapped with the rest.
        let reservation = MmapOptions::new().len(whole).no_reserve_swap().map_anon()?.make_read_only()?;
        let reservation = MmapRaw::from(reservation);
        let first = reservation.as_mut_ptr();
        let skip = first.addr().wrapping_neg() % boundary;
        let protection = match mapping {
            Mapping::ReadOnly => ProtFlags::READ,
            Mapping::ReadWrite => ProtFlags::READ | ProtFlags::WRITE,
        };
        let start = first.wrapping_add(skip).cast();
        // SAFETY: skip < boundary, so the file replaces only pages of the reservation, to which no reference exists.
        let start = unsafe { mmap(start, bytes, protection, MapFlags::SHARED | MapFlags::FIXED, file, 0) }?;
        Self::from_map(reservation, Span { start, bytes, for_huge_pages: true }, mapping)
    }

    /// A mapping as words. An access beyond the end of a truncated file raises SIGBUS, so the mapping is registered
    /// with the [`guard`](crate::guard) before its first use.
    fn from_map(map: MmapRaw, span: Span, mapping: Mapping) -> io::Result<Self> {
        if !MAPPABLE {
            panic!("loom's atomics cannot lie over mapped memory: use in_process");
        }
        let Span { start, bytes, .. } = span;
        // On x86 an atomic across two cache lines works without an error, and is torn. Checked in release builds too.
        assert!(start.cast::<u64>().is_aligned() && bytes.is_multiple_of(8), "a mapping of whole, aligned words");
        // A forked child must not publish beside its parent. A kernel without this advice does not prevent it.
        let _ = map.advise(Advice::DontFork);
        let words = NonNull::slice_from_raw_parts(
            NonNull::new(start).expect("a mapping is never at address 0").cast::<W>(),
            bytes / size_of::<u64>(),
        );
        let guarded = Guarded::register(start.addr(), bytes, mapping);
        let offset = start.addr() - map.as_ptr().addr();
        let mapped = Mapped {
            guarded,
            map: ManuallyDrop::new(map),
            creator: CreatorPid::this(),
            offset,
            bytes,
            for_huge_pages: span.for_huge_pages,
        };
        Ok(Memory { words, backing: Arc::new(Backing::Map(mapped)) })
    }

    /// Brings every page into memory, so that the hot path has no page faults. Unlike `MAP_POPULATE` it reports
    /// failure. Does nothing where the kernel does not take the advice: before Linux 5.14, and under a filter of system
    /// calls. The first touch of each page is slower then; it cannot fail, because the memory is reserved.
    pub(crate) fn prefault(&self, advice: Advice) -> io::Result<()> {
        match &*self.backing {
            Backing::Heap(_) => Ok(()),
            Backing::Map(Mapped { map, offset, bytes, .. }) => match map.advise_range(advice, *offset, *bytes) {
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EPERM | libc::ENOSYS)) => Ok(()),
                result => result,
            },
        }
    }

    /// The addresses of the mapped file. `None` for memory on the heap.
    pub(crate) fn span(&self) -> Option<Span> {
        match &*self.backing {
            Backing::Heap(_) => None,
            Backing::Map(mapped) => Some(mapped.span()),
        }
    }

    /// Whether the guard replaced this mapping by zeros because its file was cut short.
    pub(crate) fn is_cut_short(&self) -> bool {
        match &*self.backing {
            Backing::Heap(_) => false,
            Backing::Map(Mapped { guarded, .. }) => guarded.as_ref().is_some_and(Guarded::is_cut_short),
        }
    }
}

impl<W> Clone for Memory<W> {
    fn clone(&self) -> Self {
        Memory { words: self.words, backing: Arc::clone(&self.backing) }
    }
}

impl<W> Deref for Memory<W> {
    type Target = [W];

    #[inline(always)]
    fn deref(&self) -> &[W] {
        // SAFETY: `words` lies within `backing`, which lives as long as `self`.
        unsafe { self.words.as_ref() }
    }
}

/// One word of a memory, with its bounds checked once. Keeps the memory alive.
pub(crate) struct Pinned<W> {
    word: NonNull<W>,
    // Owns the memory that `word` points into.
    memory: Memory<W>,
}

// SAFETY: as for Memory; the word is one of its words.
unsafe impl<W: Send + Sync> Send for Pinned<W> {}
// SAFETY: as for Memory; a shared handle gives out only `&W`, and `W` is `Sync`.
unsafe impl<W: Send + Sync> Sync for Pinned<W> {}

impl<W> Pinned<W> {
    /// The word at `index`.
    ///
    /// # Panics
    /// If `index` is out of bounds.
    pub(crate) fn new(memory: &Memory<W>, index: usize) -> Self {
        Pinned { word: NonNull::from(&memory[index]), memory: memory.clone() }
    }
}

impl<W> Pinned<W> {
    /// The memory that contains the word.
    pub(crate) fn memory(&self) -> &Memory<W> {
        &self.memory
    }
}

impl<W> Clone for Pinned<W> {
    fn clone(&self) -> Self {
        Pinned { word: self.word, memory: self.memory.clone() }
    }
}

impl<W> Deref for Pinned<W> {
    type Target = W;

    #[inline(always)]
    fn deref(&self) -> &W {
        // SAFETY: the word lies in `memory`, which lives as long as `self`.
        unsafe { self.word.as_ref() }
    }
}

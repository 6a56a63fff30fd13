//! Memory as a slice of words: a mapped file, or the heap, behind one type.
//!
//! Nothing here ever makes a `&[u8]` or a `&T` over memory that another process may write: only words, which are atomics.
#![allow(unsafe_code)] // a slice over a mapping, which is unmapped where it is mapped; slots without bounds checks

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

/// A mapping, and its place in the guard's table, which is given up before the mapping is.
struct Mapped {
    guarded: Option<Guarded>,
    /// Larger than the file, which lies at `offset`, where that had to begin on a boundary.
    map: ManuallyDrop<MmapRaw>,
    creator: CreatorPid,
    offset: usize,
    bytes: usize,
    for_huge_pages: bool,
}

impl Drop for Mapped {
    fn drop(&mut self) {
        drop(self.guarded.take());
        // A forked child has not got the mapping; by now something of its own may lie at those addresses.
        if self.creator.is_this() {
            // SAFETY: it is dropped here and nowhere else, and not used afterwards.
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

/// Which addresses a file is mapped at.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: *mut c_void,
    pub(crate) bytes: usize,
    /// Whether it was mapped so that huge pages can lie there.
    pub(crate) for_huge_pages: bool,
}

/// A slice of words that stays where it is for as long as any handle to it lives. `W` says what may be done to them.
pub(crate) struct Memory<W> {
    words: NonNull<[W]>,
    backing: Arc<Backing>,
}

// SAFETY: words are atomics, and the backing is freed by whichever thread drops the last handle.
unsafe impl<W: Send + Sync> Send for Memory<W> {}
// SAFETY: a shared handle gives out nothing but `&[W]`, and `W` is `Sync`.
unsafe impl<W: Send + Sync> Sync for Memory<W> {}

impl Memory<WriteWord> {
    /// Zeroed heap memory, on a boundary of 128 bytes as a mapping would be: lines are lines only there.
    pub(crate) fn heap(words: usize) -> Self {
        const BOUNDARY: usize = 128;
        // Loom's words are larger, cost time each, and lie nowhere in particular.
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

    /// The same, beginning on a boundary for huge pages, if there is to be one.
    pub(crate) fn map_writable_on(file: impl AsFd, bytes: usize, boundary: Option<usize>) -> io::Result<Self> {
        if let Some(boundary) = boundary {
            return Self::on_boundary(file.as_fd(), bytes, boundary, Mapping::ReadWrite);
        }
        let map = MmapOptions::new().len(bytes).map_raw(&file.as_fd())?;
        let start = map.as_mut_ptr().cast();
        Self::over(map, Span { start, bytes, for_huge_pages: false }, Mapping::ReadWrite)
    }

    /// The same memory for reading.
    pub(crate) fn reader(&self) -> Memory<Word> {
        let words: *const [Word] = self.words.as_ptr() as *const [Word]; // repr(transparent)
        // SAFETY: the pointer comes from a NonNull.
        let words = unsafe { NonNull::new_unchecked(words.cast_mut()) };
        Memory { words, backing: Arc::clone(&self.backing) }
    }
}

impl Memory<Word> {
    /// Maps the first `bytes` of a file read-only: a write through it would be a segmentation fault.
    pub(crate) fn map_read_only(file: impl AsFd, bytes: usize) -> io::Result<Self> {
        Self::map(file, bytes, Mapping::ReadOnly, None)
    }

    /// Maps the first `bytes` of a file for reading, through pages of the wanted kind, beginning on a boundary for huge
    /// pages if there is one.
    pub(crate) fn map(file: impl AsFd, bytes: usize, mapping: Mapping, boundary: Option<usize>) -> io::Result<Self> {
        match (mapping, boundary) {
            (Mapping::ReadWrite, _) => {
                Memory::<WriteWord>::map_writable_on(file, bytes, boundary).map(|memory| memory.reader())
            }
            (Mapping::ReadOnly, Some(boundary)) => Self::on_boundary(file.as_fd(), bytes, boundary, Mapping::ReadOnly),
            (Mapping::ReadOnly, None) => {
                let map = MmapOptions::new().len(bytes).map_raw_read_only(&file.as_fd())?;
                let start = map.as_mut_ptr().cast();
                Self::over(map, Span { start, bytes, for_huge_pages: false }, Mapping::ReadOnly)
            }
        }
    }

    /// Whether the file was cut short, to whatever length: looks at the last word of the mapping, so that the guard
    /// learns of it even where nothing else would touch what is gone.
    pub(crate) fn look_if_cut_short(&self) -> bool {
        if let (Backing::Map(_), Some(last)) = (&*self.backing, self.last()) {
            last.load();
        }
        self.is_cut_short()
    }
}

impl<W> Memory<W> {
    /// Maps a file in the middle of a reservation of addresses, so that it begins on a boundary: the kernel itself does that
    /// only where the file system was told to use huge pages.
    fn on_boundary(file: BorrowedFd<'_>, bytes: usize, boundary: usize, mapping: Mapping) -> io::Result<Self> {
        let whole = bytes.checked_add(boundary).ok_or(io::ErrorKind::OutOfMemory)?;
        // Nothing is ever touched of it; what is not covered stays empty until it is unmapped with the rest.
        let reservation = MmapOptions::new().len(whole).no_reserve_swap().map_anon()?.make_read_only()?;
        let reservation = MmapRaw::from(reservation);
        let first = reservation.as_mut_ptr();
        let skip = first.addr().wrapping_neg() % boundary;
        let protection = match mapping {
            Mapping::ReadOnly => ProtFlags::READ,
            Mapping::ReadWrite => ProtFlags::READ | ProtFlags::WRITE,
        };
        let start = first.wrapping_add(skip).cast();
        // SAFETY: skip < boundary, so that all of it replaces pages of the reservation, which nobody else has seen.
        let start = unsafe { mmap(start, bytes, protection, MapFlags::SHARED | MapFlags::FIXED, file, 0) }?;
        Self::over(reservation, Span { start, bytes, for_huge_pages: true }, mapping)
    }

    /// The kernel's mapping as words. A truncated file raises SIGBUS at the access, as every mapping does: see
    /// [`guard`](crate::guard), which knows of this one before it is first used.
    fn over(map: MmapRaw, span: Span, mapping: Mapping) -> io::Result<Self> {
        if !MAPPABLE {
            panic!("loom's atomics cannot lie over mapped memory: use in_process");
        }
        let Span { start, bytes, .. } = span;
        // An atomic at an odd address silently works on x86, and tears: this is the incident, so it is checked in
        // release builds too.
        assert!(start.cast::<u64>().is_aligned() && bytes.is_multiple_of(8), "a mapping of whole, aligned words");
        // A forked child must not go on publishing beside its parent. Kernels without the advice only lose that.
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

    /// Brings every page into memory now, for writing or for reading, so that none is first touched on the hot path;
    /// unlike `MAP_POPULATE` it says when that fails. Kernels before 5.14 do not know the advice and prefault nothing.
    pub(crate) fn prefault(&self, advice: Advice) -> io::Result<()> {
        match &*self.backing {
            Backing::Heap(_) => Ok(()),
            Backing::Map(Mapped { map, offset, bytes, .. }) => match map.advise_range(advice, *offset, *bytes) {
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
                result => result,
            },
        }
    }

    /// Where the file is mapped; `None` for memory on the heap.
    pub(crate) fn span(&self) -> Option<Span> {
        match &*self.backing {
            Backing::Heap(_) => None,
            Backing::Map(mapped) => Some(mapped.span()),
        }
    }

    /// Whether the guard put zeros in place of this mapping, because its file was cut short.
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
        // SAFETY: `words` lies in `backing`, which lives as long as `self`; its length was checked when it was made.
        unsafe { self.words.as_ref() }
    }
}

/// One word of a memory, found once.
pub(crate) struct Pinned<W> {
    word: NonNull<W>,
    // Keeps the memory that `word` points into.
    memory: Memory<W>,
}

// SAFETY: as Memory; the word is one of its words.
unsafe impl<W: Send + Sync> Send for Pinned<W> {}
// SAFETY: as Memory; a shared handle gives out nothing but `&W`.
unsafe impl<W: Send + Sync> Sync for Pinned<W> {}

impl<W> Pinned<W> {
    /// The word at `index`.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn new(memory: &Memory<W>, index: usize) -> Self {
        Pinned { word: NonNull::from(&memory[index]), memory: memory.clone() }
    }
}

impl<W> Pinned<W> {
    /// The memory that the word is part of.
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
        // SAFETY: the word lies in the memory, which lives as long as `self`.
        unsafe { self.word.as_ref() }
    }
}

//! The incident on this processor. One process stores eight bytes at an offset, another loads them, each with one
//! instruction, and values that nobody stored are counted. Then the same values go through the ring.
//!
//! The instruction is written in assembly, because a racing plain access would be undefined behaviour, and a compiler
//! may split or merge it. Two traps: the segment is zeroed before each offset, because bytes left from the offset
//! before look torn. And an offset at which nothing is torn within a second may still tear: this is a demonstration,
//! the models are the proof.
#![allow(unsafe_code)] // a mapping, and the misaligned instruction itself

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use feed_ring::{Join, Publisher, Subscriber, TryRecvError, WaitStrategy};
use rustix::fs::{Mode, OFlags};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The one value.
pub const ONE: u64 = 0x1111_1111_1111_1111;
/// The other.
pub const OTHER: u64 = 0x2222_2222_2222_2222;

/// Whether this build has the instruction.
pub const HERE: bool = cfg!(all(target_arch = "x86_64", not(miri)));

/// Bytes of the segment: two pages for the word, one with which the two processes agree.
const BYTES: usize = 3 * 4096;
/// The reader's request: the offset to store at, plus one; 0 to rest; [`STOP`] to end.
const ASKED: usize = 2 * 4096;
/// What the writer does now, in the same encoding.
const DOING: usize = ASKED + 128;
const STOP: u64 = u64::MAX;

/// What was counted at one offset, or through the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Number of loads, or messages.
    pub reads: u64,
    /// Number of these with a value that nobody stored.
    pub torn: u64,
    /// The first such value.
    pub example: Option<u64>,
}

impl Count {
    fn add(&mut self, value: u64, fine: bool) {
        self.reads += 1;
        if !fine {
            self.torn += 1;
            self.example.get_or_insert(value);
        }
    }
}

/// A file in `/dev/shm` that never has a name, so that nothing remains of it in any case.
///
/// # Errors
/// If the kernel refuses.
pub fn nameless() -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = rustix::fs::open("/dev/shm", flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::ftruncate(&file, BYTES as u64)?;
    Ok(file.into())
}

/// The segment, mapped.
pub struct Segment(NonNull<u8>);

impl Segment {
    /// Maps a file of [`nameless`].
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn map(file: impl AsFd) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let start = unsafe { mmap(std::ptr::null_mut(), BYTES, protection, MapFlags::SHARED, file, 0) }?;
        Ok(Segment(NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?))
    }

    fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset <= BYTES - 8, "eight bytes within the segment");
        // SAFETY: the eight bytes from there lie within the mapping.
        unsafe { self.0.as_ptr().add(offset) }
    }

    /// One load of eight bytes at any address.
    fn load(&self, offset: usize) -> u64 {
        load(self.at(offset))
    }

    /// One store of eight bytes at any address.
    fn store(&self, offset: usize, value: u64) {
        store(self.at(offset), value);
    }

    /// Counts for `time` the values loaded at `offset` while another process stores there. If none was torn by then,
    /// goes on until `patience`. Also returns how long it took.
    pub fn watch(&self, offset: usize, time: Duration, patience: Duration) -> (Count, Duration) {
        (0..ASKED).step_by(8).for_each(|offset| self.store(offset, 0));
        self.ask(offset as u64 + 1);
        let (begun, mut count) = (Instant::now(), Count::default());
        let mut elapsed = Duration::ZERO;
        while elapsed < if count.torn == 0 { patience.max(time) } else { time } {
            for _ in 0..1000 {
                let value = self.load(offset);
                count.add(value, [0, ONE, OTHER].contains(&value));
            }
            elapsed = begun.elapsed();
        }
        self.ask(0);
        (count, elapsed)
    }

    /// Makes the writer end.
    pub fn stop(&self) {
        self.store(ASKED, STOP);
    }

    fn ask(&self, what: u64) {
        self.store(ASKED, what);
        while self.load(DOING) != what {
            std::thread::yield_now();
        }
    }

    /// The writer: stores the two values in turn at the requested offset, until it is told to stop.
    pub fn serve(&self) {
        loop {
            let asked = self.load(ASKED);
            self.store(DOING, asked);
            match asked {
                STOP => return,
                0 => std::thread::yield_now(),
                offset => {
                    for _ in 0..1000 {
                        self.store(offset as usize - 1, ONE);
                        self.store(offset as usize - 1, OTHER);
                    }
                }
            }
        }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `map`, and nothing refers to it any more.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), BYTES) };
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
fn load(at: *const u8) -> u64 {
    let value;
    // SAFETY: the eight bytes from `at` are mapped; the compiler does not see into the load.
    unsafe { std::arch::asm!("mov {}, qword ptr [{}]", out(reg) value, in(reg) at, options(nostack, preserves_flags)) };
    value
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
fn store(at: *mut u8, value: u64) {
    // SAFETY: the eight bytes from `at` are mapped writable; the compiler does not see into the store.
    unsafe { std::arch::asm!("mov qword ptr [{}], {}", in(reg) at, in(reg) value, options(nostack, preserves_flags)) };
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn load(_: *const u8) -> u64 {
    unreachable!("callers ask HERE first")
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn store(_: *mut u8, _: u64) {
    unreachable!("callers ask HERE first")
}

/// A message: seven words of one value, which is by turns [`ONE`] and [`OTHER`].
type Message = [u64; 7];

fn message(sequence: u64) -> Message {
    [if sequence.is_multiple_of(2) { ONE } else { OTHER }; 7]
}

/// The name of the ring.
const NAME: &str = "torn-read";

/// Publishes these messages on a ring of 4 slots under `root` until `stop` is true. Bursts of 1 to 8 messages alternate
/// with pauses, both of random length. A burst overwrites slots while the subscriber copies them; in a pause the
/// subscriber catches up, so that it receives messages at all.
///
/// # Errors
/// If the ring cannot be made.
pub fn publish(root: &Path, stop: impl Fn() -> bool) -> Result<(), Box<dyn std::error::Error>> {
    let mut publisher = Publisher::<Message>::options(NAME).capacity(4).root(root).create()?;
    let mut random = ONE;
    while !stop() {
        for _ in 0..200 {
            // A step of xorshift64.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            for _ in 0..=random % 8 {
                publisher.publish(&message(publisher.published()));
            }
            (0..(random >> 32) % 64).for_each(|_| std::hint::spin_loop());
        }
    }
    Ok(publisher.close()?)
}

/// Receives messages for `time`. If they are fewer than `enough` by then, goes on until `patience`. Counts the received
/// messages, those that differ from what was published under their number, and those lost.
///
/// # Errors
/// If the ring cannot be opened, or ends.
pub fn subscribe(
    root: &Path,
    time: Duration,
    patience: Duration,
    enough: u64,
) -> Result<(Count, u64), Box<dyn std::error::Error>> {
    let options = Subscriber::<Message>::options(NAME).root(root).join(Join::Oldest).wait(WaitStrategy::Spin);
    let mut subscriber = options.open_timeout(Duration::from_secs(20)).open()?;
    let (begun, mut count) = (Instant::now(), Count::default());
    while begun.elapsed() < if count.reads < enough { patience.max(time) } else { time } {
        for _ in 0..1000 {
            match subscriber.try_recv() {
                Ok(received) => {
                    let expected = message(subscriber.sequence() - 1);
                    let wrong = received.iter().find(|&&word| word != expected[0]);
                    count.add(wrong.copied().unwrap_or_default(), wrong.is_none());
                }
                Err(TryRecvError::Empty) => std::hint::spin_loop(),
                Err(TryRecvError::Lagged { .. }) => {}
                Err(end) => return Err(end.into()),
            }
        }
    }
    let all = subscriber.first() + subscriber.received() + subscriber.lost() + subscriber.skipped();
    assert_eq!(all, subscriber.sequence(), "conservation");
    Ok((count, subscriber.lost()))
}

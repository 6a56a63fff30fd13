//! The attacks, each in a process of its own. They end when their publisher's process does.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, bail};
use feed_ring::WaitStrategy;
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, fcntl_lock};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use rustix::thread::{MembarrierCommand, membarrier};

use super::case::{Attack, Case, Place};
use super::reader::Reader;
use crate::sys::words::Memory;

/// The index of the word in a control file that sleepers set: `control::SLEEPERS` of the ring's layout.
const SLEEPERS: usize = 16;

/// Attacks for as long as the process lives.
///
/// # Errors
/// The attack cannot be made.
pub fn run(case: &Case, directory: &Path) -> anyhow::Result<()> {
    end_with_parent();
    let attack = |wait| Reader::open(case, directory, wait);
    match case.attack {
        Attack::Counting => {
            ready()?;
            let mut count = 0u64;
            loop {
                count = std::hint::black_box(count.wrapping_add(1));
            }
        }
        Attack::Spinning => follow(attack(WaitStrategy::Spin)?),
        Attack::Sleeping => follow(attack(WaitStrategy::Block)?),
        Attack::Sleepers => {
            let readers = (0..100).map(|_| attack(WaitStrategy::Block)).collect::<Result<Vec<_>, _>>()?;
            let threads: Vec<_> = readers.into_iter().map(|reader| std::thread::spawn(|| follow(reader))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
        }
        Attack::Flag => {
            let file = control(case, directory)?;
            let words = file.metadata()?.len() as usize / 8;
            let words = Memory::existing(file, words).read_write()?;
            ready()?;
            loop {
                if words.word(SLEEPERS).load(Ordering::Relaxed) == 0 {
                    words.word(SLEEPERS).store(1, Ordering::Relaxed);
                }
                std::hint::spin_loop();
            }
        }
        Attack::Holes => {
            let file = control(case, directory)?;
            let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let bytes = file.metadata()?.len();
            fallocate(&file, how, 0, bytes).context("punching a hole")?;
            ready()?;
            loop {
                fallocate(&file, how, 0, bytes)?;
            }
        }
        Attack::Truncate => {
            let file = control(case, directory)?;
            let bytes = file.metadata()?.len();
            ready()?;
            loop {
                file.set_len(0)?;
                file.set_len(bytes)?;
            }
        }
        Attack::Locks => {
            let file = control(case, directory)?;
            ready()?;
            loop {
                // Refused while a subscriber holds an entry.
                let _ = fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive);
                let _ = fcntl_lock(&file, FlockOperation::NonBlockingUnlock);
            }
        }
        Attack::Joins => {
            attack(WaitStrategy::Spin)?;
            ready()?;
            loop {
                // Refused when too many of its own former connections are still to be noticed.
                let _ = attack(WaitStrategy::Spin);
            }
        }
        Attack::Membarrier => {
            membarrier(MembarrierCommand::GlobalExpedited)?;
            ready()?;
            loop {
                membarrier(MembarrierCommand::GlobalExpedited)?;
            }
        }
    }
}

/// Tells the publisher that the attack begins.
fn ready() -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(b"attacking\n")?;
    Ok(output.flush()?)
}

/// Ends this process when the publisher's end of standard input is closed, however that comes.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

/// Receives or reads until the ring or the table ends.
fn follow(reader: Reader) -> anyhow::Result<()> {
    ready()?;
    reader.follow();
    Ok(())
}

/// The control file, as a subscriber may open it.
fn control(case: &Case, directory: &Path) -> anyhow::Result<File> {
    if case.place != Place::Sealed {
        let path = directory.join("hostile.ring/control");
        return OpenOptions::new().read(true).write(true).open(&path).with_context(|| path.display().to_string());
    }
    let reader = Reader::open(case, directory, WaitStrategy::Spin)?;
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let is_control = std::fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().contains(" control"));
        if is_control && let Ok(number) = entry.file_name().to_string_lossy().parse() {
            let file: OwnedFd = pidfd_getfd(&this, number, PidfdGetfdFlags::empty())?;
            std::mem::forget(reader); // a client as long as it attacks
            return Ok(file.into());
        }
    }
    bail!("a client of what is sealed without a control file")
}

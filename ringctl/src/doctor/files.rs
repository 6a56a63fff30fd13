//! Checks of what can keep files from being made: inodes, the limit of a file's size, /proc.

use super::check::{Check, Needed, Status};
use super::machine::Machine;
use super::mount::Mount;
use crate::format::{bytes, count};

/// The files of a ring, its directory, and as many again while it replaces another.
const INODES_OF_A_RING: u64 = 10;

/// A ring of the default capacity, when none is planned: 65,536 slots of 64 bytes, and the files beside them.
const USUAL_RING: u64 = (4 << 20) + (136 << 10);

pub(crate) fn check(machine: &Machine, checks: &mut Vec<Check>) {
    checks.extend([inodes(machine), file_size(machine), proc(machine)]);
}

fn inodes(machine: &Machine) -> Check {
    let check = Check::new("inodes of the root", Needed::Rings, "the ring")
        .wanted(format!("at least {INODES_OF_A_RING} free for each ring that is planned"));
    let root = machine.root.display();
    let Ok(room) = rustix::fs::statvfs(&machine.root) else {
        return check.found(Status::Skipped, format!("{root} cannot be asked"));
    };
    match (room.f_files, room.f_favail) {
        (0, _) => check.found(Status::Ok, "as many as files are made"),
        (all, free) => {
            let status = if free < INODES_OF_A_RING { machine.status_without_room() } else { Status::Ok };
            let more = all.saturating_mul(2).max(1024);
            let mount = Mount::of(machine).filter(|mount| mount.kind == "tmpfs");
            let (now, for_good) = match mount {
                Some(Mount { point, .. }) => (
                    format!("mount -o remount,nr_inodes={more} {point}"),
                    format!("nr_inodes={more} among the options of {point} in /etc/fstab"),
                ),
                None => (format!("remove files of {root}, or use --root /dev/shm"), "the same".to_owned()),
            };
            check.found(status, format!("{} free of {}", count(free), count(all))).fix(now, for_good)
        }
    }
}

fn file_size(machine: &Machine) -> Check {
    let needed = machine.need.max(USUAL_RING);
    let check = Check::new("RLIMIT_FSIZE", Needed::Rings, "the ring")
        .wanted(format!("unlimited, or at least {}: a ring's memory is a file", bytes(needed)));
    match machine.limit("Max file size") {
        None => check.found(Status::Skipped, "no limits can be read"),
        Some(u64::MAX) => check.found(Status::Ok, "unlimited"),
        Some(limit) => {
            let status = if limit < needed { machine.status_without_room() } else { Status::Ok };
            check.found(status, bytes(limit)).fix(
                "ulimit -f unlimited (systemd: LimitFSIZE=infinity; Docker: --ulimit fsize=-1)",
                "echo '* - fsize unlimited' >> /etc/security/limits.d/90-feed-ring.conf",
            )
        }
    }
}

fn proc(machine: &Machine) -> Check {
    let check = Check::new("/proc", Needed::Rings, "the ring")
        .wanted("mounted: the publisher of a sealed ring reaches its files through it; rings on disk do without");
    let there = machine.proc_dir("self/fd");
    let (status, found) = if there { (Status::Ok, "mounted") } else { (Status::Warn, "not mounted") };
    check.found(status, found).fix("mount -t proc proc /proc", "echo 'proc /proc proc defaults 0 0' >> /etc/fstab")
}

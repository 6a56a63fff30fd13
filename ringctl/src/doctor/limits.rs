//! Checks of kernel limits on other mechanisms: System V IPC, POSIX queues, pipes. No ring needs them.

use super::check::{Check, Needed, Status};
use super::machine::Machine;

/// A number under /proc/sys with a lower bound: the kernel's present default, or what programs commonly assume.
struct AtLeast {
    what: &'static str,
    path: &'static str,
    by: &'static str,
    wanted: u64,
}

const SHARED: &str = "System V shared memory (shmget)";
const QUEUES: &str = "System V message queues (msgget)";
const POSIX: &str = "POSIX message queues (mq_open)";
const POSIX_DEFAULT: &str = "POSIX message queues (mq_open without attributes)";

const NUMBERS: [AtLeast; 11] = [
    AtLeast { what: "kernel.shmmni", path: "kernel/shmmni", by: SHARED, wanted: 4096 },
    AtLeast { what: "kernel.msgmax", path: "kernel/msgmax", by: QUEUES, wanted: 8192 },
    AtLeast { what: "kernel.msgmnb", path: "kernel/msgmnb", by: QUEUES, wanted: 16_384 },
    AtLeast { what: "kernel.msgmni", path: "kernel/msgmni", by: QUEUES, wanted: 32 },
    AtLeast { what: "fs.mqueue.msg_max", path: "fs/mqueue/msg_max", by: POSIX, wanted: 10 },
    AtLeast { what: "fs.mqueue.msgsize_max", path: "fs/mqueue/msgsize_max", by: POSIX, wanted: 8192 },
    AtLeast { what: "fs.mqueue.msg_default", path: "fs/mqueue/msg_default", by: POSIX_DEFAULT, wanted: 10 },
    AtLeast { what: "fs.mqueue.msgsize_default", path: "fs/mqueue/msgsize_default", by: POSIX_DEFAULT, wanted: 8192 },
    AtLeast { what: "fs.mqueue.queues_max", path: "fs/mqueue/queues_max", by: POSIX, wanted: 256 },
    AtLeast { what: "fs.pipe-max-size", path: "fs/pipe-max-size", by: "pipes (F_SETPIPE_SZ)", wanted: 1 << 20 },
    AtLeast {
        what: "fs.pipe-user-pages-soft",
        path: "fs/pipe-user-pages-soft",
        by: "pipes (beyond it new ones shrink to 8 KiB)",
        wanted: 16_384,
    },
];

pub(crate) fn check(machine: &Machine, checks: &mut Vec<Check>) {
    shared_memory(machine, checks);
    checks.push(semaphores(machine));
    for AtLeast { what, path, by, wanted } in NUMBERS {
        let check = Check::new(what, Needed::Others, by).wanted(format!("at least {wanted}"));
        checks.push(match machine.sysctl(path).as_deref() {
            // For the limit on pipes, 0 means no limit.
            Some([found]) if *found >= wanted || path.ends_with("soft") && *found == 0 => {
                check.found(Status::Ok, found.to_string())
            }
            Some([found]) => check.found(Status::Warn, found.to_string()).fix_sysctl(what, &wanted.to_string()),
            _ => check.found(Status::Skipped, "this kernel does not have it"),
        });
    }
    checks.push(queue_bytes(machine));
}

fn shared_memory(machine: &Machine, checks: &mut Vec<Check>) {
    // A program that holds a ring of this size in one System V segment would ask for this.
    let wanted = machine.need.max(64 << 20);
    let shmmax = machine.sysctl("kernel/shmmax").and_then(|numbers| numbers.first().copied());
    let check = Check::new("kernel.shmmax", Needed::Others, SHARED)
        .wanted(format!("at least {wanted} bytes for one segment; it limits neither /dev/shm nor rings"));
    checks.push(match shmmax {
        None => check.found(Status::Skipped, "this kernel does not have it"),
        Some(found) if found >= wanted => check.found(Status::Ok, found.to_string()),
        Some(found) => check.found(Status::Warn, found.to_string()).fix_sysctl("kernel.shmmax", &wanted.to_string()),
    });

    let page = rustix::param::page_size() as u64;
    let pages = shmmax.unwrap_or(0).max(wanted).div_ceil(page);
    let check = Check::new("kernel.shmall", Needed::Others, SHARED)
        .wanted(format!("at least {pages} pages of {page} bytes, which is shmmax / page size; pages, not bytes"));
    checks.push(match machine.sysctl("kernel/shmall").as_deref() {
        Some([found]) if *found >= pages => check.found(Status::Ok, found.to_string()),
        Some([found]) => check.found(Status::Warn, found.to_string()).fix_sysctl("kernel.shmall", &pages.to_string()),
        _ => check.found(Status::Skipped, "this kernel does not have it"),
    });

    let check = Check::new("kernel.shm_rmid_forced", Needed::Others, SHARED)
        .wanted("0; with 1 a segment goes with the last process that has it attached");
    checks.push(match machine.sysctl("kernel/shm_rmid_forced").as_deref() {
        Some([0]) => check.found(Status::Ok, "0"),
        Some([found]) => check.found(Status::Warn, found.to_string()).fix_sysctl("kernel.shm_rmid_forced", "0"),
        _ => check.found(Status::Skipped, "this kernel does not have it"),
    });
}

fn semaphores(machine: &Machine) -> Check {
    const WANTED: [u64; 4] = [250, 32_000, 100, 128];
    let check = Check::new("kernel.sem", Needed::Others, "System V semaphores (semget)")
        .wanted("at least 250 32000 100 128: of a set, in all, of a call, sets");
    match machine.sysctl("kernel/sem") {
        Some(found) if found.len() == WANTED.len() => {
            let words = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
            let raised: Vec<u64> = found.iter().zip(WANTED).map(|(found, wanted)| wanted.max(*found)).collect();
            let status = if raised == found { Status::Ok } else { Status::Warn };
            check.found(status, words(&found)).fix_sysctl("kernel.sem", &words(&raised))
        }
        _ => check.found(Status::Skipped, "this kernel does not have it"),
    }
}

fn queue_bytes(machine: &Machine) -> Check {
    const WANTED: u64 = 819_200;
    let check = Check::new("RLIMIT_MSGQUEUE", Needed::Others, POSIX).wanted(format!("at least {WANTED} bytes"));
    match machine.limit("Max msgqueue size") {
        None => check.found(Status::Skipped, "no limits can be read"),
        Some(u64::MAX) => check.found(Status::Ok, "unlimited"),
        Some(found) => {
            let status = if found >= WANTED { Status::Ok } else { Status::Warn };
            check.found(status, found.to_string()).fix(
                "ulimit -q unlimited (systemd: LimitMSGQUEUE=infinity)",
                "echo '* - msgqueue unlimited' >> /etc/security/limits.d/90-feed-ring.conf",
            )
        }
    }
}

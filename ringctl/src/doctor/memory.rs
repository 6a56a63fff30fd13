//! Checks of memory: room in the file system and under the cgroup, huge pages, locking, NUMA.

use feed_ring::inspect::memory_headroom;

use super::check::{Check, Needed, Status};
use super::machine::Machine;
use super::mount::Mount;
use crate::format::bytes;

/// The size of /dev/shm in a Docker container unless --shm-size says otherwise.
const DOCKER_DEFAULT: u64 = 64 << 20;

/// What `--lock-memory` locks besides the ring: program, stacks, heap.
const BESIDES_RING: u64 = 64 << 20;

pub(crate) fn check(machine: &Machine, checks: &mut Vec<Check>) {
    let mount = Mount::of(machine);
    let room = rustix::fs::statvfs(&machine.root)
        .map(|room| (room.f_bavail.saturating_mul(room.f_frsize), room.f_blocks.saturating_mul(room.f_frsize)));
    let (mut room, size) = room_in(machine, mount.as_ref(), room.ok());
    let [mut in_root, sealed] = transparent_huge_pages(machine, mount.as_ref());
    if let Some(mount) = mount.as_ref().filter(|mount| mount.kind == "tmpfs") {
        // Both checks give the same line for the mount: two lines would override each other.
        let huge = in_root.now.as_ref().is_some_and(|now| now.contains("remount")).then_some("advise");
        let line = mount.fstab_line(machine, size, huge);
        if let (Some(for_good), Some(size)) = (&mut room.for_good, size) {
            *for_good = format!("{line} (Compose: shm_size: {size}m)");
        }
        if huge.is_some() {
            in_root.for_good = Some(line);
        }
    }
    checks.extend([
        file_system(machine),
        room,
        cgroup(machine),
        locked_memory(machine),
        in_root,
        sealed,
        numa(machine),
    ]);
    checks.push(huge_pages(machine));
}

fn file_system(machine: &Machine) -> Check {
    const TMPFS: u64 = 0x0102_1994;
    const HUGETLBFS: u64 = 0x9584_58f6;
    let check = Check::new("file system of the root", Needed::Rings, "the ring").wanted("tmpfs");
    let root = machine.root.display();
    match rustix::fs::statfs(&machine.root).map(|system| system.f_type as u64) {
        Err(error) => check.found(Status::Fail, format!("{root}: {error}")).fix(
            format!("mkdir -p {root} && mount -t tmpfs tmpfs {root}"),
            format!("echo 'tmpfs {root} tmpfs defaults 0 0' >> /etc/fstab"),
        ),
        Ok(TMPFS) => check.found(Status::Ok, format!("{root} is tmpfs")),
        Ok(HUGETLBFS) => check
            .found(
                Status::Fail,
                format!("{root} is hugetlbfs, whose files are whole huge pages: no ring can be made there"),
            )
            .fix("use --root /dev/shm, with --huge-pages of the publisher", "the same"),
        Ok(_) => check
            .found(Status::Warn, format!("{root} is no memory: the kernel writes rings to disk now and then"))
            .fix("use --root /dev/shm, or publish into a tmpfs", "the same"),
    }
}

/// Checks that the next ring fits; `room` is free and total bytes of the file system. Also returns the size in MiB that
/// the file system should have if it does not.
fn room_in(machine: &Machine, mount: Option<&Mount>, room: Option<(u64, u64)>) -> (Check, Option<u64>) {
    let root = machine.root.display().to_string();
    let check = Check::new("room in the root", Needed::Rings, "the ring").wanted(match machine.need {
        0 => "more than the rings that are planned (say with --need)".to_owned(),
        need => format!("at least {} free, for {}", bytes(need), machine.next_ring()),
    });
    let Some((free, total)) = room else {
        return (check.found(Status::Skipped, format!("{root} cannot be asked")), None);
    };
    let found = format!("{} free of {}", bytes(free), bytes(total));
    let status = if free < machine.need {
        machine.status_without_room()
    } else if total <= DOCKER_DEFAULT {
        Status::Warn
    } else {
        Status::Ok
    };
    let small = if total <= DOCKER_DEFAULT { ", as Docker gives it to containers" } else { "" };
    let check = check.found(status, format!("{found}{small}"));
    if mount.is_some_and(|mount| mount.kind != "tmpfs") {
        // A remount cannot enlarge it.
        return (check.fix("use --root /dev/shm, or make room", "the same"), None);
    }
    // Twice what is used and needed.
    let size = (total.saturating_sub(free) + machine.need.max(DOCKER_DEFAULT)).saturating_mul(2).div_ceil(1 << 20);
    // The root may be a directory within the mount. Only the mount can be remounted.
    let point = mount.map_or(root, |mount| mount.point.clone());
    let check = check.fix(
        format!("mount -o remount,size={size}m {point} (Docker: docker run --shm-size={size}m)"),
        format!("size={size}m among the options of {point} in /etc/fstab (Compose: shm_size: {size}m)"),
    );
    (check, (status != Status::Ok).then_some(size))
}

fn cgroup(machine: &Machine) -> Check {
    let check = Check::new("memory cgroup", Needed::Rings, "the ring").wanted(match machine.need {
        0 => "no limit, or more left under it than the rings that are planned".to_owned(),
        need => format!("no limit, or at least {} left under it, for {}", bytes(need), machine.next_ring()),
    });
    let Some(memberships) = machine.proc("self/cgroup") else {
        return check.found(Status::Skipped, "this process is in none that can be read");
    };
    match memory_headroom(machine.sys.join("fs/cgroup"), &memberships) {
        None => check.found(Status::Ok, "no limit"),
        Some((group, left)) => {
            let status = if left < machine.need { machine.status_without_room() } else { Status::Ok };
            check.found(status, format!("{} left under the limit of {}", bytes(left), group.display())).fix(
                "systemctl set-property --runtime UNIT MemoryMax=SIZE (Docker: docker update --memory SIZE CONTAINER)",
                "systemctl set-property UNIT MemoryMax=SIZE (Docker: docker run --memory SIZE)",
            )
        }
    }
}

fn locked_memory(machine: &Machine) -> Check {
    let wanted = machine.need.saturating_add(BESIDES_RING);
    let check = Check::new("RLIMIT_MEMLOCK", Needed::RingsWithOptions, "--lock-memory").wanted(format!(
        "unlimited, or at least {}: it locks all that the program has mapped, taken as {} beside the ring",
        bytes(wanted),
        bytes(BESIDES_RING)
    ));
    match machine.limit("Max locked memory") {
        None => check.found(Status::Skipped, "no limits can be read"),
        Some(u64::MAX) => check.found(Status::Ok, "unlimited"),
        Some(limit) if limit >= wanted => check.found(Status::Ok, bytes(limit)),
        Some(limit) if may_lock(machine) => check.found(
            Status::Ok,
            format!("{}, but whoever has CAP_IPC_LOCK, as this process, is not held to it", bytes(limit)),
        ),
        Some(limit) => check.found(Status::Warn, bytes(limit)).fix(
            "ulimit -l unlimited (systemd: LimitMEMLOCK=infinity; Docker: --ulimit memlock=-1)",
            "echo '* - memlock unlimited' >> /etc/security/limits.d/90-feed-ring.conf",
        ),
    }
}

/// True if this process has CAP_IPC_LOCK: then no limit applies.
fn may_lock(machine: &Machine) -> bool {
    const IPC_LOCK: u32 = 14;
    let status = machine.proc("self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits >> IPC_LOCK & 1 == 1)
}

/// A number from /proc/meminfo.
fn meminfo(machine: &Machine, name: &str) -> Option<u64> {
    let text = machine.proc("meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Checks preallocated huge pages, which rings cannot use.
fn huge_pages(machine: &Machine) -> Check {
    let check = Check::new("huge pages", Needed::Others, "hugetlbfs (MAP_HUGETLB, SHM_HUGETLB)")
        .wanted("none, or some free; rings use transparent ones, to which what is set aside is lost");
    let number = |name| meminfo(machine, name);
    let (Some(total), Some(free)) = (number("HugePages_Total"), number("HugePages_Free")) else {
        return check.found(Status::Skipped, "this kernel has none");
    };
    let size = number("Hugepagesize").unwrap_or(0).saturating_mul(1024);
    let status = if total > 0 && free == 0 { Status::Warn } else { Status::Ok };
    let twice = total.saturating_mul(2).to_string();
    check.found(status, format!("{free} free of {total}, {} each", bytes(size))).fix_sysctl("vm.nr_hugepages", &twice)
}

/// Checks transparent huge pages, which `--huge-pages` uses, for rings in the root and for sealed rings. For the root,
/// the option of its mount decides; for sealed rings, `shmem_enabled`. Linux 6.1 and later can also collapse small
/// pages, whatever these say. `deny` and `force` of `shmem_enabled` override everything.
fn transparent_huge_pages(machine: &Machine, mount: Option<&Mount>) -> [Check; 2] {
    let check = |what, by| {
        Check::new(what, Needed::RingsWithOptions, by)
            .wanted("advise, within_size or always, or else Linux 6.1 or later")
    };
    let root = check("huge pages in the root", "--huge-pages");
    let sealed = check("huge pages of sealed rings", "--huge-pages with --serve");
    let Some(shmem) = Shmem::of(machine) else {
        return [root, sealed].map(|check| check.found(Status::Skipped, "this kernel has none"));
    };
    let root = match mount {
        None => root.found(Status::Skipped, "the mounts cannot be read"),
        Some(mount) if mount.kind != "tmpfs" => {
            root.found(Status::Skipped, format!("{} is {}, which has none of these", mount.point, mount.kind))
        }
        Some(mount) => {
            let Mount { point, huge, .. } = &mount;
            let now = format!("mount -o remount,huge=advise {point}");
            let for_good = format!("huge=advise among the options of {point} in /etc/fstab");
            shmem.judge(root, huge, format!("{point} is mounted with huge={huge}"), Some((now, for_good)))
        }
    };
    let found = format!("shmem_enabled is {}", shmem.chosen);
    [root, shmem.judge(sealed, &shmem.chosen, found, None)]
}

/// The setting for all files in memory.
struct Shmem {
    /// The value of `shmem_enabled`.
    chosen: String,
    kernel: Option<(u32, u32)>,
}

impl Shmem {
    const PATH: &str = "kernel/mm/transparent_hugepage/shmem_enabled";

    fn of(machine: &Machine) -> Option<Self> {
        let choices = machine.sys(Self::PATH)?;
        let chosen = choices.split(['[', ']']).nth(1).unwrap_or(&choices).to_owned();
        Some(Shmem { chosen, kernel: machine.kernel() })
    }

    /// Checks that a setting gives huge pages, or that the kernel can collapse small ones. `fix` are the commands that
    /// change the setting; by default those for `shmem_enabled`.
    fn judge(&self, check: Check, setting: &str, found: String, fix: Option<(String, String)>) -> Check {
        let path = Self::PATH;
        let write = |value| {
            (
                format!("echo {value} > /sys/{path}"),
                format!("echo 'w /sys/{path} - - - - {value}' > /etc/tmpfiles.d/feed-ring.conf"),
            )
        };
        if self.chosen == "deny" {
            let found = if fix.is_some() { format!("{found}, but shmem_enabled is deny") } else { found };
            let (now, for_good) = write("advise");
            return check.found(Status::Warn, found).fix(now, for_good);
        }
        if self.chosen == "force" && setting != "force" {
            return check.found(Status::Ok, format!("{found}, but shmem_enabled is force"));
        }
        if ["advise", "within_size", "always", "force"].contains(&setting) {
            return check.found(Status::Ok, found);
        }
        match self.kernel {
            None => check.found(Status::Skipped, format!("{found}, and the kernel's version cannot be read")),
            Some((major, minor)) if (major, minor) >= (6, 1) => {
                check.found(Status::Ok, format!("{found}; Linux {major}.{minor} collapses small pages into huge ones"))
            }
            Some((major, minor)) => {
                let (now, for_good) = fix.unwrap_or_else(|| write("advise"));
                check.found(Status::Warn, format!("{found}, and this is Linux {major}.{minor}")).fix(now, for_good)
            }
        }
    }
}

fn numa(machine: &Machine) -> Check {
    let check = Check::new("NUMA nodes", Needed::RingsWithOptions, "--numa-node")
        .wanted("one, or publisher and subscribers bound to the same");
    let Some(online) = machine.sys("devices/system/node/online") else {
        return check.found(Status::Skipped, "this kernel knows of none");
    };
    let nodes: u64 = online
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(last.parse::<u64>().ok()?.checked_sub(first.parse().ok()?)?.saturating_add(1))
        })
        .fold(0, u64::saturating_add);
    match nodes {
        0 => check.found(Status::Skipped, format!("{online:?} names none")),
        1 => check.found(Status::Ok, "one"),
        nodes => check.found(Status::Warn, format!("{nodes} ({online})")).fix(
            "start publisher and subscribers with --numa-node N and --cpu N of one node",
            "the same in their units (systemd: NUMAPolicy=bind, NUMAMask=N, CPUAffinity=numa)",
        ),
    }
}

//! Tests of `doctor` on made-up machines.

use std::fs;
use std::path::Path;

use feed_testing::PrivateRoot;
use serde_json::Value;

use crate::machine::Machine;
use crate::rings::{closed, dead, no_rings, put, ringctl, run};

const LINES: [&str; 33] = [
    "file system of the root",
    "room in the root",
    "memory cgroup",
    "inodes of the root",
    "RLIMIT_FSIZE",
    "/proc",
    "kernel",
    "RemoveIPC of systemd-logind",
    "leftover rings",
    "RLIMIT_MEMLOCK",
    "huge pages in the root",
    "huge pages of sealed rings",
    "NUMA nodes",
    "CPU governor",
    "isolated CPUs",
    "clock source",
    "huge pages",
    "kernel.shmmax",
    "kernel.shmall",
    "kernel.shm_rmid_forced",
    "kernel.sem",
    "kernel.shmmni",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "fs.mqueue.msg_max",
    "fs.mqueue.msgsize_max",
    "fs.mqueue.msg_default",
    "fs.mqueue.msgsize_default",
    "fs.mqueue.queues_max",
    "fs.pipe-max-size",
    "fs.pipe-user-pages-soft",
    "RLIMIT_MSGQUEUE",
];

#[test]
fn on_a_fit_machine_all_is_ok() {
    let root = PrivateRoot::new();
    closed(&root, "q");
    let (code, checks) = Machine::fit().examine(&root, &[]);
    assert_eq!(code, 0);
    assert_eq!(checks.iter().map(|check| check["what"].as_str().unwrap()).collect::<Vec<_>>(), LINES);
    for check in checks {
        // The free room is that of the real machine.
        if check["what"] != "room in the root" {
            assert_eq!(check["status"], "ok", "{check}");
            assert_eq!((&check["now"], &check["for_good"]), (&Value::Null, &Value::Null), "{check}");
        }
    }
}

#[test]
fn on_a_blank_machine_what_cannot_be_told_is_skipped() {
    let root = PrivateRoot::new();
    let (code, checks) = Machine::blank().examine(&root, &[]);
    assert_eq!(code, 0);
    let skipped = checks.iter().filter(|check| check["status"] == "skipped").count();
    let told = ["file system of the root", "room in the root", "inodes of the root", "/proc", "leftover rings"];
    assert_eq!(skipped, LINES.len() - told.len(), "all but {told:?}: {checks:?}");
}

#[test]
fn what_keeps_files_from_being_made() {
    let root = PrivateRoot::new();
    let machine = Machine::fit();
    machine.limits_with_file_size("unlimited", "819200", "1024");
    let check = machine.check(&root, "RLIMIT_FSIZE");
    assert_eq!((&check["status"], &check["found"]), (&"warn".into(), &"1.0 KiB".into()), "{check}");
    assert!(check["now"].as_str().unwrap().starts_with("ulimit -f unlimited "), "{check}");
    let (code, checks) = machine.examine(&root, &["--need", "2K"]);
    assert_eq!(code, 1);
    assert!(checks.iter().any(|check| check["what"] == "RLIMIT_FSIZE" && check["status"] == "fail"), "{checks:?}");
    machine.limits_with_file_size("unlimited", "819200", "8388608");
    assert_eq!(machine.check(&root, "RLIMIT_FSIZE")["status"], "ok");

    let machine = Machine::fit();
    fs::remove_dir(machine.path().join("proc/self/fd")).unwrap();
    let check = machine.check(&root, "/proc");
    assert_eq!((&check["status"], &check["now"]), (&"warn".into(), &"mount -t proc proc /proc".into()), "{check}");
}

#[test]
fn each_check_can_warn() {
    let root = PrivateRoot::new();
    let sysctl = |path: &str, value: &str, what: &str, now: &str| {
        let machine = Machine::fit();
        machine.sysctls(&[(path, value)]);
        let check = machine.check(&root, what);
        assert_eq!(
            (&check["status"], &check["needed"], &check["now"]),
            (&"warn".into(), &"others".into(), &now.into())
        );
        let for_good = check["for_good"].as_str().unwrap();
        assert!(for_good.contains("/etc/sysctl.d/90-feed-ring.conf && sysctl --system"), "{for_good}");
    };
    sysctl("kernel/shmmax", "33554432", "kernel.shmmax", "sysctl -w kernel.shmmax=\"67108864\"");
    sysctl("kernel/shmall", "2097152", "kernel.shmall", "sysctl -w kernel.shmall=\"4503599627366400\"");
    sysctl("kernel/shmmni", "16", "kernel.shmmni", "sysctl -w kernel.shmmni=\"4096\"");
    sysctl("kernel/shm_rmid_forced", "1", "kernel.shm_rmid_forced", "sysctl -w kernel.shm_rmid_forced=\"0\"");
    sysctl("kernel/sem", "250 32000 32 128", "kernel.sem", "sysctl -w kernel.sem=\"250 32000 100 128\"");
    sysctl("kernel/msgmax", "4096", "kernel.msgmax", "sysctl -w kernel.msgmax=\"8192\"");
    sysctl("kernel/msgmnb", "8192", "kernel.msgmnb", "sysctl -w kernel.msgmnb=\"16384\"");
    sysctl("kernel/msgmni", "1", "kernel.msgmni", "sysctl -w kernel.msgmni=\"32\"");
    sysctl("fs/mqueue/msg_max", "5", "fs.mqueue.msg_max", "sysctl -w fs.mqueue.msg_max=\"10\"");
    sysctl("fs/mqueue/msgsize_max", "64", "fs.mqueue.msgsize_max", "sysctl -w fs.mqueue.msgsize_max=\"8192\"");
    sysctl("fs/mqueue/msg_default", "5", "fs.mqueue.msg_default", "sysctl -w fs.mqueue.msg_default=\"10\"");
    sysctl(
        "fs/mqueue/msgsize_default",
        "64",
        "fs.mqueue.msgsize_default",
        "sysctl -w fs.mqueue.msgsize_default=\"8192\"",
    );
    sysctl("fs/pipe-user-pages-soft", "1024", "fs.pipe-user-pages-soft", "sysctl -w fs.pipe-user-pages-soft=\"16384\"");
    sysctl("fs/mqueue/queues_max", "1", "fs.mqueue.queues_max", "sysctl -w fs.mqueue.queues_max=\"256\"");
    sysctl("fs/pipe-max-size", "65536", "fs.pipe-max-size", "sysctl -w fs.pipe-max-size=\"1048576\"");

    let file = |path: &str, text: &str, what: &str, found: &str, now: &str| {
        let machine = Machine::fit();
        machine.put(path, text);
        let check = machine.check(&root, what);
        assert_eq!(check["status"], "warn", "{check}");
        assert!(check["found"].as_str().unwrap().contains(found), "{check}");
        assert!(check["now"].as_str().unwrap().contains(now) && check["for_good"].is_string(), "{check}");
    };
    file("sys/devices/system/node/online", "0-1,4\n", "NUMA nodes", "3 (0-1,4)", "--numa-node N");
    file("sys/devices/system/cpu/isolated", "\n", "isolated CPUs", "none", "--cpu N");
    let governor = "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor";
    file(governor, "powersave\n", "CPU governor", "performance, powersave", "cpupower");
    file("proc/sys/kernel/osrelease", "5.10.0-9\n", "kernel", "5.10.0-9", "restart");
    let taken = "HugePages_Total: 8\nHugePages_Free: 0\nHugepagesize: 2048 kB\n";
    file("proc/meminfo", taken, "huge pages", "0 free of 8", "sysctl -w vm.nr_hugepages=\"16\"");

    let machine = Machine::fit();
    machine.limits("65536", "4096");
    for what in ["RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE"] {
        assert_eq!(machine.check(&root, what)["status"], "warn");
    }
}

#[test]
fn a_root_on_disk_is_a_warning() {
    // /proc is not a tmpfs. Nothing is created there.
    let machine = Machine::fit();
    machine.put("proc/self/mountinfo", "1 0 0:1 / /proc rw - proc proc rw\n");
    let root = PrivateRoot::new();
    let mut command = ringctl(&root, &["--json", "doctor", "--root", "/proc"]);
    let output = command.args(machine.arguments()).output().unwrap();
    let checks: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (system, room) = (&checks[0], &checks[1]);
    assert_eq!((&system["what"], &system["status"]), (&"file system of the root".into(), &"warn".into()));
    assert!(system["found"].as_str().unwrap().contains("no memory") && system["now"].is_string(), "{system}");
    assert!(!room["now"].as_str().unwrap_or_default().contains("remount"), "{room}");
}

#[test]
fn no_ring_can_be_made_on_hugetlbfs() {
    let root = PrivateRoot::new();
    let huge = root.path().join("huge");
    fs::create_dir(&huge).unwrap();
    let mounted = std::process::Command::new("mount").args(["-t", "hugetlbfs", "none"]).arg(&huge).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return feed_testing::skipped("mounting a hugetlbfs takes root and a kernel that has it");
    }
    let output = ringctl(&root, &["doctor", "--json", "--root"]).arg(&huge).output();
    let created = crate::rings::options(&huge, "q").create();
    assert!(std::process::Command::new("umount").arg(&huge).status().unwrap().success());
    let output = output.unwrap();
    let checks: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &checks[0]["status"]), (Some(1), &"fail".into()), "{}", checks[0]);
    assert!(created.is_err(), "doctor says that it cannot be");
}

#[test]
fn a_clock_source_that_the_kernel_offers_is_proposed() {
    let root = PrivateRoot::new();
    for (available, now, for_good) in [
        ("tsc hpet acpi_pm", "echo tsc > /sys/devices/", "clocksource=tsc"),
        ("kvm-clock hpet", "echo kvm-clock > /sys/devices/", "clocksource=kvm-clock"),
        ("hpet acpi_pm", "none: this kernel offers no other", "a machine"),
        ("", "none: this kernel offers no other", "a machine"),
    ] {
        let machine = Machine::fit();
        machine.put("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
        machine.put("sys/devices/system/clocksource/clocksource0/available_clocksource", available);
        let check = machine.check(&root, "clock source");
        assert_eq!(check["status"], "warn", "{check}");
        assert!(check["now"].as_str().unwrap().starts_with(now), "{check}");
        let found = check["for_good"].as_str().unwrap();
        assert!(found.contains(for_good) && !found.contains("reliable"), "{check}");
    }
}

#[test]
fn locking_takes_the_ring_and_all_that_is_mapped_beside_it() {
    let root = PrivateRoot::new();
    let machine = Machine::fit();
    let status = |limit: u64, need: &str| {
        machine.limits(&limit.to_string(), "819200");
        let (_, checks) = machine.examine(&root, &["--need", need]);
        checks.iter().find(|check| check["what"] == "RLIMIT_MEMLOCK").unwrap()["status"].clone()
    };
    assert_eq!([status(192 << 20, "128M"), status((192 << 20) - 1, "128M")], ["ok", "warn"]);
    assert_eq!([status(64 << 20, "0"), status((64 << 20) - 1, "0")], ["ok", "warn"]);
    // CAP_IPC_LOCK is bit 14.
    machine.put("proc/self/status", "Name:\tx\nCapEff:\t00000000ffffbfff\n");
    assert_eq!(status(65_536, "128M"), "warn");
    machine.put("proc/self/status", "Name:\tx\nCapEff:\t0000000000004000\n");
    assert_eq!(status(65_536, "128M"), "ok");
}

#[test]
fn both_checks_of_a_mount_give_the_same_line() {
    let root = PrivateRoot::new();
    let point = root.path().canonicalize().unwrap().parent().unwrap().to_owned();
    let machine = Machine::fit();
    let mount = |option: &str| {
        let line = format!("1 0 0:1 / {} rw - tmpfs tmpfs rw,{option}\n", point.display());
        machine.put("proc/self/mountinfo", &line);
        let (_, checks) = machine.examine(&root, &["--need", "1024T"]);
        let find = |what: &str| checks.iter().find(|check| check["what"] == what).unwrap().clone();
        (find("room in the root"), find("huge pages in the root"))
    };
    let text = |check: &Value, when: &str| check[when].as_str().unwrap_or_default().to_owned();
    machine.sysctls(&[("kernel/osrelease", "5.16.0")]);
    let (room, huge) = mount("size=1024k");
    // The mount point, not the directory within it that has the rings.
    assert!(text(&room, "now").contains(&format!("m {} (Docker", point.display())), "{room}");
    assert!(text(&huge, "now").ends_with(&format!("huge=advise {}", point.display())), "{huge}");
    assert!(text(&huge, "for_good").contains(&format!("tmpfs {} tmpfs defaults,size=", point.display())), "{huge}");
    assert!(text(&huge, "for_good").contains("m,huge=advise 0 0' >> /etc/fstab"), "{huge}");
    assert!(text(&room, "for_good").starts_with(&text(&huge, "for_good")), "the same: {room} {huge}");
    // Options that are fine are kept.
    let (room, huge) = mount("size=1024k,huge=within_size");
    assert!(text(&room, "for_good").contains("m,huge=within_size 0 0'") && huge["status"] == "ok", "{room} {huge}");
    // An existing line is changed, not followed by another one.
    machine.put("etc/fstab", &format!("# tmpfs\ntmpfs\t{}  tmpfs defaults 0 0\n", point.display()));
    let (room, _) = mount("size=1024k");
    assert!(text(&room, "for_good").starts_with("in /etc/fstab, put size="), "{room}");
}

#[test]
fn huge_pages_come_from_the_mount_or_from_the_kernel() {
    let root = PrivateRoot::new();
    let path = root.path().canonicalize().unwrap();
    let path = path.display();
    // The mount's option, shmem_enabled and the kernel; then the status for the root and for sealed rings.
    for (option, shmem, release, in_root, sealed) in [
        ("rw,huge=advise", "[advise] never", "5.14.0", "ok", "ok"),
        ("rw,huge=within_size,size=1k", "[within_size] never", "5.14.0", "ok", "ok"),
        ("huge=always", "[always] never", "6.18.1", "ok", "ok"),
        ("rw", "[force] never", "5.14.0", "ok", "ok"),
        // Each depends on its own setting, unless the kernel is new enough.
        ("rw", "[advise] never", "6.0.9-x", "warn", "ok"),
        ("rw,huge=never", "[advise] never", "5.14.0", "warn", "ok"),
        ("rw,huge=advise", "advise [never]", "6.0.9-x", "ok", "warn"),
        ("rw", "advise [never]", "6.1", "ok", "ok"),
        ("rw", "advise [never]", "no version", "skipped", "skipped"),
        // `deny` overrides everything.
        ("rw,huge=advise", "never [deny]", "6.18.1", "warn", "warn"),
    ] {
        let machine = Machine::fit();
        machine.put(
            "proc/self/mountinfo",
            &format!(
                "1 0 0:1 / / rw - ext4 /dev/a rw\n\
                 2 1 0:2 / {path} rw shared:1 - tmpfs tmpfs rw,huge=always\n\
                 3 1 0:3 / {path} rw - tmpfs tmpfs {option}\n\
                 4 1 0:4 / {path}x rw - tmpfs tmpfs rw,huge=always\n"
            ),
        );
        machine.put("sys/kernel/mm/transparent_hugepage/shmem_enabled", shmem);
        machine.sysctls(&[("kernel/osrelease", release)]);
        let set = format!("{option} {shmem} {release}");
        let found = |what, status, mends: &[&str; 2]| {
            let check = machine.check(&root, what);
            assert_eq!(check["status"], status, "{set}: {check}");
            for (when, mends) in ["now", "for_good"].into_iter().zip(mends) {
                let command = check[when].as_str().unwrap_or_default();
                assert!((status != "warn" && command.is_empty()) || command.contains(mends), "{set}: {check}");
            }
        };
        let shmem_mends = ["echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled", "/etc/tmpfiles.d/"];
        let (now, for_good) =
            (format!("remount,huge=advise {path}"), format!("tmpfs {path} tmpfs defaults,huge=advise"));
        let in_root_mends = if shmem.contains("[deny]") { shmem_mends } else { [&*now, &*for_good] };
        found("huge pages in the root", in_root, &in_root_mends);
        found("huge pages of sealed rings", sealed, &shmem_mends);
    }

    let machine = Machine::fit();
    machine.put("proc/self/mountinfo", "1 0 0:1 / / rw - ext4 /dev/a rw\n");
    let check = machine.check(&root, "huge pages in the root");
    assert_eq!((&check["status"], &check["found"]), (&"skipped".into(), &"/ is ext4, which has none of these".into()));
}

#[test]
fn a_memory_limit_that_is_too_low_fails() {
    let root = PrivateRoot::new();
    let machine = Machine::fit();
    machine.put("sys/fs/cgroup/feeds.slice/memory.max", "1050000\n");
    let status = |need: &str| {
        let (code, checks) = machine.examine(&root, &["--need", need]);
        (code, checks[2]["what"].clone(), checks[2]["status"].clone())
    };
    assert_eq!(status("1M"), (0, "memory cgroup".into(), "ok".into()));
    assert_eq!(status("2M"), (1, "memory cgroup".into(), "fail".into()));
    // Without a planned ring, too little room is no failure.
    closed(&root, "q");
    machine.put("sys/fs/cgroup/feeds.slice/memory.max", "1001\n");
    assert_eq!(
        (machine.check(&root, "memory cgroup")["status"].clone(), machine.examine(&root, &[]).0),
        ("warn".into(), 0)
    );
}

#[test]
fn room_is_compared_with_the_planned_ring() {
    let root = PrivateRoot::new();
    let (code, checks) = Machine::fit().examine(&root, &["--need", "1024T"]);
    assert_eq!((code, &checks[1]["what"], &checks[1]["status"]), (1, &"room in the root".into(), &"fail".into()));
    assert!(checks[1]["now"].as_str().unwrap().starts_with("mount -o remount,size="), "{checks:?}");
    assert!(checks[1]["now"].as_str().unwrap().contains("docker run --shm-size="), "{checks:?}");
}

#[test]
fn a_small_root_is_a_warning() {
    let root = PrivateRoot::new();
    let small = root.path().join("small");
    fs::create_dir(&small).unwrap();
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(&small).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return feed_testing::skipped("mounting a small tmpfs takes root");
    }
    let output = ringctl(&root, &["doctor", "--json", "--root"]).arg(&small).output();
    assert!(std::process::Command::new("umount").arg(&small).status().unwrap().success());
    let checks: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    let room = &checks[1];
    assert_eq!((&room["what"], &room["status"]), (&"room in the root".into(), &"warn".into()));
    assert_eq!(room["found"], "64.0 MiB free of 64.0 MiB, as Docker gives it to containers");
}

#[test]
fn logind_deletes_what_users_leave() {
    let root = PrivateRoot::new();
    let machine = Machine::fit();
    machine.put("etc/systemd/logind.conf", "[Login]\n#RemoveIPC=no\n");
    let check = machine.check(&root, "RemoveIPC of systemd-logind");
    let uid = rustix::process::geteuid().as_raw();
    if uid < 1000 {
        assert_eq!(
            (&check["status"], &check["found"]),
            (&"ok".into(), &format!("yes (the default); uid {uid} is spared").into())
        );
        // The owners of rings count, too, not only the present user.
        let ring = closed(&root, "theirs");
        if uid == 0 {
            for file in ["", "segment", "control", "live", "lock"] {
                std::os::unix::fs::chown(ring.join(file), Some(12_345), None).unwrap();
            }
            let check = machine.check(&root, "RemoveIPC of systemd-logind");
            assert_eq!(
                (&check["status"], &check["found"], &check["now"]),
                (
                    &"fail".into(),
                    &"yes (the default); deletes what uid 12345 leaves".into(),
                    &"loginctl enable-linger 12345".into()
                )
            );
        }
    } else {
        assert_eq!(check["status"], "fail");
        assert_eq!(check["found"], format!("yes (the default); deletes what uid {uid} leaves"));
    }
    // systemd-logind may be installed without running.
    let idle = Machine::blank();
    idle.put("usr/lib/systemd/logind.conf", "[Login]\n");
    assert_eq!(idle.check(&root, "RemoveIPC of systemd-logind")["status"], "skipped");
    idle.put("proc/1/comm", "systemd\n");
    assert_ne!(idle.check(&root, "RemoveIPC of systemd-logind")["status"], "skipped");
    // All directories that systemd reads, the most important one first.
    let said = || machine.check(&root, "RemoveIPC of systemd-logind")["found"].as_str().unwrap().to_owned();
    machine.put("usr/lib/systemd/logind.conf.d/50-a.conf", "[Login]\nRemoveIPC=no\n");
    assert_eq!(said(), "no");
    machine.put("run/systemd/logind.conf.d/50-a.conf", "[Login]\nRemoveIPC=yes\n");
    assert!(said().starts_with("yes"), "/run is above /usr: {}", said());
    machine.put("etc/systemd/logind.conf.d/50-a.conf", "");
    assert!(said().starts_with("yes (the default)"), "/etc is above both, and empty: {}", said());
    fs::remove_file(machine.path().join("etc/systemd/logind.conf")).unwrap();
    machine.put("usr/lib/systemd/logind.conf", "[Login]\nRemoveIPC=no\n");
    assert_eq!(said(), "no", "the main file, where there is none in /etc");
    machine.put("run/systemd/logind.conf", "[Login]\nRemoveIPC=off\n");
    assert_eq!(said(), "off");
    machine.put("etc/systemd/logind.conf.d/50-a.conf", "[Login]\nRemoveIPC = no\n");
    let check = machine.check(&root, "RemoveIPC of systemd-logind");
    assert_eq!((&check["status"], &check["found"]), (&"ok".into(), &"no".into()));
    machine.put("etc/systemd/logind.conf.d/60-b.conf", "RemoveIPC=yes\n");
    let check = machine.check(&root, "RemoveIPC of systemd-logind");
    assert!(check["found"].as_str().unwrap().starts_with("yes"), "the last one counts: {check}");
}

#[test]
fn leftovers_are_named() {
    let root = PrivateRoot::new();
    let machine = Machine::fit();
    closed(&root, "kept");
    assert_eq!(machine.check(&root, "leftover rings")["status"], "ok");
    dead(&root, "dead");
    no_rings(&root);
    let check = machine.check(&root, "leftover rings");
    assert_eq!(check["status"], "warn");
    assert_eq!(check["found"], "dead (dead), file (no ring), folder (no ring), link (no ring)");
    assert_eq!(check["now"], format!("ringctl --root {} clean", root.path().display()));
    // A ring that cannot be read may be live and another user's.
    let root = PrivateRoot::new();
    put(&closed(&root, "newer").join("segment"), 1, 4);
    put(&closed(&root, "damaged").join("segment"), 50, 3);
    let check = machine.check(&root, "leftover rings");
    assert_eq!(
        (&check["status"], &check["found"]),
        (&"skipped".into(), &"none; cannot be read: damaged (damaged), newer (another version)".into())
    );
}

#[test]
fn no_root_at_all_fails() {
    let root = PrivateRoot::new();
    let (code, stdout, _) = run(&root, &["doctor", "--root", "/nowhere"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("FAIL    file system of the root: /nowhere: No such file"), "{stdout}");
}

#[test]
fn this_machine_is_reported_in_words() {
    let root = PrivateRoot::new();
    let (_, stdout, stderr) = run(&root, &["doctor"]);
    assert_eq!(stderr, "");
    for title in ["Every ring needs", "Rings need with some options", "No ring needs; other mechanisms do"] {
        assert!(stdout.contains(title), "{stdout}");
    }
    assert!(LINES.iter().all(|line| stdout.contains(line)), "{stdout}");
    // The text agrees with the kernel.
    if let Ok(found) = fs::read_to_string(Path::new("/proc/sys/kernel/shmmni")) {
        assert!(stdout.contains(&format!("kernel.shmmni: {}", found.trim())), "{stdout}");
    }
    // The real machine need not be fit.
    let (_, checks, _) = run(&root, &["--json", "doctor"]);
    assert_eq!(serde_json::from_str::<Vec<Value>>(&checks).unwrap().len(), LINES.len());
}

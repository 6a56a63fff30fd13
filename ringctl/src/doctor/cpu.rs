//! Checks of processors: causes of latency spikes.

use super::check::{Check, Needed, Status};
use super::machine::{Machine, text};

pub(crate) fn check(machine: &Machine, checks: &mut Vec<Check>) {
    checks.push(governor(machine));
    checks.push(isolated(machine));
    checks.push(clock_source(machine));
}

const LATENCY: &str = "lowest latency";

fn governor(machine: &Machine) -> Check {
    let check = Check::new("CPU governor", Needed::RingsWithOptions, LATENCY).wanted("performance");
    let cpus = std::fs::read_dir(machine.sys.join("devices/system/cpu")).into_iter().flatten().flatten();
    let mut governors: Vec<_> = cpus.filter_map(|cpu| text(&cpu.path().join("cpufreq/scaling_governor"))).collect();
    governors.sort();
    governors.dedup();
    if governors.is_empty() {
        return check.found(Status::Skipped, "no frequency scaling that this kernel could see");
    }
    let status = if governors == ["performance"] { Status::Ok } else { Status::Warn };
    check.found(status, governors.join(", ")).fix(
        "cpupower frequency-set -g performance",
        "systemctl enable --now cpupower (with governor='performance' in its configuration)",
    )
}

fn isolated(machine: &Machine) -> Check {
    let check =
        Check::new("isolated CPUs", Needed::RingsWithOptions, LATENCY).wanted("a core for each process that spins");
    match machine.sys("devices/system/cpu/isolated") {
        None => check.found(Status::Skipped, "this kernel does not say"),
        Some(cpus) if !cpus.is_empty() => check.found(Status::Ok, cpus),
        Some(_) => check.found(Status::Warn, "none").fix(
            "start the programs with --cpu N, and keep others off: systemctl set-property --runtime system.slice \
             AllowedCPUs=LIST",
            "add isolcpus=LIST nohz_full=LIST rcu_nocbs=LIST to the kernel's command line",
        ),
    }
}

fn clock_source(machine: &Machine) -> Check {
    const PATH: &str = "devices/system/clocksource/clocksource0";
    /// The clock sources that are read without a system call, cheapest first.
    const FAST: [&str; 4] = ["tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page"];
    let check = Check::new("clock source", Needed::RingsWithOptions, "cheap timestamps")
        .wanted("tsc, kvm-clock or arch_sys_counter: read without a system call");
    let Some(source) = machine.sys(&format!("{PATH}/current_clocksource")) else {
        return check.found(Status::Skipped, "this kernel does not say");
    };
    if FAST.contains(&&*source) {
        return check.found(Status::Ok, source);
    }
    let available = machine.sys(&format!("{PATH}/available_clocksource")).unwrap_or_default();
    let check = check.found(Status::Warn, format!("{source} (available: {available})"));
    match FAST.into_iter().find(|fast| available.split_whitespace().any(|source| source == *fast)) {
        Some(fast) => check.fix(
            format!("echo {fast} > /sys/{PATH}/current_clocksource"),
            format!("add clocksource={fast} to the kernel's command line"),
        ),
        // The kernel dropped tsc because it runs wrong. Forcing it (tsc=reliable) would make clocks wrong.
        None => check.fix(
            "none: this kernel offers no other; dmesg | grep -i -e clocksource -e tsc tells why",
            "a machine, or a setting of its firmware or hypervisor, whose time stamp counter the kernel trusts",
        ),
    }
}

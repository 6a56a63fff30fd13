//! Checks of rings as files: the kernel's version, leftover rings, and systemd-logind, which deletes files.

use std::collections::BTreeMap;
use std::path::Path;

use super::check::{Check, Needed, Status};
use super::machine::{Machine, text};
use crate::survey::Reason;

pub(crate) fn check(machine: &Machine, checks: &mut Vec<Check>) {
    checks.push(kernel(machine));
    checks.push(remove_ipc(machine, rustix::process::geteuid().as_raw()));
    checks.push(leftovers(machine));
}

fn kernel(machine: &Machine) -> Check {
    let check = Check::new("kernel", Needed::Rings, "the ring").wanted(
        "5.16 or later: before 5.16 --wait block notices a death up to 20 ms late, before 5.14 no memory is touched in \
         advance",
    );
    let release = machine.proc("sys/kernel/osrelease");
    match (release, machine.kernel()) {
        (Some(release), Some(version)) => {
            let status = if version >= (5, 16) { Status::Ok } else { Status::Warn };
            check.found(status, release).fix("none without a restart", "install a newer kernel")
        }
        (release, _) => check.found(Status::Skipped, release.unwrap_or_else(|| "no version can be read".to_owned())),
    }
}

/// Checks systemd-logind, which deletes the files in /dev/shm of a user who logs out, live rings included. It concerns
/// the owners of the rings there and the present user, who may publish next.
fn remove_ipc(machine: &Machine, uid: u32) -> Check {
    let check = Check::new("RemoveIPC of systemd-logind", Needed::Rings, "the ring")
        .wanted("no, or publishers that run as a system user (uid below 1000)");
    let texts = logind(machine);
    // A package installs files in /usr whether it runs or not.
    let set_up =
        |place: &Path| place.join("systemd/logind.conf").exists() || place.join("systemd/logind.conf.d").exists();
    let here = machine.proc("1/comm").as_deref() == Some("systemd") || set_up(&machine.etc) || set_up(&machine.run);
    if !here {
        return check.found(Status::Skipped, "no systemd-logind here");
    }
    let mut value = "yes (the default)".to_owned();
    for line in texts.iter().flat_map(|text| text.lines()) {
        if let Some((key, set)) = line.split_once('=')
            && key.trim() == "RemoveIPC"
        {
            value = set.trim().to_owned();
        }
    }
    let mut uids: Vec<u32> = machine.survey.rings.iter().map(|ring| ring.uid).chain([uid]).collect();
    uids.extend(machine.survey.tables.iter().map(|table| table.uid));
    uids.extend(machine.survey.others.iter().filter_map(|other| other.uid));
    uids.sort_unstable();
    uids.dedup();
    let list = |uids: &[u32], between: &str| uids.iter().map(u32::to_string).collect::<Vec<_>>().join(between);
    if ["no", "false", "0", "off", "n", "f"].contains(&&*value.to_ascii_lowercase()) {
        return check.found(Status::Ok, value);
    }
    let affected: Vec<u32> = uids.iter().copied().filter(|uid| *uid >= 1000).collect();
    if affected.is_empty() {
        return check.found(Status::Ok, format!("{value}; uid {} is spared", list(&uids, ", ")));
    }
    const CONF: &str = "mkdir -p /etc/systemd/logind.conf.d && \
                        printf '[Login]\\nRemoveIPC=no\\n' > /etc/systemd/logind.conf.d/90-feed-ring.conf";
    check.found(Status::Fail, format!("{value}; deletes what uid {} leaves", list(&affected, ", "))).fix(
        format!("loginctl enable-linger {}", list(&affected, " ")),
        format!("{CONF} && systemctl restart systemd-logind"),
    )
}

/// The texts of logind's configuration in order of precedence: the first main file that exists, then the drop-ins by
/// name, of each name the most important one.
fn logind(machine: &Machine) -> Vec<String> {
    let places = [&machine.etc, &machine.run, &machine.usr.join("local/lib"), &machine.usr.join("lib")]
        .map(|place| place.join("systemd"));
    let main = places.iter().find_map(|place| text(&place.join("logind.conf")));
    let mut parts = BTreeMap::new();
    for place in places.iter().rev() {
        for entry in std::fs::read_dir(place.join("logind.conf.d")).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "conf") {
                parts.insert(entry.file_name(), entry.path());
            }
        }
    }
    main.into_iter().chain(parts.values().filter_map(|path| text(path))).collect()
}

/// Checks for rings that nobody publishes or closed, and for entries that only have a ring's name. One that cannot be
/// read is neither: it may be live, of another user or of another version.
fn leftovers(machine: &Machine) -> Check {
    let check = Check::new("leftover rings", Needed::Rings, "the ring").wanted("none");
    let rings = machine.survey.rings.iter().map(|ring| (&ring.name, ring.publisher));
    let tables = machine.survey.tables.iter().map(|table| (&table.name, table.writer));
    let dead = rings.chain(tables).filter(|(_, life)| ["dead", "superseded"].contains(life));
    let dead: Vec<_> = dead.map(|(name, life)| format!("{name} ({life})")).collect();
    let (not_rings, unread): (Vec<_>, Vec<_>) =
        machine.survey.others.iter().partition(|other| other.kind == Reason::NotARing);
    let not_rings: Vec<_> = not_rings.iter().map(|other| format!("{} (no ring)", other.name)).collect();
    let unread: Vec<_> = unread.iter().map(|other| format!("{} ({})", other.name, other.kind.words())).collect();
    let left = [dead.clone(), not_rings].concat();
    let mut found = if left.is_empty() { "none".to_owned() } else { left.join(", ") };
    if !unread.is_empty() {
        found.push_str(&format!("; cannot be read: {}", unread.join(", ")));
    }
    let status = match (left.is_empty(), unread.is_empty()) {
        (false, _) => Status::Warn,
        (true, false) => Status::Skipped,
        (true, true) => Status::Ok,
    };
    let root = match machine.root.to_str() {
        Some("/dev/shm") => String::new(),
        _ => format!(" --root {}", machine.root.display()),
    };
    let (now, for_good) = match dead.is_empty() {
        true => (format!("look at them: ringctl{root} list"), "move away by hand what is yours"),
        false => (format!("ringctl{root} clean"), "restart publishers under the same name: they take it over"),
    };
    check.found(status, found).fix(now, for_good)
}

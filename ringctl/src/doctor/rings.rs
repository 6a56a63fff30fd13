//! What concerns rings as files: the kernel they lean on, what was left behind, and who deletes them.

use crate::doctor::{Check, Machine, Needed, Status};

pub(crate) fn check(machine: &Machine, checks: &mut Vec<Check>) {
    checks.push(kernel(machine));
    checks.push(remove_ipc(machine, rustix::process::geteuid().as_raw()));
    checks.push(leftovers(machine));
}

fn kernel(machine: &Machine) -> Check {
    let check = Check::new("kernel", Needed::Rings, "the ring")
        .wanted("5.16 or later: 5.14 reports a failed prefault, 5.16 lets --wait block see a death while it sleeps");
    let release = machine.proc("sys/kernel/osrelease");
    match (release, machine.kernel()) {
        (Some(release), Some(version)) => {
            let status = if version >= (5, 16) { Status::Ok } else { Status::Warn };
            check.found(status, release).mend("none without a restart", "install a newer kernel")
        }
        (release, _) => check.found(Status::Skipped, release.unwrap_or_else(|| "no version can be read".to_owned())),
    }
}

/// systemd-logind deletes what a user who logged out has in /dev/shm, live or not.
pub(crate) fn remove_ipc(machine: &Machine, uid: u32) -> Check {
    let check = Check::new("RemoveIPC of systemd-logind", Needed::Rings, "the ring")
        .wanted("no, or publishers that run as a system user (uid below 1000)");
    let etc = |path: &str| super::text(&machine.etc.join(path));
    let main = etc("systemd/logind.conf");
    let parts = machine.etc.join("systemd/logind.conf.d");
    let mut files: Vec<_> =
        std::fs::read_dir(parts).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    if main.is_none() && files.is_empty() && machine.proc("1/comm").as_deref() != Some("systemd") {
        return check.found(Status::Skipped, "no systemd-logind here");
    }
    let mut value = "yes (the default)".to_owned();
    let texts = main.into_iter().chain(files.iter().filter_map(|path| super::text(path)));
    for line in texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
        if let Some((key, set)) = line.split_once('=')
            && key.trim() == "RemoveIPC"
        {
            value = set.trim().to_owned();
        }
    }
    let off = ["no", "false", "0", "off", "n", "f"].contains(&&*value.to_ascii_lowercase());
    let status = match (off, uid < 1000) {
        (true, _) | (_, true) => Status::Ok,
        (false, false) => Status::Fail,
    };
    let spared = if !off && uid < 1000 { format!("; uid {uid} is spared") } else { String::new() };
    const CONF: &str = "mkdir -p /etc/systemd/logind.conf.d && \
                        printf '[Login]\\nRemoveIPC=no\\n' > /etc/systemd/logind.conf.d/90-feed-ring.conf";
    check
        .found(status, format!("{value}{spared}"))
        .mend(format!("loginctl enable-linger {uid}"), format!("{CONF} && systemctl restart systemd-logind"))
}

fn leftovers(machine: &Machine) -> Check {
    let check = Check::new("leftover rings", Needed::Rings, "the ring").wanted("none");
    let dead: Vec<_> = machine
        .survey
        .rings
        .iter()
        .filter(|ring| ["dead", "superseded"].contains(&ring.publisher))
        .map(|ring| format!("{} ({})", ring.name, ring.publisher))
        .collect();
    let others: Vec<_> = machine.survey.others.iter().map(|other| format!("{} (no ring)", other.name)).collect();
    let found = [dead.clone(), others].concat();
    if found.is_empty() {
        return check.found(Status::Ok, "none");
    }
    let root = match machine.root.to_str() {
        Some("/dev/shm") => String::new(),
        _ => format!(" --root {}", machine.root.display()),
    };
    let clean = match dead.is_empty() {
        true => format!("look at them: ringctl{root} list"),
        false => format!("ringctl{root} clean"),
    };
    check.found(Status::Warn, found.join(", ")).mend(clean, "restart publishers under the same name: they take it over")
}

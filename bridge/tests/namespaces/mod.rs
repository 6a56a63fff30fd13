//! Three network namespaces in a row: near, hub and far, each with one address that the others reach through the hub only.

use std::process::Command;

/// The namespaces. They end with the value.
pub(crate) struct Namespaces {
    id: u32,
}

/// The hub's address towards the near side.
pub(crate) const HUB_NEAR: &str = "10.98.1.1";

/// The hub's address towards the far side.
pub(crate) const HUB_FAR: &str = "10.98.2.1";

impl Namespaces {
    /// Makes them. `None` if that is refused, or `ip` is missing.
    pub(crate) fn new() -> Option<Self> {
        remove_left_behind();
        let made = Namespaces { id: std::process::id() };
        let (near, hub, far) = (made.name("near"), made.name("hub"), made.name("far"));
        let links = [(&near, "a", HUB_NEAR, "10.98.1.2"), (&far, "b", HUB_FAR, "10.98.2.2")];
        let mut steps = [&near, &hub, &far].map(|name| format!("netns add {name}")).to_vec();
        for (side, link, hub_address, address) in links {
            let id = made.id;
            steps.extend([
                format!("link add {link}h{id} netns {hub} type veth peer name {link}s{id} netns {side}"),
                format!("-n {hub} addr add {hub_address}/24 dev {link}h{id}"),
                format!("-n {side} addr add {address}/24 dev {link}s{id}"),
                format!("-n {hub} link set {link}h{id} up"),
                format!("-n {side} link set {link}s{id} up"),
                format!("-n {side} link set lo up"),
            ]);
        }
        steps.iter().all(|step| ip(step)).then_some(made)
    }

    fn name(&self, side: &str) -> String {
        Names(self.id).of(side)
    }

    /// Their names, which do not end them.
    pub(crate) fn names(&self) -> Names {
        Names(self.id)
    }

    /// Takes the link between hub and far down, or up.
    pub(crate) fn set_link(&self, up: bool) {
        let state = if up { "up" } else { "down" };
        assert!(ip(&format!("-n {} link set bh{} {state}", self.name("hub"), self.id)), "the link is {state}");
    }
}

/// The names of the namespaces of a process.
#[derive(Clone, Copy)]
pub(crate) struct Names(u32);

impl Names {
    fn of(self, side: &str) -> String {
        format!("feed-bridge-{side}-{}", self.0)
    }

    /// A command that runs in one of them.
    pub(crate) fn command(self, side: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.of(side), program]);
        command
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for side in ["near", "hub", "far"] {
            ip(&format!("netns del {}", self.name(side)));
        }
    }
}

/// Removes the namespaces of processes that were killed.
fn remove_left_behind() {
    let listed = Command::new("ip").args(["netns", "list"]).output().map(|done| done.stdout).unwrap_or_default();
    for line in String::from_utf8_lossy(&listed).lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let pid = name.strip_prefix("feed-bridge-").and_then(|rest| rest.rsplit('-').next());
        if pid.is_some_and(|pid| !std::path::Path::new("/proc").join(pid).exists()) {
            ip(&format!("netns del {name}"));
        }
    }
}

/// Runs `ip`. Whether it did what it was asked to.
fn ip(args: &str) -> bool {
    Command::new("ip").args(args.split(' ')).output().is_ok_and(|done| done.status.success())
}

//! The mount that the root is in, and what /etc/fstab says of it.

use super::machine::{Machine, text};

/// The mount that the root is in.
pub(super) struct Mount {
    pub(super) point: String,
    pub(super) kind: String,
    /// The option `huge`. The kernel does not show `never`.
    pub(super) huge: String,
    /// The option `size`.
    size: Option<String>,
}

impl Mount {
    pub(super) fn of(machine: &Machine) -> Option<Self> {
        let root = machine.root.canonicalize().unwrap_or_else(|_| machine.root.clone());
        let text = machine.proc("self/mountinfo")?;
        let mounts = text.lines().filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let mut after = after.split(' ');
            let (kind, _source, options) = (after.next()?, after.next()?, after.next()?);
            let option = |name| options.split(',').find_map(|option| option.strip_prefix(name));
            let (huge, size) = (option("huge=").unwrap_or("never"), option("size="));
            // The kernel escapes space, tab and backslash. A line feed in a name stays escaped here.
            let point = before.split(' ').nth(4)?.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
            Some(Mount { point, kind: kind.to_owned(), huge: huge.to_owned(), size: size.map(str::to_owned) })
        });
        // The longest mount point is the nearest. Of several at one place, the last one covers the others.
        mounts.filter(|mount| root.starts_with(&mount.point)).max_by_key(|mount| mount.point.len())
    }

    /// The change of /etc/fstab that gives the tmpfs this size in MiB or this `huge` at each boot, and keeps the other
    /// option.
    pub(super) fn fstab_line(&self, machine: &Machine, size: Option<u64>, huge: Option<&str>) -> String {
        let size = size.map(|size| format!("size={size}m")).or(self.size.as_ref().map(|size| format!("size={size}")));
        let huge = huge.or(Some(&self.huge)).filter(|huge| *huge != "never").map(|huge| format!("huge={huge}"));
        let options: Vec<_> = size.into_iter().chain(huge).collect();
        let (point, options) = (&self.point, options.join(","));
        let fstab = text(&machine.etc.join("fstab")).unwrap_or_default();
        // A second line for one place would mount over the first.
        match fstab.lines().any(|line| !line.starts_with('#') && line.split_whitespace().nth(1) == Some(point)) {
            true => format!("in /etc/fstab, put {options} among the options of {point}"),
            false => format!("echo 'tmpfs {point} tmpfs defaults,{options} 0 0' >> /etc/fstab"),
        }
    }
}

//! Parses `--group`: a group by its name or number.

use std::path::Path;

/// The number of the group `NAME|GID`.
pub(crate) fn parse(text: &str) -> Result<u32, String> {
    match text.parse() {
        // To the kernel, 2^32 - 1 means "do not change".
        Ok(u32::MAX) => Err("4294967295 is no group: expected a group's name or number".to_owned()),
        Ok(gid) => Ok(gid),
        Err(_) => by_name(text, Path::new("/etc/group")),
    }
}

fn by_name(name: &str, file: &Path) -> Result<u32, String> {
    let groups = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let gid = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    gid.ok_or_else(|| {
        format!(
            "there is no group of this name in {}: expected one of it, or a group's number (getent group {name})",
            file.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_names_and_numbers() {
        assert_eq!(parse("1234"), Ok(1234));
        assert_eq!(parse("root"), Ok(0));
        for (bad, says) in [
            ("4294967295", "is no group"),
            ("-1", "/etc/group"),
            ("no-such-group", "getent group no-such-group"),
            ("", ""),
        ] {
            let error = parse(bad).unwrap_err();
            assert!(error.contains(says), "{bad}: {error}");
        }
        assert!(by_name("root", Path::new("/nowhere/group")).unwrap_err().contains("cannot read /nowhere/group"));
    }
}

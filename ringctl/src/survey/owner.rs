//! Owner and permissions of a file as text.

use feed_ring::inspect::FileFacts;

pub(super) fn octal(file: FileFacts) -> String {
    format!("{:04o}", file.mode)
}

/// The name of a user from `/etc/passwd`, or the number.
pub(super) fn user(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, _, number) = (parts.next()?, parts.next()?, parts.next()?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}

//! The identity of a process: tells whether the process that made a directory still lives.

use std::os::unix::fs::MetadataExt;
use std::str::FromStr;
use std::{fmt, fs, io};

/// An identity that no other process ever has.
///
/// A process id alone is not enough: containers may share `/dev/shm` but not their process ids, and the kernel reuses
/// ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// The inode of the pid namespace.
    pub namespace: u64,
    /// The process id within that namespace.
    pub pid: u32,
    /// The start time, in clock ticks since boot.
    pub began: u64,
}

impl ProcessIdentity {
    /// This process.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn current() -> io::Result<Self> {
        let pid = std::process::id();
        let began = began(pid)?.ok_or_else(|| io::Error::other("/proc/self/stat: this process is not listed"))?;
        Ok(Self { namespace: namespace()?, pid, began })
    }

    /// Whether the process has ended. A process of another namespace counts as alive: it cannot be seen from here.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn is_dead(&self) -> io::Result<bool> {
        Ok(self.namespace == namespace()? && began(self.pid)? != Some(self.began))
    }
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.namespace, self.pid, self.began)
    }
}

impl FromStr for ProcessIdentity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut next = || parts.next().and_then(|part| part.parse().ok()).ok_or(());
        let (namespace, pid, began) = (next()?, next()?, next()?);
        let pid = u32::try_from(pid).map_err(|_| ())?;
        if parts.next().is_none() { Ok(Self { namespace, pid, began }) } else { Err(()) }
    }
}

/// The inode of this process's pid namespace.
fn namespace() -> io::Result<u64> {
    Ok(fs::metadata("/proc/self/ns/pid")?.ino())
}

/// The start time of a process, in clock ticks since boot; `None` if there is no such process, or only its zombie.
fn began(pid: u32) -> io::Result<Option<u64>> {
    let stat = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        stat => stat?,
    };
    // The command name may contain spaces and parentheses, so fields are counted from its closing parenthesis.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return Ok(None);
    }
    let began = fields.get(19).and_then(|field| field.parse().ok());
    began.map(Some).ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has no start time")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_back_as_it_was_written() {
        let current = ProcessIdentity::current().unwrap();
        assert_eq!(current.to_string().parse(), Ok(current));
        assert_eq!("1.2".parse::<ProcessIdentity>(), Err(()));
        assert_eq!("1.2.3.4".parse::<ProcessIdentity>(), Err(()));
    }

    #[test]
    fn a_process_of_another_namespace_counts_as_alive() {
        let current = ProcessIdentity::current().unwrap();
        let foreign = ProcessIdentity { namespace: current.namespace + 1, pid: u32::MAX, began: 0 };
        assert!(!foreign.is_dead().unwrap() && !current.is_dead().unwrap());
        assert!(ProcessIdentity { pid: u32::MAX, ..current }.is_dead().unwrap());
        assert!(ProcessIdentity { began: current.began - 1, ..current }.is_dead().unwrap());
    }
}

//! The names that rings may have, checked before any file is touched, and the directory they stand in by default.

/// A name that no ring can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ring name {name:?}: {reason}: use 1 to 200 of A-Z a-z 0-9 . _ - and no '.' at the start")]
pub struct NameError {
    /// The name, cut short if it is very long.
    pub name: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Where rings stand unless told otherwise: the system's file system in memory.
pub const DEFAULT_ROOT: &str = "/dev/shm";

/// Longest name in bytes: with `.ring` it stays below what file systems allow.
const LONGEST: usize = 200;

/// Checks a ring's name: 1 to 200 of `A-Z a-z 0-9 . _ -`, and no `.` at the start.
///
/// Whatever takes a name checks it before a file is touched; this is for who wants to know earlier still, as soon as a
/// command line or a configuration was read.
///
/// # Errors
/// The name, with what is wrong with it.
///
/// ```
/// assert!(feed_ring::check_name("quotes-2").is_ok());
/// let error = feed_ring::check_name("../quotes").unwrap_err();
/// assert!(error.to_string().contains("it starts with '.'"), "{error}");
/// ```
pub fn check(name: &str) -> Result<(), NameError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > LONGEST {
        "it is longer than 200 characters"
    } else if name.starts_with('.') {
        "it starts with '.'"
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        "it has a character that no ring's name may have"
    } else {
        return Ok(());
    };
    Err(NameError { name: name.chars().take(LONGEST).collect(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["q", "quotes", "Q-1_x.y", &"n".repeat(200)] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", ".hidden", "a/b", "../a", "a\0b", "a b", "ü", "a\n", &"n".repeat(201)] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}

//! Valid ring names, and the default root directory of rings.

/// A name that no ring can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ring name {name:?}: {reason}: use 1 to 200 of A-Z a-z 0-9 . _ - and no '.' at the start")]
pub struct NameError {
    /// The name, at most 200 characters of it.
    pub name: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The directory of rings unless another root is given: the system's tmpfs.
pub const DEFAULT_ROOT: &str = "/dev/shm";

/// The longest name in bytes. With `.ring` it stays below the 255 bytes of file systems.
const MAX_NAME: usize = 200;

/// Checks a ring's name: 1 to 200 of `A-Z a-z 0-9 . _ -`, and no `.` at the start.
///
/// Every function that takes a name makes this check before it touches a file. Call it to reject a bad name earlier,
/// for example when a command line or a configuration is read.
///
/// # Errors
/// [`NameError`] if the name is not valid.
///
/// ```
/// fn main() -> Result<(), feed_ring::NameError> {
///     feed_ring::check_name("quotes-2")?;
///     let error = feed_ring::check_name("../quotes").unwrap_err();
///     assert!(error.to_string().contains("it starts with '.'"), "{error}");
///     Ok(())
/// }
/// ```
pub fn check(name: &str) -> Result<(), NameError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > MAX_NAME {
        "it is longer than 200 characters"
    } else if name.starts_with('.') {
        "it starts with '.'"
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        "it has a character that no ring's name may have"
    } else {
        return Ok(());
    };
    Err(NameError { name: name.chars().take(MAX_NAME).collect(), reason })
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

//! Entries that have a ring's name and cannot be inspected.

use feed_ring::OpenError;
use feed_ring::inspect::FileFacts;
use serde::Serialize;

use super::owner::{octal, user};
use crate::format::printable;

/// An entry that has a ring's name, and cannot be inspected or is not a ring.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Unreadable {
    pub(crate) name: String,
    pub(crate) uid: Option<u32>,
    pub(crate) owner: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) bytes: Option<u64>,
    pub(crate) kind: Reason,
    pub(crate) problem: String,
}

/// Why it cannot be inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    /// It is not a ring.
    NotARing,
    /// The kernel or a sealed ring's publisher refuses this user.
    NotAllowed,
    /// It is a ring of another version.
    OtherVersion,
    /// It is a ring whose header contradicts itself.
    Damaged,
    /// Nobody serves this sealed ring.
    NotServed,
    /// Another error.
    Failed,
}

impl Reason {
    /// The reason in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Reason::NotARing => "no ring",
            Reason::NotAllowed => "permission denied",
            Reason::OtherVersion => "another version",
            Reason::Damaged => "damaged",
            Reason::NotServed => "not served",
            Reason::Failed => "failed",
        }
    }

    pub(super) fn of(error: &OpenError) -> Self {
        match error {
            OpenError::Name(_) | OpenError::NotARing { .. } => Reason::NotARing,
            OpenError::Permission { .. } | OpenError::Refused { .. } => Reason::NotAllowed,
            OpenError::Abi { .. } => Reason::OtherVersion,
            OpenError::Geometry { .. } | OpenError::Unsealed { .. } => Reason::Damaged,
            OpenError::NotFound { .. } | OpenError::NotServed { .. } => Reason::NotServed,
            _ => Reason::Failed,
        }
    }
}

impl Unreadable {
    pub(super) fn new(name: String, file: Option<FileFacts>, kind: Reason, problem: &str) -> Self {
        Unreadable {
            name,
            uid: file.map(|file| file.uid),
            owner: file.map(|file| user(file.uid)),
            mode: file.map(octal),
            bytes: file.map(|file| file.bytes),
            kind,
            problem: printable(problem),
        }
    }
}

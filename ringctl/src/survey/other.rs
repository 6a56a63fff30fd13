//! Entries of a root that have a ring's name and cannot be inspected.

use feed_ring::OpenError;
use feed_ring::inspect::FileFacts;
use serde::Serialize;

use super::owner::{octal, user};
use crate::format::printable;

/// What stands where a ring could, and is none, or none that can be looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Other {
    pub(crate) name: String,
    pub(crate) uid: Option<u32>,
    pub(crate) owner: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) bytes: Option<u64>,
    pub(crate) kind: Kind,
    pub(crate) problem: String,
}

/// In what way something cannot be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// It is not a ring, whatever its name says.
    NotARing,
    /// The kernel, or the publisher of a sealed ring, does not let this user.
    NotAllowed,
    /// A ring of another version.
    OtherVersion,
    /// A ring that contradicts itself.
    Damaged,
    /// A sealed ring that nobody serves (any more).
    NotServed,
    /// The kernel said something else.
    Failed,
}

impl Kind {
    /// The same in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Kind::NotARing => "no ring",
            Kind::NotAllowed => "permission denied",
            Kind::OtherVersion => "another version",
            Kind::Damaged => "damaged",
            Kind::NotServed => "not served",
            Kind::Failed => "failed",
        }
    }

    pub(super) fn of(error: &OpenError) -> Self {
        match error {
            OpenError::Name(_) | OpenError::NotARing { .. } => Kind::NotARing,
            OpenError::Permission { .. } | OpenError::Refused { .. } => Kind::NotAllowed,
            OpenError::Abi { .. } => Kind::OtherVersion,
            OpenError::Geometry { .. } | OpenError::Unsealed { .. } => Kind::Damaged,
            OpenError::NotFound { .. } | OpenError::NotServed { .. } => Kind::NotServed,
            _ => Kind::Failed,
        }
    }
}

impl Other {
    pub(super) fn new(name: String, file: Option<FileFacts>, kind: Kind, problem: &str) -> Self {
        Other {
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

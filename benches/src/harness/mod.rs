//! What runs and measures one contender: two pinned processes, rounds between calibrations, and what they report.

pub mod calibrate;
pub mod clock;
pub mod contender;
pub mod cores;
pub mod follow;
pub mod fork;
pub mod lead;
pub mod meeting;
pub mod message;
pub mod pair;
pub mod patience;
pub mod place;
pub mod preempted;
pub mod visit;

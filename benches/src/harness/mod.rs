//! What runs and measures one contender: two pinned processes, rounds between calibrations, and what they report.

pub mod barrier;
pub mod calibrate;
pub mod clock;
pub mod contender;
pub mod cores;
pub mod fork;
pub mod measurement;
pub mod message;
pub mod pair;
pub mod patience;
pub mod preempted;
pub mod private_dir;
pub mod publisher;
pub mod subscriber;

//! The harness: measures one contender between two processes pinned to two cores, with a calibration around each round.

pub mod barrier;
pub mod calibrate;
pub mod clock;
pub mod contender;
pub mod cores;
pub mod fork;
pub mod measurement;
pub mod message;
pub mod newest;
pub mod pair;
pub mod patience;
pub mod preempted;
pub mod priority;
pub mod private_dir;
pub mod publisher;
pub mod quantiles;
pub mod round;
pub mod subscriber;

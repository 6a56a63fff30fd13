//! `ringctl` against rings in every state, and against what is none.

mod cleaning;
mod doctor;
mod every;
mod exporter;
mod looking;
mod messages;
mod rings;
mod sealed;
mod terminal;

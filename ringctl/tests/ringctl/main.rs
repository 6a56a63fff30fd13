//! Tests of `ringctl` on rings in every state, and on files that are not rings.

mod bridges;
mod cleaning;
mod dashboard;
mod doctor;
mod every;
mod exporter;
mod full;
mod looking;
mod machine;
mod messages;
mod records;
mod rings;
mod rules;
mod sealed;
mod tables;
mod terminal;

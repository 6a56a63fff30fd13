//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::harness::cores::Cores;

/// Measures how long a publish, or a store into a table, takes beside hostile readers and users, and without them.
#[derive(Debug, Parser)]
#[command(name = "hostile", version)]
pub struct Options {
    /// Measurements of each attack, with and without it in turn; the medians are printed
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rounds: u32,
    /// Messages or stores of a measurement, one each microsecond
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) messages: u64,
    /// The publisher's core, and the core of all others (default: the first two allowed)
    #[arg(long, value_name = "A,B")]
    pub(super) cores: Option<Cores>,
    /// Only attacks whose name contains this, or the attacks on the ring, or those on the table: `ring`, `table`
    #[arg(long, value_name = "PART")]
    pub(super) only: Option<String>,
    /// In this program's children: what to do
    #[arg(long, hide = true)]
    pub(super) role: Option<Role>,
    /// In this program's children: the number of the case
    #[arg(long, hide = true, default_value_t = 0)]
    pub(super) case: usize,
    /// In this program's children: the directory of the ring or the table
    #[arg(long, hide = true)]
    pub(super) directory: Option<PathBuf>,
}

/// What a child of this program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Role {
    /// Publishes alone.
    Alone,
    /// Publishes beside an attack.
    Attacked,
    /// Attacks, until it is killed.
    Attack,
}

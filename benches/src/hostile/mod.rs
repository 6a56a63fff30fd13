//! How long a publish, or a store into a table, takes beside each attack that docs/reliability.md speaks of, and without it.
//!
//! Each measurement runs in a process of its own, because `membarrier` stays with a process. The publisher has one core,
//! and the attackers have the other: that they take processor time away is not measured.

pub mod attack;
pub mod case;
pub mod options;
mod reader;
mod table;
mod victim;

use std::io::Write as _;

use anyhow::Context as _;

use crate::harness::cores::{Cores, pin};
use crate::harness::private_dir::PrivateDir;
use case::Case;
use options::{Options, Role};
use table::{Row, Table};

/// Runs the program.
///
/// # Errors
/// The ring's, the kernel's, or those of standard output.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let cores = options.cores.map_or_else(Cores::first_two, Ok)?;
    if let Some(role) = options.role {
        let directory = options.directory.as_deref().context("--directory")?;
        let case = case::ALL.get(options.case).context("--case")?;
        return match role {
            Role::Attack => pin(cores.subscriber).and_then(|()| attack::run(case, directory)),
            role => victim::run(options, case, directory, cores, role == Role::Attacked),
        };
    }
    let named = |case: &Case, part: &str| case.target.name() == part || case.attack.name().contains(part);
    let wanted = |case: &Case| options.only.as_ref().is_none_or(|part| named(case, part));
    let directory = PrivateDir::create("/dev/shm".as_ref())?;
    let mut rows = Vec::new();
    for (number, case) in case::ALL.iter().enumerate().filter(|(_, case)| wanted(case)) {
        let mut measured = [Vec::new(), Vec::new()];
        for _ in 0..options.rounds {
            for (role, quantiles) in [Role::Alone, Role::Attacked].into_iter().zip(&mut measured) {
                quantiles.push(victim::measure_in_child(options, number, role, &directory, cores)?);
            }
        }
        let [alone, attacked] = measured;
        rows.push(Row { case, alone, attacked });
    }
    let mut output = std::io::stdout().lock();
    write!(output, "{}", Table { rows: &rows, cores }).context("cannot print the table")
}

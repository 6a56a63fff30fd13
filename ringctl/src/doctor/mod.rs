//! `doctor`: is this machine fit for rings? And, because whoever moves from one mechanism to another has to know, for the
//! other ways processes talk to each other.
//!
//! What is looked at is given as directories, so that machines can be made up to try it on.

mod check;
mod cpu;
mod limits;
mod machine;
mod memory;
mod report;
mod rings;

use std::path::Path;

use self::check::Status;
use self::machine::Machine;
use crate::args;
use crate::outcome::Outcome;
use crate::output::Output;

pub(crate) fn run(root: &Path, machine: &args::Machine, out: &mut Output) -> anyhow::Result<Outcome> {
    let machine = Machine::new(root, machine);
    let mut checks = Vec::new();
    memory::check(&machine, &mut checks);
    rings::check(&machine, &mut checks);
    cpu::check(&machine, &mut checks);
    limits::check(&machine, &mut checks);
    // A stable sort: within a group the order of above.
    checks.sort_by_key(|check| check.needed as u8);
    match out.json {
        true => out.json(&checks)?,
        false => out.text(&report::text(&checks))?,
    }
    let failed = checks.iter().any(|check| check.status == Status::Fail);
    Ok(if failed { Outcome::Wrong } else { Outcome::Fine })
}

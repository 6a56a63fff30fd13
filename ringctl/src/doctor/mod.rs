//! `doctor`: checks whether this machine is fit for rings, and for other mechanisms between processes.
//!
//! The directories of the machine are arguments, so that tests can make up machines.

mod check;
mod cpu;
mod files;
mod limits;
mod machine;
mod memory;
mod mount;
mod report;
mod rings;

use std::path::Path;

use self::check::Status;
use self::machine::Machine;
use crate::args;
use crate::outcome::Outcome;
use crate::output::Output;

pub(crate) fn run(root: &Path, machine: &args::DoctorArgs, out: &mut Output) -> anyhow::Result<Outcome> {
    let machine = Machine::new(root, machine);
    let mut checks = Vec::new();
    memory::check(&machine, &mut checks);
    files::check(&machine, &mut checks);
    rings::check(&machine, &mut checks);
    cpu::check(&machine, &mut checks);
    limits::check(&machine, &mut checks);
    // The sort is stable: within a group the checks keep their order.
    checks.sort_by_key(|check| check.needed as u8);
    match out.json {
        true => out.json(&checks)?,
        false => out.text(&report::text(&checks))?,
    }
    let failed = checks.iter().any(|check| check.status == Status::Fail);
    Ok(if failed { Outcome::Wrong } else { Outcome::Fine })
}

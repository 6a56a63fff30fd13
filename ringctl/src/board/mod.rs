//! `table`: the rows of a table or a cell, once, again and again, or live on a terminal.

mod live;
mod look;
mod shape;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use feed_program::say::say;
use feed_ring::inspect::{Inspected, Table};
use feed_ring::keyed::{table_name, table_socket};

use self::look::{Look, Reader};
use crate::args::{RingArg, TableArgs};
use crate::format::{count, printable};
use crate::open::{explain, open_any};
use crate::outcome::Outcome;
use crate::output::{Output, width};
use crate::table::render;

pub(crate) fn run(root: &Path, args: &TableArgs, out: &mut Output) -> anyhow::Result<Outcome> {
    let mut reader = Reader::new(&args.symbols);
    let mut look = || reader.look(&open(root, &args.ring)?);
    let first = look()?;
    let Some(interval) = args.watch else {
        let outcome = once(&first, out)?;
        if let Some(symbol) = first.missing(&args.symbols) {
            out.flush()?;
            anyhow::bail!("{}: no row of {symbol:?}: see what there is, without --symbol", printable(&first.path));
        }
        return Ok(outcome);
    };
    if !out.json && io::stdout().is_terminal() && io::stdin().is_terminal() {
        return live::run(first, interval, look);
    }
    watch(first, interval, out, look)
}

/// Opens the table that a command line names, or the table beside the ring that it names.
fn open(root: &Path, arg: &RingArg) -> anyhow::Result<Table> {
    match open_any(root, arg)? {
        Inspected::Table(table) => Ok(table),
        ring => {
            let beside = match (&arg.connect, &arg.name) {
                (Some(path), _) => Table::connect(table_socket(path)),
                (None, name) => Table::open(root, &table_name(name.as_deref().unwrap_or_default())),
            };
            // Why it is none says more than that there is no other.
            beside.or_else(|_| ring.table()).map_err(|error| anyhow::anyhow!(explain(&error, arg.connect.is_some())))
        }
    }
}

fn once(look: &Look, out: &mut Output) -> anyhow::Result<Outcome> {
    match out.json {
        true => out.line(&look.json(true))?,
        false => {
            out.line(&look.heading())?;
            out.text(&render(&look.shape.columns(), &look.cells(), width()))?;
        }
    }
    Ok(tell_unread(look))
}

/// Looks again and again: in JSON each row that changed, as text all of them.
fn watch(
    first: Look,
    interval: Duration,
    out: &mut Output,
    mut look_again: impl FnMut() -> anyhow::Result<Look>,
) -> anyhow::Result<Outcome> {
    let mut look = first;
    loop {
        match out.json {
            true => out.line(&look.json(false))?,
            false => {
                once(&look, out)?;
                out.line("")?;
            }
        }
        out.flush()?;
        std::thread::sleep(interval);
        look = look_again()?;
    }
}

/// Says which rows could not be read. They are not shown.
fn tell_unread(look: &Look) -> Outcome {
    let Some((row, why)) = &look.unread else { return Outcome::Fine };
    let (path, rows) = (printable(&look.path), count(look.unread_rows));
    say(format_args!("{path}: {rows} of the rows cannot be read, the first is row {row}: {why}"));
    Outcome::Wrong
}

//! The table on the terminal: a row for each contender, with `-` where too few rounds count.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::contender::Contender;
use super::figure::figure;
use super::summary::Report;
use super::{missing, newest_table};

/// Prints the table.
///
/// # Errors
/// Standard output's.
pub fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let (machine, spread) = (&report.machine, &report.c2c_ns);
    let of = if machine.is_virtual { "virtual CPUs" } else { "CPUs" };
    writeln!(out, "{}, {} {of}, {}, {}", machine.cpu, machine.cpus, report.kernel, report.date)?;
    writeln!(
        out,
        "cores {}, scheduling {}; c2c {:.0} ns ({:.0} to {:.0}); {} rounds kept, {} dropped; latency, paced, stream: ratios \
         to c2c",
        report.cores,
        report.scheduling,
        spread.median,
        spread.p10,
        spread.p90,
        report.rounds_kept,
        report.rounds_dropped
    )?;
    for line in report.load.lines() {
        writeln!(out, "{line}")?;
    }
    if !report.contenders.is_empty() {
        messages(report, out)?;
    }
    newest_table::print(report, out)?;
    writeln!(out)?;
    for copies in &report.copies {
        writeln!(
            out,
            "{} bytes in one process: into a slot {:.1} ns (memcpy {:.1}: {:.2} of its speed), out of it {:.1} ns (memcpy \
             {:.1}: {:.2}); publish {:.1} ns, receive {:.1} ns",
            copies.payload,
            copies.store_ns,
            copies.memcpy_in_ns,
            copies.store_over_memcpy,
            copies.load_ns,
            copies.memcpy_out_ns,
            copies.load_over_memcpy,
            copies.publish_ns,
            copies.receive_ns
        )?;
    }
    writeln!(out)?;
    for jitter in &report.wake_jitter {
        let (publish, gap) = (jitter.publish_ns, jitter.gap_ns);
        writeln!(
            out,
            "a message every 50 us, {} subscriber, wake={}: publish {} ns (p99 {}, p99.9 {}); core lost for {} ns (p99 \
             {}, p99.9 {})",
            jitter.subscriber, jitter.wake, publish.p50, publish.p99, publish.p999, gap.p50, gap.p99, gap.p999
        )?;
    }
    Ok(())
}

/// Prints the rows that move messages.
fn messages(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out)?;
    let width = report.contenders.iter().map(|row| row.name.len()).max().unwrap_or(0).max(9);
    let head =
        ["latency", "ns", "p99 ns", "p99.9 ns", "1us", "10us", "100us", "publish ns", "stream", "received/s", "lost %"];
    write!(out, "{:width$} {:>12}", "contender", "kind")?;
    for title in head {
        write!(out, " {title:>10}")?;
    }
    writeln!(out)?;
    for row in &report.contenders {
        write!(out, "{:width$} {:>12}", row.name, row.kind.name())?;
        for cell in cells(row) {
            write!(out, " {cell:>10}")?;
        }
        writeln!(out)?;
    }
    if report.contenders.iter().any(|row| !row.publishes_alone) {
        writeln!(out, "n/a: its publisher waits for readers, so it cannot publish without one")?;
    }
    if report.contenders.iter().any(|row| row.paced.iter().any(|paced| !paced.kept_pace)) {
        writeln!(out, "* the publisher did not keep the pace, so the latency is that of a growing backlog")?;
    }
    missing_figures(report, out)?;
    placements(report, out, width)
}

/// Prints the rows that lack figures, why, and what to do.
fn missing_figures(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let causes = report.causes();
    if causes.is_empty() {
        return Ok(());
    }
    writeln!(out, "-: no figure. By row:")?;
    for row in &report.contenders {
        for reason in missing::reasons(&row.missing, report.rounds_needed) {
            writeln!(out, "   {}: {reason}", row.name)?;
        }
    }
    writeln!(out, "What to do:")?;
    for cause in causes {
        writeln!(out, "   {}", missing::remedy(cause, report.circumstances()))?;
    }
    Ok(())
}

/// Prints the latency for each distance of the cores, if the machine moved them during the report.
fn placements(report: &Report, out: &mut impl Write, width: usize) -> io::Result<()> {
    let all = || report.contenders.iter().flat_map(|row| &row.latency_by_placement);
    let seen: BTreeSet<u64> = all().map(|placed| placed.c2c_from_ns).collect();
    if seen.len() < 2 {
        return Ok(());
    }
    writeln!(out)?;
    write!(out, "{:width$}", "latency while c2c was")?;
    for from in &seen {
        write!(out, " {:>16}", format!("{from} to {} ns", 2 * from))?;
    }
    writeln!(out)?;
    for row in report.contenders.iter().filter(|row| !row.latency_by_placement.is_empty()) {
        write!(out, "{:width$}", row.name)?;
        for from in &seen {
            let placed = row.latency_by_placement.iter().find(|placed| placed.c2c_from_ns == *from);
            write!(out, " {:>16}", placed.map_or("-".into(), |p| format!("{:.2} ({:.0} ns)", p.over_c2c, p.ns)))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn cells(row: &Contender) -> Vec<String> {
    let mut cells = vec![
        figure(row.latency_over_c2c),
        figure(row.latency_ns),
        figure(row.latency_p99_ns),
        figure(row.latency_p999_ns),
    ];
    for index in 0..3 {
        let paced = row.paced.get(index);
        let late = paced.is_some_and(|paced| !paced.kept_pace);
        let figure = figure(paced.and_then(|paced| paced.over_c2c));
        cells.push(if late && figure != "-" { figure + "*" } else { figure });
    }
    cells.extend([
        if row.publishes_alone { figure(row.publish_ns) } else { "n/a".into() },
        figure(row.stream_over_c2c),
        row.received_per_second.map_or("-".into(), millions),
        row.lost_percent.map_or("-".into(), |lost| format!("{lost:.2}")),
    ]);
    cells
}

fn millions(value: f64) -> String {
    format!("{:.2} M", value / 1e6)
}

//! Opens the ring, follows it until something ends that, and prints the summary.

use std::io::{self, IsTerminal};
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use feed::reception::Reception;
use feed::records::Encoding;
use feed::summary::{Sequences, Summary, Tally};
use feed_program::args::SummaryFormat;
use feed_program::failure::Failure;
use feed_program::say::{say, try_say};
use feed_program::stdout::OutputError;
use feed_program::{remedy, stdout, stop};
use feed_ring::keyed::SnapshotError;
use feed_ring::{OpenError, SegmentKind, TryRecvError, WaitStrategy};
use tracing::info;

use crate::attach::{self, Opened, report_lacks};
use crate::board::Board;
use crate::ended::Ended;
use crate::follow::{Follower, measurements};
use crate::options::{Options, OutputFormat};
use crate::reader::Reader;

/// Runs the program.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    options.check().map_err(Failure::Usage)?;
    let stop = stop::on_signals().map_err(remedy::failed("handle signals"))?;
    feed_ring::guard::install().map_err(remedy::failed("guard against SIGBUS"))?;
    options.placement.bind()?;
    let Some(opened) = open(options, &stop)? else {
        let empty = Summary::new(&Tally::default(), Sequences::default(), 0.0);
        let reception = measurements(&Reception::default(), &Ended::Signal);
        let board = Board::new(options).map(|board| board.summary());
        return Ok(print(&Summary { board, received: Some(reception), ..empty }, &Ended::Signal, &stop, options)?);
    };
    let Opened { ring, joined, first, epoch, capacity } = opened;
    if options.wait() == WaitStrategy::Block {
        // A signal that came before has set the flag.
        let interrupter = ring.interrupter();
        stop::call_on_signals(move || interrupter.interrupt()).map_err(remedy::failed("handle signals"))?;
    }
    check_output(options, &ring).map_err(Failure::Usage)?;
    report_lacks(&ring, options);
    options.placement.lock()?;
    info!(ring = options.title(), first, epoch, capacity, "opened");
    let mut follower = Follower::new(options, &stop, ring, joined);
    let ended = follower.receive();
    if matches!(ended, Ended::OutputClosed) {
        return Ok(());
    }
    if matches!(ended, Ended::OutputUnread) {
        say(format_args!(
            "feed-subscriber: {}: told to end while nobody read standard output: what it had no room for is missing there",
            options.title()
        ));
    }
    print(&follower.summary(&ended), &ended, &stop, options)?;
    match ended {
        Ended::Ring(_, error @ TryRecvError::PublisherDead) => {
            Err(anyhow::anyhow!("{}: {error}, or wait for it (--on-publisher-loss wait)", options.title()).into())
        }
        Ended::Ring(_, error) => Err(anyhow::anyhow!("{}: {error}", options.title()).into()),
        Ended::Reopen(error) => {
            let error = explain(error, options);
            Err(error
                .context(format!("{}: superseded, and the ring that took its place cannot be opened", options.title()))
                .into())
        }
        Ended::Table(error @ SnapshotError::NotKept) => {
            Err(anyhow::anyhow!("{}: {error} (feed-publisher --table)", options.title()).into())
        }
        Ended::Table(error) => Err(anyhow::anyhow!("{}: {error}", options.title()).into()),
        Ended::File(failed) => Err(anyhow::anyhow!("{}: {failed}", options.title()).into()),
        Ended::Placement(error) => Err(error.into()),
        Ended::Output(error) => Err(anyhow::Error::from(OutputError::from(error)).into()),
        _ => Ok(()),
    }
}

/// Fails if the ring has nothing that --output can print so.
fn check_output(options: &Options, ring: &Reader) -> Result<(), String> {
    let carries = match ring.encoding() {
        _ if options.output != OutputFormat::Dbn => return Ok(()),
        Some(Encoding::Dbn) if io::stdout().is_terminal() => {
            let remedy = "write into a file (> FILE), or print it with --output text";
            return Err(format!("--output dbn: standard output is a terminal, and a DBN file is no text: {remedy}"));
        }
        Some(Encoding::Dbn) => return Ok(()),
        Some(Encoding::Itch) => "a ring of ITCH records",
        Some(Encoding::Bytes) => "a ring of records that are not DBN's",
        None => "a ring of messages",
    };
    Err(format!(
        "--output dbn: {} is {carries}: expected DBN records (feed-publisher --as records --input FILE.dbn); print it with \
         --output text, csv or json",
        options.title()
    ))
}

/// Opens the ring; waits for it if --open-timeout says so. Returns `None` if a signal came first.
fn open(options: &Options, stop: &AtomicBool) -> Result<Option<Opened>, Failure> {
    attach::open(options, stop).map_err(|error| match error {
        error @ OpenError::Sequence { .. } => Failure::Usage(format!("--from: {error}")),
        OpenError::Kind { path, found: SegmentKind::Records, .. } if options.needs_table() => {
            let path = path.display();
            Failure::Usage(format!(
                "{path}: a ring of records: --snapshot and --symbol go with messages and their table: leave them out"
            ))
        }
        error => Failure::Runtime(explain(error, options)),
    })
}

/// The error with the flag that helps, if there is one.
fn explain(error: OpenError, options: &Options) -> anyhow::Error {
    match &error {
        OpenError::NotFound { .. } | OpenError::Unfinished { .. } | OpenError::NotServed { .. } => {
            let table = if options.needs_table() { "feed-publisher --table, " } else { "" };
            anyhow::anyhow!("{error} ({table}--open-timeout SECONDS)")
        }
        OpenError::Owner { found, .. } => anyhow::anyhow!("{error} (--trust-uid {found})"),
        OpenError::Permission { .. } if options.mapping() == feed_ring::Mapping::ReadWrite => {
            anyhow::anyhow!("{error}; --map rw needs write permission, too")
        }
        OpenError::Refused { .. } => {
            anyhow::anyhow!("{error} (feed-publisher --allow-uid UID, --allow-gid GID, --max-clients N)")
        }
        OpenError::Io { source, .. } => {
            let (directory, place) = match &options.connect {
                Some(socket) => (socket.parent().unwrap_or(socket), "--connect PATH"),
                None => (&*options.root, "--root DIR"),
            };
            anyhow::anyhow!("{error}: {}", remedy::ring(source, directory, place))
        }
        _ => error.into(),
    }
}

/// Prints the summary to standard output. It goes to standard error if it would mix with what is printed there: a text
/// summary with messages, any with a DBN file. So it does if nobody reads standard output. A closed pipe is not an error.
fn print(summary: &Summary, ended: &Ended, stop: &AtomicBool, options: &Options) -> Result<(), anyhow::Error> {
    let text = match options.summary {
        SummaryFormat::Json => summary.to_json() + "\n",
        SummaryFormat::Text => summary.to_text(),
    };
    let among_messages = match options.output {
        OutputFormat::None => false,
        // The file would not end with its last record.
        OutputFormat::Dbn => true,
        OutputFormat::Text | OutputFormat::Csv | OutputFormat::Json => options.summary == SummaryFormat::Text,
    };
    if among_messages || matches!(ended, Ended::OutputUnread) {
        return try_say(text.trim_end()).context("cannot print the summary");
    }
    stdout::print_summary(&text, stop).context("cannot print the summary")
}

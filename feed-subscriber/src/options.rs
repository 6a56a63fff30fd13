//! The command line of `feed-subscriber`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::Styles;
use clap::{Parser, ValueEnum};
use feed::board::Symbol;
use feed::explained;
use feed_program::args::{PlacementArgs, SummaryFormat, ring_name};
use feed_ring::{Join, Mapping, WaitStrategy};

/// Follows a ring of market data in shared memory
///
/// Receives every message from where it joins until the ring is closed, --max messages or a signal; counts exactly what
/// it lost if it fell behind, and measures latency from each message's publish time. It does not slow the publisher
/// down.
///
/// A publisher that dies and is started again goes on with the same ring under a new epoch: this program stays attached
/// and says so on standard error. If the publisher made another ring instead (another capacity, --fresh, or the old one
/// was removed), this program opens that one. Either way the old publisher may have left something undone: state that
/// was built from the messages before a restart, such as an order book, must be built anew from the messages after it.
/// feed-publisher --clear says so within the feed: a message of kind `clear` for instrument 0, which is all
/// instruments. The summary counts epochs, restarts, rings that were reopened, and what was lost in between;
/// `first_sequence + messages + lost + skipped = next_sequence` holds over all of them.
///
/// A ring of records (feed-publisher --as records) is recognised by itself: --output prints DBN as the vendor's encoders do,
/// ITCH by its fields, other bytes as hexadecimal digits, structs too (ringctl tail prints their fields); --output dbn writes a DBN file that every decoder of DBN reads.
/// Records have no publish time, so latency_ns is null.
///
/// Messages go to standard output, and so does the summary in the end; only if messages and a text summary would mix, with
/// --output dbn, or if it is told to end while nobody reads standard output, the summary goes to standard error.
#[derive(Debug, Parser)]
#[command(version, styles = Styles::plain(), max_term_width = 100, args_override_self = true)]
#[command(after_help = AFTER, after_long_help = format!("{AFTER}\n\n{}", explained::help(&explained::RECEIVED)))]
#[command(mut_arg("huge_pages", |arg| arg.help(HUGE_PAGES)))]
#[command(mut_arg("numa_node", |arg| arg.help(NUMA_NODE)))]
pub(crate) struct Options {
    /// Name of the ring
    #[arg(long, value_name = "NAME", default_value = "feed", value_parser = ring_name)]
    pub(crate) ring: String,

    /// Follow the sealed ring that a publisher serves at this Unix socket (feed-publisher --serve), instead of one on disk
    #[arg(long, value_name = "PATH", conflicts_with_all = ["ring", "root"])]
    pub(crate) connect: Option<PathBuf>,

    /// Where to join: `oldest` that the ring holds, `latest` (what comes from now on), or a sequence number
    ///
    /// A sequence that is not published yet is waited for; what is long gone counts as lost.
    #[arg(long, value_name = "oldest|latest|SEQUENCE", default_value = "latest", value_parser = join)]
    pub(crate) from: Join,

    /// Begin with the state so far: take a snapshot of the table that feed-publisher --table keeps, then receive only messages
    /// that are not in it. Again after a loss and after a restart of the publisher
    ///
    /// --output prints the rows of a snapshot first, one for each instrument with its last message, and marks them: text with a
    /// `*` before the sequence, csv and json in a field `snapshot`. The summary compares the state at the end with the
    /// publisher's (table_digest). Messages that are in the snapshot count as skipped.
    #[arg(long)]
    pub(crate) snapshot: bool,

    /// Only messages of this symbol, and those that clear all books; may be given several times. Needs the table of
    /// feed-publisher --table; others count as skipped
    #[arg(long, value_name = "SYMBOL", value_parser = symbol)]
    pub(crate) symbol: Vec<Symbol>,

    /// How to wait for a message: `block` sleeps until the publisher wakes it, `spin` is fastest and needs a core of its own,
    /// `yield` polls and lets others run in between
    #[arg(long, value_name = "STRATEGY", default_value = "block")]
    wait: Wait,

    /// Wait so long for the ring to appear; `inf` for ever
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub(crate) open_timeout: Duration,

    /// What to do when the publisher dies: `wait` for it to be started again, or `exit` with code 1
    #[arg(long, value_name = "wait|exit", default_value = "wait")]
    pub(crate) on_publisher_loss: OnLoss,

    /// How to map the ring: `ro`, so that nothing this program does can change it, or `rw`, which needs write permission
    /// and is faster on some processors
    #[arg(long, value_name = "ro|rw", default_value = "ro")]
    map: Map,

    /// Also follow a ring that belongs to this user; may be given several times [default: one's own and root's]
    #[arg(long, value_name = "UID")]
    pub(crate) trust_uid: Vec<u32>,

    #[command(flatten)]
    pub(crate) placement: PlacementArgs,

    /// What to print of each message or record
    #[arg(long, value_name = "FORMAT", default_value = "none")]
    pub(crate) output: OutputFormat,

    /// End after so many messages
    #[arg(long, value_name = "N")]
    pub(crate) max: Option<u64>,

    /// How to print the summary; json: one object, the last line. --help explains its fields
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) summary: SummaryFormat,

    /// Directory of the ring
    #[arg(long, value_name = "DIR", default_value = feed_ring::DEFAULT_ROOT)]
    pub(crate) root: PathBuf,

    /// Spend this many ns on each message, to simulate a slow subscriber
    #[arg(long, value_name = "NS", default_value_t = 0, hide = true)]
    pub(crate) delay_ns: u64,
}

const AFTER: &str = "Exit code: 0 the ring was closed, --max, a signal, or a closed pipe; 1 an error (the ring is \
    damaged, or cannot be opened; with --on-publisher-loss exit: the publisher is gone); 2 a wrong command line.\n\
    RUST_LOG=info (or warn) logs what happens to the ring on standard error, RUST_LOG_FORMAT=json as JSON.\n\n\
    Examples:\n  \
    feed-subscriber --open-timeout 10 --summary json\n  \
    feed-subscriber --from oldest --output csv > feed.csv\n  \
    feed-subscriber --wait spin --map rw --cpu 5 --numa-node 0 --huge-pages --lock-memory\n  \
    feed-subscriber --snapshot --symbol ESH4 --output text\n  \
    feed-subscriber --from oldest --output dbn > day.dbn\n  \
    feed-subscriber --output text | head";

const HUGE_PAGES: &str =
    "Reach the ring through huge pages, if its publisher has put it on some; if not, says so and goes on without";

const NUMA_NODE: &str =
    "Take the program's own memory from this NUMA node only; the ring's is where its publisher has put it";

impl Options {
    /// The name of the ring in messages and logs: its name or its socket.
    pub(crate) fn title(&self) -> String {
        self.connect.as_ref().map_or_else(|| self.ring.clone(), |path| path.display().to_string())
    }

    /// Whether the table is opened with the ring.
    pub(crate) fn needs_table(&self) -> bool {
        self.snapshot || !self.symbol.is_empty()
    }

    /// Checks options together, where clap does not.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.connect.is_some() && self.map == Map::Rw {
            return Err(
                "--map rw: a sealed ring (--connect PATH) can only be mapped read-only: use --map ro".to_owned()
            );
        }
        Ok(())
    }

    /// The ring's wait strategy.
    pub(crate) fn wait(&self) -> WaitStrategy {
        match self.wait {
            Wait::Spin => WaitStrategy::Spin,
            Wait::Yield => WaitStrategy::Yield,
            Wait::Block => WaitStrategy::Block,
        }
    }

    /// The mapping of --map.
    pub(crate) fn mapping(&self) -> Mapping {
        match self.map {
            Map::Ro => Mapping::ReadOnly,
            Map::Rw => Mapping::ReadWrite,
        }
    }
}

/// The strategies of --wait.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Wait {
    /// Polls without ever giving the core away
    Spin,
    /// Polls a little, then lets others run
    Yield,
    /// Polls a little, then sleeps
    Block,
}

/// The choices of --on-publisher-loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnLoss {
    /// Keep the ring, and go on with what a restarted publisher sends
    Wait,
    /// End with an error
    Exit,
}

/// The mappings of --map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Map {
    /// Read-only
    Ro,
    /// Writable
    Rw,
}

/// The formats of --output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Nothing
    None,
    /// A line for people; of a message at most 80 columns, of a record as long as its fields
    Text,
    /// CSV with a header; decimal prices and sizes, empty where undefined
    Csv,
    /// One JSON object on each line; prices and sizes as decimal strings, null where undefined
    Json,
    /// A DBN file, from a ring of DBN records
    Dbn,
}

fn join(text: &str) -> Result<Join, String> {
    match text {
        "oldest" => Ok(Join::Oldest),
        "latest" => Ok(Join::Latest),
        _ => text
            .parse()
            .map(Join::Sequence)
            .map_err(|_| "expected oldest, latest, or a sequence number from 0".to_owned()),
    }
}

fn symbol(text: &str) -> Result<Symbol, String> {
    match text.parse::<Symbol>() {
        Ok(symbol) if !text.is_empty() => Ok(symbol),
        _ => Err("expected a symbol of 1 to 72 bytes".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    if text == "inf" {
        return Ok(Duration::MAX);
    }
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected seconds from 0 (0.5: half a second), or inf".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        Options::try_parse_from([&["feed-subscriber"], arguments].concat()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn values_are_what_they_say() {
        assert_eq!(parse(&[]).unwrap().from, Join::Latest);
        assert_eq!(parse(&["--from", "oldest"]).unwrap().from, Join::Oldest);
        assert_eq!(parse(&["--from", "17"]).unwrap().from, Join::Sequence(17));
        assert_eq!(parse(&["--open-timeout", "0.5"]).unwrap().open_timeout, Duration::from_millis(500));
        assert_eq!(parse(&["--open-timeout", "inf"]).unwrap().open_timeout, Duration::MAX);
        assert_eq!(parse(&[]).unwrap().wait(), WaitStrategy::default(), "the library's default and no other");
        assert_eq!(parse(&["--wait", "spin"]).unwrap().wait(), WaitStrategy::Spin);
        assert_eq!(parse(&["--wait", "yield"]).unwrap().wait(), WaitStrategy::Yield);
        assert_eq!(parse(&["--wait", "block"]).unwrap().wait(), WaitStrategy::Block);
        assert_eq!(parse(&[]).unwrap().mapping(), Mapping::ReadOnly);
        assert_eq!(parse(&["--map", "rw"]).unwrap().mapping(), Mapping::ReadWrite);
        assert_eq!(parse(&["--trust-uid", "7", "--trust-uid", "8"]).unwrap().trust_uid, [7, 8]);
        assert_eq!(parse(&[]).unwrap().on_publisher_loss, OnLoss::Wait);
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_flag() {
        for (arguments, says) in [
            (&["--from", "newest"][..], "'--from <oldest|latest|SEQUENCE>': expected oldest, latest, or a sequence"),
            (&["--from=-1"], "--from"),
            (&["--open-timeout", "soon"], "'--open-timeout <SECONDS>': expected seconds from 0"),
            (&["--open-timeout=-1"], "--open-timeout"),
            (&["--open-timeout", "NaN"], "--open-timeout"),
            (&["--wait", "sleep"], "[possible values: spin, yield, block]"),
            (&["--on-publisher-loss", "retry"], "[possible values: wait, exit]"),
            (&["--map", "wo"], "[possible values: ro, rw]"),
            (&["--trust-uid", "root"], "--trust-uid"),
            (&["--cpu", "first"], "--cpu"),
            (&["--numa-node", "near"], "--numa-node"),
            (&["--output", "xml"], "[possible values: none, text, csv, json, dbn]"),
            (&["--max", "x"], "--max"),
            (&["--symbol", ""], "'--symbol <SYMBOL>': expected a symbol of 1 to 72 bytes"),
            (&["--summary", "xml"], "[possible values: text, json]"),
            (&["--input", "x"], "--input"),
            (&["--ring", ".a"], "'--ring <NAME>': ring name \".a\": it starts with '.'"),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(says), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn a_sealed_ring_is_not_mapped_for_writing() {
        assert_eq!(parse(&["--map", "rw"]).unwrap().check(), Ok(()));
        assert_eq!(parse(&["--connect", "p", "--map", "ro"]).unwrap().check(), Ok(()));
        let error = parse(&["--connect", "p", "--map", "rw"]).unwrap().check().unwrap_err();
        assert!(error.contains("--connect") && error.ends_with("use --map ro"), "{error}");
    }
}

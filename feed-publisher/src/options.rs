//! The command line of `feed-publisher`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::styling::Styles;
use feed::explained;
use feed::pacing::Pace;
use feed_program::args::{PlacementArgs, SummaryFormat, ring_name};

use crate::choices::{Carried, FormatChoice, WakeChoice};
use crate::values::{capacity, clients, mode, positive, rows, seconds, slot_size, speed};

/// Publishes market data into a ring in shared memory
///
/// Replays a file or standard input (Databento DBN: MBO, MBP-1, TBBO, trades; NASDAQ ITCH 5.0; CSV; plain, gzip or zstd,
/// all recognised by content), or makes a synthetic market. With --as records the ring carries the input's own bytes
/// instead: DBN of every schema, and ITCH. It never waits for a subscriber: one that falls behind by
/// more than the ring holds loses messages, and is told how many.
///
/// If there is a ring of this name whose publisher is gone (killed, ended by SIGUSR1 or with --keep-open, or closed with
/// --keep), it is taken over: it goes on under the next sequence number, in a new epoch, and its subscribers stay attached.
/// A ring of another capacity or of other messages is replaced instead; its subscribers are sent to the new one.
///
/// When the input ends, after --count messages, or on Ctrl-C, SIGTERM or SIGHUP (not under nohup), it closes the ring and
/// prints a summary to standard output. A second Ctrl-C or SIGTERM ends it at once.
///
/// For a planned restart, SIGUSR1 ends it and leaves the ring open: its subscribers wait for the next publisher. So does
/// every end with --keep-open.
#[derive(Debug, Parser)]
#[command(version, styles = Styles::plain(), max_term_width = 100, args_override_self = true)]
#[command(after_help = AFTER, after_long_help = format!("{AFTER}\n\n{}", explained::help(&explained::PUBLISHED)))]
#[command(mut_arg("huge_pages", |arg| arg.help(HUGE_PAGES)))]
#[command(mut_arg("numa_node", |arg| arg.help(NUMA_NODE).long_help(NUMA_NODE_IN_FULL)))]
pub(crate) struct Options {
    /// Name of the ring: 1 to 200 of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "NAME", default_value = "feed", value_parser = ring_name)]
    pub(crate) ring: String,

    /// What to replay, `-` for standard input [default: an endless synthetic market]
    #[arg(long, value_name = "FILE|-")]
    pub(crate) input: Option<PathBuf>,

    /// Format of the input [default: auto, by its first bytes]
    #[arg(long, value_name = "FORMAT", requires = "input")]
    pub(crate) format: Option<FormatChoice>,

    /// What the ring carries: `messages` of 56 bytes, which all formats become, or the input's own `records`, byte for byte
    /// [default: messages]
    ///
    /// Records are DBN of every schema (the kind is the rtype; first, as kind 255, comes the file's metadata with its symbol
    /// mappings) or ITCH (the kind is the letter). feed-subscriber recognises such a ring, and writes DBN as a file again
    /// (--output dbn). Records have no publish time, so no latency is measured.
    #[arg(long = "as", value_name = "messages|records", default_value = "messages", hide_default_value = true)]
    pub(crate) carried: Carried,

    /// With --as records: bytes of a slot, a power of two from 64 to 4096. A record takes as many slots as it needs, and is
    /// at most a quarter of the ring [default: 64]
    #[arg(long, value_name = "BYTES", value_parser = slot_size)]
    slot_size: Option<usize>,

    /// End with an error at the first record that cannot become a message; otherwise it is passed over and counted, as
    /// far as the format says where the next one begins
    #[arg(long, requires = "input")]
    pub(crate) strict: bool,

    /// How fast: `max`, `realtime` (as it was captured), or a factor of that
    ///
    /// The pace is that of the capture times: DBN's ts_recv, a CSV's recv_ts_ns, ITCH's timestamp. Where a record has none
    /// that can be, it is its event time's; without either, and where time runs backwards, a message follows at once.
    ///
    /// With anything but max, a message carries the time at which it should have been published, so that latency counts
    /// from there, also if the publisher was held up.
    #[arg(long, value_name = "max|realtime|FACTOR", default_value = "max", value_parser = speed)]
    speed: Pace,

    /// With --speed realtime or a factor: wait at most so long for the next message, 0 for no limit. The summary counts
    /// the gaps that were cut (gaps_cut) and adds them up (seconds_cut) [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    max_gap: Option<Duration>,

    /// Messages per second, instead of --speed
    #[arg(long, value_name = "PER_SECOND", conflicts_with = "speed", value_parser = positive)]
    rate: Option<f64>,

    /// End after so many messages
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,

    /// Slots of the ring, a power of two; a subscriber may fall one less than this behind
    #[arg(long, value_name = "N", default_value_t = 65_536, value_parser = capacity)]
    pub(crate) capacity: usize,

    /// Keep a table beside the ring, with a row for each instrument: its symbol, last message, quote and trade, and counts.
    /// feed-subscriber --snapshot and --symbol read it
    ///
    /// A row is stored before its message is published. The table is NAME.table beside the ring, or at the socket's path with
    /// .table behind it, and is taken over with the ring. If it has no row left for another instrument, that instrument's
    /// messages are published all the same, and counted (without_row); --strict ends there.
    #[arg(long)]
    pub(crate) table: bool,

    /// Rows of the table: the most instruments [default: 16384]
    #[arg(long, value_name = "N", value_parser = rows)]
    rows: Option<usize>,

    /// Publish nothing before so many subscribers are attached; at most 1024, or --max-clients, can be counted
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) wait_for_subscribers: usize,

    /// Seed of the synthetic market; the same seed gives the same market
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "input")]
    pub(crate) seed: u64,

    /// Leave the ring's files in place when it is closed
    #[arg(long)]
    pub(crate) keep: bool,

    /// However it ends, leave the ring open for the next publisher: subscribers wait for that one instead of ending
    ///
    /// The next feed-publisher of this --ring goes on with the ring, and subscribers receive its messages. A sealed ring
    /// (--serve) ends with its publisher: subscribers connect again, to the next publisher's ring. SIGUSR1 does the same
    /// for one end, without this option.
    #[arg(long, conflicts_with = "keep")]
    pub(crate) keep_open: bool,

    /// Make a new ring even if there is one that could be taken over; its subscribers are sent to the new one
    #[arg(long)]
    pub(crate) fresh: bool,

    /// If the ring's sequence goes on from an earlier publisher, first publish one message of kind `clear` for all
    /// instruments (instrument 0)
    ///
    /// A restarted publisher knows neither what its predecessor left undone nor which instruments there were. State
    /// that subscribers have built from earlier messages, such as order books, is invalid. The message says so within
    /// the feed, for subscribers that ignore epochs. It counts in the summary, but not towards --count.
    #[arg(long)]
    pub(crate) clear: bool,

    /// Who may subscribe, as the octal mode of the ring's segment: 600, with any of the read bits 044 and write bits 022
    #[arg(long, value_name = "OCTAL", default_value = "600", value_parser = mode)]
    pub(crate) mode: u32,

    /// Group of the ring's files, for a mode that admits it
    #[arg(long, value_name = "NAME|GID", value_parser = crate::group::parse)]
    pub(crate) group: Option<u32>,

    /// How to find out that a subscriber sleeps: `membarrier` costs a message nothing, and interrupts this program when one
    /// goes to sleep; `fence` costs each message some ns; `thread` leaves it to a thread of this program, so that no
    /// subscriber and no other user can delay it, and sleepers wake some 100 us later [default: thread if --mode admits
    /// others or the ring is sealed, else membarrier, or fence where the kernel refuses]
    #[arg(long, value_name = "membarrier|fence|thread")]
    pub(crate) wake: Option<WakeChoice>,

    /// How many messages ahead cache lines are taken over. 2: a message after a pause arrives sooner on some processors,
    /// where subscribers spin with --map rw; a message of a stream costs up to twice as much
    #[arg(long, value_name = "1|2", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) ahead: u8,

    /// Serve a sealed ring through a Unix socket at this path, instead of one on disk: nobody can write to it but this
    /// program, and nobody can take it over
    #[arg(long, value_name = "PATH", conflicts_with_all = ["ring", "root", "keep", "fresh"])]
    pub(crate) serve: Option<PathBuf>,

    /// Also serve this user, if --mode lets it connect; may be given several times [default: one's own user]
    #[arg(long, value_name = "UID", requires = "serve")]
    pub(crate) allow_uid: Vec<u32>,

    /// Also serve whoever is in this group, if --mode lets it connect; may be given several times
    #[arg(long, value_name = "GID", requires = "serve")]
    pub(crate) allow_gid: Vec<u32>,

    /// Serve so many subscribers at a time, each of which takes a file descriptor (ulimit -n); further ones are refused.
    /// With --allow-uid or --allow-gid one user gets at most half of them [default: 256]
    #[arg(long, value_name = "N", requires = "serve", value_parser = clients)]
    pub(crate) max_clients: Option<usize>,

    #[command(flatten)]
    pub(crate) placement: PlacementArgs,

    /// How to print the summary; json: one object, the last line. --help explains its fields
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) summary: SummaryFormat,

    /// Directory of the ring
    #[arg(long, value_name = "DIR", default_value = feed_ring::DEFAULT_ROOT)]
    pub(crate) root: PathBuf,
}

const AFTER: &str = "Exit code: 0 done or stopped, 1 an error while running, 2 a wrong command line.\n\
    RUST_LOG=info (or warn) logs what happens to the ring on standard error, RUST_LOG_FORMAT=json as JSON.\n\n\
    Examples:\n  \
    feed-publisher --count 1000000 --rate 100000 --wait-for-subscribers 1\n  \
    feed-publisher --input day.mbo.dbn.zst --speed realtime\n  \
    feed-publisher --clear --mode 640 --group trading --cpu 3 --numa-node 0 --huge-pages --lock-memory\n  \
    zcat day.itch.gz | feed-publisher --input - --speed 10 --summary json\n  \
    feed-publisher --as records --input day.mbp-10.dbn.zst --speed realtime";

const HUGE_PAGES: &str = "Put the ring on huge pages; where the machine refuses, says why and goes on without";

const NUMA_NODE: &str = "Take the ring's memory and the program's own from this NUMA node only";

const NUMA_NODE_IN_FULL: &str = "Take the ring's memory and the program's own from this NUMA node only\n\n\
    What subscribers have mapped of a ring that is taken over stays where it is; a message says how much that is.";

/// The number of entries in a ring's control file: so many subscribers can be counted.
const SUBSCRIBERS: usize = 1024;

/// The default of --slot-size: one cache line.
const SLOT_SIZE: usize = 64;

/// The default of --max-gap.
const MAX_GAP: Duration = Duration::from_secs(5);

/// The default of --rows: more than a day of NASDAQ has stocks. It takes 10.3 MiB.
const ROWS: usize = 16_384;

/// The default of --max-clients.
const MAX_CLIENTS: usize = 256;

impl Options {
    /// The pace of --rate or --speed.
    pub(crate) fn pace(&self) -> Pace {
        self.rate.map_or(self.speed, Pace::Rate)
    }

    /// The longest wait for one message, if there is a limit.
    pub(crate) fn max_gap(&self) -> Option<Duration> {
        Some(self.max_gap.unwrap_or(MAX_GAP)).filter(|gap| !gap.is_zero())
    }

    /// The name of the ring in messages and logs: its name or its socket.
    pub(crate) fn title(&self) -> String {
        self.serve.as_ref().map_or_else(|| self.ring.clone(), |path| path.display().to_string())
    }

    /// Whether the ring carries records.
    pub(crate) fn is_of_records(&self) -> bool {
        self.carried == Carried::Records
    }

    /// Bytes of a slot of a ring of records.
    pub(crate) fn slot_size(&self) -> usize {
        self.slot_size.unwrap_or(SLOT_SIZE)
    }

    /// The number of rows of the table.
    pub(crate) fn rows(&self) -> usize {
        self.rows.unwrap_or(ROWS)
    }

    /// The number of clients that a sealed ring may have at a time.
    pub(crate) fn max_clients(&self) -> usize {
        self.max_clients.unwrap_or(MAX_CLIENTS)
    }

    /// Checks options together, where clap does not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let for_sealed = !self.allow_uid.is_empty() || !self.allow_gid.is_empty() || self.max_clients.is_some();
        if self.serve.is_none() && for_sealed {
            // clap requires --serve, but not if an option is given that --serve conflicts with, such as --ring.
            let flags = "--allow-uid, --allow-gid and --max-clients";
            return Err(format!("{flags} go with --serve PATH; a ring on disk has --mode and --group"));
        }
        self.check_records()?;
        if self.rows.is_some() && !self.table {
            return Err("--rows N goes with --table: a ring alone has no rows".to_owned());
        }
        if self.max_gap.is_some() && !matches!(self.pace(), Pace::Realtime(_)) {
            return Err(
                "--max-gap SECONDS goes with --speed realtime or a factor: nothing else waits for a gap".to_owned()
            );
        }
        let (wanted, counted) = (self.wait_for_subscribers, SUBSCRIBERS.min(self.max_clients()));
        match self.serve {
            None if wanted > SUBSCRIBERS => {
                Err(format!("--wait-for-subscribers {wanted}: no more than {SUBSCRIBERS} of a ring are counted"))
            }
            Some(_) if wanted > counted => Err(format!(
                "--wait-for-subscribers {wanted}: no more than {counted} are served and counted (--max-clients N, up to \
                 {SUBSCRIBERS})"
            )),
            _ => Ok(()),
        }
    }

    /// Checks what goes with records.
    fn check_records(&self) -> Result<(), String> {
        if !self.is_of_records() {
            return match self.slot_size {
                Some(_) => {
                    Err("--slot-size BYTES goes with --as records: a message has a slot of its own size".to_owned())
                }
                None => Ok(()),
            };
        }
        let wrong = [
            (
                self.input.is_none(),
                "the synthetic market has no records of its own: give a DBN or ITCH file (--input FILE)",
            ),
            (
                self.format.is_some_and(|format| matches!(format, FormatChoice::Csv)),
                "--format csv has no records: leave out --as records",
            ),
            (
                self.table,
                "--table goes with messages: leave it out, for a table has a row of fields for each instrument",
            ),
            (self.clear, "--clear publishes a message: leave it out; subscribers are told of a restart all the same"),
            (self.ahead != 1, "--ahead 2 goes with messages: leave it out"),
        ];
        match wrong.iter().find(|(found, _)| *found) {
            Some((_, why)) => Err(format!("--as records: {why}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        Options::try_parse_from([&["feed-publisher"], arguments].concat()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn paces_are_what_they_say() {
        assert_eq!(parse(&[]).unwrap().pace(), Pace::Max);
        assert_eq!(parse(&["--speed", "max"]).unwrap().pace(), Pace::Max);
        assert_eq!(parse(&["--speed", "realtime"]).unwrap().pace(), Pace::Realtime(1.0));
        assert_eq!(parse(&["--speed", "2.5"]).unwrap().pace(), Pace::Realtime(2.5));
        assert_eq!(parse(&["--rate", "1000"]).unwrap().pace(), Pace::Rate(1_000.0));
    }

    #[test]
    fn gaps_have_a_limit_unless_it_is_0() {
        let max_gap = |arguments: &[&str]| parse(arguments).unwrap().max_gap();
        assert_eq!(max_gap(&[]), Some(Duration::from_secs(5)));
        assert_eq!(max_gap(&["--max-gap", "0.25"]), Some(Duration::from_millis(250)));
        assert_eq!(max_gap(&["--max-gap", "1e9"]), Some(Duration::from_secs(1_000_000_000)));
        assert_eq!(max_gap(&["--max-gap", "0"]), None);
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(parse(&[]).unwrap().mode, 0o600);
        assert_eq!(parse(&["--mode", "0640"]).unwrap().mode, 0o640);
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_flag() {
        for (arguments, says) in [
            (&["--speed", "fast"][..], "'--speed <max|realtime|FACTOR>': expected max, realtime, or a factor"),
            (&["--speed", "0"], "--speed"),
            (&["--speed=-1"], "--speed"),
            (&["--speed", "inf"], "--speed"),
            (&["--rate", "0"], "'--rate <PER_SECOND>': expected a number greater than 0"),
            (&["--rate", "NaN"], "--rate"),
            (&["--rate", "5", "--speed", "2"], "'--rate <PER_SECOND>' cannot be used with '--speed"),
            (
                &["--capacity", "1000"],
                "'--capacity <N>': expected a power of two from 2 to 4294967296; the next is 1024",
            ),
            (&["--max-gap=-1"], "'--max-gap <SECONDS>': expected a number of seconds, or 0 for no limit"),
            (&["--max-gap", "NaN"], "--max-gap"),
            (&["--max-gap", "inf"], "--max-gap"),
            (&["--max-gap", "1e-12"], "--max-gap"),
            (&["--strict"], "--input <FILE|->"),
            (&["--as", "bytes"], "[possible values: messages, records]"),
            (&["--slot-size", "96"], "'--slot-size <BYTES>': expected a power of two from 64 to 4096"),
            (&["--slot-size", "32"], "--slot-size"),
            (&["--slot-size", "8192"], "--slot-size"),
            (&["--capacity", "1"], "the next is 2"),
            (&["--capacity", "0"], "the next is 2"),
            (&["--capacity", "18446744073709551615"], "the next is 4294967296"),
            (&["--count=-1"], "--count"),
            (&["--table", "--rows", "0"], "'--rows <N>': expected a number from 1 to 16777216"),
            (&["--format", "csv"], "--input <FILE|->"),
            (&["--format", "pcap", "--input", "x"], "[possible values: auto, dbn, itch, csv]"),
            (&["--seed", "3", "--input", "x"], "'--seed <N>' cannot be used with '--input <FILE|->'"),
            (&["--summary", "xml"], "[possible values: text, json]"),
            (&["--mode", "8"], "'--mode <OCTAL>': expected an octal number"),
            (&["--mode", "u+r"], "--mode"),
            (&["--mode", ""], "--mode"),
            (&["--mode", "77777777777777"], "--mode"),
            (&["--group", "no such group"], "'--group <NAME|GID>': there is no group of this name in /etc/group"),
            (&["--ahead", "3"], "'--ahead <1|2>': 3 is not in 1..=2"),
            (&["--wake", "signal"], "[possible values: membarrier, fence, thread]"),
            (&["--cpu", "first"], "--cpu"),
            (&["--numa-node", "near"], "--numa-node"),
            (&["--numa-node=-1"], "--numa-node"),
            (&["--loud"], "--loud"),
            (&["--ring", "a/b"], "'--ring <NAME>': ring name \"a/b\": it has a character that no ring's name may have"),
            (&["--max-clients", "5"], "--serve <PATH>"),
            (&["--max-clients", "0", "--serve", "p"], "'--max-clients <N>': expected a number from 1"),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(says), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn conflicting_options_are_refused() {
        let check = |arguments: &[&str]| parse(arguments).unwrap().check();
        for fine in [
            &["--wait-for-subscribers", "1024"][..],
            &["--wait-for-subscribers", "256", "--serve", "p"],
            &["--max-gap", "3", "--speed", "2"],
            &["--wait-for-subscribers", "1024", "--serve", "p", "--max-clients", "2000"],
            &["--as", "records", "--input", "f", "--slot-size", "256", "--strict", "--keep"],
        ] {
            assert_eq!(check(fine), Ok(()), "{fine:?}");
        }
        for (arguments, says) in [
            (&["--wait-for-subscribers", "1025"][..], "--wait-for-subscribers 1025: no more than 1024"),
            (
                &["--wait-for-subscribers", "257", "--serve", "p"],
                "no more than 256 are served and counted (--max-clients N",
            ),
            (&["--wait-for-subscribers", "3", "--serve", "p", "--max-clients", "2"], "no more than 2 are"),
            (&["--wait-for-subscribers", "1025", "--serve", "p", "--max-clients", "2000"], "no more than 1024 are"),
            (&["--ring", "a", "--allow-uid", "0"], "go with --serve PATH"),
            (&["--ring", "a", "--max-clients", "5"], "go with --serve PATH"),
            (&["--slot-size", "64"], "--slot-size BYTES goes with --as records"),
            (
                &["--as", "records"],
                "--as records: the synthetic market has no records of its own: give a DBN or ITCH file",
            ),
            (&["--as", "records", "--input", "f", "--format", "csv"], "leave out --as records"),
            (&["--as", "records", "--input", "f", "--table"], "--as records: --table goes with messages"),
            (&["--as", "records", "--input", "f", "--clear"], "--as records: --clear publishes a message"),
            (&["--as", "records", "--input", "f", "--ahead", "2"], "--as records: --ahead 2 goes with messages"),
            (&["--rows", "9"], "--rows N goes with --table"),
            (&["--max-gap", "3"], "--max-gap SECONDS goes with --speed realtime"),
            (&["--max-gap", "3", "--speed", "max"], "--max-gap SECONDS goes with --speed realtime"),
            (&["--max-gap", "3", "--rate", "5"], "--max-gap SECONDS goes with --speed realtime"),
        ] {
            let error = check(arguments).unwrap_err();
            assert!(error.contains(says), "{arguments:?}: {error}");
        }
    }
}

//! The command line.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Inspects, watches, diagnoses and cleans rings and tables in shared memory without disturbing them.
///
/// Exit code: 0 nothing is wrong, 1 something is wrong or failed, 2 a wrong command line.
#[derive(Debug, Parser)]
#[command(name = "ringctl", version, max_term_width = 120)]
pub(crate) struct Args {
    /// The directory of the rings.
    #[arg(long, global = true, value_name = "DIRECTORY", default_value = feed_ring::DEFAULT_ROOT)]
    pub(crate) root: PathBuf,
    /// Print JSON: one value, or one on each line if the output goes on.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All rings, tables and cells, and entries that only have a ring's name.
    ///
    /// A ring of records has `records` as its MESSAGE, with their encoding and the longest that it can have.
    ///
    /// LAG is that of the slowest subscriber. It may be up to 1,023 too large while that one is reading.
    List {
        /// Look twice, this far apart, to measure the rate; 0 looks once and shows no rate.
        #[arg(long, value_name = "SECONDS", default_value = "0.2", value_parser = seconds)]
        sample: Duration,
    },
    /// Everything about one ring, table or cell: header, publisher, subscribers, fields of its messages or records.
    ///
    /// WAKES counts the changes of the ring's event word: one for each wake of sleeping subscribers, and one for each
    /// start and each end of a publisher. A subscriber reports its SEQUENCE every 1,024 messages and when it waits: its
    /// LAG may be up to 1,023 too large while it is reading.
    Stat {
        #[command(flatten)]
        ring: RingArg,
        /// Look again and again, this far apart.
        #[arg(long, value_name = "SECONDS", value_parser = interval)]
        watch: Option<Duration>,
    },
    /// The rows of a table or a cell: the newest value of each key.
    ///
    /// The table that feed-publisher --table keeps is shown as a board: symbol, last quote, last trade, counts. NAME may
    /// be that of its ring. Of any other table the fields are shown, by the schema in its header.
    Table(TableArgs),
    /// Rates, lags and losses, live. q ends, s sorts by the next column, r reverses, arrows select.
    ///
    /// The LAG of a subscriber may be up to 1,023 too large while it is reading. LOST is what the subscribers that are
    /// attached have lost since they attached, and have noticed: a subscriber that is stopped counts its loss when it goes
    /// on, and one that ends takes its count with it.
    Top {
        /// The rings to show; all of them if none is named.
        names: Vec<String>,
        /// Also the sealed ring that a publisher serves at this Unix socket; may be given again for further ones.
        #[arg(long, value_name = "PATH")]
        connect: Vec<PathBuf>,
        /// Look again after this many seconds.
        #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
        interval: Duration,
    },
    /// The newest messages or records: market data in columns of a line, others field by field.
    ///
    /// Records in the encodings dbn and itch, and structs, are shown by their fields, others as bytes.
    Tail {
        #[command(flatten)]
        ring: RingArg,
        /// How many messages.
        #[arg(short = 'n', long, default_value_t = 10)]
        count: u64,
        /// Go on with each message that is published, until the ring is closed or superseded.
        #[arg(short, long)]
        follow: bool,
    },
    /// Messages or records by their sequence numbers, decoded or as bytes.
    Dump {
        #[command(flatten)]
        ring: RingArg,
        /// From A up to, but not including, B: `A..B`, `A..`, `..B`, or one number. Everything that the ring holds if
        /// left out.
        #[arg(long, value_name = "A..B", value_parser = sequences, default_value = "..")]
        sequence: Sequences,
        /// As bytes, in hexadecimal.
        #[arg(long, conflicts_with = "decode")]
        hex: bool,
        /// Field by field, by the schema or the encoding in the ring's header (the default).
        #[arg(long)]
        decode: bool,
    },
    /// Remove rings, tables and cells that are certainly dead: no publisher holds the lock, nobody is attached.
    ///
    /// A ring that its publisher closed and kept (feed-publisher --keep) stays unless it is named, or --kept is given.
    Clean {
        /// The rings to remove; all dead ones if none is named.
        names: Vec<String>,
        /// Also remove rings that their publishers closed and kept.
        #[arg(long)]
        kept: bool,
        /// Only say what would be removed.
        #[arg(long)]
        dry_run: bool,
    },
    /// Check rings, tables and cells against what a publisher writes: header, files, every slot's sequence, every record's
    /// place.
    Verify {
        /// The rings to verify; all of them if none is named.
        names: Vec<String>,
        /// The sealed ring that a publisher serves at this Unix socket (feed-publisher --serve), instead of rings on disk.
        #[arg(long, value_name = "PATH", conflicts_with = "names")]
        connect: Option<PathBuf>,
    },
    /// Check whether this machine is fit for rings, and for the other mechanisms between processes.
    Doctor(DoctorArgs),
    /// Serve metrics of all rings, tables and cells to Prometheus.
    ///
    /// Says on standard error where it listens, or with --json on standard output: {"listening":"ADDRESS:PORT"}. Ctrl-C,
    /// SIGTERM or SIGHUP (not under nohup) ends it, with exit code 0.
    Export {
        /// Address and port to listen at.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9464", value_parser = address)]
        listen: String,
        /// Also the sealed ring that a publisher serves at this Unix socket; may be given again for further ones.
        #[arg(long, value_name = "PATH")]
        connect: Vec<PathBuf>,
        /// Look at the rings at least this often, to know when they last published; also the shortest time over which a
        /// rate is measured.
        #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
        sample: Duration,
    },
    /// Print a script that completes commands and options.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// The ring that a command is about, on disk or sealed.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RingArg {
    /// The ring's name.
    pub(crate) name: Option<String>,
    /// The sealed ring that a publisher serves at this Unix socket (feed-publisher --serve), instead of a ring on disk.
    #[arg(long, value_name = "PATH")]
    pub(crate) connect: Option<PathBuf>,
}

impl RingArg {
    /// The name of the ring in the output: its name or its socket.
    pub(crate) fn title(&self) -> String {
        match (&self.connect, &self.name) {
            (Some(path), _) => path.display().to_string(),
            (None, name) => name.clone().unwrap_or_default(),
        }
    }
}

/// The options of `table`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TableArgs {
    #[command(flatten)]
    pub(crate) ring: RingArg,
    /// Only the row of this symbol or key; may be given again for further ones.
    #[arg(long = "symbol", value_name = "SYMBOL")]
    pub(crate) symbols: Vec<String>,
    /// Look again and again, this far apart, 1 second if left out: live on a terminal, where q ends and arrows scroll, and
    /// rows that changed since the look before are bold. With --json a line for each look, with the rows that changed.
    #[arg(long, value_name = "SECONDS", value_parser = interval, num_args = 0..=1, require_equals = true,
          default_missing_value = "1")]
    pub(crate) watch: Option<Duration>,
}

/// The options of `doctor`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// Size of a planned ring (`512M`, `2G`); that of the largest ring if left out.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) need: Option<u64>,
    /// The machine's /proc.
    #[arg(long, value_name = "DIRECTORY", default_value = "/proc")]
    pub(crate) proc_root: PathBuf,
    /// The machine's /sys.
    #[arg(long, value_name = "DIRECTORY", default_value = "/sys")]
    pub(crate) sys_root: PathBuf,
    /// The machine's /etc.
    #[arg(long, value_name = "DIRECTORY", default_value = "/etc")]
    pub(crate) etc_root: PathBuf,
    /// The machine's /run.
    #[arg(long, value_name = "DIRECTORY", default_value = "/run")]
    pub(crate) run_root: PathBuf,
    /// The machine's /usr.
    #[arg(long, value_name = "DIRECTORY", default_value = "/usr")]
    pub(crate) usr_root: PathBuf,
}

/// A range of sequence numbers. A bound that was not given is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequences {
    pub(crate) from: Option<u64>,
    pub(crate) to: Option<u64>,
}

impl Sequences {
    /// The range. A missing bound is that of the messages that the ring holds.
    pub(crate) fn of(self, held: Range<u64>) -> Range<u64> {
        self.from.unwrap_or(held.start)..self.to.unwrap_or(held.end)
    }
}

fn sequences(text: &str) -> Result<Sequences, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text:?} is no sequence number"));
    let bound = |text: &str| if text.is_empty() { Ok(None) } else { number(text).map(Some) };
    let Some((from, to)) = text.split_once("..") else {
        let from = number(text)?;
        // No sequence follows `u64::MAX`; an open end is beyond what any ring holds, too.
        return Ok(Sequences { from: Some(from), to: from.checked_add(1) });
    };
    let range = Sequences { from: bound(from)?, to: bound(to)? };
    match (range.from, range.to) {
        (Some(from), Some(to)) if from > to => Err(format!("{from} is behind {to}")),
        _ => Ok(range),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    match seconds {
        0.0..=86400.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("must be from 0 to 86400 seconds".to_owned()),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = seconds(text)?;
    if interval < Duration::from_millis(10) {
        return Err("must be at least 0.01 seconds".to_owned());
    }
    Ok(interval)
}

/// An address or a host's name, and a port. Whether the name has an address is found out when it is listened at.
fn address(text: &str) -> Result<String, String> {
    let named = text.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    named.map(|_| text.to_owned()).ok_or_else(|| "expected an address and a port, as in 127.0.0.1:9464".to_owned())
}

fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let shift = match unit {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(format!("{unit:?} is no unit: use K, M, G or T")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} is no number of bytes"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("{text} is more than any machine has"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn ranges() {
        let range = |from, to| Ok(Sequences { from, to });
        assert_eq!(sequences("3..5"), range(Some(3), Some(5)));
        assert_eq!(sequences("3.."), range(Some(3), None));
        assert_eq!(sequences("..5"), range(None, Some(5)));
        assert_eq!(sequences(".."), range(None, None));
        assert_eq!(sequences("7"), range(Some(7), Some(8)));
        assert_eq!(sequences("18446744073709551615"), range(Some(u64::MAX), None));
        for wrong in ["", "5..3", "a", "1..b", "-1", "1..2..3"] {
            assert!(sequences(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses() {
        for fine in ["127.0.0.1:9464", "[::1]:0", "localhost:65535"] {
            assert_eq!(address(fine).as_deref(), Ok(fine));
        }
        for wrong in ["", "foo", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("512M"), Ok(512 << 20));
        assert_eq!(bytes("7"), Ok(7));
        for wrong in ["", "M", "1.5G", "1X", "99999999999T"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}

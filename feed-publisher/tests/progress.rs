//! Tests of the progress bar: drawn on a terminal, and cleared at the end.
//!
//! Without a terminal there is none: in every other test standard error is empty.

mod common;

use std::process::Stdio;

use common::{file, publisher};
use feed::sample;
use feed_testing::{On, PrivateRoot, Terminal};
use rustix::fs::Mode;

/// Runs the publisher with a terminal as standard error; returns what it drew there, and its standard output.
fn on_a_terminal(root: &PrivateRoot, arguments: &[&str]) -> (String, String) {
    on_a_terminal_of(100, root, arguments)
}

/// The same on a terminal of so many columns.
fn on_a_terminal_of(columns: u16, root: &PrivateRoot, arguments: &[&str]) -> (String, String) {
    let mut command = publisher(root);
    command.args(arguments).args(["--summary", "json"]).stdout(Stdio::piped());
    let mut terminal = Terminal::start(command, On::StandardError, (24, columns));
    let (status, printed, _) = terminal.end();
    let drawn = String::from_utf8(std::mem::take(&mut terminal.written)).unwrap();
    assert_eq!(status.code(), Some(0), "{drawn}");
    (drawn, printed)
}

/// The bars in the order in which they were drawn, without cursor movements.
fn bars(drawn: &str) -> Vec<&str> {
    let pieces = drawn.split(['\r', '\n', '\u{1b}']).map(|piece| piece.trim_start_matches("[2K").trim_end());
    pieces.filter(|piece| piece.contains("messages")).collect()
}

#[test]
fn a_bar_shows_how_far_it_is_and_is_taken_away() {
    let root = PrivateRoot::new();
    let (drawn, printed) = on_a_terminal(&root, &["--count", "1000", "--rate", "2000"]);
    let bars = bars(&drawn);
    assert!(bars.len() >= 3, "{drawn:?}");
    // Drawn ten times a second, each time at least a fifth further.
    let percent = |bar: &str| {
        let number = bar.split_once(" %").unwrap_or_else(|| panic!("{bar:?}")).0.rsplit(' ').next().unwrap();
        number.parse::<u64>().unwrap_or_else(|_| panic!("{bar:?}"))
    };
    let percents: Vec<u64> = bars.iter().map(|bar| percent(bar)).collect();
    assert!(percents.is_sorted() && percents.iter().any(|&percent| (20..100).contains(&percent)), "{percents:?}");
    // From the second one on there are a rate and a time to go.
    assert!(bars[1..].iter().all(|bar| bar.contains("/s  ") && bar.ends_with(" left")), "{bars:?}");
    let rest = drawn.rsplit_once("messages").unwrap().1;
    assert!(rest.contains("\u{1b}[2K") || rest.contains("\u{1b}[J"), "it is not taken away: {rest:?}");
    // The summary is the only output.
    assert!(printed.starts_with("{\"messages\":1000,") && printed.lines().count() == 1, "{printed}");
}

#[test]
fn a_narrow_terminal_shows_what_fits_in_one_line() {
    let root = PrivateRoot::new();
    for (columns, least) in [(60, "/s"), (24, "messages"), (7, " %")] {
        let (drawn, _) = on_a_terminal_of(columns, &root, &["--count", "1000", "--rate", "2000"]);
        let lines = || drawn.split(['\r', '\n', '\u{1b}']).map(|piece| piece.trim_start_matches("[2K").trim_end());
        assert!(lines().all(|line| line.chars().count() <= usize::from(columns)), "{columns}: {drawn:?}");
        assert!(lines().any(|line| line.contains(least)), "{columns}: {drawn:?}");
    }
}

#[test]
fn the_bar_of_a_file_shows_how_much_was_read() {
    let root = PrivateRoot::new();
    // The input is read in one piece: all of it is read from the first message on.
    let path = file(&root, "feed.csv", &sample::csv(1_000));
    let (drawn, _) = on_a_terminal(&root, &["--input", &path, "--rate", "2000"]);
    let bars = bars(&drawn);
    assert!(bars.len() >= 3 && bars[1..].iter().all(|bar| bar.contains(" 100 % ")), "{bars:?}");
    assert!(!bars.last().unwrap().contains("100 %  1 messages"), "{bars:?}");
}

#[test]
fn an_input_of_unknown_length_shows_a_count_and_no_bar() {
    let root = PrivateRoot::new();
    let path = root.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let writer = std::thread::spawn({
        let path = path.clone();
        move || std::fs::write(path, sample::csv(1_000))
    });
    let (drawn, _) = on_a_terminal(&root, &["--input", path.to_str().unwrap(), "--rate", "2000"]);
    writer.join().unwrap().unwrap();
    let bars = bars(&drawn);
    assert!(bars.len() >= 3 && bars.iter().all(|bar| bar.contains(" messages") && !bar.contains('%')), "{bars:?}");
}

#[test]
fn a_long_wait_says_when_the_next_event_is() {
    let root = PrivateRoot::new();
    let rows = ["0000000000", "2000000000"].map(|after| format!("170000000{after},1700000000000,T,A,1,1,,,,,B,1\n"));
    let header = "recv_ts_ns,exch_ts_ms,kind,symbol,px,qty,bid_px,bid_qty,ask_px,ask_qty,side,id\n";
    let path = file(&root, "feed.csv", (header.to_owned() + &rows.concat()).as_bytes());
    let (drawn, _) = on_a_terminal(&root, &["--input", &path, "--speed", "realtime"]);
    let bars = bars(&drawn);
    assert!(bars.iter().any(|bar| bar.contains("1 messages  next event in 1.")), "{bars:?}");
    // A line that is said stands by itself.
    let (drawn, _) = on_a_terminal(&root, &["--input", &path, "--speed", "realtime", "--max-gap", "1.2"]);
    let said = drawn.split(['\r', '\n']).find(|line| line.contains("--max-gap SECONDS")).unwrap();
    assert!(said.contains("feed-publisher: ") && said.ends_with("counted in the summary"), "{drawn:?}");
}

//! Tests that need a terminal: `top`, and tables on a narrow terminal.

use std::process::Command;

use feed_ring::{Join, Subscriber};
use feed_testing::{On, PrivateRoot, Terminal};
use rustix::process::Signal;

use crate::rings::{Quote, busy, closed, dead, live, options, publish_twenty, run, stable};
use crate::tables::board;

/// `ringctl` on a terminal.
fn start(root: &PrivateRoot, arguments: &[&str], size: (u16, u16)) -> Terminal {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
    command.arg("--root").arg(root.path()).args(arguments);
    Terminal::start(command, On::AllStreams, size)
}

/// The names of the rings in the order on the screen.
fn order(text: &str) -> Vec<&str> {
    let rings = text.lines().skip(2).take_while(|line| !line.contains("pid "));
    rings.filter_map(|line| line.split_whitespace().next()).collect()
}

#[test]
fn top_shows_rings_subscribers_and_rates() {
    let root = PrivateRoot::new();
    let _busy = busy(&root, "busy");
    dead(&root, "dead");
    let _fast = Subscriber::<Quote>::options("busy").root(&root).join(Join::Latest).open().unwrap();
    let mut top = start(&root, &["top", "--interval", "0.05"], (30, 100));
    let text = top.until("rates", |text| text.contains("/s") && text.contains("busy (pid ") && text.contains('█'));
    assert!(text.contains("2 rings, by name"), "{text}");
    assert!(text.contains("Quote (32 B)") && text.contains("SEQUENCE"), "{text}");
    assert_eq!(order(&text), ["busy", "dead"]);
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    top.press("q");
    assert_eq!(top.end().0.code(), Some(0));
    assert!(!top.screen().alternate_screen() && !top.screen().hide_cursor(), "the terminal is as it was");
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let root = PrivateRoot::new();
        // A survey an hour away does not delay it.
        let mut top = start(&root, &["top", "--interval", "3600"], (20, 80));
        top.until_contains("no rings");
        top.signal(signal);
        assert_eq!(top.end().0.code(), Some(0), "{signal:?}");
        assert!(!top.screen().alternate_screen() && !top.screen().hide_cursor(), "{signal:?}");
    }
}

#[test]
fn the_slow_subscriber_stands_out() {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "live");
    let _fast = Subscriber::<Quote>::options("live").root(&root).join(Join::Latest).open().unwrap();
    let _slow = Subscriber::<Quote>::options("live").root(&root).join(Join::Oldest).open().unwrap();
    let mut top = start(&root, &["top", "live"], (30, 100));
    let text = top.until_contains("<- slowest");
    let lines: Vec<_> = text.lines().filter(|line| line.contains(&format!(" {} ", std::process::id()))).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].contains("<- slowest") && lines[0].contains("87.5 %"), "the slowest comes first: {text}");
    assert!(!lines[1].contains("<-"), "{text}");
    let (row, column) = (0..30)
        .flat_map(|row| (0..100).map(move |column| (row, column)))
        .find(|&(row, column)| top.screen().contents_between(row, column, row, column + 10) == "<- slowest")
        .unwrap();
    let cell = top.screen().cell(row, column).unwrap();
    assert!(cell.bold() && cell.fgcolor() != vt100::Color::Default, "bold and in a colour");
}

#[test]
fn keys_sort_reverse_and_select() {
    let root = PrivateRoot::new();
    closed(&root, "alpha");
    closed(&root, "gamma");
    let _busy = busy(&root, "beta");
    let mut top = start(&root, &["top", "--interval", "0.05"], (30, 100));
    let text = top.until("a rate", |text| text.contains("/s") && text.contains("by name"));
    assert_eq!(order(&text), ["alpha", "beta", "gamma"]);
    assert!(text.contains("alpha (pid "), "the first one is selected: {text}");
    top.press("\x1b[B");
    top.until_contains("beta (pid ");
    top.press("k");
    top.until_contains("alpha (pid ");
    top.press("s");
    let text = top.until("by rate", |text| text.contains("by rate") && order(text)[0] == "beta");
    assert!(text.contains("alpha (pid "), "it stays selected: {text}");
    top.press("r");
    let text = top.until_contains("reversed");
    assert_eq!(order(&text)[2], "beta", "{text}");
    for sort in ["lag", "lost", "published", "name"] {
        top.press("s");
        top.until_contains(&format!("by {sort}"));
    }
    top.press("\x03");
    assert_eq!(top.end().0.code(), Some(0), "Ctrl-C ends it as q does");
}

#[test]
fn top_follows_the_size_of_the_terminal() {
    let root = PrivateRoot::new();
    let _busy = busy(&root, "busy");
    let mut top = start(&root, &["top", "--interval", "0.05"], (30, 100));
    top.until_contains("CAPACITY");
    top.resize(10, 30);
    let text = top.until("few columns", |text| !text.contains("CAPACITY") && text.contains("RATE"));
    assert!(text.contains("busy") && text.contains("r reverses"), "{text}");
    top.resize(3, 8);
    top.until("hardly anything", |text| text.lines().count() <= 3);
    top.resize(1, 1);
    top.resize(40, 160);
    top.until("all of it", |text| ["CAPACITY", "no subscribers", "q ends"].iter().all(|word| text.contains(word)));
    top.press("\x1b");
    assert_eq!(top.end().0.code(), Some(0), "Esc ends it");
}

#[test]
fn the_keys_are_told_whole_on_a_narrow_terminal() {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "live");
    for (columns, last) in [(43, "q ends  s sorts  r reverses  arrows select"), (40, "arrows select")] {
        let mut top = start(&root, &["top"], (20, columns));
        let text = top.until_contains("q ends  s sorts  r reverses");
        assert_eq!(text.trim_end().lines().last(), Some(last), "{columns} columns: {text}");
        top.press("q");
        assert_eq!(top.end().0.code(), Some(0));
    }
}

/// LOST is not counted from the start of `top` on, and an attached subscriber is what it is counted by.
#[test]
fn lost_is_what_attached_subscribers_lost_since_they_attached() {
    let root = PrivateRoot::new();
    let mut publisher = options(&root, "q").create().unwrap();
    let mut subscriber = Subscriber::<Quote>::options("q").root(&root).join(Join::Oldest).open().unwrap();
    publish_twenty(&mut publisher);
    let mut top = start(&root, &["top", "--interval", "0.05"], (20, 100));
    let lost = |text: &str| {
        let ring = text.lines().find(|line| line.starts_with("q ") && line.contains("alive"));
        ring.and_then(|line| line.split_whitespace().last().map(str::to_owned))
    };
    top.until("a loss that nobody noticed", |text| lost(text).as_deref() == Some("0"));
    let _ = subscriber.try_recv();
    top.until("a noticed loss", |text| lost(text).as_deref() == Some("13"));
    top.press("q");
    assert_eq!(top.end().0.code(), Some(0));
    let mut later = start(&root, &["top", "--interval", "0.05"], (20, 100));
    later.until("a loss before top began", |text| lost(text).as_deref() == Some("13"));
    drop(subscriber);
    later.until("the count went with its subscriber", |text| lost(text).as_deref() == Some("0"));
    later.press("q");
    assert_eq!(later.end().0.code(), Some(0));
    let (code, help, _) = run(&root, &["top", "--help"]);
    assert!(code == 0 && help.contains("LOST is what"), "{help}");
}

#[test]
fn rings_come_and_go() {
    let root = PrivateRoot::new();
    let mut top = start(&root, &["top", "--interval", "0.05"], (20, 80));
    top.until_contains("no rings");
    let mut publisher = live(&root, "q");
    top.until("alive", |text| text.contains("1 ring,") && text.contains("alive"));
    publisher.kill();
    top.until_contains("dead");
    std::fs::write(root.path().join("x.ring"), "").unwrap();
    top.until_contains("1 not readable");
    assert_eq!(run(&root, &["clean", "q"]).0, 0);
    top.until_contains("no rings");
}

#[test]
fn without_a_terminal() {
    let root = PrivateRoot::new();
    let (code, stdout, stderr) = run(&root, &["top"]);
    assert_eq!((code, &*stdout), (1, ""));
    assert!(stderr.contains("top needs a terminal: use top --json"), "{stderr}");
    assert_eq!(run(&root, &["top", "--root", "/nowhere"]).0, 1);
}

/// The screen without the root's name.
fn stable_screen(root: &PrivateRoot, terminal: &Terminal) -> String {
    stable(root, &terminal.text()).lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_board_on_wide_and_narrow_terminals() {
    let root = PrivateRoot::new();
    let _board = board(&root);
    // A second look, an hour away, would show a rate.
    let mut wide = start(&root, &["table", "feed", "--watch=3600"], (7, 100));
    wide.until_contains("TIME");
    insta::assert_snapshot!(stable_screen(&root, &wide), @r"
    feed.table: writer alive, 3 of 1,000 rows, 4 stores
    SYMBOL   BID SIZE      BID    ASK  ASK SIZE      LAST  SIZE  TRADES  MESSAGES      TIME
    ESH4            -        -      -         -   5166.25     2       1         1  01:00:00
    BTCUSDT     0.015  61000.5  61001         -  61000.75     2       1         2  01:00:00
    9               -        -      -         -    -0.001     2       1         1  01:00:00

    q ends  arrows and pages scroll
    ");
    wide.press("q");
    assert_eq!(wide.end().0.code(), Some(0));
    assert!(!wide.screen().alternate_screen() && !wide.screen().hide_cursor(), "the terminal is as it was");
    let mut narrow = start(&root, &["table", "feed.table", "--watch=3600"], (7, 40));
    narrow.until_contains("q ends");
    insta::assert_snapshot!(stable_screen(&root, &narrow), @r"
    feed.table: writer alive, 3 of 1,000 row
    SYMBOL       BID    ASK      LAST
    ESH4           -      -   5166.25
    BTCUSDT  61000.5  61001  61000.75
    9              -      -    -0.001

    q ends  arrows and pages scroll
    ");
    narrow.press("\x03");
    assert_eq!(narrow.end().0.code(), Some(0), "Ctrl-C ends it as q does");
}

#[test]
fn the_board_live() {
    let root = PrivateRoot::new();
    let mut board = board(&root);
    let mut live = start(&root, &["table", "feed", "--watch=0.05"], (4, 100));
    live.until_contains("ESH4");
    live.press("\x1b[B");
    live.until("the next row", |text| text.contains("BTCUSDT") && !text.contains("ESH4"));
    live.press("\x1b[6~");
    live.until("the last row", |text| text.contains("\n9 ") && !text.contains("BTCUSDT"));
    live.press("\x1b[H");
    board.trade(0, 5_167_000_000_000);
    let text = live.until("the next price", |text| text.contains("5167"));
    assert!(text.contains("ESH4") && text.contains("5 stores"), "{text}");
    live.press("q");
    assert_eq!(live.end().0.code(), Some(0));
}

#[test]
fn a_board_that_is_gone_stays_on_the_screen() {
    let root = PrivateRoot::new();
    let board = board(&root);
    let mut live = start(&root, &["table", "feed", "--watch=0.05"], (9, 100));
    live.until_contains("writer alive");
    drop(board);
    let text = live.until_contains("no such ring");
    assert!(text.contains("ESH4") && text.contains("5166"), "the last rows stay: {text}");
    let again = self::board(&root);
    live.until_contains("writer alive");
    live.signal(Signal::TERM);
    assert_eq!(live.end().0.code(), Some(0));
    drop(again);
}

#[test]
fn tables_on_a_narrow_terminal() {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "live");
    let table = |columns| {
        let (status, _, text) = start(&root, &["list", "--sample", "0"], (20, columns)).end();
        assert_eq!(status.code(), Some(0));
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(table(200).split_whitespace().count(), 11);
    let narrow = table(40);
    assert!(narrow.starts_with("NAME") && narrow.contains("PUBLISHER") && !narrow.contains("CAPACITY"), "{narrow}");
    assert_eq!(table(18).split_whitespace().collect::<Vec<_>>(), ["NAME", "PUBLISHER"]);
}

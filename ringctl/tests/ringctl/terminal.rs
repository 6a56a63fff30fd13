//! Tests that need a terminal: `top`, and tables on a narrow terminal.
//!
//! The terminal is a pseudo-terminal. An emulator behind it knows what is on the screen.
#![allow(unsafe_code)] // making the terminal the child's own, between fork and exec

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use feed_ring::{Join, Subscriber};
use feed_testing::PrivateRoot;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::rings::{Quote, busy, closed, dead, live, run};

/// How long a screen may take to show what is expected. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// `ringctl` on a terminal.
struct Terminal {
    process: Child,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Terminal {
    fn start(root: &PrivateRoot, arguments: &[&str], (lines, columns): (u16, u16)) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let path = ptsname(&terminal, Vec::new()).unwrap();
        let inner = rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        resize(&terminal, lines, columns);
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
        command.arg("--root").arg(root.path()).args(arguments).env("TERM", "xterm-256color");
        command.stdin(end(&inner)).stdout(end(&inner)).stderr(end(&inner));
        // SAFETY: between fork and exec only two system calls are made, which is allowed there.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
                Ok(())
            });
        }
        let process = command.spawn().unwrap();
        drop(inner);
        let keyboard = File::from(terminal);
        let mut display = keyboard.try_clone().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails once every process has closed the terminal.
            while let Ok(count @ 1..) = display.read(&mut bytes) {
                if send.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { process, keyboard, output, screen: vt100::Parser::new(nonzero(lines), nonzero(columns), 0) }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn resize(&mut self, lines: u16, columns: u16) {
        self.screen.screen_mut().set_size(nonzero(lines), nonzero(columns));
        resize(&self.keyboard, lines, columns);
    }

    fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until the screen is as expected; returns its text.
    fn until(&mut self, what: &str, fine: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        while !fine(&self.text()) {
            match self.output.recv_timeout(Duration::from_millis(100)) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("{what}: it ended; the screen was:\n{}", self.text()),
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: the screen is\n{}", self.text());
        }
        self.text()
    }

    fn until_contains(&mut self, word: &str) -> String {
        self.until(word, |text| text.contains(word))
    }

    /// Waits for the end; returns the status, the text and the screen.
    fn end(mut self) -> (ExitStatus, String, vt100::Parser) {
        let status = self.process.wait().unwrap();
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.screen.process(&bytes);
        }
        let text = self.text();
        (status, text, std::mem::take(&mut self.screen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn nonzero(size: u16) -> NonZero<u16> {
    NonZero::new(size).expect("a terminal of some size")
}

fn resize(terminal: impl AsFd, lines: u16, columns: u16) {
    tcsetwinsize(terminal, Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
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
    let mut top = Terminal::start(&root, &["top", "--interval", "0.05"], (30, 100));
    let text = top.until("rates", |text| text.contains("/s") && text.contains("busy (pid ") && text.contains('█'));
    assert!(text.contains("2 rings, by name"), "{text}");
    assert!(text.contains("Quote (32 B)") && text.contains("SEQUENCE"), "{text}");
    assert_eq!(order(&text), ["busy", "dead"]);
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    top.press("q");
    let (status, _, screen) = top.end();
    assert_eq!(status.code(), Some(0));
    assert!(!screen.screen().alternate_screen() && !screen.screen().hide_cursor(), "the terminal is as it was");
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let root = PrivateRoot::new();
        // A survey an hour away does not delay it.
        let mut top = Terminal::start(&root, &["top", "--interval", "3600"], (20, 80));
        top.until_contains("no rings");
        let id = Pid::from_raw(top.process.id().cast_signed()).unwrap();
        kill_process(id, signal).unwrap();
        let (status, _, screen) = top.end();
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert!(!screen.screen().alternate_screen() && !screen.screen().hide_cursor(), "{signal:?}");
    }
}

#[test]
fn the_slow_subscriber_stands_out() {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "live");
    let _fast = Subscriber::<Quote>::options("live").root(&root).join(Join::Latest).open().unwrap();
    let _slow = Subscriber::<Quote>::options("live").root(&root).join(Join::Oldest).open().unwrap();
    let mut top = Terminal::start(&root, &["top", "live"], (30, 100));
    let text = top.until_contains("<- slowest");
    let lines: Vec<_> = text.lines().filter(|line| line.contains(&format!(" {} ", std::process::id()))).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].contains("<- slowest") && lines[0].contains("87.5 %"), "the slowest comes first: {text}");
    assert!(!lines[1].contains("<-"), "{text}");
    let (row, column) = (0..30)
        .flat_map(|row| (0..100).map(move |column| (row, column)))
        .find(|&(row, column)| top.screen.screen().contents_between(row, column, row, column + 10) == "<- slowest")
        .unwrap();
    let cell = top.screen.screen().cell(row, column).unwrap();
    assert!(cell.bold() && cell.fgcolor() != vt100::Color::Default, "bold and in a colour");
}

#[test]
fn keys_sort_reverse_and_select() {
    let root = PrivateRoot::new();
    closed(&root, "alpha");
    closed(&root, "gamma");
    let _busy = busy(&root, "beta");
    let mut top = Terminal::start(&root, &["top", "--interval", "0.05"], (30, 100));
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
    let mut top = Terminal::start(&root, &["top", "--interval", "0.05"], (30, 100));
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
fn rings_come_and_go() {
    let root = PrivateRoot::new();
    let mut top = Terminal::start(&root, &["top", "--interval", "0.05"], (20, 80));
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

#[test]
fn tables_on_a_narrow_terminal() {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "live");
    let table = |columns| {
        let (status, text, _) = Terminal::start(&root, &["list", "--sample", "0"], (20, columns)).end();
        assert_eq!(status.code(), Some(0));
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(table(200).split_whitespace().count(), 11);
    let narrow = table(40);
    assert!(narrow.starts_with("NAME") && narrow.contains("PUBLISHER") && !narrow.contains("CAPACITY"), "{narrow}");
    assert_eq!(table(18).split_whitespace().collect::<Vec<_>>(), ["NAME", "PUBLISHER"]);
}

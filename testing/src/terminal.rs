//! A program on a pseudo-terminal that controls it. An emulator behind the terminal knows what is on the screen.
#![allow(unsafe_code)] // making the terminal the child's own, between fork and exec

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// How long a screen may take to show what is expected. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which streams of the program are on its terminal. The others are what the command says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Standard error alone.
    StandardError,
    /// All three.
    AllStreams,
}

/// A program and its terminal. The program is killed when this is dropped.
pub struct Terminal {
    /// The program.
    pub process: Child,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything that was written to the terminal.
    pub written: Vec<u8>,
}

impl Terminal {
    /// Starts the command on a terminal of so many lines and columns.
    ///
    /// # Panics
    /// If there is no terminal, or the command cannot be started.
    pub fn start(mut command: Command, on: On, (lines, columns): (u16, u16)) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        resize(&terminal, lines, columns);
        let path = ptsname(&terminal, Vec::new()).unwrap();
        let inner = rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        if on == On::AllStreams {
            command.stdin(end(&inner)).stdout(end(&inner));
        }
        command.stderr(end(&inner)).env("TERM", "xterm-256color").env_remove("NO_COLOR");
        // SAFETY: between fork and exec only two system calls are made, which is allowed there.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stderr())?;
                Ok(())
            });
        }
        let process = command.spawn().unwrap();
        // The command holds the terminal open, too.
        drop((command, inner));
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
        let screen = vt100::Parser::new(nonzero(lines), nonzero(columns), 0);
        Terminal { process, keyboard, output, screen, written: Vec::new() }
    }

    /// Types these keys.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Gives the terminal another size.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn resize(&mut self, lines: u16, columns: u16) {
        self.screen.screen_mut().set_size(nonzero(lines), nonzero(columns));
        resize(&self.keyboard, lines, columns);
    }

    /// Sends the program a signal.
    ///
    /// # Panics
    /// If the program is gone.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// The screen.
    pub fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    fn show(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.written.extend_from_slice(bytes);
    }

    /// Waits until the screen is as expected; returns its text.
    ///
    /// # Panics
    /// If the program ends first, or that takes a minute.
    pub fn until(&mut self, what: &str, fine: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        while !fine(&self.text()) {
            match self.output.recv_timeout(Duration::from_millis(100)) {
                Ok(bytes) => self.show(&bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("{what}: it ended; the screen was:\n{}", self.text()),
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: the screen is\n{}", self.text());
        }
        self.text()
    }

    /// [`until`](Self::until) the screen contains this.
    ///
    /// # Panics
    /// As [`until`](Self::until).
    pub fn until_contains(&mut self, word: &str) -> String {
        self.until(word, |text| text.contains(word))
    }

    /// Waits for the end; returns the status, what standard output had if that was piped, and the screen's text.
    ///
    /// # Panics
    /// If that takes a minute.
    pub fn end(&mut self) -> (ExitStatus, String, String) {
        let mut printed = String::new();
        if let Some(mut stdout) = self.process.stdout.take() {
            stdout.read_to_string(&mut printed).unwrap();
        }
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end; the screen is\n{}", self.text());
            std::thread::sleep(Duration::from_millis(1));
        };
        // A terminal that was stopped shows nothing more, and is not closed either.
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_secs(5)) {
            self.show(&bytes);
        }
        (status, printed, self.text())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("process", &self.process).field("text", &self.text()).finish()
    }
}

fn nonzero(size: u16) -> NonZero<u16> {
    NonZero::new(size).expect("a terminal of some size")
}

fn resize(terminal: impl AsFd, lines: u16, columns: u16) {
    tcsetwinsize(terminal, Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

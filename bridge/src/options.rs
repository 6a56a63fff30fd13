//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use feed_program::args::{SummaryFormat, ring_name};
use feed_ring::WaitStrategy;

use crate::engine_options::EngineOptions;
use crate::far::FarOptions;
use crate::receiver::ReceiveOptions;
use crate::route::RouteOptions;
use crate::sender::SendOptions;

/// Carries rings to other machines, with their numbers and epochs
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "On one machine: feed-bridge send --ring quotes --listen tcp/0.0.0.0:7447\n\
    On the others:  feed-bridge receive --ring quotes --connect tcp/HOST:7447\n\
    Whoever reaches the port may connect: --users-file and tls/… let in only whom you know (docs/operations.md)"
)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sends rings of this machine
    Send(SendArgs),
    /// Makes rings of this machine that have another one's messages
    Receive(ReceiveArgs),
    /// Forwards what others send and receive
    Route(RouteOptions),
}

/// What both ends have.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct EndArgs {
    /// Directory of the rings
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    pub(crate) root: PathBuf,

    /// First part of the keys under which all of it travels; both sides must have the same
    #[arg(long, value_name = "TEXT", default_value = "feed-ring", value_parser = key_part)]
    pub(crate) prefix: String,

    /// End when all rings are closed, instead of waiting for the next ones
    #[arg(long)]
    pub(crate) once: bool,

    /// How to print the summary
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) summary: SummaryFormat,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SendArgs {
    /// Ring to send; again for further ones
    #[arg(long, value_name = "NAME", required = true, value_parser = ring_name)]
    pub(crate) ring: Vec<String>,

    #[command(flatten)]
    pub(crate) end: EndArgs,

    /// How long a message may wait for others to travel with it, in us. 0: not at all; what comes while a frame is sent travels together
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) linger_us: u64,

    /// Bytes of messages that travel together at most
    #[arg(long, value_name = "N", default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1..=16 << 20))]
    pub(crate) batch_bytes: u32,

    /// How to wait for messages
    #[arg(long, value_enum, default_value = "block")]
    pub(crate) wait: Wait,

    #[command(flatten)]
    pub(crate) engine: EngineOptions,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ReceiveArgs {
    /// Ring to receive, and its name here if that is another; again for further ones
    #[arg(long, value_name = "NAME[=HERE]", required = true)]
    pub(crate) ring: Vec<Named>,

    #[command(flatten)]
    pub(crate) end: EndArgs,

    /// Slots of the far ring, a power of two; by default as many as the near ring has
    #[arg(long, value_name = "N")]
    pub(crate) capacity: Option<usize>,

    /// Access bits of the far ring's files
    #[arg(long, value_name = "OCTAL", default_value = "0600", value_parser = octal)]
    pub(crate) mode: u32,

    /// Where a new far ring begins: with what the near ring still has, or with the next message
    #[arg(long, value_enum, default_value = "oldest")]
    pub(crate) from: From,

    /// Take the place of a ring that carries other messages
    #[arg(long)]
    pub(crate) replace: bool,

    /// How long to ask for what is missing before it is given up, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) refill_timeout: u64,

    #[command(flatten)]
    pub(crate) engine: EngineOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Wait {
    /// Sleep until the publisher wakes it
    Block,
    /// Poll, and let others run in between
    Yield,
    /// Poll; for a sender with a core of its own
    Spin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    Oldest,
    Now,
}

/// A ring, and its name here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) near: String,
    pub(crate) far: String,
}

impl FromStr for Named {
    type Err = feed_ring::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (near, far) = text.split_once('=').unwrap_or((text, text));
        Ok(Named { near: ring_name(near)?, far: ring_name(far)? })
    }
}

impl SendArgs {
    /// What is sent of each ring.
    pub(crate) fn each(&self) -> Vec<SendOptions> {
        let one = |ring: &String| SendOptions {
            root: self.end.root.clone(),
            ring: ring.clone(),
            prefix: self.end.prefix.clone(),
            linger: Duration::from_micros(self.linger_us),
            batch_bytes: self.batch_bytes as usize,
            wait: match self.wait {
                Wait::Block => WaitStrategy::Block,
                Wait::Yield => WaitStrategy::Yield,
                Wait::Spin => WaitStrategy::Spin,
            },
            once: self.end.once,
        };
        self.ring.iter().map(one).collect()
    }
}

impl ReceiveArgs {
    /// What is received of each ring.
    pub(crate) fn each(&self) -> Vec<ReceiveOptions> {
        let one = |named: &Named| ReceiveOptions {
            ring: named.near.clone(),
            prefix: self.end.prefix.clone(),
            far: FarOptions {
                root: self.end.root.clone(),
                name: named.far.clone(),
                capacity: self.capacity,
                mode: self.mode,
                replace: self.replace,
            },
            from_oldest: self.from == From::Oldest,
            refill_timeout: Duration::from_secs(self.refill_timeout),
            once: self.end.once,
        };
        self.ring.iter().map(one).collect()
    }
}

/// A part of a key: what zenoh gives a meaning to is not allowed.
fn key_part(text: &str) -> Result<String, String> {
    let fine = |part: &str| !part.is_empty() && !part.contains(['*', '$', '?', '#', '@']);
    match text.split('/').all(fine) {
        true => Ok(text.to_owned()),
        false => Err("a name, or several with / between, without * $ ? # @".to_owned()),
    }
}

fn octal(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8).map_err(|error| error.to_string())
}

//! `feed-chaos`: kills, stops and restarts publishers, writers, subscribers and readers at random; every message checks itself.
//!
//! The publisher publishes at full rate. Signals stop and continue the subscribers. The last line of the output is one
//! JSON object.

mod child;
mod driver;
mod keyed;
mod message;
mod record;
mod record_roles;
mod records;
mod roles;
mod rows;
mod segment;
mod tables;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Kills and stops publishers, subscribers, writers and readers at random, and counts what those see that receive and read
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Seconds to run, a third of them each with messages, tables and records; longer where no kill has fallen into the middle of a
    /// message, a store or a record by then
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Reproduces the decisions of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Run as the publisher (for the driver)
    #[command(hide = true)]
    Publish {
        #[arg(long)]
        root: PathBuf,
        #[arg(long)]
        number: u64,
    },
    /// Run as a subscriber (for the driver)
    #[command(hide = true)]
    Subscribe {
        #[arg(long)]
        root: PathBuf,
        /// Block while there is no message, instead of yielding
        #[arg(long)]
        block: bool,
    },
    /// Run as a publisher of small messages (for the driver)
    #[command(hide = true)]
    PublishSmall {
        #[arg(long)]
        root: PathBuf,
    },
    /// Run as a subscriber that sleeps (for the driver)
    #[command(hide = true)]
    Sleep {
        #[arg(long)]
        root: PathBuf,
    },
    /// Run as the publisher of a ring with its table (for the driver)
    #[command(hide = true)]
    PublishKeyed {
        #[arg(long)]
        root: PathBuf,
        #[arg(long)]
        number: u64,
    },
    /// Run as a subscriber from the start of the ring with its table (for the driver)
    #[command(hide = true)]
    FromTheStart {
        #[arg(long)]
        root: PathBuf,
    },
    /// Run as a subscriber that comes late again and again (for the driver)
    #[command(hide = true)]
    ComeLate {
        #[arg(long)]
        root: PathBuf,
        #[arg(long)]
        seed: u64,
    },
    /// Run as the writer of a table and a cell (for the driver)
    #[command(hide = true)]
    Store {
        #[arg(long)]
        root: PathBuf,
        #[arg(long)]
        number: u64,
    },
    /// Run as the publisher of records (for the driver)
    #[command(hide = true)]
    PublishRecords {
        #[arg(long)]
        root: PathBuf,
        #[arg(long)]
        number: u64,
        /// Bytes of a slot
        #[arg(long)]
        slot: usize,
    },
    /// Run as a subscriber of records (for the driver)
    #[command(hide = true)]
    ReceiveRecords {
        #[arg(long)]
        root: PathBuf,
        /// Block while there is no record, instead of yielding
        #[arg(long)]
        block: bool,
        /// Rest now and then
        #[arg(long)]
        slow: bool,
    },
    /// Run as a subscriber of records that joins again and again (for the driver)
    #[command(hide = true)]
    JoinRecords {
        #[arg(long)]
        root: PathBuf,
        #[arg(long)]
        seed: u64,
    },
    /// Run as a reader of the table and the cell (for the driver)
    #[command(hide = true)]
    Read {
        #[arg(long)]
        root: PathBuf,
    },
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match &options.role {
        Some(role) => {
            // The child processes must not outlive the driver, however it ends.
            let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
            match role {
                Role::Publish { root, number } => roles::publish(root, *number),
                Role::Subscribe { root, block } => roles::subscribe(root, *block),
                Role::PublishSmall { root } => roles::publish_small(root),
                Role::Sleep { root } => roles::sleep(root),
                Role::PublishKeyed { root, number } => keyed::publish(root, *number),
                Role::FromTheStart { root } => keyed::from_the_start(root),
                Role::ComeLate { root, seed } => keyed::come_late(root, *seed),
                Role::Store { root, number } => rows::store(root, *number),
                Role::Read { root } => rows::read(root),
                Role::PublishRecords { root, number, slot } => record_roles::publish(root, *number, *slot),
                Role::ReceiveRecords { root, block, slow } => record_roles::receive(root, *block, *slow),
                Role::JoinRecords { root, seed } => record_roles::join(root, *seed),
            }
        }
        None => drive(options.seconds, options.seed.unwrap_or_else(driver::random_seed)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("feed-chaos: {error}");
            ExitCode::FAILURE
        }
    }
}

fn drive(seconds: u64, seed: u64) -> Result<(), Box<dyn std::error::Error>> {
    println!("seed {seed}: {seconds} seconds; again with --seed {seed}");
    let (stopped, killed) = driver::slowdown(if seconds < 60 { 5 } else { 41 })?;
    println!(
        "CPU time of a publish over that without subscribers: 4 stopped asleep {stopped:.3}, 4 killed {killed:.3}"
    );
    let outcome = driver::run(seconds, seed)?;
    println!("{}", serde_json::to_string(&outcome)?);
    // Short runs are tests, and tests judge no time.
    if seconds >= 60 && stopped.max(killed) > 1.1 {
        return Err(format!("subscribers that do nothing slow the publisher: {stopped:.3}, {killed:.3}").into());
    }
    outcome.failure().map_or(Ok(()), |failure| Err(failure.into()))
}

//! `feed-chaos`: one publisher at full rate, killed and restarted at random; four subscribers, stopped, continued, killed
//! and started at random; every message checks itself. The last line is one JSON object.

mod actors;
mod driver;
mod message;
mod segment;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Does harm to a publisher and its subscribers, and counts what they see.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// How long to go on; longer, if by then no kill fell into the middle of a message
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Reproduces the decisions of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Plays the publisher (for the driver)
    #[command(hide = true)]
    Publish {
        #[arg(long)]
        root: PathBuf,
        #[arg(long)]
        number: u64,
    },
    /// Plays a subscriber (for the driver)
    #[command(hide = true)]
    Subscribe {
        #[arg(long)]
        root: PathBuf,
        /// Sleeps when there is nothing, and is woken.
        #[arg(long)]
        block: bool,
    },
    /// Plays a publisher of small messages (for the driver)
    #[command(hide = true)]
    PublishSmall {
        #[arg(long)]
        root: PathBuf,
    },
    /// Plays a subscriber that sleeps (for the driver)
    #[command(hide = true)]
    Sleep {
        #[arg(long)]
        root: PathBuf,
    },
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match &options.part {
        Some(part) => {
            // However the driver ends, its actors end with it.
            let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
            match part {
                Part::Publish { root, number } => actors::publish(root, *number),
                Part::Subscribe { root, block } => actors::subscribe(root, *block),
                Part::PublishSmall { root } => actors::publish_small(root),
                Part::Sleep { root } => actors::sleep(root),
            }
        }
        None => drive(options.seconds, options.seed.unwrap_or_else(driver::some_seed)),
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
        "publisher, time for a message against none attached: 4 stopped {stopped:.3}, 4 killed {killed:.3}, asleep"
    );
    let outcome = driver::run(seconds, seed)?;
    println!("{}", serde_json::to_string(&outcome)?);
    // Short runs are for tests, where no time is judged.
    if seconds >= 60 && stopped.max(killed) > 1.1 {
        return Err(format!("subscribers that do nothing slow the publisher: {stopped:.3}, {killed:.3}").into());
    }
    outcome.failure().map_or(Ok(()), |failure| Err(failure.into()))
}

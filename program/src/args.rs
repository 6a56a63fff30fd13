//! Flags and value parsers that several programs have.

use anyhow::Context;
use clap::{Args, ValueEnum};
use feed_ring::NameError;
use feed_ring::placement::{allocate_on_node, lock_memory, pin_to_cpu};

/// Where a program runs and where its memory is. A program may word the help of `huge_pages` and `numa_node` its own way
/// (`mut_arg`): publisher and subscriber differ in what they can decide.
#[derive(Clone, Copy, Debug, Args)]
pub struct PlacementArgs {
    /// Run on this CPU only
    #[arg(long, value_name = "N")]
    pub cpu: Option<usize>,

    /// Use huge pages for the ring
    #[arg(long)]
    pub huge_pages: bool,

    /// Take memory from this NUMA node only
    #[arg(long, value_name = "N")]
    pub numa_node: Option<u32>,

    /// Lock the program and the ring into memory, once both are there
    #[arg(long)]
    pub lock_memory: bool,
}

impl PlacementArgs {
    /// Pins the calling thread as `--cpu` asks, and binds the process's memory as `--numa-node` asks. Threads inherit both:
    /// call it before threads are started and before memory is allocated that is to be near.
    ///
    /// # Errors
    /// A CPU or node that does not exist or that the kernel refuses, with its flag.
    pub fn bind(&self) -> anyhow::Result<()> {
        if let Some(cpu) = self.cpu {
            pin_to_cpu(cpu).context("--cpu")?;
        }
        if let Some(node) = self.numa_node {
            allocate_on_node(node).context("--numa-node")?;
        }
        Ok(())
    }

    /// Locks all memory that the process has mapped, if `--lock-memory` asks for it. Call it once the ring is mapped.
    ///
    /// # Errors
    /// What the kernel refuses, with the flag.
    pub fn lock(&self) -> anyhow::Result<()> {
        if self.lock_memory {
            lock_memory().context("--lock-memory")?;
        }
        Ok(())
    }
}

/// The formats of `--summary`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    /// A table
    Text,
    /// One JSON object on one line
    Json,
}

/// Parses the value of `--ring`.
///
/// # Errors
/// A name that no ring may have.
pub fn ring_name(text: &str) -> Result<String, NameError> {
    feed_ring::check_name(text).map(|()| text.to_owned())
}

//! The options that have a choice of words.

use clap::ValueEnum;
use feed::source::{As, Format};
use feed_ring::Wake;

/// The choices of --as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Carried {
    /// Messages of one size, which all formats become
    Messages,
    /// The input's own bytes
    Records,
}

impl From<Carried> for As {
    fn from(carried: Carried) -> Self {
        match carried {
            Carried::Messages => As::Messages,
            Carried::Records => As::Records,
        }
    }
}

/// The formats of --format.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatChoice {
    /// By the input's first bytes
    Auto,
    /// Databento DBN
    Dbn,
    /// NASDAQ ITCH 5.0
    Itch,
    /// CSV
    Csv,
}

impl FormatChoice {
    /// The format, if one was chosen.
    pub(crate) fn format(self) -> Option<Format> {
        match self {
            FormatChoice::Auto => None,
            FormatChoice::Dbn => Some(Format::Dbn),
            FormatChoice::Itch => Some(Format::Itch),
            FormatChoice::Csv => Some(Format::Csv),
        }
    }
}

/// The ways of --wake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WakeChoice {
    /// The sleeper makes this program's processor fence
    Membarrier,
    /// This program fences after each message
    Fence,
    /// A thread of this program looks for sleepers
    Thread,
}

impl From<WakeChoice> for Wake {
    fn from(choice: WakeChoice) -> Self {
        match choice {
            WakeChoice::Membarrier => Wake::Membarrier,
            WakeChoice::Fence => Wake::Fence,
            WakeChoice::Thread => Wake::Thread,
        }
    }
}

//! The source of the messages: an input or the synthetic market.

use feed::board::Symbol;
use feed::source::synthetic::Synthetic;
use feed::source::{Captured, Input, PassedOver, Source, SourceError};

/// The source of the messages.
pub(crate) enum Messages {
    Synthetic(Box<Synthetic>),
    Input(Input),
}

impl Messages {
    pub(crate) fn next(&mut self) -> Result<Option<Captured>, SourceError> {
        match self {
            Messages::Synthetic(market) => market.next_captured(),
            Messages::Input(input) => input.next_captured(),
        }
    }

    /// The name of the input in messages.
    pub(crate) fn name(&self) -> &str {
        match self {
            Messages::Synthetic(_) => "synthetic market",
            Messages::Input(input) => input.name(),
        }
    }

    pub(crate) fn bytes(&self) -> Option<u64> {
        match self {
            Messages::Synthetic(_) => None,
            Messages::Input(input) => input.bytes(),
        }
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        match self {
            Messages::Synthetic(_) => 0,
            Messages::Input(input) => input.bytes_read(),
        }
    }

    /// The symbol of an instrument, as far as the source tells.
    pub(crate) fn symbol(&self, instrument: u32) -> Option<Symbol> {
        match self {
            Messages::Synthetic(market) => market.symbol(instrument),
            Messages::Input(input) => input.symbol(instrument),
        }
    }

    /// What was passed over so far.
    pub(crate) fn passed_over(&mut self) -> PassedOver {
        match self {
            Messages::Synthetic(_) => PassedOver::default(),
            Messages::Input(input) => input.passed_over(),
        }
    }

    /// The warning of a time that cannot be; once.
    #[inline]
    pub(crate) fn take_warning(&mut self) -> Option<String> {
        match self {
            Messages::Synthetic(_) => None,
            Messages::Input(input) => input.notes().take_warning(),
        }
    }
}

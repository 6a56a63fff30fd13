//! The source of the messages or records: an input or the synthetic market.

use feed::board::Symbol;
use feed::records::{Encoding, Record};
use feed::source::synthetic::Synthetic;
use feed::source::{Captured, Input, PassedOver, Source, SourceError};

/// The source of the messages or records.
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

    /// The next record of an input that was opened to be read as records.
    pub(crate) fn next_record(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        match self {
            Messages::Synthetic(market) => market.next_record(),
            Messages::Input(input) => input.next_record(),
        }
    }

    /// What its records are; `None` for messages.
    pub(crate) fn encoding(&self) -> Option<Encoding> {
        match self {
            Messages::Synthetic(_) => None,
            Messages::Input(input) => input.encoding(),
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

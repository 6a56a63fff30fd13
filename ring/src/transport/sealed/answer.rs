//! The publisher's answer to a client that connects: yes with three descriptors, or no with a reason.
//!
//! The answer is one packet: eight bytes `FEEDHAND`, one byte version, one byte status (0 is yes), and the reason's
//! text.

const MAGIC: &[u8; 8] = b"FEEDHAND";
const VERSION: u8 = 1;
/// Offset of the text.
const TEXT_AT: usize = MAGIC.len() + 2;

/// The longest answer in bytes. A longer reason is cut.
pub(super) const MAX_BYTES: usize = 512;

/// The descriptors that come with a yes: segment, control, and the pipe's read end, in this order.
pub(super) const DESCRIPTORS: usize = 3;

/// An answer without its descriptors.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No { reason: String },
}

impl Answer {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (status, reason) = match self {
            Answer::Yes => (0, ""),
            Answer::No { reason } => (1, &**reason),
        };
        let mut bytes = [&MAGIC[..], &[VERSION, status], reason.as_bytes()].concat();
        bytes.truncate(MAX_BYTES);
        bytes
    }

    /// Parses a packet. The error describes a packet that is no answer.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let Some((head, text)) = bytes.split_at_checked(TEXT_AT).filter(|(head, _)| head.starts_with(MAGIC)) else {
            return Err(format!("a socket that answers with {} bytes of something else", bytes.len()));
        };
        match (head[8], head[9]) {
            (VERSION, 0) => Ok(Answer::Yes),
            (VERSION, _) => Ok(Answer::No { reason: printable(&String::from_utf8_lossy(text)) }),
            (version, _) => Err(format!("a socket that speaks version {version}")),
        }
    }
}

/// Escapes a foreign text, so that it cannot control a terminal. Quotation marks stay as they are.
fn printable(text: &str) -> String {
    let one = |c: char| if matches!(c, '\'' | '"') { c.to_string() } else { c.escape_debug().to_string() };
    text.chars().map(one).collect()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_answer_survives_encoding() {
        for answer in [Answer::Yes, Answer::No { reason: "uid 5 is not the publisher's".to_owned() }] {
            assert_eq!(Answer::from_bytes(&answer.to_bytes()), Ok(answer));
        }
        let long = Answer::No { reason: "x".repeat(10 * MAX_BYTES) }.to_bytes();
        assert_eq!(long.len(), MAX_BYTES);
        assert!(Answer::from_bytes(&long).is_ok());
    }

    #[test]
    fn other_packets_are_errors() {
        assert!(Answer::from_bytes(b"").is_err());
        assert!(Answer::from_bytes(b"FEEDHAND\x01").is_err());
        assert!(Answer::from_bytes(b"HTTP/1.1 400 Bad Request\r\n").is_err());
        assert_eq!(Answer::from_bytes(b"FEEDHAND\x02\0"), Err("a socket that speaks version 2".to_owned()));
        match Answer::from_bytes(b"FEEDHAND\x01\x07\x1b[2J\xff") {
            Ok(Answer::No { reason }) => assert!(reason.starts_with("\\u{1b}[2J"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

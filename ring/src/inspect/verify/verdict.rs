//! What verifying finds, and what it looks at whatever the segment holds: header and files.

use crate::format::fields::SchemaError;
use crate::format::layout::{MAX_SEQUENCE, word};
use crate::format::records::RecordsFormat;
use crate::format::rows::SegmentKind;
use crate::inspect::facts::State;
use crate::inspect::segment::Segment;

/// Number of findings that are listed. Further findings are only counted.
const LISTED: usize = 100;

/// What [`Ring::verify`](crate::inspect::Ring::verify) or [`Table::verify`](crate::inspect::Table::verify) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong: the first 100 findings.
    pub findings: Vec<Finding>,
    /// Number of further findings.
    pub more: u64,
    /// Number of slots, or of a table's rows, that were checked.
    pub slots: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: a file, a word of the header, or a slot.
    pub place: String,
    /// What was found there.
    pub found: String,
    /// What was expected there.
    pub expected: String,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_fine(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn note(&mut self, place: impl Into<String>, found: impl ToString, expected: impl Into<String>) {
        if self.findings.len() < LISTED {
            let (place, expected) = (place.into(), expected.into());
            self.findings.push(Finding { place, found: found.to_string(), expected });
        } else {
            self.more += 1;
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.findings.len() as u64 + self.more
    }
}

impl Segment {
    /// The verdict of `look`, unless it was about a segment with holes or one that was cut short.
    pub(super) fn verdict(&self, look: impl FnOnce(&mut Verdict), look_at_all: impl FnOnce(&mut Verdict)) -> Verdict {
        let mut verdict = Verdict::default();
        self.verify_header(&mut verdict);
        look(&mut verdict);
        self.verify_files(&mut verdict);
        if self.has_holes() {
            let (blocks, bytes) = (self.stat.st_blocks.saturating_mul(512), self.stat.st_size);
            verdict.note("segment", format!("{blocks} bytes in memory, the rest holes"), format!("{bytes}, all of it"));
        } else {
            look_at_all(&mut verdict);
        }
        if self.is_cut_short() {
            // All other findings come from the zeros that replaced the segment.
            verdict = Verdict::default();
            verdict.note("segment", "a file that was cut short meanwhile", format!("{} bytes", self.stat.st_size));
        }
        verdict
    }

    fn verify_header(&self, verdict: &mut Verdict) {
        if let State::Unknown(found) = self.state() {
            verdict.note("header, the state", found, "1 (live), 2 (closed) or 3 (superseded)");
        }
        // 0 is right if the publisher was killed before it stored how it wakes.
        let wake = self.word(word::WAKE);
        if wake != 0 && self.wake().is_none() {
            verdict.note("header, the wake word", wake, "1 (fence) or 2 (membarrier)");
        }
        verdict.note_align("the payload's", self.facts.payload_align);
        match self.facts.kind {
            SegmentKind::Records => {
                if let Err(error) = RecordsFormat::parse(&self.facts.schema) {
                    verdict.note("header, the schema", error, "Records and an encoding, then the format of each kind");
                }
            }
            _ => {
                if let Err(error) = self.message_type() {
                    verdict.note_schema("the schema", error);
                }
            }
        }
        if self.epoch() == 0 {
            verdict.note("header, the epoch", 0, "at least 1");
        }
    }

    fn verify_files(&self, verdict: &mut Verdict) {
        // A ring that replaces this one puts its control file in place before its segment, so a superseded ring may
        // have none that belongs to it.
        if let Some(problem) = self.control_damage()
            && self.state() != State::Superseded
        {
            verdict.note("control", problem, "the control file that belongs to the segment");
        }
        if let Err(problem) = &self.live {
            verdict.note("live", problem, "the FIFO that says whether the publisher lives");
        }
        if let Some(directory) = &self.directory
            && let Ok(directory) = directory.stat()
            && directory.st_uid != self.stat.st_uid
        {
            let found = format!("owned by uid {}", self.stat.st_uid);
            verdict.note("segment", found, format!("uid {}, which owns the directory", directory.st_uid));
        }
        let published = self.word(word::PUBLISHED);
        for entry in self.entries().ok().flatten().unwrap_or_default() {
            // A subscriber may wait for a sequence far ahead, but no publisher can reach this one.
            if entry.held && entry.sequence >= MAX_SEQUENCE {
                let place = format!("control, entry {} (pid {})", entry.index, entry.pid);
                verdict.note(place, entry.sequence, format!("a sequence; {published} are published"));
            }
        }
    }
}

impl Verdict {
    pub(super) fn note_align(&mut self, whose: &str, align: u64) {
        if !align.is_power_of_two() {
            self.note(format!("header, {whose} alignment"), align, "a power of two");
        }
    }

    pub(super) fn note_schema(&mut self, which: &str, error: SchemaError) {
        self.note(format!("header, {which}"), error, "name, size and alignment, then a line for each field");
    }
}

/// The meaning of a sequence word, in words. `what` is what the sequence numbers.
pub(super) fn describe(what: &str, seen: u64) -> String {
    match seen {
        0 => "never written".to_owned(),
        seen if seen.is_multiple_of(2) => format!("{what} {} ({seen})", (seen - 1) / 2),
        seen => format!("{what} {} being written ({seen})", seen / 2),
    }
}

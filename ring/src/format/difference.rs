//! What differs between the schema of a ring and the schema that a program expects, as text for an error.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use super::message::MessageFormat;
use super::records::RecordsFormat;

/// The most fields that are shown. The others are counted.
const SHOWN: usize = 6;

/// The most characters of a name or of a type that are shown. A schema may have been made to be long.
const WIDTH: usize = 40;

/// A field's type and offset, as the schema writes them.
type Place<'a> = (&'a str, &'a str);

/// The fields that differ, each with its type and offset in the ring and in the program. Fields that only stand elsewhere
/// come last. At most a few kilobytes, whatever the schemas are.
pub(crate) fn difference(ring: &str, program: &str) -> String {
    let (in_ring, in_program) = (fields(ring), fields(program));
    let (at_ring, at_program): (HashMap<_, _>, HashMap<_, _>) =
        (in_ring.iter().copied().collect(), in_program.iter().copied().collect());
    let (mut changed, mut moved) = (Vec::new(), Vec::new());
    for &(name, here) in &in_ring {
        match at_program.get(name) {
            Some(&there) if there == here => {}
            Some(&there) if there.0 == here.0 => moved.push((name, Some(here), Some(there))),
            there => changed.push((name, Some(here), there.copied())),
        }
    }
    let only_in_program = in_program.iter().filter(|(name, _)| !at_ring.contains_key(name));
    changed.extend(only_in_program.map(|&(name, there)| (name, None, Some(there))));
    changed.append(&mut moved);
    if changed.is_empty() {
        let names = ring.lines().next() != program.lines().next();
        return if names { "their fields are the same" } else { "their schemas list the same fields" }.to_owned();
    }
    let mut text = String::new();
    for (index, (name, here, there)) in changed.iter().take(SHOWN).enumerate() {
        // Writing to a String cannot fail, here and below.
        let _ = write!(text, "{}{} is ", if index > 0 { "; " } else { "" }, Printable(name, 0));
        let skip = common_start(here, there);
        write_place(&mut text, here, skip);
        text.push_str(" in the ring and ");
        write_place(&mut text, there, skip);
        text.push_str(" in this program");
    }
    let more = changed.len().saturating_sub(SHOWN);
    if more > 0 {
        let fields = if more == 1 { "field differs" } else { "fields differ" };
        let _ = write!(text, "; {more} more {fields}");
    }
    text
}

/// What differs between two formats of records: the kinds, and the fields of those that both have.
pub(crate) fn difference_of_records(ring: &RecordsFormat, program: &RecordsFormat) -> String {
    if ring.encoding() != program.encoding() {
        return "another encoding".to_owned();
    }
    let mut kinds: Vec<u8> = ring.kinds().chain(program.kinds()).map(|(kind, _)| kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let differ = kinds.into_iter().filter_map(|kind| match (ring.kind(kind), program.kind(kind)) {
        (Some(here), Some(there)) if here == there => None,
        (Some(here), Some(there)) => {
            let names = match (here.name(), there.name()) {
                (here, there) if here == there => Printable(&here, 0).to_string(),
                (here, there) => {
                    format!("{} in the ring, {} in this program", Printable(&here, 0), Printable(&there, 0))
                }
            };
            Some(format!("kind {kind} ({names}): {}", difference(here.schema(), there.schema())))
        }
        (Some(here), None) => Some(format!("kind {kind} ({}) is missing in this program", Printable(&here.name(), 0))),
        (None, there) => {
            let name = there.map(MessageFormat::name).unwrap_or_default();
            Some(format!("kind {kind} ({}) is missing in the ring", Printable(&name, 0)))
        }
    });
    let differ: Vec<String> = differ.collect();
    let more = match differ.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    differ[..differ.len().min(SHOWN)].join("; ") + &more
}

/// The fields in a schema's text. A line that is no field stands for itself.
fn fields(schema: &str) -> Vec<(&str, Place<'_>)> {
    let field = |line| {
        let mut words = str::splitn(line, 3, ' ');
        (words.next().unwrap_or(""), (words.next().unwrap_or(""), words.next().unwrap_or("")))
    };
    schema.lines().skip(1).map(field).collect()
}

fn write_place(text: &mut String, place: &Option<Place<'_>>, skip: usize) {
    let _ = match place {
        Some((ty, offset)) => write!(text, "{} at byte {}", Printable(ty, skip), Printable(offset, 0)),
        None => write!(text, "missing"),
    };
}

/// How many characters of two long types to leave out, so that what differs is shown.
fn common_start(here: &Option<Place<'_>>, there: &Option<Place<'_>>) -> usize {
    let (Some((one, _)), Some((other, _))) = (here, there) else { return 0 };
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let long = one.len().max(other.len()) > WIDTH && one != other;
    if long { same.saturating_sub(WIDTH / 4) } else { 0 }
}

/// A text from a schema behind its first characters, cut, and without characters that control a terminal.
struct Printable<'a>(&'a str, usize);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Printable(text, skip) = *self;
        let mut left = text.chars().skip(skip);
        if skip > 0 {
            f.write_char('…')?;
        }
        for c in left.by_ref().take(WIDTH) {
            let is_plain = c.escape_debug().len() == 1 || matches!(c, '"' | '\'' | '\\');
            f.write_char(if is_plain { c } else { '\u{fffd}' })?;
        }
        if left.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_that_differ_are_named_both_ways() {
        let ring = "Tick 32 8\ntime u64 0\nprice i64 8\nvenue u16 16\nsize u64 24\n";
        let program = "Tick 32 8\ntime u64 0\nprice f64 8\nflags u8 16\nsize u64 17\n";
        assert_eq!(
            difference(ring, program),
            "price is i64 at byte 8 in the ring and f64 at byte 8 in this program; \
             venue is u16 at byte 16 in the ring and missing in this program; \
             flags is missing in the ring and u8 at byte 16 in this program; \
             size is u64 at byte 24 in the ring and u64 at byte 17 in this program"
        );
    }

    #[test]
    fn what_changed_comes_before_what_moved_and_the_rest_is_counted() {
        let schema = |first: &str, from: usize| {
            let rest = (0..20).map(|index| format!("f{index} u8 {}\n", from + index));
            format!("T 24 1\n{first}{}", rest.collect::<String>())
        };
        let text = difference(&schema("", 0), &schema("new u32 0\n", 4));
        assert!(text.starts_with("new is missing in the ring and u32 at byte 0 in this program; f0 is u8"), "{text}");
        assert!(text.ends_with("; 15 more fields differ"), "{text}");
    }

    #[test]
    fn messages_of_the_same_fields() {
        assert_eq!(difference("A 8 8\nx u64 0\n", "B 8 8\nx u64 0\n"), "their fields are the same");
        assert_eq!(difference("A 8 8\nx u64 0\n", "A 8 8\nx u64 0\n"), "their schemas list the same fields");
    }

    #[test]
    fn of_long_types_the_part_that_differs_is_shown() {
        let book =
            |last: &str| format!("Book 320 8\nlevels [{{price:i64@0,size:u64@8,orders:u32@16,{last}@20}};10] 0\n");
        let text = difference(&book("venue:u32"), &book("flags:i32"));
        assert!(text.contains("…rs:u32@16,venue:u32@20};10] at byte 0 in the ring"), "{text}");
        assert!(text.contains("…rs:u32@16,flags:i32@20};10] at byte 0 in this program"), "{text}");
    }

    /// A segment may hold any text as its schema.
    #[test]
    fn a_hostile_schema_makes_no_long_text_and_controls_no_terminal() {
        let program = "T 8 8\nx u64 0\n";
        let long = format!("T 8 8\n{0} {0} {0}\n", "\u{202e}\u{1b}[2J".repeat(10_000));
        for ring in [long, "\n".repeat(65_536), "\0 ".repeat(30_000), "T 8 8\nx \u{7}".into(), String::new()] {
            let text = difference(&ring, program);
            assert!(text.len() < 4_096, "{} bytes", text.len());
            assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        }
    }
}

//! Where the records of a ring are: its end, the oldest, one of a given number. Each record says how long it is, so the next
//! one is found from it; the one before it is not.
//!
//! The header names the position of the record that was published last. From there a reader follows the slots. All that is
//! read may be overwritten meanwhile, or be forged: every walk is bounded by the ring, and a record's number is taken only
//! with a second look.

use super::place::Unfound;
use super::record::{self, Gap, Head};
use super::slot::Absence;
use super::view::View;
use crate::format::layout::MAX_SEQUENCE;
use crate::format::records::{MAX_POSITION, longest};
use crate::sync::tuning::{END_ATTEMPTS, MARGIN, MARGIN_PART};
use crate::sync::{Ordering, fence, on};

/// The number of a record and the position of its first slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) number: u64,
    pub(crate) position: u64,
}

/// A lapped subscriber goes on at most so many slots after the oldest.
const MARGIN_SLOTS: u64 = 8 * MARGIN;

/// Looks at the record at `position`, or at what says there that numbers were passed over. Returns its number, and the record behind
/// it. The error is the word that was there instead.
pub(crate) fn look(view: &View, position: u64) -> Result<(u64, Spot), u64> {
    look_for(view, position).map(|(number, next, _)| (number, next))
}

/// As [`look`]. The last says whether numbers were passed over there.
fn look_for(view: &View, position: u64) -> Result<(u64, Spot, Option<Gap>), u64> {
    match look_at_record(view, position) {
        Ok((number, next)) => Ok((number, next, None)),
        // N9. A join goes on behind what was passed over, and so does a takeover.
        Err(_) if view.layout().relayed && on("N9") => {
            let gap = record::read_passed_over(view.slots(), position, view.layout().base)?;
            Ok((gap.from, Spot { number: gap.until, position: position + 1 }, Some(gap)))
        }
        Err(seen) => Err(seen),
    }
}

fn look_at_record(view: &View, position: u64) -> Result<(u64, Spot), u64> {
    let (layout, count) = (view.layout(), || view.published_count());
    let read = record::read(
        view.slots(),
        position,
        longest(view.capacity(), layout.slot_words),
        |_| true,
        |record| {
            // Between the two looks: the count is at least the record's number, and less than a ring ahead of it.
            (record.head, count())
        },
    );
    let ((head, count), end) = read?;
    let found = match layout.relayed && on("N12") {
        true => number_by_count(head, layout.base, count),
        false => number(head, position, layout.base, count),
    };
    let found = found.ok_or_else(|| record::published(position))?;
    Ok((found, Spot { number: found + 1, position: end }))
}

/// The number of the record at `position` in a ring that began with number `base`. `None` if there is no such record.
fn number(head: Head, position: u64, base: u64, count: u64) -> Option<u64> {
    let found = if position >> 32 == 0 {
        // Each record has a position, so no more than `position` come before it.
        base + u64::from(head.number.wrapping_sub(base as u32))
    } else {
        count.wrapping_sub(u64::from((count as u32).wrapping_sub(head.number)))
    };
    // Q14. The count may be forged, and so may the head.
    let possible = found >= base && found - base <= position && found < MAX_SEQUENCE;
    (possible || !on("Q14")).then_some(found)
}

/// The number of a record of a relay. Its numbers run ahead of its positions.
///
/// N12. Only the count tells. A relay passes over no more numbers than 32 bits of a number can tell apart in one ring.
fn number_by_count(head: Head, base: u64, count: u64) -> Option<u64> {
    let found = count.wrapping_sub(u64::from((count as u32).wrapping_sub(head.number)));
    (found >= base && found < MAX_SEQUENCE).then_some(found)
}

/// Why nothing was read at `position`, where the word `seen` was found instead: as [`record::why_absent`], also in a relay.
#[inline]
pub(crate) fn why_absent(view: &View, seen: u64, position: u64) -> Absence {
    match record::why_absent(seen, position, view.mask()) {
        Absence::Corrupt if view.layout().relayed => passed_over_by(view, seen, position),
        absence => absence,
    }
}

/// What a slot says of `position` whose word `seen` no record has.
#[cold]
fn passed_over_by(view: &View, seen: u64, position: u64) -> Absence {
    let Some(found) = record::passes_over(seen) else { return Absence::Corrupt };
    if found & view.mask() != position & view.mask() || found >= MAX_POSITION {
        return Absence::Corrupt;
    }
    if found != position {
        let oldest = found.saturating_sub(view.mask()).max(position + 1);
        return if found > position { Absence::Lapped { published: oldest } } else { Absence::NotYet };
    }
    match record::read_passed_over(view.slots(), position, view.layout().base) {
        // N8. A number that was passed over is lost; nobody waits for it.
        Ok(Gap { until, .. }) if on("N8") => Absence::PassedOver { until },
        Ok(_) => Absence::NotYet,
        Err(again) if again == seen => Absence::Corrupt,
        // Overwritten meanwhile. Whoever looks again sees by what.
        Err(_) => Absence::NotYet,
    }
}

/// The position that a slot's word names, if a record begins there, or numbers were passed over.
fn begins(view: &View, word: u64) -> Option<u64> {
    // N11. A reader may have been told already that numbers never come: a takeover goes on behind them.
    let passed_over = || record::passes_over(word).filter(|_| view.layout().relayed && on("N11"));
    record::begins(word).or_else(passed_over)
}

/// The next record to be published of a ring that may have a running publisher.
///
/// # Errors
/// [`Unfound`].
pub(crate) fn next_of_running(view: &View) -> Result<Spot, Unfound> {
    newest(view).map(|(_, next)| next)
}

/// The number of the next record, as the header's count has it, where no record was found to tell it.
pub(crate) fn counted(view: &View) -> u64 {
    view.published_count().clamp(view.layout().base, MAX_SEQUENCE)
}

/// The record that was published last, if there is one, and the one behind it.
///
/// # Errors
/// [`Unfound`].
pub(crate) fn newest(view: &View) -> Result<(Option<Spot>, Spot), Unfound> {
    for _ in 0..END_ATTEMPTS {
        // Q19. Pairs with Q3. A word of a record that is being written may have told that another is gone. Whoever saw it sees
        // below the end as it was two records before that word, which is behind the record that is gone: see docs/protocol.md.
        fence("Q19", Ordering::Acquire);
        let position = view.last_position();
        // Q15. Pairs with Q16. A reader that sees the position sees the record that begins there.
        fence("Q15", Ordering::Acquire);
        match look_for(view, position) {
            Ok((number, next, None)) => return Ok(follow(view, position, Some(Spot { number, position }), next)),
            Ok((number, next, Some(gap))) => {
                let before = last_before(view, position, Gap { from: number, ..gap });
                return Ok(follow(view, position, before, next));
            }
            Err(seen) => match why_absent(view, seen, position) {
                Absence::Lapped { .. } => {}
                // Nothing was published since the ring was made.
                Absence::NotYet if position == 0 => {
                    return Ok((None, Spot { number: view.layout().base, position: 0 }));
                }
                Absence::NotYet | Absence::PassedOver { .. } | Absence::Corrupt => return Err(Unfound::Corrupt(seen)),
            },
        }
    }
    Err(Unfound::Overtaken)
}

/// Goes on from a record to the last one that is published. The header names that one only after it was published, and its
/// publisher may have died in between. If the header moves meanwhile, a publisher is running, and following it could take a
/// lap.
fn follow(view: &View, from: u64, mut last: Option<Spot>, mut next: Spot) -> (Option<Spot>, Spot) {
    let named = view.last_position();
    let limit = from + view.capacity();
    // Q17. Without it the last record of a publisher that was killed would be missed.
    while next.position < limit && on("Q17") {
        let Ok((_, behind, gap)) = look_for(view, next.position) else { break };
        let number = gap.map_or(next.number + 1, |gap| gap.until);
        if gap.is_none() {
            last = Some(next);
        }
        next = Spot { number, position: behind.position };
        if view.last_position() != named {
            break;
        }
    }
    (last, next)
}

/// The last record before numbers that were passed over at `position`. `None` if it is overwritten.
fn last_before(view: &View, position: u64, gap: Gap) -> Option<Spot> {
    // N10. The newest record is before them. Whoever asks for it would find none.
    let before = position.checked_sub(u64::from(gap.back)).filter(|_| gap.back > 0 && on("N10"))?;
    match look_for(view, before) {
        Ok((number, _, None)) if number < gap.from => Some(Spot { number, position: before }),
        _ => None,
    }
}

/// So many slots before `position`, the next one, begins the last record: what its publisher says of numbers that it passes over. 0 if
/// none is left.
pub(crate) fn back_to_last(view: &View, position: u64) -> u32 {
    let named = view.last_position();
    let back = match look_for(view, named) {
        Ok((_, _, None)) => position.checked_sub(named),
        Ok((_, _, Some(gap))) if gap.back > 0 => position.checked_sub(named).map(|back| back + u64::from(gap.back)),
        _ => None,
    };
    back.filter(|&back| back < view.capacity()).map_or(0, |back| back as u32)
}

/// The position of the last record that any slot says begins in it, or of numbers that were passed over behind it.
pub(crate) fn last_begun(view: &View) -> Option<u64> {
    let is_in_place = |(index, position): (u64, u64)| {
        let fits = position & view.mask() == index && position < MAX_POSITION;
        fits.then_some(position)
    };
    let starts = (0..view.capacity()).filter_map(|index| Some((index, begins(view, view.first_word(index))?)));
    starts.filter_map(is_in_place).max()
}

/// The next record of a ring without a running publisher, from its slots. `None` if they make no sense.
pub(crate) fn next_of_stopped(view: &View) -> Option<Spot> {
    let Some(last) = last_begun(view) else {
        return Some(Spot { number: view.layout().base, position: 0 });
    };
    look(view, last).ok().map(|(_, next)| next).filter(|next| next.position < MAX_POSITION)
}

/// The first record that begins at `from` or behind it, and before `end`. Numbers that were passed over are found as a record is.
pub(crate) fn first_from(view: &View, from: u64, end: Spot) -> Option<Spot> {
    let mut position = from;
    while position < end.position {
        let word = view.first_word(position);
        let begun = begins(view, word);
        let found = begun.unwrap_or(word / 4);
        if begun == Some(position) {
            if let Ok((number, _)) = look(view, position) {
                // A number that the end does not bear out is no number: the count was forged, or a head.
                return (number < end.number).then_some(Spot { number, position });
            }
            position += 1;
        } else if found > position && found & view.mask() == position & view.mask() {
            // Overwritten, and so is what was written before this slot.
            position = (found + 1).saturating_sub(view.capacity()).clamp(position + 1, end.position);
        } else {
            position += 1;
        }
    }
    None
}

/// The oldest position that may still be there when the next record begins at `end`.
pub(crate) fn oldest_position(view: &View, end: u64) -> u64 {
    // The slot of the next record is marked.
    (end + 1).saturating_sub(view.capacity())
}

/// The oldest record, or the next one if there is none. What was passed over before it is not told as a loss.
///
/// # Errors
/// [`Unfound`].
pub(crate) fn oldest(view: &View) -> Result<Spot, Unfound> {
    held(view).map(|(oldest, _)| oldest)
}

/// The oldest record, and the next one. They are the same if there is none.
///
/// # Errors
/// [`Unfound`].
pub(crate) fn held(view: &View) -> Result<(Spot, Spot), Unfound> {
    let end = next_of_running(view)?;
    let oldest = first_from(view, oldest_position(view, end.position), end).unwrap_or(end);
    Ok((if view.layout().relayed { first_record(view, oldest, end) } else { oldest }, end))
}

/// The first record from this spot on, where numbers may have been passed over, or the end.
fn first_record(view: &View, from: Spot, end: Spot) -> Spot {
    let mut spot = from;
    while spot.position < end.position {
        match look_for(view, spot.position) {
            Ok((_, next, Some(_))) => spot = next,
            _ => return spot,
        }
    }
    spot
}

/// Where a lapped subscriber goes on: see [`Place::resume`](super::place::Place::resume). No slot before
/// `oldest` is left, and the record from which it goes on does not begin before `least`.
///
/// # Errors
/// [`Unfound`].
pub(crate) fn resume(view: &View, oldest: u64, least: u64, goes_on: impl Fn() -> bool) -> Result<Spot, Unfound> {
    let end = next_of_running(view)?;
    // What is older may still be seen as it was before it was overwritten.
    let oldest = oldest_position(view, end.position).max(oldest);
    // Q18. As L3 and L4, in slots.
    let wanted = if on("Q18") { (view.window() / MARGIN_PART).min(MARGIN_SLOTS) } else { 0 };
    let margin = if wanted > 0 && oldest > 0 && goes_on() { wanted } else { 0 };
    Ok(first_from(view, (oldest + margin).max(least), end).unwrap_or(end))
}

/// Where a record was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Located {
    /// It is here, or will be: it is the next one.
    Here(Spot),
    /// It comes some time after this one, which is the next.
    Behind(Spot),
    /// It is overwritten. This one is not, and comes after it.
    Gone(Spot),
}

/// Slots before the end of a relay among which a record is looked for first.
const FEW: u64 = 16;

/// Where record `number` is.
///
/// # Errors
/// [`Unfound`].
pub(crate) fn locate(view: &View, number: u64) -> Result<Located, Unfound> {
    for _ in 0..END_ATTEMPTS {
        let end = next_of_running(view)?;
        if number >= end.number {
            return Ok(if number == end.number { Located::Here(end) } else { Located::Behind(end) });
        }
        if let Some(located) = locate_before(view, end, number) {
            return Ok(located);
        }
    }
    Err(Unfound::Overtaken)
}

/// The same for a record before `end`. `None` if a walk was overtaken, which says nothing of the record.
fn locate_before(view: &View, end: Spot, number: u64) -> Option<Located> {
    let oldest = oldest_position(view, end.position);
    // So many records back are at least as many slots back. A walk from the oldest would be overtaken in a running ring, so
    // it begins as near as it can.
    let mut back = end.number - number;
    if view.layout().relayed {
        // Of numbers that were passed over many take one slot.
        back = back.min(FEW);
    }
    loop {
        let from = end.position.saturating_sub(back).max(oldest);
        match first_from(view, from, end) {
            Some(found) if found.number <= number => return walk(view, found, number, end).map(Located::Here),
            // Records are in the order of their numbers, so this one is overwritten.
            found if from == oldest => return Some(Located::Gone(found.unwrap_or(end))),
            _ => back = back.saturating_mul(2),
        }
    }
}

/// Walks from a record to one of a higher number, before `end`.
fn walk(view: &View, from: Spot, number: u64, end: Spot) -> Option<Spot> {
    let mut spot = from;
    while spot.number < number {
        if spot.position >= end.position {
            return None; // the numbers are forged
        }
        let (_, next, gap) = look_for(view, spot.position).ok()?;
        spot = match gap {
            None => Spot { number: spot.number + 1, position: next.position },
            // It is one of those that were passed over here.
            Some(gap) if gap.until > number => return Some(Spot { number, ..spot }),
            Some(gap) => Spot { number: gap.until, position: next.position },
        };
    }
    Some(spot)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_number_follows_from_its_low_half() {
        let head = |number: u64| Head { number: number as u32, length: 0, kind: 0 };
        let (near, far) = (1 << 20, 1 << 40);
        for base in [0, 1, 5 << 31, (9 << 32) - 3] {
            for behind in [0, 1, 1000, 1 << 20] {
                assert_eq!(number(head(base + behind), near, base, 0), Some(base + behind), "whatever the count says");
            }
            for behind in [1 << 33, (7 << 32) - 1, 7 << 32, (7 << 32) + 1] {
                for ahead in [0, 1, 1 << 31] {
                    let count = base + behind + ahead;
                    assert_eq!(number(head(base + behind), far, base, count), Some(base + behind), "{base} {ahead}");
                }
            }
        }
        assert_eq!(number(head(7), 6, 0, 7), None, "the seventh slot has at most the seventh record");
        assert_eq!(number(head(7), far, 100, 7), None, "from before the ring");
        assert_eq!(number(head(7), far, 0, MAX_SEQUENCE + 8), None);
    }
}

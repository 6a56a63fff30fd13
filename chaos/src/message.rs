//! A message that checks itself: every word follows from the sequence number and the publisher's number.

/// Words of a message. With 4,088 bytes a kill often falls into the middle of one.
pub(crate) const WORDS: usize = 511;

/// Word 0 is the sequence number, word 1 the publisher's number. The other words follow from both.
pub(crate) type Message = [u64; WORDS];

/// Message `sequence` of `publisher`.
pub(crate) fn message(sequence: u64, publisher: u64) -> Message {
    std::array::from_fn(|index| word(sequence, publisher, index))
}

/// Word `index` of the message. Words from 2 on are never zero: zero means an empty slot or a line that was taken over.
pub(crate) fn word(sequence: u64, publisher: u64, index: usize) -> u64 {
    match index {
        0 => sequence,
        1 => publisher,
        _ => (sequence << 20 ^ publisher ^ (index as u64) << 52).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
    }
}

/// Whether all words belong to one message.
pub(crate) fn is_whole(message: &Message) -> bool {
    let (sequence, publisher) = (message[0], message[1]);
    message.iter().enumerate().all(|(index, found)| *found == word(sequence, publisher, index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_another_message_shows() {
        let mut mixed = message(5, 1);
        assert!(is_whole(&mixed));
        for (sequence, publisher) in [(6, 1), (5, 2)] {
            for index in [0, 1, 2, WORDS / 2, WORDS - 1] {
                let own = mixed[index];
                mixed[index] = word(sequence, publisher, index);
                assert_eq!(is_whole(&mixed), mixed[index] == own, "word {index} of ({sequence}, {publisher})");
                mixed[index] = own;
            }
        }
    }
}

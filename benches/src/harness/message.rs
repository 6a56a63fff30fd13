//! The message that every contender moves: `W` words of 8 bytes, whose first says which message it is and when it left.
//!
//! First word, from the top: 32 bits of number, 31 bits of time stamp, 1 bit "the last of this phase". So it only ever
//! grows, which lets a bare flag be a message of one word. The last word is the first one's complement, so that a torn
//! or mixed-up message is noticed even while time is being measured; [`pattern`] fills every word for the check before.

/// A message of `W` words.
pub type Message<const W: usize> = [u64; W];

const STAMP: u64 = (1 << 31) - 1;

/// What the first word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header(u64);

impl Header {
    /// The header of message `number`, stamped with the low bits of `ticks`.
    #[inline(always)]
    pub fn new(number: u64, ticks: u64, last: bool) -> Self {
        Self(number << 32 | (ticks & STAMP) << 1 | u64::from(last))
    }

    /// The header of a received message.
    ///
    /// # Errors
    /// The message's last word does not belong to its first.
    #[inline(always)]
    pub fn of<const W: usize>(message: &Message<W>) -> anyhow::Result<Self> {
        if W > 1 && message[W - 1] != !message[0] {
            return Err(mixed(message[0], message[W - 1]));
        }
        Ok(Self(message[0]))
    }

    /// The first word of a message that is checked as a whole.
    pub fn of_checked<const W: usize>(message: &Message<W>) -> Self {
        Self(message[0])
    }

    /// Writes the header, and the complement that belongs to it.
    #[inline(always)]
    pub fn write<const W: usize>(self, message: &mut Message<W>) {
        message[0] = self.0;
        if W > 1 {
            message[W - 1] = !self.0;
        }
    }

    /// Which message it is.
    #[inline(always)]
    pub fn number(self) -> u64 {
        self.0 >> 32
    }

    /// Whether it is the last of its phase.
    #[inline(always)]
    pub fn is_last(self) -> bool {
        self.0 & 1 == 1
    }

    /// Ticks from its stamp until `now` (exact below 2^31 ticks, about a second).
    #[inline(always)]
    pub fn age(self, now: u64) -> u64 {
        now.wrapping_sub(self.0 >> 1) & STAMP
    }
}

#[cold]
fn mixed(first: u64, last: u64) -> anyhow::Error {
    anyhow::anyhow!(
        "received a mixed message: first word {first:#018x}, last word {last:#018x}, expected {:#018x}",
        !first
    )
}

/// Message `number` with every word a different function of the number; `salt` tells the two directions apart.
pub fn pattern<const W: usize>(number: u64, salt: u64) -> Message<W> {
    let mut message = [0; W];
    for (index, word) in message.iter_mut().enumerate() {
        *word = (number ^ salt << 40 ^ (index as u64) << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    // The first word must grow from message to message: a bare flag has nothing else.
    message[0] = Header::new(number, salt, false).0;
    message
}

/// Checks every word of a received message against [`pattern`].
///
/// # Errors
/// Names the first word that differs.
pub fn check<const W: usize>(message: &Message<W>, number: u64, salt: u64) -> anyhow::Result<()> {
    let expected = pattern::<W>(number, salt);
    for (index, (found, expected)) in message.iter().zip(&expected).enumerate() {
        anyhow::ensure!(
            found == expected,
            "message {number}: word {index} is {found:#018x}, expected {expected:#018x}: delivered wrong"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_what_was_written() {
        let mut message = [0; 7];
        Header::new(41, 1_000, true).write(&mut message);
        let header = Header::of(&message).unwrap();
        assert_eq!((header.number(), header.is_last(), header.age(1_234)), (41, true, 234));
    }

    #[test]
    fn age_survives_the_wrap_of_the_stamp() {
        let stamped = (5 << 31) - 10;
        assert_eq!(Header::new(0, stamped, false).age(stamped + 25), 25);
    }

    #[test]
    fn mixed_messages_are_noticed() {
        let mut message = pattern::<7>(1, 0);
        assert!(Header::of(&message).is_err());
        assert!(check(&message, 1, 0).is_ok());
        message[3] ^= 1;
        assert!(check(&message, 1, 0).is_err());
    }

    #[test]
    fn heads_grow_with_the_number() {
        assert!(Header::new(7, u64::MAX, true).0 < Header::new(8, 0, false).0);
    }
}

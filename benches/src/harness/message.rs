//! The message that every contender moves: `W` words of 8 bytes. The first word is a header with number and time stamp.
//!
//! The header has, from the top, 32 bits of number, 31 bits of time stamp, and 1 bit that marks the last message of a
//! phase. It therefore grows from message to message, so a bare flag can be a message of one word. The last word of a
//! message is the header's complement. A torn read is thus noticed even in timed rounds. Before them, [`pattern`] fills
//! every word.

/// A message of `W` words.
pub type Message<const W: usize> = [u64; W];

const STAMP: u64 = (1 << 31) - 1;

/// The first word of a message.
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
    /// The last word is not the header's complement.
    #[inline(always)]
    pub fn of<const W: usize>(message: &Message<W>) -> anyhow::Result<Self> {
        if W > 1 && message[W - 1] != !message[0] {
            return Err(torn(message[0], message[W - 1]));
        }
        Ok(Self(message[0]))
    }

    /// The header of a message, without the check. [`check`] compares the whole message.
    pub fn of_checked<const W: usize>(message: &Message<W>) -> Self {
        Self(message[0])
    }

    /// Writes the header into the first word and its complement into the last.
    #[inline(always)]
    pub fn write<const W: usize>(self, message: &mut Message<W>) {
        message[0] = self.0;
        if W > 1 {
            message[W - 1] = !self.0;
        }
    }

    /// The number of the message.
    #[inline(always)]
    pub fn number(self) -> u64 {
        self.0 >> 32
    }

    /// Whether the message is the last of its phase.
    #[inline(always)]
    pub fn is_last(self) -> bool {
        self.0 & 1 == 1
    }

    /// Ticks from the stamp to `now`. Exact below 2^31 ticks, about a second.
    #[inline(always)]
    pub fn age(self, now: u64) -> u64 {
        now.wrapping_sub(self.0 >> 1) & STAMP
    }
}

#[cold]
fn torn(first: u64, last: u64) -> anyhow::Error {
    anyhow::anyhow!(
        "received a torn message: first word {first:#018x}, last word {last:#018x}, expected {:#018x}",
        !first
    )
}

/// Message `number`, in which every word is a different function of the number. `salt` differs between the two
/// directions.
pub fn pattern<const W: usize>(number: u64, salt: u64) -> Message<W> {
    let mut message = [0; W];
    for (index, word) in message.iter_mut().enumerate() {
        *word = (number ^ salt << 40 ^ (index as u64) << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    // A bare flag has only this word, so it must grow from message to message.
    message[0] = Header::new(number, salt, false).0;
    message
}

/// Checks every word of a received message against [`pattern`].
///
/// # Errors
/// A word differs; the error names the first one.
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
    fn a_header_is_read_back_as_it_was_written() {
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
    fn torn_messages_are_noticed() {
        let mut message = pattern::<7>(1, 0);
        assert!(Header::of(&message).is_err());
        assert!(check(&message, 1, 0).is_ok());
        message[3] ^= 1;
        assert!(check(&message, 1, 0).is_err());
    }

    #[test]
    fn headers_grow_with_the_number() {
        assert!(Header::new(7, u64::MAX, true).0 < Header::new(8, 0, false).0);
    }
}

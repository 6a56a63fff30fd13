//! The check of `derive(Payload)` that a message has no padding. The compiler evaluates it.

/// Fails, and with it the compilation, unless the fields fill the message. A field is its name, its offset in bytes and
/// its size in bytes, in the order of the definition. The text names the first gap and says how to fill it.
#[track_caller]
pub const fn assert_no_padding(message: &str, size: usize, fields: &[(&str, usize, usize)]) {
    let (mut filled, mut index) = (0, 0);
    while index < fields.len() {
        filled += fields[index].2;
        index += 1;
    }
    if filled == size {
        return;
    }
    let (mut end, mut before, mut index) = (0, "", 0);
    while index < fields.len() && fields[index].1 <= end {
        (end, before) = (fields[index].1 + fields[index].2, fields[index].0);
        index += 1;
    }
    let begins = if index < fields.len() { fields[index].1 } else { size };
    let mut text = Text { bytes: [0; 512], length: 0 };
    text.push("message `");
    text.push(message);
    text.push("`: ");
    text.push_number(begins - end);
    text.push(" bytes of padding after field `");
    text.push(before);
    text.push("`: add a field there, such as `_padding: [u8; ");
    text.push_number(begins - end);
    text.push(if index < fields.len() { "]`, or put the larger fields first" } else { "]`" });
    panic!("{}", text.as_str());
}

/// A text that is put together while compiling. What does not fit is left out.
struct Text {
    bytes: [u8; 512],
    length: usize,
}

impl Text {
    const fn push(&mut self, text: &str) {
        let text = text.as_bytes();
        if text.len() > self.bytes.len() - self.length {
            return;
        }
        let mut index = 0;
        while index < text.len() {
            self.bytes[self.length] = text[index];
            (self.length, index) = (self.length + 1, index + 1);
        }
    }

    const fn push_number(&mut self, number: usize) {
        if number >= 10 {
            self.push_number(number / 10);
        }
        let digit = [b'0' + (number % 10) as u8];
        if let Ok(digit) = std::str::from_utf8(&digit) {
            self.push(digit);
        }
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "a message with padding",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &'static str, size: usize, fields: &'static [(&'static str, usize, usize)]) -> Option<String> {
        let check = || assert_no_padding(message, size, fields);
        std::panic::catch_unwind(check).err().map(|said| *said.downcast::<String>().unwrap())
    }

    #[test]
    fn fields_that_fill_a_message_pass() {
        assert_eq!(said("Tick", 16, &[("time", 0, 8), ("nothing", 8, 0), ("a", 8, 4), ("b", 12, 4)]), None);
        assert_eq!(said("Nothing", 0, &[]), None);
    }

    #[test]
    fn the_first_gap_is_named() {
        let within = said("Tick", 24, &[("side", 0, 1), ("time", 8, 8), ("flag", 16, 1)]).unwrap();
        assert!(within.starts_with("message `Tick`: 7 bytes of padding after field `side`"), "{within}");
        let at_end = said("Tick", 128, &[("time", 0, 8), ("flag", 8, 8)]).unwrap();
        assert!(at_end.contains("112 bytes of padding after field `flag`"), "{at_end}");
        assert!(at_end.contains("`_padding: [u8; 112]`"), "{at_end}");
    }

    #[test]
    fn long_names_are_left_out() {
        let name: &'static str = String::leak("n".repeat(600));
        let said = said(name, 2, &[("a", 0, 1)]).unwrap();
        assert!(said.starts_with("message ``: 1 bytes of padding after field `a`"));
    }
}

//! Exact decimals as integers in units of 1e-9, parsed and written without floating point.

use std::fmt;

/// Units in one whole.
pub const SCALE: u64 = 1_000_000_000;

/// Decimal places of a unit.
const PLACES: i64 = 9;

/// Why a text is not a decimal in units of 1e-9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Something else than digits with at most one point and an exponent, after a sign where one is allowed.
    #[error("is not a decimal number (such as 58710.20 or 1.5e-05)")]
    Malformed,
    /// It has a non-zero digit after the ninth decimal place.
    #[error("has more than 9 decimal places, and the unit is 1e-9")]
    TooFine,
    /// It is outside the range of the message's field.
    #[error("is outside {0}, what 64 bits hold in units of 1e-9")]
    TooLarge(&'static str),
}

/// Parses a price: `-0.5` is -500,000,000, and so is `-5e-1`.
///
/// # Errors
/// A text that is not a decimal, has a non-zero digit after the ninth decimal place, or lies outside the 64-bit range.
/// `i64::MAX` is outside: it is the undefined price.
pub fn parse_price(text: &[u8]) -> Result<i64, DecimalError> {
    const RANGE: &str = "-9223372036.854775808 to 9223372036.854775806";
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let magnitude = parse_magnitude(digits, RANGE)?;
    let value = if negative { 0i64.checked_sub_unsigned(magnitude) } else { 0i64.checked_add_unsigned(magnitude) };
    value.filter(|&price| price != crate::message::UNDEFINED_PRICE).ok_or(DecimalError::TooLarge(RANGE))
}

/// Parses a size, which has no sign: `0.014` is 14,000,000.
///
/// # Errors
/// A text that is not an unsigned decimal, has a non-zero digit after the ninth decimal place, or lies outside the
/// 64-bit range. `u64::MAX` is outside: it is the undefined size.
pub fn parse_size(text: &[u8]) -> Result<u64, DecimalError> {
    const RANGE: &str = "0 to 18446744073.709551614";
    let size = parse_magnitude(text, RANGE)?;
    if size == crate::message::UNDEFINED_SIZE { Err(DecimalError::TooLarge(RANGE)) } else { Ok(size) }
}

/// Parses a whole number without a sign. An exponent or a fraction of zeros is allowed: `1.5e3` and `1500.0` are 1,500.
///
/// # Errors
/// A text that is not an unsigned decimal, is not whole, or lies outside 64 bits.
pub fn parse_whole(text: &[u8]) -> Result<u64, DecimalError> {
    magnitude(text, 0, "0 to 18446744073709551615")
}

fn parse_magnitude(text: &[u8], range: &'static str) -> Result<u64, DecimalError> {
    magnitude(text, PLACES, range)
}

/// The value of an unsigned decimal in units of `places` decimal places. Exact: no digit is rounded away.
fn magnitude(text: &[u8], places: i64, range: &'static str) -> Result<u64, DecimalError> {
    if let Some(value) = short_magnitude(text, places) {
        return Ok(value);
    }
    let (mantissa, exponent) = match text.iter().position(|&byte| byte == b'e' || byte == b'E') {
        Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let point = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
    let whole = &mantissa[..point];
    let fraction = mantissa.get(point + 1..).unwrap_or_default();
    if (whole.is_empty() && fraction.is_empty()) || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(DecimalError::Malformed);
    }
    // So many digits from the left make the value; all others must be zeros.
    let count = usize::try_from(whole.len() as i64 + exponent + places).unwrap_or(0);
    let mut digits = whole.iter().chain(fraction);
    let value = digits
        .by_ref()
        .take(count)
        .try_fold(0u64, |value, &digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        .ok_or(DecimalError::TooLarge(range))?;
    if digits.any(|&digit| digit != b'0') {
        return Err(DecimalError::TooFine);
    }
    if value == 0 {
        return Ok(0);
    }
    // Any other number is too large before the zeros of an endless exponent are through.
    let missing = count.saturating_sub(whole.len() + fraction.len());
    (0..missing).try_fold(value, |value, _| value.checked_mul(10)).ok_or(DecimalError::TooLarge(range))
}

/// The same for the texts that nearly all are: few digits, at most one point, no exponent. `None` for any other.
#[inline]
fn short_magnitude(text: &[u8], places: i64) -> Option<u64> {
    const DIGITS: usize = 19;
    if text.is_empty() || text.len() > DIGITS || text == b"." {
        return None;
    }
    let (mut value, mut point) = (0u64, text.len());
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + u64::from(byte - b'0'),
            b'.' if point == text.len() => point = at,
            _ => return None,
        }
    }
    let fraction = text.len().saturating_sub(point + 1) as i64;
    let missing = u32::try_from(places - fraction).ok()?;
    value.checked_mul(10u64.pow(missing))
}

/// The largest exponent that is told from a larger one: the mantissa of a line cannot make up for it.
const LARGEST_EXPONENT: i64 = 1 << 32;

/// The exponent behind its `e`: digits after an optional sign. A larger one than [`LARGEST_EXPONENT`] is cut to it.
fn parse_exponent(text: &[u8]) -> Result<i64, DecimalError> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecimalError::Malformed);
    }
    let exponent =
        digits.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(LARGEST_EXPONENT));
    Ok(if negative { -exponent } else { exponent })
}

/// A price in units of 1e-9. Displays as a decimal without trailing zeros: `58710.2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price(
    /// The price in 1e-9.
    pub i64,
);

/// A size in units of 1e-9. Displays as a decimal without trailing zeros: `0.014`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(
    /// The size in 1e-9.
    pub u64,
);

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; LONGEST];
        f.pad(write(self.0 < 0, self.0.unsigned_abs(), &mut buffer))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; LONGEST];
        f.pad(write(false, self.0, &mut buffer))
    }
}

/// The longest text in bytes: sign, 11 digits, point, 9 digits.
const LONGEST: usize = 22;

/// Writes the decimal at the end of `buffer`, from the last digit to the first.
fn write(negative: bool, magnitude: u64, buffer: &mut [u8; LONGEST]) -> &str {
    let mut at = LONGEST;
    let mut put = |byte: u8| {
        at -= 1;
        buffer[at] = byte;
    };
    let (mut whole, mut fraction) = (magnitude / SCALE, magnitude % SCALE);
    if fraction != 0 {
        let mut places = PLACES;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            places -= 1;
        }
        for _ in 0..places {
            put(b'0' + (fraction % 10) as u8);
            fraction /= 10;
        }
        put(b'.');
    }
    loop {
        put(b'0' + (whole % 10) as u8);
        whole /= 10;
        if whole == 0 {
            break;
        }
    }
    if negative {
        put(b'-');
    }
    str::from_utf8(&buffer[at..]).expect("digits, a point and a sign are UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_parse_exactly() {
        for (text, value) in [
            ("58710.20", 58_710_200_000_000),
            ("0.000000001", 1),
            ("-0.000000001", -1),
            ("+3", 3_000_000_000),
            (".5", 500_000_000),
            ("5.", 5_000_000_000),
            ("007", 7_000_000_000),
            ("-0", 0),
            ("1.0000000000000", 1_000_000_000),
            ("9223372036.854775806", i64::MAX - 1),
            ("-9223372036.854775808", i64::MIN),
            // As pandas and several exchanges write them.
            ("1e-05", 10_000),
            ("1.5E3", 1_500_000_000_000),
            ("-2.5e+0", -2_500_000_000),
            ("0.00001e5", 1_000_000_000),
            ("1000000000000e-12", 1_000_000_000),
            (".5e1", 5_000_000_000),
            ("9223372036854775806e-9", i64::MAX - 1),
            ("0e99999999999999999999", 0),
            ("0.0e-99999999999999999999", 0),
        ] {
            assert_eq!(parse_price(text.as_bytes()), Ok(value), "{text}");
        }
        assert_eq!(parse_size(b"18446744073.709551614"), Ok(u64::MAX - 1));
    }

    #[test]
    fn malformed_and_oversized_decimals_are_refused() {
        for text in [
            "", ".", "-", "+", "--1", "1,5", "1e", "e5", "1e+", "1e-", "1e1.0", "1e1e1", "1e 5", ".e1", " 1", "1 ",
            "1.2.3", "0x1", "NaN", "inf", "-.", "\u{663}",
        ] {
            assert_eq!(parse_price(text.as_bytes()), Err(DecimalError::Malformed), "{text:?}");
        }
        for text in ["0.0000000001", "1e-10", "1.5e-9", "1e-99999999999999999999", "123456e-12"] {
            assert_eq!(parse_price(text.as_bytes()), Err(DecimalError::TooFine), "{text}");
        }
        assert_eq!(parse_price(b"1.0000000000x"), Err(DecimalError::Malformed));
        for text in [
            "9223372036.854775807",
            "-9223372036.854775809",
            "99999999999",
            "184467440737095516160",
            "1e10",
            "1e99999999999999999999",
        ] {
            assert!(matches!(parse_price(text.as_bytes()), Err(DecimalError::TooLarge(_))), "{text}");
        }
        assert_eq!(parse_size(b"-1"), Err(DecimalError::Malformed));
        assert_eq!(parse_size(b"+1"), Err(DecimalError::Malformed));
        assert!(matches!(parse_size(b"18446744073.709551615"), Err(DecimalError::TooLarge(_))));
        assert!(matches!(parse_size(b"18446744073.709551616"), Err(DecimalError::TooLarge(_))));
    }

    #[test]
    fn whole_numbers_may_be_written_as_floating_point_ones() {
        for (text, number) in [
            ("0", 0),
            ("18446744073709551615", u64::MAX),
            ("7.0", 7),
            ("1.723161600042e12", 1_723_161_600_042),
            ("1.8446744073709551615E+19", u64::MAX),
            ("70e-1", 7),
        ] {
            assert_eq!(parse_whole(text.as_bytes()), Ok(number), "{text}");
        }
        for text in ["7.5", "75e-1", "1e-1"] {
            assert_eq!(parse_whole(text.as_bytes()), Err(DecimalError::TooFine), "{text}");
        }
        for text in ["", "-2", "+9", "x", "nan", "1_000"] {
            assert_eq!(parse_whole(text.as_bytes()), Err(DecimalError::Malformed), "{text}");
        }
        assert!(matches!(parse_whole(b"18446744073709551616"), Err(DecimalError::TooLarge(_))));
    }

    #[test]
    fn decimals_are_written_short_and_padded() {
        assert_eq!(Price(58_710_200_000_000).to_string(), "58710.2");
        assert_eq!(Price(-1).to_string(), "-0.000000001");
        assert_eq!(Price(0).to_string(), "0");
        assert_eq!(Price(i64::MIN).to_string(), "-9223372036.854775808");
        assert_eq!(Size(u64::MAX).to_string(), "18446744073.709551615");
        assert_eq!(format!("{:>6}|", Price(1_500_000_000)), "   1.5|");
    }

    proptest! {
        #[test]
        fn short_texts_are_parsed_as_all_others(text in "[0-9]{0,12}[.]?[0-9]{0,11}", places in prop_oneof![Just(0), Just(9)]) {
            // Leading zeros make any text a long one.
            let long = format!("{}{text}", "0".repeat(30));
            let parsed = magnitude(text.as_bytes(), places, "");
            if text.starts_with(|first: char| first.is_ascii_digit()) {
                prop_assert_eq!(magnitude(long.as_bytes(), places, ""), parsed);
            }
        }

        #[test]
        fn a_written_decimal_parses_back(price in i64::MIN..i64::MAX, size in 0..u64::MAX) {
            prop_assert_eq!(parse_price(Price(price).to_string().as_bytes()), Ok(price));
            prop_assert_eq!(parse_size(Size(size).to_string().as_bytes()), Ok(size));
        }

        #[test]
        fn an_exponent_moves_the_point_and_nothing_else(digits in 0..u64::MAX, exponent in -40i64..40) {
            let text = format!("{digits}e{exponent}");
            let moved = exponent + PLACES;
            let parsed = parse_size(text.as_bytes());
            let expected = match u32::try_from(moved) {
                Ok(up) => 10u128.checked_pow(up).and_then(|power| u128::from(digits).checked_mul(power)),
                Err(_) => {
                    let power = 10u128.pow(moved.unsigned_abs() as u32);
                    if u128::from(digits) % power != 0 {
                        prop_assert_eq!(parsed, Err(DecimalError::TooFine));
                        return Ok(());
                    }
                    Some(u128::from(digits) / power)
                }
            };
            match expected.and_then(|units| u64::try_from(units).ok()).filter(|&size| size != u64::MAX) {
                Some(units) => prop_assert_eq!(parsed, Ok(units)),
                None => prop_assert!(matches!(parsed, Err(DecimalError::TooLarge(_))), "{text}: {parsed:?}"),
            }
        }
    }
}

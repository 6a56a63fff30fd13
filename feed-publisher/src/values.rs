//! Parses the values of options: each refuses what it cannot be with what it expects.

use std::time::Duration;

use feed::pacing::Pace;

pub(crate) fn slot_size(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number: &usize| number.is_power_of_two() && (64..=4096).contains(number));
    number.ok_or_else(|| "expected a power of two from 64 to 4096".to_owned())
}

pub(crate) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("expected a number greater than 0".to_owned()),
    }
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_sign_positive());
    let duration = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    // Less than a nanosecond would be no limit.
    duration
        .filter(|duration| !duration.is_zero() || number == Some(0.0))
        .ok_or_else(|| "expected a number of seconds, or 0 for no limit".to_owned())
}

pub(crate) fn speed(text: &str) -> Result<Pace, String> {
    match text {
        "max" => Ok(Pace::Max),
        "realtime" => Ok(Pace::Realtime(1.0)),
        _ => positive(text)
            .map(Pace::Realtime)
            .map_err(|_| "expected max, realtime, or a factor greater than 0 (2: twice as fast)".to_owned()),
    }
}

pub(crate) fn capacity(text: &str) -> Result<usize, String> {
    const LARGEST: usize = 1 << 32;
    let number: usize = text.parse().map_err(|_| "expected a power of two from 2 to 4294967296".to_owned())?;
    if number.is_power_of_two() && (2..=LARGEST).contains(&number) {
        return Ok(number);
    }
    let nearest = number.clamp(2, LARGEST).next_power_of_two();
    Err(format!("expected a power of two from 2 to {LARGEST}; the next is {nearest}"))
}

pub(crate) fn rows(text: &str) -> Result<usize, String> {
    const MOST: usize = 1 << 24;
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("expected a number from 1 to {MOST}"))
}

pub(crate) fn clients(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| "expected a number from 1".to_owned())
}

pub(crate) fn mode(text: &str) -> Result<u32, String> {
    // `from_str_radix` would accept a sign.
    let octal = text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let mode = if octal { u32::from_str_radix(text, 8).ok() } else { None };
    mode.ok_or_else(|| "expected an octal number (640: the group may subscribe)".to_owned())
}

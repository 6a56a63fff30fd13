//! A figure as text, in as many digits as it deserves.

/// Formats a figure with about three digits.
pub(super) fn figure(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) if value >= 0.1 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn figures_have_about_three_digits() {
        let figures = [0.012_3, 0.5, 1.234, 12.34, 1234.5].map(|value| super::figure(Some(value)));
        assert_eq!(figures, ["0.012", "0.50", "1.23", "12.3", "1234"]);
        assert_eq!(super::figure(None), "-");
    }
}

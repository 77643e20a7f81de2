//! Ratios: `0.7` or `"70%"`.

use super::{Mistake, number};

/// Reads a ratio from text: a plain number, or percent.
pub fn parse(text: &str) -> Result<f64, Mistake> {
    match number::leading(text) {
        Some((value, "")) => Ok(value),
        Some((value, "%")) => Ok(value / 100.0),
        _ => Err(Mistake::new(format!("\"{text}\" is not a ratio"), "write a number or percent, 0.7 or \"70%\"")),
    }
}

/// Less than this is nothing to anybody.
const NOTHING: f64 = 1e-12;

/// Prints a ratio in percent with three significant digits: `0.6123` is `61.2%`.
pub fn print(ratio: f64) -> String {
    if !ratio.is_finite() {
        return "–".to_string();
    }
    if ratio.abs() < NOTHING {
        return "0%".to_string();
    }
    // Close to one, what is missing matters: 99.95% is not 100%.
    let digits = if ratio < 1.0 && ratio > 0.9995 { 6 } else { 3 };
    format!("{}%", number::print_digits(ratio * 100.0, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_and_plain_mean_the_same() {
        assert_eq!(parse("70%"), parse("0.7"));
        assert!(parse("70 apples").is_err());
        assert_eq!(print(0.6123), "61.2%");
        assert_eq!(print(0.9999), "99.99%");
        assert_eq!((print(1e-171), print(1.8e-6)), ("0%".to_string(), "0.00018%".to_string()));
    }
}

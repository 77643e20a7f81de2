//! Plain numbers: the digits in front of a unit, and rounding for people.

use super::Mistake;

/// Splits `"2.5M/day"` into `2.5` and `"M/day"`; `None` when the text does not start with a number.
///
/// Underscores between digits are allowed, as in TOML. The number is finite.
pub fn leading(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let mut end = 0;
    let bytes = text.as_bytes();
    while end < bytes.len() {
        let c = bytes[end];
        let exponent_sign = matches!(c, b'+' | b'-') && end > 0 && matches!(bytes[end - 1], b'e' | b'E');
        let leading_sign = matches!(c, b'+' | b'-') && end == 0;
        // An `e` is part of the number only when digits follow: "3e2ms", but not "3 eggs".
        let exponent = matches!(c, b'e' | b'E')
            && bytes[..end].iter().any(u8::is_ascii_digit)
            && matches!(bytes.get(end + 1), Some(b'0'..=b'9' | b'+' | b'-'));
        if c.is_ascii_digit() || matches!(c, b'.' | b'_') || exponent || exponent_sign || leading_sign {
            end += 1;
        } else {
            break;
        }
    }
    let value: f64 = text[..end].replace('_', "").parse().ok()?;
    value.is_finite().then(|| (value, text[end..].trim()))
}

/// Reads a number with nothing behind it.
pub fn parse(text: &str) -> Result<f64, Mistake> {
    match leading(text) {
        Some((value, "")) => Ok(value),
        _ => Err(Mistake::new(format!("\"{text}\" is not a number"), "write digits only, for example 1.5")),
    }
}

/// Rounds to so many significant digits.
pub fn round_to(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let magnitude = value.abs().log10().floor() as i32;
    let places = digits - 1 - magnitude;
    if places.abs() > 300 {
        return value;
    }
    // Dividing by a power of ten is exact where multiplying by its reciprocal is not: 0.1 stays 0.1.
    if places >= 0 {
        (value * 10f64.powi(places)).round() / 10f64.powi(places)
    } else {
        (value / 10f64.powi(-places)).round() * 10f64.powi(-places)
    }
}

/// Prints with so many significant digits, without trailing zeros, thousands separated by commas.
pub fn print_digits(value: f64, digits: i32) -> String {
    if !value.is_finite() {
        return "–".to_string();
    }
    let rounded = round_to(value, digits);
    if rounded != 0.0 && (rounded.abs() < 1e-4 || rounded.abs() >= 1e15) {
        return format!("{rounded:e}");
    }
    let places = if rounded == 0.0 { 0 } else { (digits - 1 - rounded.abs().log10().floor() as i32).clamp(0, 12) };
    let mut text = format!("{rounded:.*}", places as usize);
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    with_thousands(&text)
}

/// Prints with three significant digits.
pub fn print(value: f64) -> String {
    print_digits(value, 3)
}

fn with_thousands(text: &str) -> String {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) && whole.len() > 4 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{sign}{grouped}.{fraction}"),
        None => format!("{sign}{grouped}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_ends_where_its_unit_begins() {
        assert_eq!(leading("2.5M/day"), Some((2.5, "M/day")));
        assert_eq!(leading("1e3/s"), Some((1000.0, "/s")));
        assert_eq!(leading("7_000/min"), Some((7000.0, "/min")));
        assert_eq!(leading("-3 ms"), Some((-3.0, "ms")));
        assert_eq!(leading("ms"), None);
        assert_eq!(leading("nan"), None);
        assert_eq!(leading("1e999s"), None);
    }

    #[test]
    fn rounding_keeps_significant_digits() {
        assert_eq!(print(1234.5), "1230");
        assert_eq!(print(12345.0), "12,300");
        assert_eq!(print(0.012345), "0.0123");
        assert_eq!(print(0.0), "0");
        assert_eq!(print_digits(-1234567.0, 7), "-1,234,567");
    }
}

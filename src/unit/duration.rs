//! Lengths of time: `"250us"`, `"1.2ms"`, `"3s"`, `"2min"`, `"1h"`, `"1d"`.

use super::{Mistake, Seconds, number};

/// Every unit of time with its length in seconds; the first spelling of a length is the one printed.
const UNITS: [(&str, Seconds); 8] = [
    ("d", 86_400.0),
    ("h", 3_600.0),
    ("min", 60.0),
    ("s", 1.0),
    ("ms", 1e-3),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ns", 1e-9),
];

/// The length of one unit of time in seconds; the words of rates (`day`, `hour`, `sec`) count too.
pub fn unit(name: &str) -> Option<Seconds> {
    let long = match name {
        "day" => "d",
        "hour" => "h",
        "minute" | "m" => "min",
        "sec" | "second" => "s",
        "μs" => "us",
        other => other,
    };
    UNITS.iter().find(|(word, _)| *word == long).map(|(_, seconds)| *seconds)
}

/// Reads a duration. A bare number, an unknown unit and a negative length are mistakes.
pub fn parse(text: &str) -> Result<Seconds, Mistake> {
    let example = "write a number and a unit (ns us ms s min h d), for example \"12ms\"";
    let Some((value, name)) = number::leading(text) else {
        return Err(Mistake::new(format!("\"{text}\" is not a duration"), example));
    };
    if value < 0.0 {
        return Err(Mistake::new(format!("\"{text}\" is less than nothing"), "a duration is zero or more"));
    }
    if name.is_empty() {
        return Err(Mistake::new(
            format!("\"{text}\" has no unit"),
            format!("write a unit, for example \"{}ms\"", text.trim()),
        ));
    }
    if name == "m" || name == "month" {
        return Err(Mistake::new(format!("\"{name}\" could mean several things"), "write \"min\" for minutes"));
    }
    match unit(name) {
        Some(seconds) => Ok(value * seconds),
        None => Err(Mistake::new(format!("\"{name}\" is not a unit of time"), example)),
    }
}

/// Prints a duration with three significant digits in the unit that suits it: `0.04` is `40 ms`.
pub fn print(seconds: Seconds) -> String {
    print_digits(seconds, 3)
}

/// Prints a duration with so many significant digits.
pub fn print_digits(seconds: Seconds, digits: i32) -> String {
    if !seconds.is_finite() {
        return "–".to_string();
    }
    // Nothing that is planned here takes less than a hundredth of a nanosecond: it is the rest of a subtraction.
    if seconds.abs() < 1e-11 {
        return "0 ms".to_string();
    }
    let rounded = number::round_to(seconds.abs(), digits);
    let (name, length) =
        UNITS.iter().filter(|(word, _)| *word != "us").find(|(_, s)| rounded >= *s).unwrap_or(&UNITS[UNITS.len() - 1]);
    // Between one and three minutes people still think in seconds.
    let (name, length) = if *name == "min" && rounded < 180.0 { (&"s", &1.0) } else { (name, length) };
    format!("{} {name}", number::print_digits(seconds / length, digits))
}

/// Writes a duration as the model language reads it back, with all its digits: `"40ms"`.
pub fn write(seconds: Seconds) -> String {
    let (name, length) = if seconds >= 1.0 || seconds == 0.0 {
        ("s", 1.0)
    } else if seconds >= 1e-3 {
        ("ms", 1e-3)
    } else {
        ("us", 1e-6)
    };
    format!("{}{name}", number::round_to(seconds / length, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, seconds) in
            [("250us", 250e-6), ("1.2ms", 1.2e-3), ("3s", 3.0), ("2min", 120.0), ("1h", 3600.0), ("1d", 86400.0)]
        {
            assert!((parse(text).unwrap() / seconds - 1.0f64).abs() < 1e-15, "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_told_to_take_a_unit() {
        assert_eq!(parse("12").unwrap_err().advice, "write a unit, for example \"12ms\"");
        assert!(parse("-3ms").is_err() && parse("ms").is_err() && parse("3 parsecs").is_err());
    }

    #[test]
    fn durations_print_in_the_unit_that_suits_them() {
        for (seconds, text) in [
            (0.04, "40 ms"),
            (0.0012345, "1.23 ms"),
            (90.0, "90 s"),
            (600.0, "10 min"),
            (0.000_25, "250 µs"),
            (0.9999, "1 s"),
        ] {
            assert_eq!(print(seconds), text);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in [0.04, 1.5e-7, 3.0, 0.0, 1e-3 / 3.0] {
            let again = parse(&write(seconds)).unwrap();
            assert!((again - seconds).abs() <= 1e-11 * seconds, "{seconds} {again}");
        }
    }
}

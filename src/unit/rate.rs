//! Rates: `"120/s"`, `"7000/min"`, `"2.5M/day"`, with the prefixes k, M and G.

use super::{Mistake, PerSecond, duration, number};

const EXAMPLE: &str = "write a number per unit of time, for example \"120/s\", \"7000/min\" or \"2.5M/day\"";

/// Reads a rate.
pub fn parse(text: &str) -> Result<PerSecond, Mistake> {
    let Some((value, rest)) = number::leading(text) else {
        return Err(Mistake::new(format!("\"{text}\" is not a rate"), EXAMPLE));
    };
    if value < 0.0 {
        return Err(Mistake::new(format!("\"{text}\" is less than nothing"), "a rate is zero or more"));
    }
    let Some((prefix, time)) = rest.split_once('/') else {
        let digits = text.trim();
        let advice = if rest.is_empty() {
            format!("write what it counts by, for example \"{digits}/s\"")
        } else {
            EXAMPLE.to_string()
        };
        return Err(Mistake::new(format!("\"{text}\" is not a rate"), advice));
    };
    let factor = match prefix.trim() {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        other => return Err(Mistake::new(format!("\"{other}\" is not a prefix"), "use k, M or G, as in \"2.5M/day\"")),
    };
    match duration::unit(time.trim()) {
        Some(seconds) => Ok(value * factor / seconds),
        None => Err(Mistake::new(format!("\"{}\" is not a unit of time", time.trim()), EXAMPLE)),
    }
}

/// Rates below this are shown as none, per second.
const NEVER: PerSecond = 1e-14;

/// Prints a rate with three significant digits: `350/s`, `12/min`.
pub fn print(rate: PerSecond) -> String {
    if !rate.is_finite() {
        return "–".to_string();
    }
    // Less than once in a million years is never.
    let rate = if rate.abs() < NEVER { 0.0 } else { rate };
    let rounded = number::round_to(rate, 3);
    let (factor, time) = if rounded >= 0.1 || rounded == 0.0 {
        (1.0, "s")
    } else if rounded * 60.0 >= 1.0 {
        (60.0, "min")
    } else if rounded * 3600.0 >= 1.0 {
        (3600.0, "h")
    } else {
        (86_400.0, "day")
    };
    format!("{}/{time}", number::print(rate * factor))
}

/// Writes a rate as the model language reads it back, with all its digits.
pub fn write(rate: PerSecond) -> String {
    format!("{}/s", number::round_to(rate, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_units_multiply() {
        assert_eq!(parse("120/s"), Ok(120.0));
        assert_eq!(parse("6000/min"), Ok(100.0));
        assert!((parse("2.5M/day").unwrap() - 2.5e6 / 86400.0).abs() < 1e-12);
        assert_eq!(parse("3 k / s"), Ok(3000.0));
        assert_eq!(parse("5").unwrap_err().advice, "write what it counts by, for example \"5/s\"");
        assert!(parse("5x/s").is_err() && parse("5/fortnight").is_err() && parse("-5/s").is_err());
    }

    #[test]
    fn rates_print_in_the_unit_that_suits_them() {
        assert_eq!(print(350.0), "350/s");
        assert_eq!(print(0.05), "3/min");
        assert_eq!(print(1.0 / 86400.0), "1/day");
    }
}

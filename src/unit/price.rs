//! Prices by time: `"0.192/h"`, `"140/month"`. A month has 730 hours.

use super::{Mistake, number};

/// Hours in a month, by the convention of cloud price lists.
pub const HOURS_PER_MONTH: f64 = 730.0;

/// Reads a price per hour.
pub fn parse(text: &str) -> Result<f64, Mistake> {
    let example = "write an amount by time (h day month year), for example \"0.192/h\" or \"140/month\"";
    let wrong = || Mistake::new(format!("\"{text}\" is not a price"), example);
    let (value, rest) = number::leading(text).ok_or_else(wrong)?;
    let time = rest.strip_prefix('/').ok_or_else(wrong)?.trim();
    if value < 0.0 {
        return Err(Mistake::new(format!("\"{text}\" is less than nothing"), "a price is zero or more"));
    }
    let hours = match time {
        "h" | "hour" => 1.0,
        "d" | "day" => 24.0,
        "month" => HOURS_PER_MONTH,
        "y" | "year" => 12.0 * HOURS_PER_MONTH,
        other => return Err(Mistake::new(format!("\"{other}\" is not a unit of time for a price"), example)),
    };
    Ok(value / hours)
}

/// Prints a price with its currency per month: `140 USD/month`.
pub fn print(per_hour: f64, currency: &str) -> String {
    format!("{} {currency}/month", number::print_digits(per_hour * HOURS_PER_MONTH, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_730_hours() {
        assert_eq!(parse("0.2/h"), Ok(0.2));
        assert_eq!(parse("730/month"), Ok(1.0));
        assert_eq!(print(0.2, "USD"), "146 USD/month");
        assert!(parse("3").is_err() && parse("3/furlong").is_err() && parse("-1/h").is_err());
    }
}

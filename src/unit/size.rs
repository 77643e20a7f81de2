//! Sizes of data: `"64KiB"`, `"2GB"`.

use super::{Mistake, number};

const UNITS: [(&str, f64); 9] = [
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

/// Reads a size in bytes.
pub fn parse(text: &str) -> Result<f64, Mistake> {
    let example = "write a number and a unit (B kB MB GB TB KiB MiB GiB TiB), for example \"64KiB\"";
    match number::leading(text) {
        Some((value, name)) if value >= 0.0 => UNITS
            .iter()
            .find(|(word, _)| *word == name || (name == "KB" && *word == "kB"))
            .map(|(_, bytes)| value * bytes)
            .ok_or_else(|| Mistake::new(format!("\"{name}\" is not a unit of size"), example)),
        _ => Err(Mistake::new(format!("\"{text}\" is not a size"), example)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_and_decimal_units_differ() {
        assert_eq!(parse("64KiB"), Ok(65536.0));
        assert_eq!(parse("2GB"), Ok(2e9));
        assert!(parse("2").is_err() && parse("GB").is_err() && parse("-1B").is_err());
    }
}

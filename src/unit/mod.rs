//! Quantities as people write them: `"40ms"`, `"120/s"`, `"70%"`, `"64KiB"`, `"0.192/h"`.
//!
//! Inside, everything is an `f64` in SI units: seconds, per second, ratios from 0 to 1, bytes. One file a quantity; each
//! reads the text of the model language and prints a value the way a report shows it.

pub mod duration;
pub mod number;
pub mod price;
pub mod rate;
pub mod ratio;
pub mod size;

/// A length of time in seconds.
pub type Seconds = f64;
/// A rate per second.
pub type PerSecond = f64;

/// What is wrong with a text that should be a quantity, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong, in the reader's words.
    pub wrong: String,
    /// What to write instead.
    pub advice: String,
}

impl Mistake {
    /// A mistake and its way out.
    pub fn new(wrong: impl Into<String>, advice: impl Into<String>) -> Self {
        Mistake { wrong: wrong.into(), advice: advice.into() }
    }
}

//! A time that is always the same.

use super::Distribution;
use crate::math::inversion::Line;
use crate::unit::Seconds;
use num_complex::Complex64;

/// Always `value` seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constant {
    /// The time, in seconds.
    pub value: Seconds,
}

impl Distribution for Constant {
    fn moment(&self, k: u8) -> f64 {
        self.value.powi(i32::from(k))
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        if t < self.value { 1.0 } else { 0.0 }
    }

    fn quantile(&self, _: f64) -> Seconds {
        self.value
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        line.fill(out, |s| (-s * self.value).exp());
    }

    fn residual_exceeding(&self, t: Seconds) -> f64 {
        if self.value > t { 1.0 - t.max(0.0) / self.value } else { 0.0 }
    }

    fn decay_rate(&self) -> f64 {
        f64::INFINITY
    }

    fn scaled(&self, factor: f64) -> Self {
        Constant { value: self.value * factor }
    }
}

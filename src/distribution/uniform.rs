//! Every time between two bounds is equally likely.

use super::Distribution;
use crate::math::inversion::Line;
use crate::unit::Seconds;
use num_complex::Complex64;

/// Uniform between `min` and `max`, `min < max`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uniform {
    /// Lower bound, in seconds.
    pub min: Seconds,
    /// Upper bound, in seconds.
    pub max: Seconds,
}

impl Distribution for Uniform {
    fn moment(&self, k: u8) -> f64 {
        let (a, b) = (self.min, self.max);
        match k {
            1 => 0.5 * (a + b),
            2 => (a * a + a * b + b * b) / 3.0,
            _ => 0.25 * (a + b) * (a * a + b * b),
        }
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        ((self.max - t) / (self.max - self.min)).clamp(0.0, 1.0)
    }

    fn quantile(&self, p: f64) -> Seconds {
        self.min + p * (self.max - self.min)
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        let width = self.max - self.min;
        line.fill(out, |s| {
            let x = s * width;
            // The quotient loses its digits near zero, where three terms of its series are exact to 1e-16.
            let mean_of_exponential = if x.norm() < 1e-5 { 1.0 - x * (0.5 - x / 6.0) } else { (1.0 - (-x).exp()) / x };
            (-s * self.min).exp() * mean_of_exponential
        });
    }

    fn residual_exceeding(&self, t: Seconds) -> f64 {
        let (a, b) = (self.min, self.max);
        let left = if t >= b {
            0.0
        } else if t >= a {
            0.5 * (b - t) * (b - t) / (b - a)
        } else {
            0.5 * (a + b) - t
        };
        left / (0.5 * (a + b))
    }

    fn jumps(&self) -> Vec<Seconds> {
        if self.min > 0.0 { vec![self.min, self.max] } else { vec![self.max] }
    }

    fn decay_rate(&self) -> f64 {
        f64::INFINITY
    }

    fn scaled(&self, factor: f64) -> Self {
        Uniform { min: self.min * factor, max: self.max * factor }
    }
}

//! The memoryless law: what a plain duration in a model means.

use super::Distribution;
use crate::math::inversion::Line;
use crate::unit::Seconds;
use num_complex::Complex64;

/// Exponential with mean `mean`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exponential {
    /// Mean, in seconds.
    pub mean: Seconds,
}

impl Distribution for Exponential {
    fn moment(&self, k: u8) -> f64 {
        (1..=k).map(|j| f64::from(j) * self.mean).product()
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        if self.mean == 0.0 { 0.0 } else { (-t / self.mean).exp() }
    }

    fn quantile(&self, p: f64) -> Seconds {
        -self.mean * (-p).ln_1p()
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        if self.mean == 0.0 {
            return out.fill(Complex64::ONE);
        }
        out.fill(Complex64::ZERO);
        line.add_pole(out, 1.0, 1.0 / self.mean);
    }

    fn residual_exceeding(&self, t: Seconds) -> f64 {
        self.exceeding(t)
    }

    fn decay_rate(&self) -> f64 {
        1.0 / self.mean
    }

    fn scaled(&self, factor: f64) -> Self {
        Exponential { mean: self.mean * factor }
    }
}

//! The gamma law: any coefficient of variation, with a transform in closed form.

use super::Distribution;
use crate::math::{inversion::Line, special};
use crate::unit::Seconds;
use num_complex::Complex64;

/// Gamma with mean `mean` and coefficient of variation `cv > 0`; its shape is `1 / cv²`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gamma {
    /// Mean, in seconds.
    pub mean: Seconds,
    /// Standard deviation over mean.
    pub cv: f64,
}

impl Gamma {
    fn shape(&self) -> f64 {
        1.0 / (self.cv * self.cv)
    }
}

impl Distribution for Gamma {
    fn moment(&self, k: u8) -> f64 {
        (0..k).map(|j| (self.shape() + f64::from(j)) * self.mean / self.shape()).product()
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        special::gamma_upper(self.shape(), self.shape() * t / self.mean)
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        let (shape, scale) = (self.shape(), self.mean / self.shape());
        line.fill(out, |s| (1.0 + s * scale).powf(-shape));
    }

    fn residual_exceeding(&self, t: Seconds) -> f64 {
        // E (X - t)⁺ = m P(X' > t) - t P(X > t), X' of a shape one larger.
        let (shape, x) = (self.shape(), self.shape() * t / self.mean);
        special::gamma_upper(shape + 1.0, x) - t / self.mean * special::gamma_upper(shape, x)
    }

    fn decay_rate(&self) -> f64 {
        self.shape() / self.mean
    }

    fn scaled(&self, factor: f64) -> Self {
        Gamma { mean: self.mean * factor, ..*self }
    }
}

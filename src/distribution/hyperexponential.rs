//! One of two exponentials: more variable than the exponential, yet easy for every queueing formula.

use super::Distribution;
use crate::math::inversion::Line;
use crate::unit::Seconds;
use num_complex::Complex64;

/// With probability `weights[i]` exponential with mean `means[i]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hyperexponential {
    /// Probabilities of the two phases, together 1.
    pub weights: [f64; 2],
    /// Means of the two phases, in seconds.
    pub means: [Seconds; 2],
}

impl Hyperexponential {
    /// The law with mean `mean` and coefficient of variation `cv ≥ 1` whose phases contribute equally to the mean.
    ///
    /// Source: Tijms (2003), appendix B.
    pub fn new(mean: Seconds, cv: f64) -> Self {
        let scv = cv * cv;
        let p = 0.5 * (1.0 + ((scv - 1.0).max(0.0) / (scv + 1.0)).sqrt());
        Hyperexponential { weights: [p, 1.0 - p], means: [mean / (2.0 * p), mean / (2.0 * (1.0 - p))] }
    }
}

impl Distribution for Hyperexponential {
    fn moment(&self, k: u8) -> f64 {
        let factorial: f64 = (1..=k).map(f64::from).product();
        (0..2).map(|i| self.weights[i] * factorial * self.means[i].powi(i32::from(k))).sum()
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        if self.means[1] == 0.0 {
            return 0.0;
        }
        (0..2).map(|i| self.weights[i] * (-t / self.means[i]).exp()).sum()
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        let still: f64 = (0..2).filter(|i| self.means[*i] == 0.0).map(|i| self.weights[i]).sum();
        out.fill(still.into());
        for i in (0..2).filter(|i| self.means[*i] > 0.0) {
            line.add_pole(out, self.weights[i], 1.0 / self.means[i]);
        }
    }

    fn decay_rate(&self) -> f64 {
        1.0 / self.means[0].max(self.means[1])
    }

    fn scaled(&self, factor: f64) -> Self {
        Hyperexponential { means: self.means.map(|m| m * factor), ..*self }
    }
}

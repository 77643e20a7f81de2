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

    /// The law with these first three moments, where it exists: they must lie above the exponential's.
    ///
    /// Source: Whitt, Approximating a point process by a renewal process (1982).
    pub fn of_moments(m1: f64, m2: f64, m3: f64) -> Option<Self> {
        // In units of factorials: x1 = Σ p a, x2 = Σ p a², x3 = Σ p a³ over the two means a.
        let (x1, x2, x3) = (m1, 0.5 * m2, m3 / 6.0);
        let spread = x2 - x1 * x1;
        if !(spread > 1e-9 * x1 * x1 && x3.is_finite()) {
            return None;
        }
        // The means are the roots of a² - s a + q, by the recursion x3 = s x2 - q x1, x2 = s x1 - q.
        let s = (x3 - x1 * x2) / spread;
        let q = s * x1 - x2;
        let root = (s * s - 4.0 * q).sqrt();
        let (long, short) = (0.5 * (s + root), 0.5 * (s - root));
        let p = (x1 - short) / (long - short);
        let sound = short > 0.0 && long > short && p > 0.0 && p < 1.0;
        sound.then_some(Hyperexponential { weights: [p, 1.0 - p], means: [long, short] })
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

    fn residual_exceeding(&self, t: Seconds) -> f64 {
        let long = |i: usize| self.weights[i] * self.means[i];
        let busy = (0..2).filter(|i| self.means[*i] > 0.0);
        busy.map(|i| long(i) * (-t / self.means[i]).exp()).sum::<f64>() / (long(0) + long(1))
    }

    fn decay_rate(&self) -> f64 {
        1.0 / self.means[0].max(self.means[1])
    }

    fn scaled(&self, factor: f64) -> Self {
        Hyperexponential { means: self.means.map(|m| m * factor), ..*self }
    }
}

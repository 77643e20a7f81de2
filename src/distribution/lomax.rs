//! The Lomax law: a power tail from zero on (Pareto of the second kind).

use super::{Distribution, numeric};
use crate::math::inversion::Line;
use crate::unit::Seconds;
use num_complex::Complex64;

/// `P(X > x) = (1 + x / scale)^-shape` with the scale that gives `mean`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lomax {
    /// Mean, in seconds.
    pub mean: Seconds,
    /// Shape, above one; the variance is infinite up to two.
    pub shape: f64,
}

impl Lomax {
    pub(super) fn scale(&self) -> f64 {
        self.mean * (self.shape - 1.0)
    }

    pub(super) fn density(&self, x: Seconds) -> f64 {
        self.shape / self.scale() * (-(self.shape + 1.0) * (x / self.scale()).ln_1p()).exp()
    }

    /// Below it and above it lies about 1e-17.
    pub(super) fn support(&self) -> numeric::Support {
        let scale = self.scale();
        numeric::Support { from: scale * 1e-17, to: scale * (40.0 / self.shape).exp(), grain: 1.0 }
    }
}

impl Distribution for Lomax {
    fn moment(&self, k: u8) -> f64 {
        if f64::from(k) >= self.shape {
            return f64::INFINITY;
        }
        (1..=k).map(|j| f64::from(j) * self.scale() / (self.shape - f64::from(j))).product()
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        (-self.shape * (t / self.scale()).ln_1p()).exp()
    }

    fn quantile(&self, p: f64) -> Seconds {
        self.scale() * (-(-p).ln_1p() / self.shape).exp_m1()
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        numeric::transform(&self.support(), |x| self.density(x), line, out);
    }

    fn residual_transform(&self, line: Line, out: &mut [Complex64]) {
        let (from, to) = (self.scale() * 1e-17, self.scale() * (40.0 / (self.shape - 1.0)).min(600.0).exp());
        let support = numeric::Support { from, to, grain: 1.0 };
        numeric::residual(&support, |x| self.exceeding(x), self.mean, line, out);
    }

    fn decay_rate(&self) -> f64 {
        0.0
    }

    fn scaled(&self, factor: f64) -> Self {
        Lomax { mean: self.mean * factor, ..*self }
    }
}

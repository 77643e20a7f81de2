//! The Pareto law: a power tail above a least value.

use super::{Distribution, numeric};
use crate::math::inversion::Line;
use crate::unit::Seconds;
use num_complex::Complex64;

/// `P(X > x) = (least / x)^shape` above the least value that gives `mean`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pareto {
    /// Mean, in seconds.
    pub mean: Seconds,
    /// Shape, above one; the variance is infinite up to two.
    pub shape: f64,
}

impl Pareto {
    pub(super) fn least(&self) -> f64 {
        self.mean * (self.shape - 1.0) / self.shape
    }
}

impl Distribution for Pareto {
    fn moment(&self, k: u8) -> f64 {
        let power = f64::from(k);
        if power >= self.shape {
            return f64::INFINITY;
        }
        self.shape * self.least().powi(i32::from(k)) / (self.shape - power)
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        if t <= self.least() { 1.0 } else { (self.least() / t).powf(self.shape) }
    }

    fn quantile(&self, p: f64) -> Seconds {
        self.least() * (-(-p).ln_1p() / self.shape).exp()
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        let (least, shape) = (self.least(), self.shape);
        let density = |x: f64| shape / x * (least / x).powf(shape);
        let support = numeric::Support { from: least, to: least * (40.0 / shape).exp(), grain: 1.0 };
        numeric::transform(&support, density, line, out);
    }

    fn residual_transform(&self, line: Line, out: &mut [Complex64]) {
        let (from, to) = (self.least(), self.least() * (40.0 / (self.shape - 1.0)).min(600.0).exp());
        let support = numeric::Support { from, to, grain: 1.0 };
        numeric::residual(&support, |x| self.exceeding(x), self.mean, line, out);
    }

    fn residual_exceeding(&self, t: Seconds) -> f64 {
        let least = self.least();
        if t < least { 1.0 - t / self.mean } else { (least / t).powf(self.shape - 1.0) / self.shape }
    }

    fn jumps(&self) -> Vec<Seconds> {
        vec![self.least()]
    }

    fn decay_rate(&self) -> f64 {
        0.0
    }

    fn scaled(&self, factor: f64) -> Self {
        Pareto { mean: self.mean * factor, ..*self }
    }
}

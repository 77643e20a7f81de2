//! The Weibull law: a stretched exponential for shapes below one.

use super::{Distribution, numeric};
use crate::math::{inversion::Line, special};
use crate::unit::Seconds;
use num_complex::Complex64;

/// `P(X > x) = exp(-(x / scale)^shape)` with the scale that gives `mean`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weibull {
    /// Mean, in seconds.
    pub mean: Seconds,
    /// Shape, above zero; 1 is the exponential.
    pub shape: f64,
}

impl Weibull {
    pub(super) fn scale(&self) -> f64 {
        self.mean / special::gamma(1.0 + 1.0 / self.shape)
    }

    /// The density, whose scale costs a gamma function once.
    pub(super) fn density(&self) -> impl Fn(Seconds) -> f64 {
        let (shape, scale) = (self.shape, self.scale());
        move |x| {
            let power = (x / scale).powf(shape);
            shape / x * power * (-power).exp()
        }
    }

    /// Below it lies 1e-17, above it `exp(-40)`.
    pub(super) fn support(&self) -> numeric::Support {
        let reach = |ln: f64| self.scale() * (ln / self.shape).exp();
        numeric::Support { from: reach(1e-17f64.ln()), to: reach(40f64.ln()), grain: 1.0 / self.shape }
    }
}

impl Distribution for Weibull {
    fn moment(&self, k: u8) -> f64 {
        if k == 1 {
            return self.mean;
        }
        self.scale().powi(i32::from(k)) * special::gamma(1.0 + f64::from(k) / self.shape)
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        if t <= 0.0 { 1.0 } else { (-(t / self.scale()).powf(self.shape)).exp() }
    }

    fn quantile(&self, p: f64) -> Seconds {
        self.scale() * (-(-p).ln_1p()).powf(1.0 / self.shape)
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        numeric::transform(&self.support(), self.density(), line, out);
    }

    fn decay_rate(&self) -> f64 {
        if self.shape < 1.0 {
            0.0
        } else if self.shape > 1.0 {
            f64::INFINITY
        } else {
            1.0 / self.mean
        }
    }

    fn scaled(&self, factor: f64) -> Self {
        Weibull { mean: self.mean * factor, ..*self }
    }
}

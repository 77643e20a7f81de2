//! The lognormal law: what measured service times most often look like.

use super::{Distribution, numeric};
use crate::math::{inversion::Line, special};
use crate::unit::Seconds;
use num_complex::Complex64;

/// `exp(mu + sigma Z)` seconds with `Z` standard normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lognormal {
    /// Mean of the logarithm.
    pub mu: f64,
    /// Standard deviation of the logarithm, above zero.
    pub sigma: f64,
}

impl Lognormal {
    /// The law with this mean and coefficient of variation.
    pub fn new(mean: Seconds, cv: f64) -> Self {
        let variance = (cv * cv).ln_1p();
        Lognormal { mu: mean.ln() - 0.5 * variance, sigma: variance.sqrt() }
    }

    /// The law through two quantiles, `(probability, seconds)` each, with rising times.
    pub fn through(lower: (f64, Seconds), upper: (f64, Seconds)) -> Self {
        let (z1, z2) = (special::normal_quantile(lower.0), special::normal_quantile(upper.0));
        let sigma = (upper.1 / lower.1).ln() / (z2 - z1);
        Lognormal { mu: lower.1.ln() - sigma * z1, sigma }
    }

    pub(super) fn density(&self, x: Seconds) -> f64 {
        let z = (x.ln() - self.mu) / self.sigma;
        (-0.5 * z * z).exp() / (x * self.sigma * (2.0 * std::f64::consts::PI).sqrt())
    }

    /// Beyond nine standard deviations lies less than 1e-18.
    pub(super) fn support(&self) -> numeric::Support {
        let (mu, reach) = (self.mu, 9.0 * self.sigma);
        numeric::Support { from: (mu - reach).exp(), to: (mu + reach).exp(), grain: self.sigma }
    }
}

impl Distribution for Lognormal {
    fn moment(&self, k: u8) -> f64 {
        let k = f64::from(k);
        (k * self.mu + 0.5 * k * k * self.sigma * self.sigma).exp()
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        if t <= 0.0 { 1.0 } else { special::normal_upper((t.ln() - self.mu) / self.sigma) }
    }

    fn quantile(&self, p: f64) -> Seconds {
        (self.mu + self.sigma * special::normal_quantile(p)).exp()
    }

    fn at_score(&self, score: f64, _tail: f64) -> Seconds {
        (self.mu + self.sigma * score).exp()
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        numeric::transform(&self.support(), |x| self.density(x), line, out);
    }

    fn residual_transform(&self, line: Line, out: &mut [Complex64]) {
        let mean = self.moment(1);
        let from = (self.mu - 9.0 * self.sigma).exp();
        let to = (self.mu + self.sigma * self.sigma + 9.0 * self.sigma).exp();
        let support = numeric::Support { from, to, grain: self.sigma };
        numeric::residual(&support, |x| self.exceeding(x), mean, line, out);
    }

    fn decay_rate(&self) -> f64 {
        0.0
    }

    fn scaled(&self, factor: f64) -> Self {
        Lognormal { mu: self.mu + factor.ln(), ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_quantiles_are_met() {
        let law = Lognormal::through((0.5, 0.004), (0.99, 0.031));
        assert!((law.quantile(0.5) - 0.004).abs() < 1e-12);
        assert!((law.quantile(0.99) - 0.031).abs() < 1e-12);
    }
}

//! Laws of random times: how long work takes, how far apart requests arrive.
//!
//! One law a file, and [`Law`] as the table of all of them. Every law knows its moments, its distribution function and
//! quantiles, and its Laplace-Stieltjes transform along a vertical line, which is what queueing formulas are made of.

mod columns;
mod constant;
mod derived;
mod empirical;
mod erlang;
mod exponential;
mod gamma;
mod hyperexponential;
mod lattice;
mod lognormal;
mod lomax;
mod mixture;
mod numeric;
mod pareto;
mod sampling;
mod table;
mod uniform;
mod weibull;

pub use constant::Constant;
pub use derived::{Derived, Transformed};
pub use empirical::Empirical;
pub use erlang::Erlang;
pub use exponential::Exponential;
pub use gamma::Gamma;
pub use hyperexponential::Hyperexponential;
pub use lattice::Lattice;
pub use lognormal::Lognormal;
pub use lomax::Lomax;
pub use mixture::Mixture;
pub use pareto::Pareto;
pub use sampling::Sampler;
pub use table::Table;
pub use uniform::Uniform;
pub use weibull::Weibull;

use crate::math::{inversion::Line, roots};
use crate::unit::Seconds;
use num_complex::Complex64;

/// What every law of a non-negative random time knows.
pub trait Distribution {
    /// The mean of the k-th power, `k` from 1 to 3; infinite where it does not exist.
    fn moment(&self, k: u8) -> f64;

    /// Probability to last longer than `t`.
    fn exceeding(&self, t: Seconds) -> f64;

    /// The smallest `t` that is not exceeded with probability `p`, `0 ≤ p < 1`.
    fn quantile(&self, p: f64) -> Seconds {
        roots::falling_to(1.0 - p, self.moment(1), |t| self.exceeding(t))
    }

    /// The quantile at a standard normal score, which a normal exceeds with probability `tail`.
    fn at_score(&self, _score: f64, tail: f64) -> Seconds {
        self.quantile(1.0 - tail)
    }

    /// The Laplace-Stieltjes transform, the mean of `exp(-sX)`, along a line to the right of [`Self::decay_rate`].
    fn transform(&self, line: Line, out: &mut [Complex64]);

    /// The transform at one real point.
    fn transform_at(&self, s: f64) -> f64 {
        let mut out = [Complex64::ZERO];
        self.transform(Line { real: s, step: 0.0 }, &mut out);
        out[0].re
    }

    /// The rate at which the tail falls: the transform exists right of minus this. Infinite for bounded laws, zero for
    /// heavy tails.
    fn decay_rate(&self) -> f64;

    /// The transform at one complex point.
    fn value(&self, s: Complex64) -> Complex64 {
        let mut out = [Complex64::ZERO; 2];
        self.transform(Line { real: s.re, step: s.im }, &mut out);
        out[1]
    }

    /// The transform of what is left of it at a random moment: `(1 - B(s)) / (s m)`.
    fn residual_transform(&self, line: Line, out: &mut [Complex64]) {
        self.transform(line, out);
        let mean = self.moment(1);
        for (k, value) in out.iter_mut().enumerate() {
            *value = (1.0 - *value) / (line.point(k) * mean);
        }
    }

    /// Probability that what is left of it at a random moment exceeds `t`: the tail beyond `t`, over the mean.
    fn residual_exceeding(&self, t: Seconds) -> f64 {
        let mean = self.moment(1);
        crate::math::quadrature::half_line(mean.max(t), |u| self.exceeding(t + u)) / mean
    }

    /// Where its density jumps, past zero.
    fn jumps(&self) -> Vec<Seconds> {
        Vec::new()
    }

    /// The same law of a time `factor` times as long.
    fn scaled(&self, factor: f64) -> Self
    where
        Self: Sized;
}

/// A law of the model language, or one that analysis makes of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Law {
    /// Always the same.
    Constant(Constant),
    /// Memoryless.
    Exponential(Exponential),
    /// Sum of equal exponential stages.
    Erlang(Erlang),
    /// Gamma.
    Gamma(Gamma),
    /// One of two exponentials, with balanced means.
    Hyperexponential(Hyperexponential),
    /// Its logarithm is normal.
    Lognormal(Lognormal),
    /// Uniform between two bounds.
    Uniform(Uniform),
    /// Weibull.
    Weibull(Weibull),
    /// Power tail above a least value.
    Pareto(Pareto),
    /// Power tail from zero on.
    Lomax(Lomax),
    /// The measured values themselves.
    Empirical(Empirical),
    /// One of several laws, drawn by weight.
    Mixture(Mixture),
    /// A distribution function on knots.
    Table(Table),
    /// A smooth law with a fast transform.
    Lattice(Lattice),
    /// A law known by its transform.
    Derived(Derived),
}

/// Runs one expression on whatever law it is.
macro_rules! each {
    ($law:expr, $inner:ident => $body:expr) => {
        match $law {
            Law::Constant($inner) => $body,
            Law::Exponential($inner) => $body,
            Law::Erlang($inner) => $body,
            Law::Gamma($inner) => $body,
            Law::Hyperexponential($inner) => $body,
            Law::Lognormal($inner) => $body,
            Law::Uniform($inner) => $body,
            Law::Weibull($inner) => $body,
            Law::Pareto($inner) => $body,
            Law::Lomax($inner) => $body,
            Law::Empirical($inner) => $body,
            Law::Mixture($inner) => $body,
            Law::Table($inner) => $body,
            Law::Lattice($inner) => $body,
            Law::Derived($inner) => $body,
        }
    };
}

impl Law {
    /// The exponential law, what a plain duration means.
    pub fn exponential(mean: Seconds) -> Law {
        Law::Exponential(Exponential { mean })
    }

    /// A time that is always the same.
    pub fn constant(value: Seconds) -> Law {
        Law::Constant(Constant { value })
    }

    /// The law of the short form `{ mean, cv }`: lognormal, constant when `cv` is 0.
    pub fn lognormal(mean: Seconds, cv: f64) -> Law {
        if cv == 0.0 || mean == 0.0 { Law::constant(mean) } else { Law::Lognormal(Lognormal::new(mean, cv)) }
    }

    /// Mean, in seconds.
    pub fn mean(&self) -> Seconds {
        self.moment(1)
    }

    /// Squared coefficient of variation: variance over squared mean. Zero for a time that is always zero.
    pub fn scv(&self) -> f64 {
        let mean = self.moment(1);
        if mean == 0.0 {
            return 0.0;
        }
        if let Law::Constant(_) = self {
            return 0.0;
        }
        (self.moment(2) / (mean * mean) - 1.0).max(0.0)
    }

    /// Whether theory that asks for memoryless service applies.
    pub fn is_exponential(&self) -> bool {
        matches!(self, Law::Exponential(_))
    }

    /// Whether it never varies.
    pub fn is_constant(&self) -> bool {
        matches!(self, Law::Constant(_)) || self.moment(1) == 0.0
    }

    /// The word of the model language for it.
    pub fn name(&self) -> &'static str {
        match self {
            Law::Constant(_) => "constant",
            Law::Exponential(_) => "exponential",
            Law::Erlang(_) => "erlang",
            Law::Gamma(_) => "gamma",
            Law::Hyperexponential(_) => "hyperexponential",
            Law::Lognormal(_) => "lognormal",
            Law::Uniform(_) => "uniform",
            Law::Weibull(_) => "weibull",
            Law::Pareto(_) => "pareto",
            Law::Lomax(_) => "lomax",
            Law::Empirical(_) => "empirical",
            Law::Mixture(_) => "mixture",
            Law::Table(_) => "table",
            Law::Lattice(lattice) => lattice.law().name(),
            Law::Derived(_) => "derived",
        }
    }

    /// A law like this one whose transform is a formula: itself, or one with the same mean and variance, and the same
    /// third moment where two exponentials have it.
    pub fn stand_in(&self) -> Law {
        if self.has_closed_transform() {
            return self.clone();
        }
        if let Law::Mixture(mixture) = self {
            return Law::Mixture(Mixture::new(mixture.parts().iter().map(|(p, law)| (*p, law.stand_in())).collect()));
        }
        let (mean, scv) = (self.mean(), self.scv().min(1e4));
        if scv <= 1.0 + 1e-6 {
            return Law::Gamma(Gamma { mean, cv: scv.sqrt().max(1e-3) });
        }
        let two = Hyperexponential::of_moments(mean, self.moment(2), self.moment(3));
        Law::Hyperexponential(two.unwrap_or_else(|| Hyperexponential::new(mean, scv.sqrt())))
    }

    /// Whether the transform is a formula, and not an integral or a long sum.
    pub fn has_closed_transform(&self) -> bool {
        match self {
            Law::Lognormal(_) | Law::Weibull(_) | Law::Pareto(_) | Law::Lomax(_) => false,
            Law::Lattice(_) | Law::Table(_) => false,
            Law::Mixture(mixture) => mixture.parts().iter().all(|(_, law)| law.has_closed_transform()),
            Law::Derived(derived) => derived.is_formula(),
            _ => true,
        }
    }
}

impl Distribution for Law {
    fn moment(&self, k: u8) -> f64 {
        each!(self, law => law.moment(k))
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        each!(self, law => law.exceeding(t))
    }

    fn quantile(&self, p: f64) -> Seconds {
        each!(self, law => law.quantile(p))
    }

    fn at_score(&self, score: f64, tail: f64) -> Seconds {
        each!(self, law => law.at_score(score, tail))
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        each!(self, law => law.transform(line, out));
    }

    fn transform_at(&self, s: f64) -> f64 {
        each!(self, law => law.transform_at(s))
    }

    fn value(&self, s: Complex64) -> Complex64 {
        each!(self, law => law.value(s))
    }

    fn decay_rate(&self) -> f64 {
        each!(self, law => law.decay_rate())
    }

    fn residual_transform(&self, line: Line, out: &mut [Complex64]) {
        each!(self, law => law.residual_transform(line, out));
    }

    fn residual_exceeding(&self, t: Seconds) -> f64 {
        each!(self, law => law.residual_exceeding(t))
    }

    fn jumps(&self) -> Vec<Seconds> {
        each!(self, law => law.jumps())
    }

    fn scaled(&self, factor: f64) -> Law {
        match self {
            Law::Constant(law) => Law::Constant(law.scaled(factor)),
            Law::Exponential(law) => Law::Exponential(law.scaled(factor)),
            Law::Erlang(law) => Law::Erlang(law.scaled(factor)),
            Law::Gamma(law) => Law::Gamma(law.scaled(factor)),
            Law::Hyperexponential(law) => Law::Hyperexponential(law.scaled(factor)),
            Law::Lognormal(law) => Law::Lognormal(law.scaled(factor)),
            Law::Uniform(law) => Law::Uniform(law.scaled(factor)),
            Law::Weibull(law) => Law::Weibull(law.scaled(factor)),
            Law::Pareto(law) => Law::Pareto(law.scaled(factor)),
            Law::Lomax(law) => Law::Lomax(law.scaled(factor)),
            Law::Empirical(law) => Law::Empirical(law.scaled(factor)),
            Law::Mixture(law) => Law::Mixture(law.scaled(factor)),
            Law::Table(law) => Law::Table(law.scaled(factor)),
            Law::Lattice(law) => Law::Lattice(law.scaled(factor)),
            Law::Derived(law) => Law::Derived(law.scaled(factor)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{inversion, quadrature};

    fn all() -> Vec<Law> {
        vec![
            Law::exponential(0.3),
            Law::Erlang(Erlang { mean: 0.3, stages: 4 }),
            Law::Gamma(Gamma { mean: 0.3, cv: 0.7 }),
            Law::Gamma(Gamma { mean: 0.3, cv: 1.6 }),
            Law::Hyperexponential(Hyperexponential::new(0.3, 2.0)),
            Law::lognormal(0.3, 0.5),
            Law::lognormal(0.3, 2.0),
            Law::Uniform(Uniform { min: 0.1, max: 0.5 }),
            Law::Weibull(Weibull { mean: 0.3, shape: 0.5 }),
            Law::Weibull(Weibull { mean: 0.3, shape: 2.5 }),
            Law::Pareto(Pareto { mean: 0.3, shape: 3.4 }),
            Law::Lomax(Lomax { mean: 0.3, shape: 3.4 }),
            Law::Mixture(Mixture::new(vec![(1.0, Law::exponential(0.1)), (3.0, Law::exponential(0.9))])),
        ]
    }

    #[test]
    fn moments_are_the_integrals_of_the_tail() {
        for law in all() {
            for k in 1..=3u8 {
                let tail = |t: f64| f64::from(k) * t.powi(i32::from(k) - 1) * law.exceeding(t);
                let integral = quadrature::half_line(0.3, tail);
                assert!((integral / law.moment(k) - 1.0).abs() < 2e-3, "{law:?} {k} {integral} {}", law.moment(k));
            }
        }
    }

    #[test]
    fn quantiles_invert_the_distribution_function() {
        for law in all() {
            for p in [0.01, 0.5, 0.95, 0.999] {
                let t = law.quantile(p);
                assert!((law.exceeding(t) / (1.0 - p) - 1.0).abs() < 1e-9, "{law:?} {p}");
            }
        }
    }

    #[test]
    fn transforms_invert_to_the_distribution_function() {
        for law in all() {
            if matches!(law, Law::Uniform(_)) {
                continue; // its kinks are beyond a smooth inversion, the moments test holds it
            }
            for t in [0.2, 0.6, 1.5] {
                let got = inversion::PRECISE.exceeding(t, 0.0, 1.0, |line, out| law.transform(line, out));
                // A Pareto law starts with a jump of its density.
                let allowed = if matches!(law, Law::Pareto(_)) { 1e-3 } else { 3e-9 };
                assert!((got - law.exceeding(t)).abs() < allowed, "{law:?} {t}: {got} {}", law.exceeding(t));
            }
        }
    }

    #[test]
    fn what_is_left_at_a_random_moment_is_the_tail_over_the_mean() {
        for law in all() {
            for t in [0.05, 0.25, 0.8] {
                let rest = |u: f64| law.exceeding(t + u);
                let integral = quadrature::half_line(0.3, rest) / law.mean();
                let got = law.residual_exceeding(t);
                assert!((got - integral).abs() < 2e-3 * (0.1 + got), "{law:?} {t}: {got} {integral}");
            }
        }
    }

    #[test]
    fn scaling_scales_times_and_nothing_else() {
        for law in all() {
            let longer = law.scaled(1000.0);
            assert!((longer.mean() / law.mean() / 1000.0 - 1.0).abs() < 1e-12);
            assert!((longer.scv() - law.scv()).abs() < 1e-9 * (1.0 + law.scv()));
            assert!((longer.quantile(0.95) / law.quantile(0.95) / 1000.0 - 1.0).abs() < 1e-9);
        }
    }
}

//! The law of a waiting time: mostly zero or a few exponentials, whatever the queue.

use super::fcfs::Periodic;
use crate::distribution::{Distribution, Gamma, Law};
use crate::math::{inversion, inversion::Line, roots, special};
use crate::unit::{PerSecond, Seconds};
use num_complex::Complex64;

/// One term of a sum of exponentials: `weight × exp(-rate t)`. Complex terms come in conjugate pairs, of which one is
/// kept with twice its weight: the real part counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Its part of the probability to wait.
    pub weight: Complex64,
    /// How fast it falls, per second, real part above zero.
    pub rate: Complex64,
}

impl Term {
    /// Whether it is a plain exponential.
    pub fn is_real(&self) -> bool {
        self.rate.im == 0.0
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        if self.is_real() {
            self.weight.re * (-self.rate.re * t).exp()
        } else {
            (self.weight * (-self.rate * t).exp()).re
        }
    }
}

/// The law of a waiting time, with its mass at zero.
#[derive(Debug, Clone, PartialEq)]
pub enum Delay {
    /// Nobody waits.
    None,
    /// `P(W > t) = Σ weight exp(-rate t)`.
    Exponentials(Vec<Term>),
    /// With probability `weights[k]` the sum of `k + 1` exponentials of rate `rate`; otherwise zero.
    Erlangs {
        /// Probability of each number of stages, from one.
        weights: Vec<f64>,
        /// Rate of each stage, per second.
        rate: PerSecond,
    },
    /// The wait of M/G/1 by Pollaczek and Khinchine.
    Pollaczek {
        /// Arrival rate, per second.
        arrival_rate: PerSecond,
        /// Service time.
        service: Law,
    },
    /// The wait of M/D/c.
    Periodic(Periodic),
    /// With probability `probability` a time of this law; otherwise zero.
    Of {
        /// Probability to wait at all.
        probability: f64,
        /// The wait of those who wait.
        law: Law,
    },
}

impl Delay {
    /// `P(W > t) = probability × exp(-rate t)`.
    pub fn exponential(probability: f64, rate: PerSecond) -> Delay {
        if probability <= 0.0 {
            return Delay::None;
        }
        Delay::Exponentials(vec![Term { weight: probability.into(), rate: rate.into() }])
    }

    /// Many exponentials as two: the slowest, which makes the tail, and one with the probability and the mean of all the
    /// others. For waits that are approximations anyway; where the others are no exponential at all, all are kept.
    pub fn condensed(self) -> Delay {
        let Delay::Exponentials(terms) = &self else { return self };
        let slowest = terms.iter().min_by(|a, b| a.rate.re.total_cmp(&b.rate.re));
        let Some(slowest) = slowest.copied().filter(|term| terms.len() > 2 && term.is_real()) else { return self };
        let probability = self.probability() - slowest.weight.re;
        let mean = self.mean() - (slowest.weight / slowest.rate).re;
        let rate = probability / mean;
        if !(probability > 0.0 && mean > 0.0 && rate > slowest.rate.re) {
            return self;
        }
        Delay::Exponentials(vec![slowest, Term { weight: probability.into(), rate: rate.into() }])
    }

    /// The same wait in so many times the time; those that theory knows exactly stay as they are.
    pub fn shortened(self, factor: f64) -> Delay {
        match self {
            Delay::Exponentials(terms) if factor != 1.0 => {
                Delay::Exponentials(terms.into_iter().map(|term| Term { rate: term.rate / factor, ..term }).collect())
            }
            delay => delay,
        }
    }

    /// The same wait in so many times the time; that of M/D/c as a gamma with its moments.
    pub fn scaled(self, factor: f64) -> Delay {
        if factor == 1.0 {
            return self;
        }
        if factor < 1e-9 {
            return Delay::None;
        }
        match self {
            Delay::Exponentials(_) | Delay::None => self.shortened(factor),
            Delay::Erlangs { weights, rate } => Delay::Erlangs { weights, rate: rate / factor },
            Delay::Pollaczek { arrival_rate, service } => {
                Delay::Pollaczek { arrival_rate: arrival_rate / factor, service: service.scaled(factor) }
            }
            Delay::Of { probability, law } => Delay::Of { probability, law: law.scaled(factor) },
            Delay::Periodic(_) => {
                Delay::with_moments(self.probability(), factor * self.mean(), factor * factor * self.second_moment())
            }
        }
    }

    /// With this probability a gamma so that mean and mean square of the whole are these; otherwise zero.
    pub fn with_moments(probability: f64, mean: Seconds, second: f64) -> Delay {
        if probability <= 0.0 || mean <= 0.0 {
            return Delay::None;
        }
        let conditional = mean / probability;
        let cv = (second / probability / (conditional * conditional) - 1.0).clamp(1e-2, 1e3).sqrt();
        Delay::Of { probability, law: Law::Gamma(Gamma { mean: conditional, cv }) }
    }

    /// Probability to wait at all.
    pub fn probability(&self) -> f64 {
        match self {
            Delay::None => 0.0,
            Delay::Exponentials(terms) => terms.iter().map(|t| t.weight.re).sum(),
            Delay::Erlangs { weights, .. } => weights.iter().sum(),
            Delay::Pollaczek { arrival_rate, service } => arrival_rate * service.mean(),
            Delay::Periodic(delay) => delay.exceeding(0.0),
            Delay::Of { probability, .. } => *probability,
        }
    }

    /// Mean, in seconds.
    pub fn mean(&self) -> Seconds {
        match self {
            Delay::None => 0.0,
            Delay::Exponentials(terms) => terms.iter().map(|t| (t.weight / t.rate).re).sum(),
            Delay::Erlangs { weights, rate } => {
                weights.iter().enumerate().map(|(k, w)| w * (k + 1) as f64).sum::<f64>() / rate
            }
            Delay::Pollaczek { arrival_rate, service } => {
                arrival_rate * service.moment(2) / (2.0 * (1.0 - arrival_rate * service.mean()))
            }
            Delay::Periodic(delay) => delay.mean(),
            Delay::Of { probability, law } => probability * law.mean(),
        }
    }

    /// Mean of the square, in square seconds; infinite when the service time's third moment is.
    pub fn second_moment(&self) -> f64 {
        match self {
            Delay::None => 0.0,
            Delay::Exponentials(terms) => terms.iter().map(|t| (2.0 * t.weight / (t.rate * t.rate)).re).sum(),
            Delay::Erlangs { weights, rate } => {
                let stages = |k: usize| ((k + 1) * (k + 2)) as f64;
                weights.iter().enumerate().map(|(k, w)| w * stages(k)).sum::<f64>() / (rate * rate)
            }
            Delay::Pollaczek { arrival_rate, service } => {
                let mean = self.mean();
                2.0 * mean * mean + arrival_rate * service.moment(3) / (3.0 * (1.0 - arrival_rate * service.mean()))
            }
            Delay::Periodic(delay) => delay.second_moment(),
            Delay::Of { probability, law } => probability * law.moment(2),
        }
    }

    /// Probability to wait longer than `t`.
    pub fn exceeding(&self, t: Seconds) -> f64 {
        match self {
            Delay::None => 0.0,
            Delay::Exponentials(terms) => terms.iter().map(|term| term.exceeding(t)).sum(),
            Delay::Erlangs { weights, rate } => erlangs_exceeding(weights, rate * t),
            Delay::Pollaczek { .. } if t <= 0.0 => self.probability(),
            Delay::Pollaczek { arrival_rate, service } if !service.jumps().is_empty() => {
                // The first residual is taken by itself: it holds the kinks.
                let rho = arrival_rate * service.mean();
                let rest = kinked(service).exceeding(t, 0.0, rho * rho, |line, out| {
                    later_residuals(rho, service, line, out);
                });
                rho * (1.0 - rho) * service.residual_exceeding(t) + rest
            }
            Delay::Pollaczek { .. } => {
                let tilt = 0.9 * self.decay_rate();
                inversion::PRECISE.exceeding(t, tilt, 1.0, |line, out| self.transform(line, out))
            }
            Delay::Periodic(delay) => delay.exceeding(t),
            Delay::Of { probability, law } => probability * law.exceeding(t),
        }
    }

    /// The smallest wait that is not exceeded with probability `p`.
    pub fn quantile(&self, p: f64) -> Seconds {
        roots::falling_to(1.0 - p, self.mean(), |t| self.exceeding(t))
    }

    /// The mean of `exp(-sW)` along a line.
    pub fn transform(&self, line: Line, out: &mut [Complex64]) {
        match self {
            Delay::None => out.fill(Complex64::ONE),
            Delay::Exponentials(terms) => {
                let rest = 1.0 - self.probability();
                if let [a, b] = terms.as_slice()
                    && a.is_real()
                    && b.is_real()
                {
                    return line.fill_with_poles(out, rest, [a, b].map(|term| (term.weight.re, term.rate.re)));
                }
                out.fill(rest.into());
                for term in terms {
                    if term.is_real() {
                        line.add_pole(out, term.weight.re, term.rate.re);
                        continue;
                    }
                    // The kept half of a conjugate pair has twice its weight.
                    let (weight, rate) = (0.5 * term.weight, term.rate);
                    for (k, value) in out.iter_mut().enumerate() {
                        let s = line.point(k);
                        *value += weight * rate / (s + rate) + weight.conj() * rate.conj() / (s + rate.conj());
                    }
                }
            }
            Delay::Erlangs { weights, rate } => {
                let zero = 1.0 - self.probability();
                line.fill(out, |s| {
                    let x = rate / (s + rate);
                    weights.iter().rev().fold(Complex64::ZERO, |sum, w| (sum + w) * x) + zero
                });
            }
            Delay::Pollaczek { arrival_rate, service } => {
                let rho = arrival_rate * service.mean();
                service.residual_transform(line, out);
                out.iter_mut().for_each(|value| *value = (1.0 - rho) / (1.0 - rho * *value));
            }
            Delay::Periodic(delay) => delay.transform(line, out),
            Delay::Of { probability, law } => {
                law.transform(line, out);
                out.iter_mut().for_each(|value| *value = 1.0 - probability + *probability * *value);
            }
        }
    }

    /// The rate at which the tail falls, per second; zero for a heavy one, infinite where there is none. Of a sum of many stages, the rate
    /// down to where hardly any of it is left.
    pub fn decay_rate(&self) -> f64 {
        match self {
            Delay::None => f64::INFINITY,
            Delay::Exponentials(terms) => terms.iter().map(|t| t.rate.re).fold(f64::INFINITY, f64::min),
            Delay::Erlangs { weights, rate } => rate * erlangs_decay(weights),
            Delay::Pollaczek { arrival_rate, service } => pollaczek_decay(*arrival_rate, service),
            Delay::Periodic(delay) => delay.decay_rate(),
            Delay::Of { law, .. } => law.decay_rate(),
        }
    }
}

/// The inversion for what a law with jumps leads to.
pub(super) fn kinked(service: &Law) -> &'static inversion::Euler {
    if service.has_closed_transform() { &inversion::KINKED_LONG } else { &inversion::KINKED }
}

/// The wait of M/G/1 is a geometric sum of residual services; this is the transform of the part with two or more.
pub(super) fn later_residuals(rho: f64, service: &Law, line: Line, out: &mut [Complex64]) {
    service.residual_transform(line, out);
    out.iter_mut().for_each(|value| *value = (1.0 - rho) * rho * rho * *value * *value / (1.0 - rho * *value));
}

/// `Σ w[k] P(Erlang(k + 1) > x)`, by the Poisson probabilities that all terms share.
fn erlangs_exceeding(weights: &[f64], x: f64) -> f64 {
    // P(Erlang(k + 1) > x) = P(Poisson(x) ≤ k), so each Poisson term counts for all weights at or above it.
    let mut above: f64 = weights.iter().sum();
    let mut sum = 0.0;
    for (j, weight) in weights.iter().enumerate() {
        sum += above * special::ln_poisson(j as f64, x).exp();
        above -= weight;
    }
    sum
}

/// Up to this mean of `exp(θW)` a wait is taken to fall as fast as `exp(-θt)`.
const LARGEST_MEAN: f64 = 1e3;

/// What part of the rate of its stages a mixture falls at: all of it in the end, less before that where they are many.
fn erlangs_decay(weights: &[f64]) -> f64 {
    let mean = |part: f64| {
        let x = 1.0 / (1.0 - part);
        weights.iter().rev().fold(0.0, |sum: f64, weight| (sum + weight) * x)
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if mean(middle) < LARGEST_MEAN {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The root of `λ (B(-θ) - 1) = θ`: how fast the wait of M/G/1 falls (Cramér and Lundberg).
fn pollaczek_decay(arrival_rate: f64, service: &Law) -> f64 {
    let limit = service.decay_rate();
    if limit == 0.0 {
        return 0.0;
    }
    let excess = |theta: f64| arrival_rate * (service.transform_at(-theta) - 1.0) - theta;
    // Starts below the root by the heavy-traffic formula, which an increasing convex function cannot undershoot.
    let mut low = 0.0;
    let mut high = (1.0 - arrival_rate * service.mean()) / (arrival_rate * service.moment(2));
    for _ in 0..200 {
        if high >= limit {
            high = limit * (1.0 - 1e-12);
            break;
        }
        if excess(high) > 0.0 {
            break;
        }
        (low, high) = (high, 1.5 * high);
    }
    if excess(high) <= 0.0 { low.max(0.9 * high) } else { roots::bracketed(low, high, 1e-9, excess) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pollaczek_with_exponential_service_is_one_exponential() {
        let delay = Delay::Pollaczek { arrival_rate: 8.0, service: Law::exponential(0.1) };
        for t in [0.01f64, 0.3, 2.0, 6.0] {
            let exact = 0.8 * (-2.0 * t).exp();
            assert!((delay.exceeding(t) / exact - 1.0).abs() < 1e-7, "{t}");
        }
        assert!((delay.decay_rate() - 2.0).abs() < 1e-6);
        assert!((delay.mean() - 0.4).abs() < 1e-12);
        assert!((delay.second_moment() - 0.4).abs() < 1e-12);
    }

    #[test]
    fn erlang_stages_sum_by_shared_poisson_terms() {
        let delay = Delay::Erlangs { weights: vec![0.3, 0.0, 0.4], rate: 2.0 };
        let t = 1.3f64;
        let exact = 0.3 * special::gamma_upper(1.0, 2.0 * t) + 0.4 * special::gamma_upper(3.0, 2.0 * t);
        assert!((delay.exceeding(t) - exact).abs() < 1e-13);
        assert!((delay.mean() - (0.3 * 0.5 + 0.4 * 1.5)).abs() < 1e-15);
    }
}

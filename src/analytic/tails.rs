//! The tail of a response time, in whatever form it is known, and order statistics of several.

use crate::discipline::{Delay, Sojourn};
use crate::distribution::Law;
use crate::math::curve::Curve;
use crate::math::inversion::Euler;
use crate::math::{quadrature, roots};
use crate::network::flows::at_least;
use crate::prediction::Times;
use crate::system::Metric;
use num_complex::Complex64;
use std::sync::LazyLock;

/// Knots of the law of a parallel step.
const KNOTS: usize = 72;

/// Times at which a sojourn without closed form is looked at.
const LOOKS: usize = 18;

static QUICK: LazyLock<Euler> = LazyLock::new(|| Euler::of_order(11));

/// The tail of a response time.
#[derive(Debug, Clone)]
pub(super) enum Tail {
    /// A wait and a service.
    Single { wait: Delay, law: Law },
    /// Several of these at once.
    Parallel(OrderStatistic),
    /// Points of it, beyond a constant part.
    Curve { shift: f64, curve: Curve },
}

/// The k-th success of several independent times.
#[derive(Debug, Clone)]
pub(super) struct OrderStatistic {
    /// Chance of success and tail of each.
    pub parts: Vec<(f64, Tail)>,
    /// How many must succeed.
    pub needed: usize,
}

impl Tail {
    /// Probability to exceed `t`.
    pub fn exceeding(&self, t: f64) -> f64 {
        match self {
            Tail::Single { wait, law } => Sojourn { wait, service: law }.exceeding(t).clamp(0.0, 1.0),
            Tail::Parallel(statistic) => statistic.exceeding(t),
            Tail::Curve { shift, curve } => {
                if t < *shift {
                    1.0
                } else if curve.is_empty() {
                    0.0
                } else {
                    curve.exceeding(t - shift)
                }
            }
        }
    }

    /// Mean, percentiles and curve.
    pub fn times(&self, mean: f64) -> Times {
        match self {
            Tail::Curve { shift, curve } if curve.is_empty() => constant(*shift, mean),
            Tail::Curve { shift, curve } => {
                let percentiles = Metric::PERCENTILES.map(|(_, level)| Some(shift + curve.quantile(1.0 - level)));
                let points = curve.points().into_iter().map(|(t, tail)| (shift + t, tail)).collect();
                Times { mean: Some(mean), percentiles, curve: points }
            }
            Tail::Single { wait: Delay::None, law } if law.is_constant() => constant(law.mean(), mean),
            Tail::Single { wait, law } if !closed(wait, law) => looked_at(wait, law).times(mean),
            _ => {
                let mut percentiles = [None; 6];
                let mut scale = mean;
                for (slot, (_, level)) in percentiles.iter_mut().zip(Metric::PERCENTILES) {
                    let t = roots::falling_to(1.0 - level, scale, |t| self.exceeding(t));
                    scale = scale.max(t);
                    *slot = Some(t);
                }
                let highest = percentiles[5].unwrap_or(mean);
                let points = (1..=24).map(|i| highest * f64::from(i) / 20.0);
                Times { mean: Some(mean), percentiles, curve: points.map(|t| (t, self.exceeding(t))).collect() }
            }
        }
    }
}

fn constant(value: f64, mean: f64) -> Times {
    Times { mean: Some(mean), percentiles: [Some(value); 6], curve: vec![(value * (1.0 - 1e-9), 1.0), (value, 0.0)] }
}

/// Whether the tail of a wait and a service is a formula cheap enough to search with.
fn closed(wait: &Delay, law: &Law) -> bool {
    match (wait, law) {
        (Delay::Pollaczek { .. }, _) => false,
        (Delay::None, Law::Lognormal(_) | Law::Weibull(_) | Law::Pareto(_) | Law::Lomax(_)) => true,
        (Delay::None, _) | (_, Law::Constant(_)) => true,
        (Delay::Exponentials(_), Law::Exponential(_) | Law::Hyperexponential(_)) => true,
        _ => false,
    }
}

/// The tail of a sojourn on times around its mean.
fn looked_at(wait: &Delay, law: &Law) -> Tail {
    let visit = Sojourn { wait, service: law };
    let shift = if law.is_constant() { law.mean() } else { 0.0 };
    let beyond = visit.mean() - shift;
    let exceeding =
        |t: f64| {
            QUICK.exceeding(t, 0.0, 1.0, |line, out: &mut [Complex64]| {
                if shift > 0.0 { wait.transform(line, out) } else { visit.transform(line, out) }
            })
        };
    let mut points = Vec::with_capacity(LOOKS + 8);
    let mut t = beyond;
    // Downwards until most exceed it, upwards until hardly any does.
    for _ in 0..40 {
        let tail = exceeding(t);
        points.push((t, tail));
        if tail > 0.6 || t < 1e-6 * beyond {
            break;
        }
        t /= 1.3;
    }
    points.reverse();
    let mut t = beyond * 1.3;
    for _ in 0..60 {
        let tail = exceeding(t);
        points.push((t, tail));
        if tail < 4e-4 {
            break;
        }
        t *= 1.3;
    }
    Tail::Curve { shift, curve: Curve::new(points) }
}

impl OrderStatistic {
    fn chances(&self, t: f64) -> Vec<f64> {
        self.parts.iter().map(|(success, tail)| success * (1.0 - tail.exceeding(t))).collect()
    }

    /// Chance that it succeeds at all.
    pub fn success(&self) -> f64 {
        let all: Vec<f64> = self.parts.iter().map(|(success, _)| *success).collect();
        at_least(&all, self.needed)
    }

    /// Probability to exceed `t`, among the successful.
    pub fn exceeding(&self, t: f64) -> f64 {
        let success = self.success();
        if self.needed == self.parts.len() && success == 1.0 {
            // The product of numbers near one, by logarithms: the tail keeps its digits.
            let ln: f64 = self.parts.iter().map(|(_, tail)| (-tail.exceeding(t)).ln_1p()).sum();
            return -ln.exp_m1();
        }
        if success <= 0.0 { 0.0 } else { (1.0 - at_least(&self.chances(t), self.needed) / success).clamp(0.0, 1.0) }
    }

    /// Mean, among the successful.
    pub fn mean(&self, scale: f64) -> f64 {
        if scale <= 0.0 {
            return 0.0;
        }
        // Far out an inverted tail is rounding noise, which the whole half line would add up.
        let formula = |tail: &Tail| matches!(tail, Tail::Single { wait, law } if closed(wait, law) && !law.is_constant() && !matches!(law, Law::Table(_)));
        if self.parts.iter().all(|(_, tail)| formula(tail)) {
            return quadrature::half_line(scale, |t| self.exceeding(t));
        }
        // Kinks where constants end: panels, from zero to where nothing is left.
        let mut sum = 0.0;
        let mut from = 0.0;
        let mut to = scale / 64.0;
        loop {
            let piece: f64 = quadrature::panel(from, to).map(|(t, w)| w * self.exceeding(t)).sum();
            sum += piece;
            if (self.exceeding(to) < 1e-8 && to > scale) || to > scale * 1e6 {
                return sum;
            }
            (from, to) = (to, to * 1.15 + scale / 64.0);
        }
    }

    /// Knots of its law beyond `shift`, for a mean of `beyond`.
    pub fn knots(&self, shift: f64, beyond: f64) -> Vec<(f64, f64)> {
        let exceeding = |t: f64| self.exceeding(shift + t);
        let (mut low, mut high) = (beyond, beyond);
        while exceeding(low) < 0.999 && low > 1e-6 * beyond {
            low *= 0.7;
        }
        while exceeding(high) > 1e-6 && high < 1e6 * beyond {
            high *= 1.3;
        }
        let ratio = (high / low).powf(1.0 / (KNOTS - 1) as f64);
        let mut knots: Vec<(f64, f64)> = vec![(0.0, 1.0)];
        for i in 0..KNOTS {
            let t = low * ratio.powi(i as i32);
            let tail = exceeding(t).min(knots[i].1);
            knots.push((t, tail));
        }
        knots[KNOTS].1 = 0.0;
        knots
    }

    /// The chance that each part is the one that ends the wait: the last of all, the first of any.
    pub fn decisive(&self) -> Vec<f64> {
        let n = self.parts.len();
        if n == 1 {
            return vec![1.0];
        }
        let all = self.needed == n;
        if !all && self.needed != 1 {
            return vec![1.0 / n as f64; n];
        }
        let scale = self.mean(self.typical());
        let steps = 200;
        let mut chances = vec![0.0; n];
        let mut before: Vec<f64> = vec![0.0; n];
        for i in 0..=steps {
            let t = scale * (f64::from(i) / f64::from(steps) * 5.0).exp() * 0.08;
            let now: Vec<f64> = self.parts.iter().map(|(_, tail)| 1.0 - tail.exceeding(t)).collect();
            for k in 0..n {
                let others: f64 = (0..n)
                    .filter(|j| *j != k)
                    .map(|j| {
                        let mid = 0.5 * (before[j] + now[j]);
                        if all { mid } else { 1.0 - mid }
                    })
                    .product();
                chances[k] += (now[k] - before[k]).max(0.0) * others;
            }
            before = now;
        }
        let total: f64 = chances.iter().sum();
        if total > 0.0 { chances.iter().map(|c| c / total).collect() } else { vec![1.0 / n as f64; n] }
    }

    /// A time of the order of its parts.
    fn typical(&self) -> f64 {
        self.parts
            .iter()
            .map(|(_, tail)| roots::falling_to(0.3, 1e-3, |t| tail.exceeding(t)))
            .filter(|t| t.is_finite())
            .fold(0.0, f64::max)
    }
}

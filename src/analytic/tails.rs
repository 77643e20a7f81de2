//! The tail of a response time, in whatever form it is known, and order statistics of several.

use crate::discipline::{Delay, Sojourn};
use crate::distribution::{Law, Table};
use crate::math::curve::Curve;
use crate::math::ladder::{EULER, Ladder, NODES, Stretch};
use crate::math::{quadrature, roots};
use crate::network::flows::at_least;
use crate::prediction::Times;
use crate::system::Metric;
use num_complex::Complex64;
use std::sync::LazyLock;

/// Knots of the law of a parallel step or a guarded call, at most.
const KNOTS: usize = 96;

/// Below the time that this part exceeds a tail is drawn straight.
const MOST_EXCEED: f64 = 0.6;

/// A sojourn is looked at on no more rungs than this below and above its mean.
const MOST_RUNGS: i32 = 60;

/// The probabilities to exceed each of [`Metric::PERCENTILES`].
static LEVELS: LazyLock<[f64; 6]> = LazyLock::new(|| Metric::PERCENTILES.map(|(_, level)| 1.0 - level));

/// The tail of a response time.
#[derive(Debug, Clone)]
pub(super) enum Tail {
    /// A wait and a service.
    Single { wait: Delay, law: Law },
    /// Several at once.
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
    /// Weight of all parts being equally late; they are independent otherwise.
    pub together: f64,
}

impl Tail {
    /// Probability to exceed `t`.
    pub fn exceeding(&self, t: f64) -> f64 {
        match self {
            Tail::Single { wait, law } => Sojourn { wait, service: law }.exceeding(t).clamp(0.0, 1.0),
            Tail::Parallel(statistic) => statistic.exceeding(t),
            Tail::Curve { shift, curve } => curve.exceeding(t - shift),
        }
    }

    /// The times exceeded with the probabilities of [`Metric::PERCENTILES`], around a mean of `mean`.
    fn percentiles(&self, mean: f64) -> [f64; 6] {
        match self {
            Tail::Curve { shift, curve } => LEVELS.map(|level| shift + curve.quantile(level)),
            Tail::Single { wait: Delay::None, law } if law.is_constant() => [law.mean(); 6],
            _ => {
                let mut low = 0.0;
                let mut step = mean;
                let mut before = 1.0f64;
                LEVELS.map(|level| {
                    let t = roots::falling_after(low, level, step, |t| self.exceeding(t));
                    // Tails fall about exponentially: the next percentile lies as much further as its logarithm.
                    if t.is_finite() && t > low {
                        step = (1.1 * (t - low) / (before / level).ln() * 2f64.ln()).max(1e-6 * mean);
                        before = level;
                        low = t;
                    }
                    t
                })
            }
        }
    }

    /// The tail of a wait and a service without a formula, read on the rungs around its mean.
    pub fn on_ladder(wait: &Delay, law: &Law, ladder: &Ladder) -> Tail {
        let visit = Sojourn { wait, service: law };
        let shift = if law.is_constant() { law.mean() } else { 0.0 };
        let middle = ladder.position(visit.mean() - shift).round() as i32;
        let mut values = vec![Complex64::ZERO; NODES];
        let mut point = |rung: i32| {
            let (t, line) = (ladder.time(rung), ladder.line(rung));
            if shift > 0.0 {
                wait.transform(line, &mut values)
            } else {
                visit.transform(line, &mut values)
            }
            let (tail, density) = EULER.upright_tail_and_density(t, 1.0, &values);
            (t, tail.max(0.0), density.max(0.0))
        };
        let start = if law.is_constant() { wait.probability() } else { 1.0 };
        // Downwards until most of those who wait at all exceed it, upwards until hardly any does.
        let mut points = Vec::with_capacity(16);
        for rung in (middle - MOST_RUNGS..=middle).rev() {
            points.push(point(rung));
            if points[points.len() - 1].1 > MOST_EXCEED * start {
                break;
            }
        }
        points.reverse();
        for rung in middle + 1..middle + MOST_RUNGS {
            points.push(point(rung));
            if points[points.len() - 1].1 < 5e-4 {
                break;
            }
        }
        Tail::Curve { shift, curve: Curve::with_density(start, &points) }
    }
}

/// The probability to exceed a mixture of tails by weight.
pub(super) fn mixed_exceeding(parts: &[(f64, &Tail)], t: f64) -> f64 {
    let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
    parts.iter().map(|(weight, tail)| weight / total * tail.exceeding(t)).sum()
}

/// Mean and percentiles of a mixture of tails by weight.
pub(super) fn mixed_times(parts: &[(f64, &Tail)], mean: f64) -> Times {
    let percentiles = match parts {
        [(_, tail)] => tail.percentiles(mean),
        parts => {
            // A percentile of the mixture lies between those of its parts.
            let each: Vec<[f64; 6]> = parts.iter().map(|(_, tail)| tail.percentiles(mean)).collect();
            std::array::from_fn(|i| {
                let low = each.iter().map(|times| times[i]).fold(f64::INFINITY, f64::min);
                let high = each.iter().map(|times| times[i]).fold(0.0, f64::max);
                let excess = |t: f64| mixed_exceeding(parts, t).max(1e-300).ln() - LEVELS[i].ln();
                if high - low <= 1e-12 * high || !high.is_finite() {
                    high
                } else {
                    // A jump of a constant part may lie right at the end.
                    let (low, high) = (low * (1.0 - 1e-9), high * (1.0 + 1e-9));
                    if excess(low) <= 0.0 { low } else { roots::bracketed(low, high, 1e-11, excess) }
                }
            })
        }
    };
    // Where the tail jumps, rounding may put one before the other.
    let mut highest = 0.0f64;
    let rising = percentiles.map(|t| {
        highest = highest.max(t);
        Some(highest)
    });
    Times { mean: Some(mean), percentiles: rising, curve: Vec::new() }
}

/// Points of a mixture's tail for a picture and for shares within a limit, up to a little beyond `highest`.
pub(super) fn mixed_curve(parts: &[(f64, &Tail)], highest: f64) -> Vec<(f64, f64)> {
    let mut times: Vec<f64> = (1..=24).map(|i| highest * f64::from(i) / 20.0).collect();
    for (_, tail) in parts {
        // A constant part is a step in the curve: both of its sides.
        let constant = match tail {
            Tail::Single { law, .. } if law.is_constant() => law.mean(),
            Tail::Curve { shift, .. } => *shift,
            _ => 0.0,
        };
        if constant > 0.0 {
            times.extend([constant * (1.0 - 1e-9), constant]);
        }
    }
    times.sort_by(f64::total_cmp);
    times.dedup();
    times.into_iter().map(|t| (t, mixed_exceeding(parts, t))).collect()
}

/// Whether the tail of a wait and a service is a formula cheap enough to search with.
pub(super) fn is_formula(wait: &Delay, law: &Law) -> bool {
    match (wait, law) {
        (_, Law::Derived(_)) | (Delay::Of { law: Law::Derived(_), .. }, _) => false,
        (Delay::None, _) => true,
        (Delay::Pollaczek { .. }, _) => false,
        (_, Law::Constant(_)) => true,
        (Delay::Exponentials(_), Law::Exponential(_) | Law::Hyperexponential(_)) => true,
        _ => false,
    }
}

/// The law with this tail and mean, all of it below `end`.
pub(super) fn table(exceeding: impl Fn(f64) -> f64, mean: f64, end: f64, ladder: &Ladder) -> Table {
    let (low, high) = ends(&exceeding, mean, end);
    let stretch = Stretch::between(ladder, low, high, KNOTS);
    let falling = |lowest: &mut f64, i: usize| {
        *lowest = exceeding(stretch.time(i)).min(*lowest);
        Some(*lowest)
    };
    Table::on_lattice(stretch, (0..stretch.count).scan(1.0, falling), end, mean)
}

/// Times that nearly all exceed and that next to none do, around a mean and below `end`.
fn ends(mut exceeding: impl FnMut(f64) -> f64, mean: f64, end: f64) -> (f64, f64) {
    let (mut low, mut high) = (mean, mean);
    while exceeding(low) < 0.999 && low > 1e-6 * mean {
        low *= 0.7;
    }
    while exceeding(high) > 1e-6 && high < (1e6 * mean).min(end) {
        high = (high * 1.3).min(end);
    }
    (low, high)
}

/// The mean of a time with this tail, of which `scale` is the order, looked at up to `end`.
pub(super) fn mean_of(exceeding: impl Fn(f64) -> f64, scale: f64, end: f64) -> f64 {
    // Kinks where constants end: panels, from zero to where nothing is left.
    if !scale.is_finite() {
        return scale;
    }
    let mut sum = 0.0;
    let mut from = 0.0;
    let mut to = (scale / 64.0).min(end);
    loop {
        let piece: f64 = quadrature::panel(from, to).map(|(t, w)| w * exceeding(t)).sum();
        sum += piece;
        if to >= end || (exceeding(to) < 1e-8 && to > scale) || to > scale * 1e6 {
            return sum;
        }
        (from, to) = (to, (to * 1.3 + scale / 64.0).min(end));
    }
}

impl OrderStatistic {
    /// Chance that it succeeds at all.
    pub fn success(&self) -> f64 {
        let all: Vec<f64> = self.parts.iter().map(|(success, _)| *success).collect();
        at_least(&all, self.needed)
    }

    /// Probability to exceed `t`, among the successful.
    pub fn exceeding(&self, t: f64) -> f64 {
        let mut tails: Vec<f64> = self.parts.iter().map(|(_, tail)| tail.exceeding(t)).collect();
        self.exceeded(&mut tails, self.success())
    }

    /// The same from that of each part, in whose place something else stands afterwards.
    fn exceeded(&self, tails: &mut [f64], success: f64) -> f64 {
        // Equally late, the parts end in the order of their tails.
        let late = if self.together > 0.0 {
            let mut tails = tails.to_vec();
            tails.sort_by(f64::total_cmp);
            tails.get(self.needed.saturating_sub(1)).copied().unwrap_or(0.0)
        } else {
            0.0
        };
        let apart = if self.needed == self.parts.len() && success == 1.0 {
            // The product of numbers near one, by logarithms: the tail keeps its digits.
            let ln: f64 = tails.iter().map(|tail| (-tail).ln_1p()).sum();
            -ln.exp_m1()
        } else if success <= 0.0 {
            0.0
        } else {
            tails.iter_mut().zip(&self.parts).for_each(|(tail, (success, _))| *tail = success * (1.0 - *tail));
            (1.0 - at_least(tails, self.needed) / success).clamp(0.0, 1.0)
        };
        (1.0 - self.together) * apart + self.together * late
    }

    /// Whether it is known as well as formulas are: far out an inverted tail is rounding noise, which an integral over the half line would
    /// add up.
    fn is_smooth(&self) -> bool {
        let formula = |tail: &Tail| matches!(tail, Tail::Single { wait, law } if is_formula(wait, law) && !law.is_constant() && !matches!(law, Law::Table(_)));
        self.parts.iter().all(|(_, tail)| formula(tail))
    }

    /// The tail beyond `shift`, which takes about so long, read at times a fixed ratio apart.
    pub fn read(&self, shift: f64, about: f64, ladder: &Ladder) -> Reading<'_> {
        let success = self.success();
        let mut parts = vec![0.0; self.parts.len()];
        let mut exceeding = |t: f64| {
            parts.iter_mut().zip(&self.parts).for_each(|(own, (_, tail))| *own = tail.exceeding(shift + t));
            self.exceeded(&mut parts, success)
        };
        let (low, high) = ends(&mut exceeding, about, f64::INFINITY);
        let stretch = Stretch::between(ladder, low, high, KNOTS);
        let mut tails: Vec<f64> = Vec::with_capacity(stretch.count);
        let mut before = 1.0f64;
        while tails.len() < stretch.count || before > NOTHING_LEFT && tails.len() < MOST_READ {
            before = exceeding(stretch.time(tails.len())).min(before);
            tails.push(before);
        }
        Reading { statistic: self, shift, stretch, tails }
    }

    /// The chance that each part is the one that ends the wait, whose mean is given: the last of all, the first of any.
    pub fn decisive(&self, mean: f64) -> Vec<f64> {
        let n = self.parts.len();
        if n == 1 {
            return vec![1.0];
        }
        let all = self.needed == n;
        if !all && self.needed != 1 {
            return vec![1.0 / n as f64; n];
        }
        let steps = 200;
        let mut chances = vec![0.0; n];
        let mut before: Vec<f64> = vec![0.0; n];
        for i in 0..=steps {
            let t = mean * (f64::from(i) / f64::from(steps) * 5.0).exp() * 0.08;
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
}

/// Below this nothing is left of a tail that adds to a mean; no more times are looked at than this.
const NOTHING_LEFT: f64 = 1e-8;
const MOST_READ: usize = 3 * KNOTS;

/// An order statistic at the points of a lattice, and at those behind.
pub(super) struct Reading<'s> {
    statistic: &'s OrderStatistic,
    /// What all times are beyond.
    shift: f64,
    stretch: Stretch,
    /// Probability to exceed each, falling.
    tails: Vec<f64>,
}

impl Reading<'_> {
    /// Mean beyond the shift, among the successful.
    pub fn mean(&self) -> f64 {
        let Reading { statistic, shift, stretch, tails } = self;
        if statistic.is_smooth() {
            let scale = shift + stretch.time(stretch.count / 2);
            return quadrature::half_line(scale, |t| statistic.exceeding(t)) - shift;
        }
        // On logarithms of time the trapezoidal rule is as good as exact for what is smooth, once its ends are mended (Euler, Maclaurin): at
        // the last nothing is left, at the first the tail is flat.
        let (step, low) = (stretch.step(), stretch.time(0));
        let each = tails.iter().enumerate().map(|(i, tail)| stretch.time(i) * tail);
        let first = low * tails[0];
        let beyond_first = step * (each.sum::<f64>() - 0.5 * first + step / 12.0 * first);
        0.5 * low * (1.0 + tails[0]) + beyond_first
    }

    /// Its law, which has this mean.
    pub fn law(&self, mean: f64) -> Table {
        Table::on_lattice(self.stretch, self.tails.iter().copied(), f64::INFINITY, mean)
    }
}

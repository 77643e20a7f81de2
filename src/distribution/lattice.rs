//! A smooth law without closed transform, with a transform that costs little on the rungs of a ladder.
//!
//! | symbol | meaning                                                       |
//! |--------|---------------------------------------------------------------|
//! | `g(x)` | density of the logarithm of time, over the lattice's steps    |
//! | `φ`    | cardinal function of piecewise quintic interpolation          |
//! | `β_k`  | nodes of the inversion, times the time of the rung            |
//!
//! Between lattice points `g` is interpolated, `g(x) = Σ_j g_j φ(x - j)`, so that on a rung at lattice point `r`
//!
//! ```text
//! B(s_k) = Σ_j g_j E_k(j - r),   E_k(i) = ∫ φ(x) exp(-β_k exp(h (x + i))) dx
//! ```
//!
//! The factors `E` depend on nothing of the law or the model: they are computed once.

use super::columns::BETWEEN;
use super::numeric::Support;
use super::{Distribution, Law};
use crate::math::inversion::Line;
use crate::math::ladder::{self, FINEST};
use crate::unit::Seconds;
use num_complex::Complex64;
use std::sync::Arc;

/// Steps per length over which the density is smooth: interpolation is then right to about 1e-6.
const COARSENESS: f64 = 0.25;

/// Mass not followed to the left, and to the right: on the right heavy tails would lose some of their mean, others where exponentials grow.
const CUT: (f64, f64) = (1e-7, 1e-17);

/// What the ends of the lattice may be of a transform at a real point that is summed over it.
const ENDS: f64 = 1e-7;

/// A network that is being solved holds a law that stands in it once no more often than this.
const MANY_CLONES: usize = 8;

/// A law with its mass on a lattice of times.
#[derive(Debug, Clone)]
pub struct Lattice {
    law: Arc<Law>,
    unit: Seconds,
    /// The lattice's step is halved so often.
    fineness: usize,
    /// Number of the first point.
    first: i32,
    /// Mass at each point.
    masses: Arc<[f64]>,
}

impl PartialEq for Lattice {
    fn eq(&self, other: &Self) -> bool {
        self.unit == other.unit && self.law == other.law
    }
}

impl Lattice {
    /// The lattice form of a law, with rungs at powers times `unit`; `None` for laws that are not smooth or hardly vary.
    pub fn new(law: &Law, unit: Seconds) -> Option<Lattice> {
        match law {
            Law::Lognormal(inner) => Lattice::of(law, inner.support(), |x| inner.density(x), unit),
            Law::Weibull(inner) => Lattice::of(law, inner.support(), inner.density(), unit),
            Law::Lomax(inner) => Lattice::of(law, inner.support(), |x| inner.density(x), unit),
            _ => None,
        }
    }

    /// The lattice of a law whose density is smooth on the logarithm of time.
    fn of(law: &Law, support: Support, density: impl Fn(Seconds) -> f64, unit: Seconds) -> Option<Lattice> {
        let fineness = (0..=FINEST).find(|fineness| ladder::step(*fineness) <= COARSENESS * support.grain)?;
        let h = ladder::step(fineness);
        let point = |t: f64| ((t / unit).ln() / h).round();
        // From the median outwards, until what is left is not worth following.
        let middle = point(law.quantile(0.5));
        if !middle.is_finite() || middle.abs() > 1e6 {
            return None;
        }
        let mass = |j: i32| {
            let t = unit * (h * f64::from(j)).exp();
            if t < support.from { 0.0 } else { h * t * density(t) }
        };
        let middle = middle as i32;
        let mut left = Vec::new();
        for j in (middle - 4000..middle).rev() {
            let here = mass(j);
            left.push(here);
            if here < CUT.0 * h {
                break;
            }
        }
        let first = middle - left.len() as i32;
        let mut masses = left;
        masses.reverse();
        for j in middle..middle + 4000 {
            let here = mass(j);
            masses.push(here);
            if here < CUT.1 * h {
                break;
            }
        }
        let total: f64 = masses.iter().sum();
        // What was cut lies as good as all on the left, where it makes no difference how far.
        masses[0] += 1.0 - total;
        Some(Lattice { law: Arc::new(law.clone()), unit, fineness, first, masses: masses.into() })
    }

    /// The same for lattices that are clones of each other, while they live.
    pub fn identity(&self) -> usize {
        self.masses.as_ptr().addr()
    }

    /// Whether so many clones live that what one computes is worth keeping for the others.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.masses) > MANY_CLONES
    }

    /// The law itself.
    pub fn law(&self) -> &Law {
        &self.law
    }
}

impl Distribution for Lattice {
    fn moment(&self, k: u8) -> f64 {
        self.law.moment(k)
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        self.law.exceeding(t)
    }

    fn quantile(&self, p: f64) -> Seconds {
        self.law.quantile(p)
    }

    fn at_score(&self, score: f64, tail: f64) -> Seconds {
        self.law.at_score(score, tail)
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        let Some(point) = ladder::lattice_point(self.unit, line, out.len()) else {
            return self.law.transform(line, out);
        };
        BETWEEN[self.fineness].sum(self.first - point * (1i32 << self.fineness), &self.masses, out);
    }

    /// On logarithms of time the trapezoidal rule is as good as exact for what is smooth and vanishes at both ends.
    fn transform_at(&self, s: f64) -> f64 {
        let (Some(first), Some(last)) = (self.masses.first(), self.masses.last()) else {
            return self.law.transform_at(s);
        };
        let h = ladder::step(self.fineness);
        let (begin, ratio) = (self.unit * (h * f64::from(self.first)).exp(), h.exp());
        let (mut sum, mut t) = (0.0, begin);
        for mass in self.masses.iter() {
            sum += mass * (-s * t).exp();
            t *= ratio;
        }
        // All that is cut off on the left lies at the first point, what is cut off on the right at none.
        let ends = first * (-s * begin).exp_m1().abs() + last * (-s * t / ratio).exp();
        if ends <= ENDS * sum { sum } else { self.law.transform_at(s) }
    }

    fn decay_rate(&self) -> f64 {
        self.law.decay_rate()
    }

    fn residual_exceeding(&self, t: Seconds) -> f64 {
        self.law.residual_exceeding(t)
    }

    fn scaled(&self, factor: f64) -> Self {
        let law = self.law.scaled(factor);
        // A factor of zero or beyond all numbers leaves no lattice: the law alone serves then.
        Lattice::new(&law, self.unit).unwrap_or(Lattice {
            law: Arc::new(law),
            unit: f64::NAN,
            fineness: 0,
            first: 0,
            masses: Arc::new([]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::{Lomax, Weibull};

    #[test]
    fn on_the_rungs_a_lattice_has_the_law_s_own_transform() {
        let laws = [
            Law::lognormal(0.3, 1.0),
            Law::lognormal(2.0, 0.15),
            Law::lognormal(0.1, 4.0),
            Law::Weibull(Weibull { mean: 0.3, shape: 0.6 }),
            Law::Weibull(Weibull { mean: 0.3, shape: 3.0 }),
            Law::Lomax(Lomax { mean: 0.3, shape: 2.2 }),
        ];
        for law in laws {
            let ladder = ladder::Ladder { unit: 0.07 };
            let lattice = Lattice::new(&law, ladder.unit).unwrap();
            for rung in [-3, 0, 3, 6] {
                let line = ladder.line(rung);
                let (mut fast, mut slow) = (vec![Complex64::ZERO; 21], vec![Complex64::ZERO; 21]);
                lattice.transform(line, &mut fast);
                law.transform(line, &mut slow);
                let off = fast.iter().zip(&slow).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
                let tail = ladder::EULER.exceeding(ladder.time(rung), 0.0, 1.0, |_, out| out.copy_from_slice(&fast));
                let exact = law.exceeding(ladder.time(rung));
                assert!(off < 3e-6, "{law:?} {rung}: {off}");
                assert!((tail - exact).abs() < 4e-6, "{law:?} {rung}: {tail} {exact}");
            }
        }
    }

    #[test]
    fn at_real_points_a_lattice_has_the_law_s_own_transform() {
        for law in [Law::lognormal(0.3, 1.0), Law::lognormal(2.0, 0.15), Law::Lomax(Lomax { mean: 0.3, shape: 2.2 })]
            .into_iter()
            .chain([0.6, 1.3, 3.0].map(|shape| Law::Weibull(Weibull { mean: 0.3, shape })))
        {
            let lattice = Lattice::new(&law, 0.07).unwrap();
            let least = if law.decay_rate() > 0.0 { -4.0 } else { 0.0 };
            for s in [least, 0.5 * least, 1e-6 * least, 1e-6, 0.3, 4.0, 90.0, 1e5] {
                let (fast, slow) = (lattice.transform_at(s), law.transform_at(s));
                assert!((fast - slow).abs() <= ENDS * slow, "{law:?} {s}: {fast} {slow}");
            }
        }
    }
}

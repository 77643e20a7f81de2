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

use super::numeric::Support;
use super::{Distribution, Law};
use crate::math::inversion::Line;
use crate::math::ladder::{self, NODES};
use crate::math::quadrature;
use crate::unit::Seconds;
use num_complex::Complex64;
use std::sync::{Arc, LazyLock};

/// Lattices of half, a quarter and an eighth of the step serve laws that vary little.
const FINEST: usize = 3;

/// Steps per length over which the density is smooth: interpolation is then right to about 1e-6.
const COARSENESS: f64 = 0.25;

/// Mass not followed to the left, and to the right: on the right heavy tails would lose some of their mean.
const CUT: (f64, f64) = (1e-7, 1e-12);

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
            Law::Weibull(inner) => Lattice::of(law, inner.support(), |x| inner.density(x), unit),
            Law::Lomax(inner) => Lattice::of(law, inner.support(), |x| inner.density(x), unit),
            _ => None,
        }
    }

    /// The lattice of a law whose density is smooth on the logarithm of time.
    fn of(law: &Law, support: Support, density: impl Fn(Seconds) -> f64, unit: Seconds) -> Option<Lattice> {
        let step = |fineness: usize| ladder::STEP / (1u32 << fineness) as f64;
        let fineness = (0..=FINEST).find(|fineness| step(*fineness) <= COARSENESS * support.grain)?;
        let h = step(fineness);
        let point = |t: f64| ((t / unit).ln() / h).round();
        // From the median outwards, until what is left is not worth following.
        let middle = point(law.quantile(0.5));
        if !middle.is_finite() || middle.abs() > 1e6 {
            return None;
        }
        let mass = |j: i32| {
            let t = unit * (h * f64::from(j)).exp();
            if t < support.from || t > support.to { 0.0 } else { h * t * density(t) }
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
        let factors = &FACTORS[self.fineness];
        let from = self.first - point * (1i32 << self.fineness);
        let mut sums = [0.0; 2 * NODES];
        // Four points at once: the sums stay in registers.
        for (masses, offset) in self.masses.chunks(4).zip((from..).step_by(4)) {
            let columns = std::array::from_fn(|i| factors.column(offset + i as i32));
            let mass = std::array::from_fn(|i| masses.get(i).copied().unwrap_or(0.0));
            let ([Some(a), Some(b), Some(c), Some(d)], [p, q, r, s]) = (columns, mass) else { break };
            for k in 0..2 * NODES {
                sums[k] += p * a[k] + q * b[k] + r * c[k] + s * d[k];
            }
        }
        let (real, imaginary) = sums.split_at(NODES);
        out.iter_mut().zip(real.iter().zip(imaginary)).for_each(|(value, (re, im))| *value = Complex64::new(*re, *im));
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

/// The factors `E_k(i)` of one fineness.
struct Factors {
    first: i32,
    /// `[i - first]`: the real parts of all nodes, then the imaginary parts.
    columns: Vec<[f64; 2 * NODES]>,
}

static FACTORS: [LazyLock<Factors>; FINEST + 1] = [
    LazyLock::new(|| Factors::new(0)),
    LazyLock::new(|| Factors::new(1)),
    LazyLock::new(|| Factors::new(2)),
    LazyLock::new(|| Factors::new(3)),
];

impl Factors {
    fn new(fineness: usize) -> Factors {
        let h = ladder::STEP / (1u32 << fineness) as f64;
        let real = ladder::EULER.real;
        let fastest = real.hypot(std::f64::consts::PI * (NODES - 1) as f64);
        let at = |x: f64| (x.ln() / h).ceil() as i32;
        // Before the first the exponential is one, but for 1e-9; after the last it is zero, but for 1e-12.
        let (first, last) = (at(1e-9 / fastest), at(28.0 / real) + 4);
        let bent = at(0.05 / (fastest * h));
        let mut columns = vec![[0.0; 2 * NODES]; (last - first + 1) as usize];
        let powers = |x: f64| {
            let turn = Complex64::cis(-std::f64::consts::PI * x);
            let mut value = Complex64::from((-real * x).exp());
            let mut column = [0.0; 2 * NODES];
            for k in 0..NODES {
                (column[k], column[NODES + k]) = (value.re, value.im);
                value *= turn;
            }
            column
        };
        for i in first..bent {
            // So slow that the interpolation's vanishing moments leave the value at the point.
            columns[(i - first) as usize] = powers((h * f64::from(i)).exp());
        }
        for cell in bent - 3..=last + 2 {
            let turns = fastest * h * (h * f64::from(cell + 1)).exp();
            let pieces = (turns / 12.0).ceil().max(1.0);
            for piece in 0..pieces as usize {
                let from = piece as f64 / pieces;
                for (u, weight) in quadrature::panel(from, from + 1.0 / pieces) {
                    let values = powers((h * (f64::from(cell) + u)).exp());
                    for (neighbour, share) in (cell - 2..).zip(quintic(u)) {
                        if (bent..=last).contains(&neighbour) {
                            let sums = columns[(neighbour - first) as usize].iter_mut();
                            sums.zip(&values).for_each(|(sum, value)| *sum += weight * share * value);
                        }
                    }
                }
            }
        }
        Factors { first, columns }
    }

    /// The factors at an offset; `None` where they vanish.
    fn column(&self, offset: i32) -> Option<&[f64; 2 * NODES]> {
        self.columns.get((offset - self.first).max(0) as usize)
    }
}

/// Weights of the six points around `u` in [0, 1], at -2 to 3, in the interpolation of degree five.
fn quintic(u: f64) -> [f64; 6] {
    std::array::from_fn(|i| {
        let own = i as f64 - 2.0;
        (0..6).filter(|j| *j != i).map(|j| j as f64 - 2.0).map(|other| (u - other) / (own - other)).product()
    })
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
}

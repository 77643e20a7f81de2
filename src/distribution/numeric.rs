//! Transforms of laws that have none in closed form, by quadrature along the density.

use crate::math::{inversion::Line, quadrature};
use num_complex::Complex64;

/// Where a density lives.
pub(super) struct Support {
    /// Below it the law has no mass worth counting.
    pub from: f64,
    /// Above it the law has no mass worth counting.
    pub to: f64,
    /// How fast the density changes on the logarithm of time: it is smooth over intervals shorter than this.
    pub grain: f64,
}

/// The mean of `exp(-sX)` along a line, for a law with this density.
pub(super) fn transform(support: &Support, density: impl Fn(f64) -> f64, line: Line, out: &mut [Complex64]) {
    let (mass, whole) = integral(support, density, line, out);
    if whole {
        // What quadrature and the cut of the tails left out lies where the exponential is as good as unchanged or
        // as good as zero; sharing it out keeps the transform at zero exactly one.
        out.iter_mut().for_each(|value| *value /= mass);
    }
}

/// The transform of what is left at a random moment of a time with this tail, which is one below the support. No
/// difference of near equals is taken, as `(1 - B(s)) / s` would: heavy tails are seen far out, where `s` is small.
pub(super) fn residual(
    support: &Support,
    exceeding: impl Fn(f64) -> f64,
    mean: f64,
    line: Line,
    out: &mut [Complex64],
) {
    integral(support, exceeding, line, out);
    for (k, value) in out.iter_mut().enumerate() {
        let x = line.point(k) * support.from;
        let below = if x.norm() < 1e-5 { 1.0 - x * (0.5 - x / 6.0) } else { (1.0 - (-x).exp()) / x };
        *value = (*value + support.from * below) / mean;
    }
}

/// The integral of `exp(-sx) f(x)` along a line; gives the integral of `f` as far as it was followed, and whether that
/// is all of it.
///
/// Panels grow geometrically with time, so that a density over many decades is resolved, but never beyond the length
/// over which the fastest exponential of the line turns by about three radians. All points of the line share the
/// panels: the exponentials follow by multiplication.
pub(super) fn integral(support: &Support, f: impl Fn(f64) -> f64, line: Line, out: &mut [Complex64]) -> (f64, bool) {
    out.fill(Complex64::ZERO);
    let fastest = line.step * (out.len().max(2) - 1) as f64;
    let longest = 6.0 / fastest.max(line.real);
    // Past this the damping exp(-40) leaves nothing; without damping the law's own end decides.
    let to = if line.real > 0.0 { support.to.min(support.from + 40.0 / line.real) } else { support.to };
    let growth = (0.5 * support.grain).clamp(0.02, 1.0);
    let mut from = support.from;
    let mut mass = 0.0;
    while from < to {
        let next = (from + longest.min(from * growth)).min(to);
        for (x, weight) in quadrature::panel(from, next) {
            let part = weight * f(x);
            mass += part;
            let mut term = Complex64::new(part * (-line.real * x).exp(), 0.0);
            let turn = Complex64::cis(-line.step * x);
            for value in out.iter_mut() {
                *value += term;
                term *= turn;
            }
        }
        from = next;
    }
    (mass, to == support.to)
}

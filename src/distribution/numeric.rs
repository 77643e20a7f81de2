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
///
/// Panels grow geometrically with time, so that a density over many decades is resolved, but never beyond the length
/// over which the fastest exponential of the line turns by about three radians. All points of the line share the
/// panels: the exponentials follow by multiplication.
pub(super) fn transform(support: Support, density: impl Fn(f64) -> f64, line: Line, out: &mut [Complex64]) {
    out.fill(Complex64::ZERO);
    let fastest = line.step * (out.len().max(2) - 1) as f64;
    let longest = 6.0 / fastest.max(line.real);
    // Past this the damping exp(-40) leaves nothing; without damping the law's own end decides.
    let to = if line.real > 0.0 { support.to.min(support.from + 40.0 / line.real) } else { support.to };
    let growth = (0.5 * support.grain).clamp(0.02, 1.0);
    let mut from = support.from;
    let mut captured = 0.0;
    while from < to {
        let next = (from + longest.min(from * growth)).min(to);
        for (x, weight) in quadrature::panel(from, next) {
            let mass = weight * density(x);
            captured += mass;
            let mut term = Complex64::new(mass * (-line.real * x).exp(), 0.0);
            let turn = Complex64::cis(-line.step * x);
            for value in out.iter_mut() {
                *value += term;
                term *= turn;
            }
        }
        from = next;
    }
    if to == support.to {
        // What quadrature and the cut of the tails left out lies where the exponential is as good as unchanged or
        // as good as zero; sharing it out keeps the transform at zero exactly one.
        out.iter_mut().for_each(|value| *value /= captured);
    }
}

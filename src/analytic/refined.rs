//! Percentiles with all the digits there are, from those that a ladder of times gives: where theory is exact, so that more digits mean
//! more, and where rungs say little.

use super::compose::Composed;
use super::tails::{Tail, mixed_exceeding};
use super::{Solution, TOLERANCES};
use crate::math::roots;
use crate::network::OperationId;
use crate::prediction::Times;
use crate::system::Metric;

/// Above this many operations the ladder's percentiles, right to 0.05%, are not refined any further.
pub(super) const REFINED: usize = 64;

/// Percentiles of a mix of operations asked by a class with all the digits there are, where the model is small enough, and these digits
/// are `wanted` or those of the ladder few.
pub(super) fn refined(
    solution: &Solution<'_>,
    composed: &Composed<'_>,
    (mix, class): (&[(OperationId, f64)], usize),
    parts: &[(f64, &Tail)],
    wanted: bool,
    times: &mut Times,
) {
    let curved = parts.iter().any(|(_, tail)| matches!(tail, Tail::Curve { .. }));
    if !curved || solution.network.operations.len() > REFINED {
        return;
    }
    let any = |is: &dyn Fn(OperationId) -> bool| mix.iter().any(|(operation, _)| is(*operation));
    let narrow = any(&|operation| composed.is_narrow(operation, class));
    // Between rungs a tail is smooth, but for what is given up or tried again after a while, and where densities jump.
    let stepped = solution.network.guards > 0 || any(&|operation| composed.jumps(operation, class));
    let tabulated = || any(&|operation| composed.is_tabulated(operation, class));
    if !narrow && (!wanted && !stepped || tabulated()) {
        return;
    }
    let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
    // The tail of the mix, and its slope on logarithms.
    let look = |t: f64| -> Option<(f64, f64)> {
        let (mut tail, mut density) = (0.0, Some(0.0));
        for ((operation, _), (weight, _)) in mix.iter().zip(parts) {
            let (own, slope) = composed.exceeding_precisely(*operation, class, t)?;
            tail += weight / total * own;
            density = density.zip(slope).map(|(sum, own)| sum + weight / total * own);
        }
        let coarse = || (mixed_exceeding(parts, t * 1.002) / mixed_exceeding(parts, t * 0.998)).ln() / 0.004;
        Some((tail, density.map_or_else(coarse, |density| -t * density / tail)))
    };
    for (slot, (_, level)) in times.percentiles.iter_mut().zip(Metric::PERCENTILES) {
        if let Some(start) = *slot {
            let found = if stepped { search(start, 1.0 - level, &look) } else { polish(start, 1.0 - level, &look) };
            *slot = Some(found.unwrap_or(start));
        }
    }
    for i in 1..times.percentiles.len() {
        times.percentiles[i] = match (times.percentiles[i], times.percentiles[i - 1]) {
            (Some(this), Some(before)) => Some(this.max(before)),
            (this, _) => this,
        };
    }
}

/// A percentile of a tail that may be flat for a while, from one that is right to some rungs.
fn search(start: f64, level: f64, look: &dyn Fn(f64) -> Option<(f64, f64)>) -> Option<f64> {
    let excess = |t: f64| look(t).map_or(f64::NAN, |(tail, _)| (tail.max(1e-12) / level).ln());
    let (mut low, mut high) = (start, start);
    let at_start = excess(start);
    for _ in 0..24 {
        let end = if at_start > 0.0 { &mut high } else { &mut low };
        *end *= if at_start > 0.0 { 1.15 } else { 1.0 / 1.15 };
        let here = excess(*end);
        if here.is_nan() {
            return None;
        }
        if (here > 0.0) != (at_start > 0.0) {
            return Some(roots::bracketed(low, high, TOLERANCES.percentiles, excess));
        }
        if at_start > 0.0 { low = high } else { high = low }
    }
    None
}

/// As many steps lead from anywhere near to a percentile.
const MOST_STEPS: usize = 12;

/// Newton steps from a percentile that is nearly right, on the logarithms of time and tail.
fn polish(start: f64, level: f64, look: &dyn Fn(f64) -> Option<(f64, f64)>) -> Option<f64> {
    let mut t = start;
    for _ in 0..MOST_STEPS {
        let (tail, slope) = look(t)?;
        let excess = (tail / level).ln();
        if !excess.is_finite() || slope >= -1e-6 || !slope.is_finite() {
            return None;
        }
        let step = (excess / -slope).clamp(-0.05, 0.05);
        t *= step.exp();
        // The error after a step is of the order of its square.
        if step.abs() < 1e-5 {
            break;
        }
    }
    t.is_finite().then_some(t)
}

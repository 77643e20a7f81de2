//! The tail of what was timed.

use super::super::tails::Tail;
use crate::math::curve::Curve;
use crate::unit::Seconds;

/// A tail is known where so many times or more exceed it; beyond, the last of them say how it falls.
const KNOWN: f64 = 10.0;

/// Points of a tail.
const POINTS: usize = 64;

/// What was learned of times that were drawn.
#[derive(Debug, Clone)]
pub(in crate::analytic) struct Timed {
    pub mean: Seconds,
    /// Standard error of the mean, over it.
    pub error: f64,
    pub tail: Tail,
}

/// Mean and tail of times; `None` of too few.
pub(super) fn timed(mut times: Vec<Seconds>) -> Option<Timed> {
    let count = times.len();
    if count < 4 * KNOWN as usize {
        return None;
    }
    times.sort_unstable_by(f64::total_cmp);
    let n = count as f64;
    let mean = times.iter().sum::<f64>() / n;
    let squares: f64 = times.iter().map(|time| (time - mean) * (time - mean)).sum();
    let error = if mean > 0.0 { squares.sqrt() / (n * mean) } else { 0.0 };
    let shift = times[0] * (1.0 - 1e-9);
    // As many points for each halving of what exceeds them.
    let ratio = (KNOWN / n).powf(1.0 / (POINTS - 1) as f64);
    let mut points: Vec<(f64, f64)> = Vec::with_capacity(POINTS + 1);
    for i in 1..POINTS {
        let level = ratio.powi(i as i32);
        let place = (1.0 - level) * n - 0.5;
        let (whole, part) = (place.max(0.0).floor(), place.max(0.0).fract());
        let at = |i: f64| times[(i as usize).min(count - 1)];
        let time = at(whole) + part * (at(whole + 1.0) - at(whole)) - shift;
        if time > points.last().map_or(0.0, |(before, _)| before * (1.0 + 1e-9)) {
            points.push((time, level));
        }
    }
    let (last, level) = *points.last()?;
    // Beyond, times exceed the last point by as much on average as those that do.
    let beyond: Vec<f64> = times.iter().map(|time| time - shift - last).filter(|over| *over > 0.0).collect();
    let excess = beyond.iter().sum::<f64>() / beyond.len().max(1) as f64;
    if excess > 0.0 {
        points.extend((1..=6).map(|i| (last + f64::from(i) * excess, level * (-f64::from(i)).exp())));
    }
    Some(Timed { mean, error, tail: Tail::Curve { shift, curve: Curve::new(points) } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_law_have_its_tail() {
        let n = 20_000;
        // Quantiles of an exponential, evenly.
        let times = (0..n).map(|i| -(1.0 - (f64::from(i) + 0.5) / f64::from(n)).ln() + 2.0).collect();
        let Timed { mean, error, tail } = timed(times).unwrap();
        assert!((mean - 3.0).abs() < 1e-3);
        assert!((error * 3.0 * f64::from(n).sqrt() - 1.0).abs() < 1e-2);
        for level in [0.5f64, 0.05, 0.01, 0.001, 0.0005] {
            let t = 2.0 - level.ln();
            assert!((tail.exceeding(t) / level - 1.0).abs() < 0.02, "{level} {}", tail.exceeding(t));
        }
        assert!(timed(vec![1.0; 8]).is_none());
    }
}

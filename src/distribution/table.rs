//! A distribution function on knots: any law, or a computed one, with a fast transform.

use super::Distribution;
use crate::math::{inversion::Line, special};
use crate::unit::Seconds;
use num_complex::Complex64;
use std::sync::{Arc, LazyLock};

/// Knots of a tabulated law: 96 keep its distribution function to about 1e-4.
const KNOTS: usize = 96;

/// Normal scores of the knots, and the probability to exceed each.
static SCORES: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| {
    (0..KNOTS)
        .map(|i| {
            let score = -4.0 + 9.0 * i as f64 / (KNOTS - 1) as f64;
            (score, special::normal_upper(score))
        })
        .collect()
});

/// Mass spread evenly between neighbouring knots, and possibly an atom at the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Times in seconds and the probability to exceed each: rising, and falling to zero.
    knots: Arc<[(Seconds, f64)]>,
    scale: f64,
    /// First three moments before scaling: asked for again and again.
    moments: [f64; 3],
}

impl Table {
    /// The law with these knots, `(seconds, probability to exceed)`: times rising, probabilities falling to zero at the
    /// last. What is missing to one at the first knot is an atom there.
    pub fn new(knots: Vec<(Seconds, f64)>) -> Self {
        let mut table = Table { knots: knots.into(), scale: 1.0, moments: [0.0; 3] };
        table.moments = [1, 2, 3].map(|k| table.integrate(k));
        table
    }

    fn integrate(&self, k: i32) -> f64 {
        let power = k + 1;
        let pieces =
            self.pieces().map(|(a, b, mass)| mass * (b.powi(power) - a.powi(power)) / (f64::from(power) * (b - a)));
        pieces.sum::<f64>() + self.atom() * self.knots[0].0.powi(k)
    }

    /// A continuous law on knots at normal scores of its quantiles, with the same mean.
    pub fn of(law: &impl Distribution) -> Self {
        let mut knots: Vec<(Seconds, f64)> = Vec::with_capacity(KNOTS);
        for (score, tail) in SCORES.iter() {
            let t = law.at_score(*score, *tail);
            if knots.last().is_none_or(|(last, _)| t > *last) {
                knots.push((t, *tail));
            }
        }
        if let Some(first) = knots.first_mut() {
            first.1 = 1.0;
        }
        if let Some(last) = knots.last_mut() {
            last.1 = 0.0;
        }
        let plain = Table::new(knots);
        plain.scaled(law.moment(1) / plain.moment(1))
    }

    fn pieces(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        self.knots.windows(2).map(|w| (w[0].0 * self.scale, w[1].0 * self.scale, w[0].1 - w[1].1))
    }

    fn atom(&self) -> f64 {
        1.0 - self.knots[0].1
    }
}

impl Distribution for Table {
    fn moment(&self, k: u8) -> f64 {
        self.moments[usize::from(k.clamp(1, 3)) - 1] * self.scale.powi(i32::from(k))
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        let t = t / self.scale;
        let after = self.knots.partition_point(|(knot, _)| *knot <= t);
        if after == 0 {
            return 1.0;
        }
        if after == self.knots.len() {
            return 0.0;
        }
        let ((a, p), (b, q)) = (self.knots[after - 1], self.knots[after]);
        p + (q - p) * (t - a) / (b - a)
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        out.fill(Complex64::ZERO);
        // A step of the density at a knot contributes step × exp(-s knot) / s.
        let mut density = 0.0;
        let mut add = |t: f64, step: f64| {
            let mut term = Complex64::new(step * (-line.real * t).exp(), 0.0);
            let turn = Complex64::cis(-line.step * t);
            for value in out.iter_mut() {
                *value += term;
                term *= turn;
            }
        };
        let mut end = 0.0;
        for (a, b, mass) in self.pieces() {
            let next = mass / (b - a);
            add(a, next - density);
            (density, end) = (next, b);
        }
        add(end, -density);
        let (atom, first) = (self.atom(), self.knots[0].0 * self.scale);
        for (k, value) in out.iter_mut().enumerate() {
            let s = line.point(k);
            *value = *value / s + if atom == 0.0 { Complex64::ZERO } else { atom * (-s * first).exp() };
        }
    }

    fn decay_rate(&self) -> f64 {
        // Bounded, but its far end stands for a tail that may be heavy: no tilt is safe.
        0.0
    }

    fn scaled(&self, factor: f64) -> Self {
        Table { knots: self.knots.clone(), scale: self.scale * factor, moments: self.moments }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Lognormal;
    use crate::math::inversion::PRECISE;

    #[test]
    fn a_tabulated_law_keeps_mean_variance_and_tail() {
        for cv in [0.3, 1.0, 2.0] {
            let law = Lognormal::new(0.01, cv);
            let table = Table::of(&law);
            assert!((table.moment(1) / law.moment(1) - 1.0).abs() < 1e-9);
            assert!((table.moment(2) / law.moment(2) - 1.0).abs() < 0.01, "{cv} {}", table.moment(2) / law.moment(2));
            for p in [0.5, 0.95, 0.999] {
                assert!((table.quantile(p) / law.quantile(p) - 1.0).abs() < 0.005, "{cv} {p}");
            }
            let t = law.quantile(0.9);
            let back = PRECISE.exceeding(t, 0.0, 1.0, |line, out| table.transform(line, out));
            assert!((back - 0.1).abs() < 1e-3, "{cv} {back}");
        }
    }
}

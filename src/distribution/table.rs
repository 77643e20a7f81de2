//! A distribution function on knots: any law, or a computed one, with a fast transform.

use super::Distribution;
use super::columns::POINTS;
use crate::math::inversion::Line;
use crate::math::ladder::{Stretch, lattice_point};
use crate::math::special;
use crate::unit::Seconds;
use num_complex::Complex64;
use std::sync::{Arc, LazyLock};

/// Knots of a tabulated law: 96 keep its distribution function to about 1e-4.
const KNOTS: usize = 96;

/// Tails stay falling where they are bent by less than this; and a mean that is as close is right.
const MOST_BENT: f64 = 0.5;
const CLOSE: f64 = 1e-9;

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
    /// Where all knots lie on a lattice but for the first, which is at zero, and what may come behind the last of its points.
    stretch: Option<Stretch>,
}

impl Table {
    /// The law with these knots, `(seconds, probability to exceed)`: times rising, probabilities falling to zero at the
    /// last. What is missing to one at the first knot is an atom there.
    pub fn new(knots: Vec<(Seconds, f64)>) -> Self {
        let mut table = Table { knots: knots.into(), scale: 1.0, moments: [0.0; 3], stretch: None };
        table.moments = [1, 2, 3].map(|k| table.integrate(k));
        table
    }

    /// The law with this mean, and about these probabilities to exceed the points of a lattice, falling; none exceeds the last, nor `end`.
    pub fn on_lattice(stretch: Stretch, tails: impl IntoIterator<Item = f64>, end: Seconds, mean: Seconds) -> Self {
        let points = tails.into_iter().take(stretch.count).enumerate().map(|(i, tail)| (stretch.time(i), tail));
        let mut knots = vec![(0.0, 1.0)];
        knots.extend(points.take_while(|(t, _)| *t < end * (1.0 - CLOSE)));
        let before_end = knots.len() - 1;
        if before_end < stretch.count {
            knots.push((end, 0.0));
        } else {
            knots[before_end].1 = 0.0;
        }
        let stretch = Stretch { count: before_end, ..stretch };
        // Between knots mass lies evenly, which moves the mean a little: tails are bent back, most where they are neither high nor low.
        let area = |value: &dyn Fn(f64) -> f64| {
            knots
                .windows(2)
                .map(|pair| 0.5 * (pair[1].0 - pair[0].0) * (value(pair[0].1) + value(pair[1].1)))
                .sum::<f64>()
        };
        let (own, bend) = (area(&|tail| tail), area(&|tail| tail * (1.0 - tail)));
        let by = if bend > 0.0 { ((mean - own) / bend).clamp(-MOST_BENT, MOST_BENT) } else { 0.0 };
        knots.iter_mut().for_each(|(_, tail)| *tail += by * *tail * (1.0 - *tail));
        let table = Table { stretch: Some(stretch), ..Table::new(knots) };
        // As a rule exactly as it is.
        let factor = mean / table.moment(1);
        if (factor - 1.0).abs() < CLOSE { table } else { table.scaled(factor) }
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

    /// The same for tables that are clones of each other, while they live, and by what such a table is scaled.
    pub fn identity(&self) -> (usize, f64) {
        (self.knots.as_ptr().addr(), self.scale)
    }

    /// Whether there are others.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.knots) > 1
    }

    fn pieces(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        self.knots.windows(2).map(|w| (w[0].0 * self.scale, w[1].0 * self.scale, w[0].1 - w[1].1))
    }

    fn atom(&self) -> f64 {
        1.0 - self.knots[0].1
    }

    /// The transform on a rung of the ladder on whose lattice the knots lie.
    fn on_rung(&self, stretch: &Stretch, point: i32, line: Line, out: &mut [Complex64]) {
        // Steps of the density at zero, at the points of the lattice, and behind.
        let densities = || self.pieces().map(|(a, b, mass)| mass / (b - a));
        let steps: Vec<f64> =
            [0.0].into_iter().chain(densities()).zip(densities().chain([0.0])).map(|(a, b)| b - a).collect();
        let (on_lattice, behind) = steps[1..].split_at(stretch.count);
        POINTS[stretch.fineness].sum(stretch.first - point * (1i32 << stretch.fineness), on_lattice, out);
        for ((end, _), step) in self.knots[1 + stretch.count..].iter().zip(behind) {
            add_exponentials(*end, *step, line, out);
        }
        out.iter_mut().enumerate().for_each(|(k, value)| *value = (*value + steps[0]) / line.point(k));
    }
}

/// Adds `amount × exp(-s t)` at each point of a line.
fn add_exponentials(t: Seconds, amount: f64, line: Line, out: &mut [Complex64]) {
    let mut term = Complex64::new(amount * (-line.real * t).exp(), 0.0);
    let turn = Complex64::cis(-line.step * t);
    for value in out.iter_mut() {
        *value += term;
        term *= turn;
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
        let stretch = self.stretch.as_ref().filter(|_| self.scale == 1.0);
        let rung = stretch.and_then(|stretch| Some((stretch, lattice_point(stretch.unit, line, out.len())?)));
        if let Some((stretch, point)) = rung {
            return self.on_rung(stretch, point, line, out);
        }
        out.fill(Complex64::ZERO);
        // A step of the density at a knot contributes step × exp(-s knot) / s.
        let (mut density, mut end) = (0.0, 0.0);
        for (a, b, mass) in self.pieces() {
            let next = mass / (b - a);
            add_exponentials(a, next - density, line, out);
            (density, end) = (next, b);
        }
        add_exponentials(end, -density, line, out);
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
        Table { knots: self.knots.clone(), scale: self.scale * factor, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Lognormal;
    use crate::math::inversion::PRECISE;
    use crate::math::ladder::{Ladder, NODES};

    #[test]
    fn on_the_rungs_a_table_has_the_transform_that_it_has_elsewhere() {
        let ladder = Ladder { unit: 0.07 };
        for most in [30, 60, 120] {
            let stretch = Stretch::between(&ladder, 0.01, 4.0, most);
            let tails = (0..stretch.count).map(|i| (-stretch.time(i) / 0.3).exp());
            let end = if most == 60 { 3.0 } else { f64::INFINITY };
            let table = Table::on_lattice(stretch, tails, end, 0.3);
            assert!((table.moment(1) / 0.3 - 1.0).abs() < 1e-9);
            assert!((table.exceeding(0.6) / (-2f64).exp() - 1.0).abs() < 0.01);
            assert_eq!(table.exceeding(end.min(5.0)), 0.0);
            let plain = Table { stretch: None, ..table.clone() };
            for rung in [-6, -1, 0, 3, 8] {
                let (mut fast, mut slow) = ([Complex64::ZERO; NODES], [Complex64::ZERO; NODES]);
                table.transform(ladder.line(rung), &mut fast);
                plain.transform(ladder.line(rung), &mut slow);
                let off = fast.iter().zip(&slow).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
                assert!(off < 1e-8, "{most} {rung}: {off}");
            }
        }
    }

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

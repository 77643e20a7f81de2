//! The tail of a distribution known at some times, and what lies between.

/// Points of a falling tail: `(time, probability to exceed)`, read between them by a monotone cubic on logarithms.
///
/// Tails that fall exponentially or like a power are smooth there: a point every 30% of time gives percentiles to about
/// 0.1%; with known slopes a point every 70% gives them to 0.05%. Source of the cubic: Fritsch and Carlson (1980),
/// Fritsch and Butland (1984).
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Probability to exceed zero.
    start: f64,
    /// Logarithms of times, rising.
    x: Vec<f64>,
    /// Logarithms of the tail, falling.
    y: Vec<f64>,
    slope: Vec<f64>,
}

/// Inverted tails are right to about this.
const NOISE: f64 = 1e-6;

/// Below this the tail is rounding.
const FLOOR: f64 = 1e-13;

impl Curve {
    /// A curve through points with rising positive times. Points that would rise are lowered to their predecessor.
    pub fn new(points: impl IntoIterator<Item = (f64, f64)>) -> Curve {
        let points = points.into_iter();
        let mut curve = Curve::empty(1.0, points.size_hint().0);
        for (t, tail) in points {
            if !curve.push(t, tail) {
                break;
            }
        }
        curve.slope = slopes(&curve.x, &curve.y);
        curve
    }

    fn empty(start: f64, points: usize) -> Curve {
        let list = || Vec::with_capacity(points);
        Curve { start, x: list(), y: list(), slope: list() }
    }

    /// A curve through points `(time, tail, density)` whose slopes are known, of a time that exceeds zero with
    /// probability `start`.
    pub fn with_density(start: f64, points: &[(f64, f64, f64)]) -> Curve {
        if start <= NOISE {
            // Less than the points are right to.
            return Curve::empty(start, 0);
        }
        let mut curve = Curve::empty(start, points.len());
        for &(t, tail, density) in points {
            curve.slope.push(if tail > FLOOR { -t * density / tail } else { 0.0 });
            if !curve.push(t, tail) {
                break;
            }
        }
        curve.tame();
        curve
    }

    /// Adds a point; whether others may follow.
    fn push(&mut self, t: f64, tail: f64) -> bool {
        self.x.push(t.ln());
        let before = self.y.last().copied().unwrap_or(self.start.ln());
        self.y.push(tail.clamp(FLOOR, 1.0).ln().min(before));
        tail > FLOOR
    }

    /// Limits slopes to what keeps the cubic monotone: three times the flatter neighbouring chord.
    fn tame(&mut self) {
        let n = self.x.len();
        for i in 0..n {
            let chord = |i: usize| (self.y[i + 1] - self.y[i]) / (self.x[i + 1] - self.x[i]);
            let steepest = match (i > 0, i + 1 < n) {
                (true, true) => 3.0 * chord(i - 1).max(chord(i)),
                (true, false) => 3.0 * chord(i - 1),
                (false, true) => 3.0 * chord(i),
                (false, false) => 0.0,
            };
            self.slope[i] = if self.slope[i].is_finite() { self.slope[i].clamp(steepest, 0.0) } else { steepest / 3.0 };
        }
    }

    /// Whether there is anything to read.
    pub fn is_empty(&self) -> bool {
        self.x.len() < 2
    }

    /// The points, as (time, tail).
    pub fn points(&self) -> Vec<(f64, f64)> {
        self.x.iter().zip(&self.y).map(|(x, y)| (x.exp(), y.exp())).collect()
    }

    /// The probability to exceed `t`. Before the first point it is drawn straight to what exceeds zero; after the last
    /// the tail goes on as it fell.
    pub fn exceeding(&self, t: f64) -> f64 {
        if t < 0.0 {
            return 1.0;
        }
        if t == 0.0 {
            return self.start;
        }
        if self.is_empty() {
            return 0.0;
        }
        let x = t.ln();
        let last = self.x.len() - 1;
        if x <= self.x[0] {
            return self.start - (self.start - self.y[0].exp()) * t / self.x[0].exp();
        }
        if x >= self.x[last] {
            return self.beyond(t);
        }
        let i = self.x.partition_point(|v| *v <= x) - 1;
        self.between(i, x).exp()
    }

    /// The time that is exceeded with probability `tail`.
    pub fn quantile(&self, tail: f64) -> f64 {
        if self.is_empty() || tail >= self.start {
            return 0.0;
        }
        let target = tail.ln();
        if target >= self.y[0] {
            // Less than the start, so that there is a slope.
            return self.x[0].exp() * (self.start - tail) / (self.start - self.y[0].exp());
        }
        let last = self.x.len() - 1;
        if target < self.y[last] {
            let rate = self.last_rate();
            // Where it does not fall at the end, the end is all that is known.
            return self.x[last].exp() + if rate > 0.0 { (self.y[last] - target) / rate } else { 0.0 };
        }
        let i = (self.y.partition_point(|v| *v >= target) - 1).min(last - 1);
        (self.x[i] + (self.x[i + 1] - self.x[i]) * root(self.cubic(i), target)).exp()
    }

    fn between(&self, i: usize, x: f64) -> f64 {
        let u = (x - self.x[i]) / (self.x[i + 1] - self.x[i]);
        let [a, b, c, d] = self.cubic(i);
        a + u * (b + u * (c + u * d))
    }

    /// The cubic after point `i`, by powers of the way to the next point, from 0 to 1.
    fn cubic(&self, i: usize) -> [f64; 4] {
        let h = self.x[i + 1] - self.x[i];
        let (a, b) = (self.y[i], self.y[i + 1]);
        let (da, db) = (self.slope[i] * h, self.slope[i + 1] * h);
        [a, da, 3.0 * (b - a) - 2.0 * da - db, 2.0 * (a - b) + da + db]
    }

    fn last_rate(&self) -> f64 {
        let last = self.x.len() - 1;
        (self.y[last - 1] - self.y[last]) / (self.x[last].exp() - self.x[last - 1].exp())
    }

    fn beyond(&self, t: f64) -> f64 {
        let last = self.x.len() - 1;
        (self.y[last] - self.last_rate() * (t - self.x[last].exp())).exp()
    }
}

/// Where a cubic that falls from 0 to 1 reaches `target`: Newton's steps, halving where one leaves the bracket.
fn root([a, b, c, d]: [f64; 4], target: f64) -> f64 {
    let fall = b + c + d;
    let (mut low, mut high) = (0.0, 1.0);
    let mut u = if fall < 0.0 { ((target - a) / fall).clamp(0.0, 1.0) } else { 0.5 };
    for _ in 0..60 {
        let excess = a + u * (b + u * (c + u * d)) - target;
        if excess > 0.0 {
            low = u;
        } else {
            high = u;
        }
        let next = u - excess / (b + u * (2.0 * c + 3.0 * d * u));
        let next = if next >= low && next <= high { next } else { 0.5 * (low + high) };
        let step = (next - u).abs();
        u = next;
        if step < 1e-12 {
            break;
        }
    }
    u
}

/// Slopes that keep the cubic monotone: harmonic means of the neighbouring chords, weighted by their lengths.
fn slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    if n < 2 {
        return vec![0.0; n];
    }
    let chord = |i: usize| (y[i + 1] - y[i]) / (x[i + 1] - x[i]);
    (0..n)
        .map(|i| {
            if i == 0 {
                chord(0)
            } else if i == n - 1 {
                chord(n - 2)
            } else {
                let (a, b) = (chord(i - 1), chord(i));
                if a * b <= 0.0 {
                    return 0.0;
                }
                let (h, k) = (x[i] - x[i - 1], x[i + 1] - x[i]);
                let (v, w) = (2.0 * k + h, k + 2.0 * h);
                (v + w) / (v / a + w / b)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_an_exponential_are_right_to_a_thousandth() {
        let curve = Curve::new((0..24).map(|i| 0.05 * 1.3f64.powi(i)).map(|t| (t, (-t).exp())));
        for tail in [0.5, 0.25, 0.05, 0.01, 0.001] {
            assert!((curve.quantile(tail) / -f64::ln(tail) - 1.0).abs() < 1e-3, "{tail}");
            assert!((curve.exceeding(-f64::ln(tail)) / tail - 1.0).abs() < 5e-3);
        }
    }

    #[test]
    fn known_slopes_do_with_fewer_points() {
        let point = |t: f64| (t, (-t).exp(), (-t).exp());
        let points: Vec<_> = (0..9).map(|i| point(0.15 * 1.68f64.powi(i))).collect();
        let curve = Curve::with_density(1.0, &points);
        for tail in [0.5, 0.25, 0.05, 0.01, 0.001] {
            let off = curve.quantile(tail) / -f64::ln(tail) - 1.0;
            assert!(off.abs() < 3e-4, "{tail} {off}");
        }
    }

    #[test]
    fn noise_never_makes_the_tail_rise() {
        let curve = Curve::new([(1.0, 0.5), (2.0, 0.5000001), (3.0, 0.1), (4.0, -1e-12)]);
        assert!(curve.exceeding(1.5) >= curve.exceeding(2.5));
        assert!(curve.exceeding(100.0) >= 0.0);
    }
}

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
    knots: Vec<Knot>,
}

/// A point on logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Knot {
    /// Logarithm of the time.
    x: f64,
    /// Logarithm of the tail there.
    y: f64,
    slope: f64,
}

/// Inverted tails are right to about this.
const NOISE: f64 = 1e-6;

/// After the last point a tail falls by at least so many times its part as the time grows.
const LEAST_FALL: f64 = 1.5;

/// Below this the tail is rounding.
const FLOOR: f64 = 1e-13;

impl Curve {
    /// A curve through points with rising positive times. Points that would rise are lowered to their predecessor.
    pub fn new(points: impl IntoIterator<Item = (f64, f64)>) -> Curve {
        let points = points.into_iter();
        let mut curve = Curve::empty(1.0, points.size_hint().0);
        for (t, tail) in points {
            if !curve.push(t, tail, 0.0) {
                break;
            }
        }
        curve.slope();
        curve
    }

    fn empty(start: f64, points: usize) -> Curve {
        Curve { start, knots: Vec::with_capacity(points) }
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
            if !curve.push(t, tail, if tail > FLOOR { -t * density / tail } else { 0.0 }) {
                break;
            }
        }
        curve.tame();
        curve
    }

    /// Adds a point; whether others may follow.
    fn push(&mut self, t: f64, tail: f64, slope: f64) -> bool {
        let before = self.knots.last().map_or_else(|| self.start.ln(), |knot| knot.y);
        self.knots.push(Knot { x: t.ln(), y: tail.clamp(FLOOR, 1.0).ln().min(before), slope });
        tail > FLOOR
    }

    /// The slope of the straight line from point `i` to the next.
    fn chord(&self, i: usize) -> f64 {
        let (from, to) = (self.knots[i], self.knots[i + 1]);
        (to.y - from.y) / (to.x - from.x)
    }

    /// Limits slopes to what keeps the cubic monotone: three times the flatter neighbouring chord.
    fn tame(&mut self) {
        let n = self.knots.len();
        for i in 0..n {
            let steepest = match (i > 0, i + 1 < n) {
                (true, true) => 3.0 * self.chord(i - 1).max(self.chord(i)),
                (true, false) => 3.0 * self.chord(i - 1),
                (false, true) => 3.0 * self.chord(i),
                (false, false) => 0.0,
            };
            let slope = &mut self.knots[i].slope;
            *slope = if slope.is_finite() { slope.clamp(steepest, 0.0) } else { steepest / 3.0 };
        }
    }

    /// Slopes that keep the cubic monotone: harmonic means of the neighbouring chords, weighted by their lengths.
    fn slope(&mut self) {
        let n = self.knots.len();
        for i in (0..n).filter(|_| n > 1) {
            self.knots[i].slope = match i {
                0 => self.chord(0),
                i if i == n - 1 => self.chord(n - 2),
                i => {
                    let (a, b) = (self.chord(i - 1), self.chord(i));
                    let length = |i: usize| self.knots[i + 1].x - self.knots[i].x;
                    let (h, k) = (length(i - 1), length(i));
                    let (v, w) = (2.0 * k + h, k + 2.0 * h);
                    if a * b <= 0.0 { 0.0 } else { (v + w) / (v / a + w / b) }
                }
            };
        }
    }

    /// Whether there is anything to read.
    pub fn is_empty(&self) -> bool {
        self.knots.len() < 2
    }

    /// The points, as (time, tail).
    pub fn points(&self) -> Vec<(f64, f64)> {
        self.knots.iter().map(|knot| (knot.x.exp(), knot.y.exp())).collect()
    }

    /// The probability to exceed `t`. Before the first point it is drawn straight to what exceeds zero; after the last
    /// the tail goes on as it fell.
    pub fn exceeding(&self, t: f64) -> f64 {
        if t < 0.0 {
            return 1.0;
        }
        if !t.is_finite() {
            return 0.0;
        }
        if t == 0.0 {
            return self.start;
        }
        if self.is_empty() {
            return 0.0;
        }
        let x = t.ln();
        let (first, last) = (self.knots[0], self.knots[self.knots.len() - 1]);
        if x <= first.x {
            return self.start - (self.start - first.y.exp()) * t / first.x.exp();
        }
        if x >= last.x {
            return (last.y - self.last_rate() * (t - last.x.exp())).exp();
        }
        let i = self.knots.partition_point(|knot| knot.x <= x) - 1;
        let u = (x - self.knots[i].x) / (self.knots[i + 1].x - self.knots[i].x);
        let [a, b, c, d] = self.cubic(i);
        (a + u * (b + u * (c + u * d))).exp()
    }

    /// The time that is exceeded with probability `tail`.
    pub fn quantile(&self, tail: f64) -> f64 {
        if self.is_empty() || tail >= self.start {
            return 0.0;
        }
        let target = tail.ln();
        let (first, last) = (self.knots[0], self.knots[self.knots.len() - 1]);
        if target >= first.y {
            // Less than the start, so that there is a slope.
            return first.x.exp() * (self.start - tail) / (self.start - first.y.exp());
        }
        if target < last.y {
            let rate = self.last_rate();
            return last.x.exp() + if rate > 0.0 { (last.y - target) / rate } else { 0.0 };
        }
        let i = (self.knots.partition_point(|knot| knot.y >= target) - 1).min(self.knots.len() - 2);
        (self.knots[i].x + (self.knots[i + 1].x - self.knots[i].x) * root(self.cubic(i), target)).exp()
    }

    /// The cubic after point `i`, by powers of the way to the next point, from 0 to 1.
    fn cubic(&self, i: usize) -> [f64; 4] {
        let (from, to) = (self.knots[i], self.knots[i + 1]);
        let (h, rise) = (to.x - from.x, to.y - from.y);
        let (da, db) = (from.slope * h, to.slope * h);
        [from.y, da, 3.0 * rise - 2.0 * da - db, da + db - 2.0 * rise]
    }

    /// How fast the tail falls between the last two points, per unit of time; at least as fast as it takes for a mean
    /// to exist: a tail is flat for a while where nothing ends.
    fn last_rate(&self) -> f64 {
        let [.., before, last] = self.knots.as_slice() else { return 0.0 };
        let end = last.x.exp();
        ((before.y - last.y) / (end - before.x.exp())).max(LEAST_FALL / end)
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

//! The Universal Scalability Law: throughput against concurrency.
//!
//! | symbol | meaning                                       | unit       |
//! |--------|-----------------------------------------------|------------|
//! | `γ`    | throughput of one                             | per second |
//! | `α`    | contention                                    | 1          |
//! | `β`    | cost of coherence                             | 1          |
//!
//! ```text
//! X(N) = γ N / (1 + α (N - 1) + β N (N - 1))
//! ```
//!
//! Source: Gunther, Guerrilla Capacity Planning (2007).

/// The three coefficients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// Throughput of one.
    pub gamma: f64,
    /// Contention.
    pub alpha: f64,
    /// Cost of coherence.
    pub beta: f64,
}

/// Steps of the fit; each halves the damping or raises it, and a few dozen suffice.
const MOST_STEPS: usize = 2000;

impl Usl {
    /// Throughput at a concurrency.
    pub fn throughput(&self, n: f64) -> f64 {
        self.gamma * n / (1.0 + self.alpha * (n - 1.0) + self.beta * n * (n - 1.0))
    }

    /// Concurrency at which throughput peaks; `None` when it never falls.
    pub fn peak(&self) -> Option<f64> {
        (self.beta > 0.0 && self.alpha < 1.0).then(|| ((1.0 - self.alpha) / self.beta).sqrt())
    }

    /// Sum of squared differences to measured points.
    pub fn squared_error(&self, points: &[(f64, f64)]) -> f64 {
        points.iter().map(|(n, x)| (self.throughput(*n) - x).powi(2)).sum()
    }

    /// Least squares on throughput with no coefficient below zero, through `(concurrency, throughput)` points.
    /// `None` for fewer than three points or without positive ones.
    ///
    /// Given `α` and `β` the best `γ` is a quotient; the other two are found by Levenberg and Marquardt's method,
    /// held at zero where it would leave the legal range, from several starts.
    pub fn fit(points: &[(f64, f64)]) -> Option<Usl> {
        if points.len() < 3 || points.iter().any(|(n, x)| !(*n > 0.0 && *x > 0.0)) {
            return None;
        }
        let starts = [(0.01, 0.0001), (0.1, 0.0), (0.0, 0.001), (0.5, 0.01), (0.0, 0.0)];
        starts
            .into_iter()
            .map(|(alpha, beta)| refine(points, alpha, beta))
            .min_by(|a, b| a.squared_error(points).total_cmp(&b.squared_error(points)))
    }
}

fn with_best_gamma(points: &[(f64, f64)], alpha: f64, beta: f64) -> Usl {
    let shape = Usl { gamma: 1.0, alpha, beta };
    let (mut top, mut bottom) = (0.0, 0.0);
    for (n, x) in points {
        let f = shape.throughput(*n);
        top += f * x;
        bottom += f * f;
    }
    Usl { gamma: top / bottom, ..shape }
}

fn refine(points: &[(f64, f64)], alpha: f64, beta: f64) -> Usl {
    let mut best = with_best_gamma(points, alpha, beta);
    let mut error = best.squared_error(points);
    let mut damping = 1e-3;
    for _ in 0..MOST_STEPS {
        // Gradient and curvature of the residuals in α and β, γ following.
        let (ha, hb) = ((best.alpha * 1e-6).max(1e-9), (best.beta * 1e-6).max(1e-12));
        let up_a = with_best_gamma(points, best.alpha + ha, best.beta);
        let up_b = with_best_gamma(points, best.alpha, best.beta + hb);
        let (mut aa, mut ab, mut bb, mut ga, mut gb) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (n, x) in points {
            let f = best.throughput(*n);
            let (da, db) = ((up_a.throughput(*n) - f) / ha, (up_b.throughput(*n) - f) / hb);
            aa += da * da;
            ab += da * db;
            bb += db * db;
            ga += da * (x - f);
            gb += db * (x - f);
        }
        // A coefficient held at zero and pulled below it does not move.
        let (free_a, free_b) = (best.alpha > 0.0 || ga > 0.0, best.beta > 0.0 || gb > 0.0);
        let (daa, dbb) = (aa * (1.0 + damping), bb * (1.0 + damping));
        let (sa, sb) = match (free_a, free_b) {
            (true, true) => {
                let determinant = daa * dbb - ab * ab;
                ((ga * dbb - gb * ab) / determinant, (gb * daa - ga * ab) / determinant)
            }
            (true, false) => (ga / daa, 0.0),
            (false, true) => (0.0, gb / dbb),
            (false, false) => return best,
        };
        let next = with_best_gamma(points, (best.alpha + sa).max(0.0), (best.beta + sb).max(0.0));
        let next_error = next.squared_error(points);
        if next_error.is_finite() && next_error <= error {
            let settled = (next.alpha - best.alpha).abs() <= 1e-12 * best.alpha.max(1e-9)
                && (next.beta - best.beta).abs() <= 1e-12 * best.beta.max(1e-12);
            (best, error) = (next, next_error);
            damping = (damping * 0.3).max(1e-12);
            if settled {
                break;
            }
        } else {
            damping *= 4.0;
            if damping > 1e12 {
                break;
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_points_give_back_their_coefficients() {
        let truth = Usl { gamma: 120.0, alpha: 0.03, beta: 0.0004 };
        let points: Vec<(f64, f64)> = [1.0, 4.0, 8.0, 16.0, 32.0, 64.0].map(|n| (n, truth.throughput(n))).to_vec();
        let got = Usl::fit(&points).unwrap();
        assert!((got.alpha / truth.alpha - 1.0).abs() < 1e-5 && (got.beta / truth.beta - 1.0).abs() < 1e-5, "{got:?}");
        assert!((got.peak().unwrap() - 49.24).abs() < 0.01);
    }
}

//! Several shared servers, exponential work: a Markov chain of how many others are there.
//!
//! | symbol   | meaning                                                             | unit       |
//! |----------|---------------------------------------------------------------------|------------|
//! | `n`      | other requests present                                              | 1          |
//! | `r_n`    | `min(1, m / (n + 1))`, the share of a server each has               | 1          |
//! | `π_n`    | chance that an arrival finds `n`                                    | 1          |
//!
//! ```text
//! (s + λ + r_n (n μ + ν)) v_n = λ v_{n+1} + r_n n μ v_{n-1} + r_n ν,   V(s) = Σ π_n v_n
//! ```
//!
//! for a request with work of rate `ν` among others of rate `μ`: exact for exponential work.

use crate::distribution::Transformed;
use crate::math::inversion::Line;
use crate::unit::{PerSecond, Seconds};
use num_complex::Complex64;
use std::ops::{Add, Div, Mul, Sub};

/// The chain is cut where as many are found with a chance below this.
const NEGLIGIBLE: f64 = 1e-13;

/// Never more states than this: utilizations up to 0.9999 are seen to their end.
const MOST_STATES: usize = 600_000;

/// Requests at several shared servers.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    arrival_rate: PerSecond,
    rate: PerSecond,
    servers: f64,
    /// `π_n`.
    found: Vec<f64>,
}

impl Chain {
    /// A stable station with this arrival rate and mean work.
    pub fn new(arrival_rate: PerSecond, mean_work: Seconds, servers: u32) -> Chain {
        let m = f64::from(servers);
        let load = arrival_rate * mean_work;
        let mut found = vec![1.0];
        let mut largest = 1.0f64;
        for n in 1..MOST_STATES {
            let next = found[n - 1] * load / m.min(n as f64);
            found.push(next);
            largest = largest.max(next);
            if n as f64 > m && next < NEGLIGIBLE * largest * (1.0 - load / m) {
                break;
            }
            if next > 1e200 {
                // Scaled, so that many servers do not overflow.
                found.iter_mut().for_each(|p| *p *= 1e-200);
                largest *= 1e-200;
            }
        }
        let total: f64 = found.iter().sum();
        found.iter_mut().for_each(|p| *p /= total);
        Chain { arrival_rate, rate: 1.0 / mean_work, servers: m, found }
    }

    fn share(&self, n: usize) -> f64 {
        (self.servers / (n as f64 + 1.0)).min(1.0)
    }

    /// How much longer than alone a request takes among `n` others.
    pub fn slowness(&self, n: usize) -> f64 {
        1.0 / self.share(n)
    }

    /// Chances to find each number of others.
    pub fn found(&self) -> &[f64] {
        &self.found
    }

    /// `Σ π_n v_n` for the chain's equations with these terms on the diagonal and on the right, by elimination. `down` is
    /// the rate to one fewer.
    fn solve<T>(&self, size_rate: f64, s: T, right: impl Fn(usize) -> T) -> Vec<T>
    where
        T: Copy + From<f64> + Add<Output = T> + Sub<Output = T> + Mul<Output = T> + Div<Output = T>,
    {
        let last = self.found.len() - 1;
        let (mut above, mut value) = (Vec::with_capacity(last + 1), Vec::with_capacity(last + 1));
        for n in 0..=last {
            let share = self.share(n);
            let down = share * n as f64 * self.rate;
            // At the last state nobody more is let in.
            let up = if n < last { self.arrival_rate } else { 0.0 };
            let mut diagonal = s + T::from(up + down + share * size_rate);
            let mut side = right(n);
            if n > 0 {
                diagonal = diagonal - T::from(down) * above[n - 1];
                side = side + T::from(down) * value[n - 1];
            }
            let scale = T::from(1.0) / diagonal;
            above.push(T::from(up) * scale);
            value.push(side * scale);
        }
        for n in (0..last).rev() {
            value[n] = value[n] + above[n] * value[n + 1];
        }
        value
    }

    /// First two moments of the response time of a request with work of this rate.
    fn moments(&self, size_rate: f64) -> (f64, f64) {
        let first = self.solve(size_rate, 0.0, |_| 1.0);
        let second = self.solve(size_rate, 0.0, |n| 2.0 * first[n]);
        let mean = |of: &[f64]| self.found.iter().zip(of).map(|(p, value)| p * value).sum();
        (mean(&first), mean(&second))
    }

    /// The integral over all lags of the covariance of the slowness, in work done by the request looked at.
    pub fn correlation(&self, mean_slowness: f64) -> f64 {
        // In work done, all rates are those of time, by the slowness; the potential of the excess is what is asked. It is
        // found by summation, because flows between neighbouring states balance.
        let mut sum = 0.0;
        let mut integral = 0.0;
        for n in 0..self.found.len() - 1 {
            sum += self.found[n] * (self.slowness(n) - mean_slowness);
            let flow = self.found[n] * self.arrival_rate * self.slowness(n);
            if flow > 0.0 {
                integral += sum * sum / flow;
            }
        }
        integral
    }
}

/// The response time of requests whose work is exponential, or one of several exponentials.
#[derive(Debug, Clone)]
pub(super) struct Several {
    chain: Chain,
    /// Probability and rate of each.
    size: Vec<(f64, PerSecond)>,
    moments: (f64, f64),
}

impl Several {
    pub fn new(chain: Chain, size: Vec<(f64, PerSecond)>) -> Several {
        let each = size.iter().map(|(p, rate)| (p, chain.moments(*rate)));
        let moments = each.fold((0.0, 0.0), |sum, (p, (first, second))| (sum.0 + p * first, sum.1 + p * second));
        Several { chain, size, moments }
    }
}

impl Transformed for Several {
    fn mean(&self) -> Seconds {
        self.moments.0
    }

    fn second_moment(&self) -> f64 {
        self.moments.1
    }

    fn is_formula(&self) -> bool {
        true
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        line.fill(out, |s| {
            let each = self.size.iter().map(|(p, rate)| {
                let values = self.chain.solve(*rate, s, |n| (self.chain.share(n) * rate).into());
                *p * self.chain.found.iter().zip(&values).map(|(p, value)| *p * value).sum::<Complex64>()
            });
            each.sum()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_that_of_several_queues_in_one() {
        // Erlang C for two servers at utilization 0.75 is 9/14, and insensitivity does the rest.
        let several = Several::new(Chain::new(1.5, 1.0, 2), vec![(1.0, 1.0)]);
        assert!((several.mean() / (1.0 + 9.0 / 14.0 / 0.5) - 1.0).abs() < 1e-9, "{}", several.mean());
    }

    #[test]
    fn one_server_of_several_is_one_server() {
        let several = Several::new(Chain::new(0.7, 1.0, 1), vec![(1.0, 1.0)]);
        let single = super::super::single::Shared::new(
            0.7,
            &crate::distribution::Law::exponential(1.0),
            &crate::distribution::Law::exponential(1.0),
        );
        let (mut a, mut b) = ([Complex64::ZERO; 8], [Complex64::ZERO; 8]);
        let line = Line { real: 0.4, step: 1.3 };
        several.transform(line, &mut a);
        single.transform(line, &mut b);
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).norm() < 1e-10), "{a:?} {b:?}");
    }

    #[test]
    fn the_correlation_of_one_server_is_known() {
        // Geometric numbers: variance ρ/(1-ρ)², decay by the wait: ∫ P(W > u) du / (1-ρ)² = ρ / (μ (1-ρ)³).
        let (rho, mu) = (0.6f64, 2.0f64);
        let chain = Chain::new(rho * mu, 1.0 / mu, 1);
        let exact = rho / (mu * (1.0 - rho).powi(3));
        let got = chain.correlation(1.0 / (1.0 - rho));
        assert!((got / exact - 1.0).abs() < 1e-6, "{got} {exact}");
    }
}

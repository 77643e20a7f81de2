//! How long one request takes: the time until the chain that follows it is left.
//!
//! ```text
//! P(T ≤ t) = Σ_k e^(-Λt) (Λt)^k / k! A_k,   A_k = chance to have left after k steps of a clock of rate Λ
//! ```
//!
//! Source: Jensen (1953); Grassmann, Transient solutions in Markovian queueing systems, Computers and Operations Research 4 (1977).

use super::chain::{Chain, FAILED, SUCCEEDED};
use crate::math::{roots, special};
use crate::prediction::Times;
use crate::system::Metric;
use crate::unit::{PerSecond, Seconds};

/// Followed until so little is left.
const LEFT: f64 = 1e-8;

/// Entries that all steps together may look at.
const MOST_ENTRIES: usize = 30_000_000_000;

/// Points of the curve.
const POINTS: usize = 60;

/// How long a request takes that succeeds, and the chance that it does.
pub(super) struct Passage {
    /// The rate of the clock.
    clock: PerSecond,
    /// Chance to have succeeded after so many steps.
    succeeded: Vec<f64>,
}

impl Passage {
    /// The passage from states with these chances, those that are over before any time with `at_once`; `None` where it takes
    /// too many steps.
    pub fn new(chain: &Chain, mut there: Vec<f64>, at_once: f64) -> Option<Passage> {
        let n = chain.states.len();
        there.resize(n, 0.0);
        let leaving: Vec<PerSecond> = (0..n).map(|id| chain.row(id).map(|(_, rate)| rate).sum()).collect();
        let clock = leaving.iter().copied().fold(0.0, f64::max);
        let most = MOST_ENTRIES / (chain.followers.len() + n).max(1);
        let mut succeeded = vec![at_once];
        let mut next = vec![0.0; n];
        let mut done = at_once;
        while there.iter().sum::<f64>() > LEFT {
            if succeeded.len() > most {
                return None;
            }
            next.fill(0.0);
            for (from, share) in there.iter().enumerate().filter(|(_, share)| **share > 0.0) {
                next[from] += share * (1.0 - leaving[from] / clock);
                for (to, rate) in chain.row(from) {
                    match to {
                        SUCCEEDED => done += share * rate / clock,
                        FAILED => {}
                        to => next[to as usize] += share * rate / clock,
                    }
                }
            }
            succeeded.push(done);
            std::mem::swap(&mut there, &mut next);
        }
        Some(Passage { clock, succeeded })
    }

    /// That of nothing.
    pub fn none() -> Passage {
        Passage { clock: 0.0, succeeded: Vec::new() }
    }

    fn success(&self) -> f64 {
        self.succeeded.last().copied().unwrap_or(0.0)
    }

    /// Chance that a request which succeeds takes longer than `t`.
    fn exceeding(&self, t: Seconds) -> f64 {
        let mean = self.clock * t;
        // What is beyond so many deviations has no weight.
        let reach = 9.0 * mean.sqrt() + 20.0;
        let (first, last) = ((mean - reach).max(0.0) as usize, (mean + reach) as usize);
        let after = |step: usize| self.succeeded.get(step).copied().unwrap_or(self.success());
        let weight = |step: usize| special::ln_poisson(step as f64, mean).exp();
        let late: f64 = (first..=last).map(|step| weight(step) * (self.success() - after(step))).sum();
        late / self.success()
    }

    /// Mean, percentiles and curve of requests that succeed.
    pub fn times(&self) -> Times {
        let success = self.success();
        if success <= 0.0 {
            return Times::default();
        }
        let late: f64 = self.succeeded.iter().map(|done| 1.0 - done / success).sum();
        let mean = late / self.clock;
        let at = |level: f64| roots::falling_to(level, mean.max(1e-12), |t| self.exceeding(t));
        let percentiles = Metric::PERCENTILES.map(|(_, level)| Some(at(1.0 - level)));
        let longest = at(1e-4);
        let mut curve = vec![(0.0, self.exceeding(0.0))];
        curve.extend((1..=POINTS).map(|i| {
            let t = longest * i as f64 / POINTS as f64;
            (t, self.exceeding(t))
        }));
        Times { mean: Some(mean), percentiles, curve }
    }
}

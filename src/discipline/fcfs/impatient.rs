//! M/M/c whose waiting requests give up: Erlang A, and any other law of patience.
//!
//! | symbol    | meaning                                                              | unit       |
//! |-----------|----------------------------------------------------------------------|------------|
//! | `λ, μ, c` | arrival rate, service rate of one server, servers                    | per second, 1 |
//! | `G`       | distribution function of patience                                    | 1          |
//! | `V`       | offered wait: how long an arrival would wait if it never gave up     | seconds    |
//!
//! ```text
//! density of V at x > 0:   λ π_{c-1} exp(λ ∫_0^x (1 - G) - c μ x)
//! an arrival is served with probability P(V = 0) + ∫ (1 - G) dV, and waits min(V, patience)
//! ```
//!
//! Exact. Source: Baccelli and Hébuterne (1981); Zeltyn and Mandelbaum, Call centers with impatient customers, Queueing
//! Systems 51 (2005).

use crate::distribution::{Distribution, Law};
use crate::math::{quadrature, roots};
use crate::unit::{PerSecond, Seconds};

/// Parts of the density below `exp(-45)` of its peak are left out.
const NEGLIGIBLE: f64 = 45.0;

/// Panels between two jumps of the patience.
const PANELS: usize = 64;

/// A queue whose waiting requests give up, in steady state.
#[derive(Debug, Clone)]
pub struct Impatient {
    arrival_rate: PerSecond,
    service_rate: PerSecond,
    servers: u32,
    patience: Law,
    /// `ln` of the density's peak over its value at zero.
    peak: f64,
    /// Ends of the panels.
    ends: Vec<Seconds>,
    /// Mass of the offered wait beyond each end, and of the part that is served.
    beyond: Vec<(f64, f64)>,
    /// Density over its peak times this is the density.
    scale: f64,
    /// Chance to find a server free.
    at_once: f64,
}

impl Impatient {
    /// The queue with these rates, servers and patience. It has a steady state whatever the load.
    pub fn new(arrival_rate: PerSecond, service_mean: Seconds, servers: u32, patience: &Law) -> Impatient {
        let mut queue = Impatient {
            arrival_rate,
            service_rate: 1.0 / service_mean,
            servers,
            patience: patience.clone(),
            peak: 0.0,
            ends: Vec::new(),
            beyond: Vec::new(),
            scale: 1.0,
            at_once: 0.0,
        };
        queue.cut();
        let masses: Vec<(f64, f64)> = queue.ends.windows(2).map(|pair| queue.panel(pair[0], pair[1])).collect();
        let mut beyond = vec![(0.0, 0.0); queue.ends.len()];
        for i in (0..masses.len()).rev() {
            beyond[i] = (beyond[i + 1].0 + masses[i].0, beyond[i + 1].1 + masses[i].1);
        }
        // Below the last server the chain is that of a loss system: sums of a^n / n! over its last term, by recursion.
        let load = arrival_rate / queue.service_rate;
        let mut below = 1.0;
        for n in 1..servers {
            below = 1.0 + below * f64::from(n) / load;
        }
        let free = below * (-queue.peak).exp();
        let total = free + arrival_rate * beyond[0].0;
        queue.scale = arrival_rate / total;
        queue.at_once = free / total;
        queue.beyond = beyond;
        queue
    }

    /// The exponent of the density.
    fn exponent(&self, x: f64) -> f64 {
        let patience = match &self.patience {
            Law::Exponential(law) => -law.mean * (-x / law.mean).exp_m1(),
            law => law.mean() * (1.0 - law.residual_exceeding(x)),
        };
        self.arrival_rate * patience - f64::from(self.servers) * self.service_rate * x
    }

    /// Finds where the density counts, and cuts it there.
    fn cut(&mut self) {
        let drain = f64::from(self.servers) * self.service_rate;
        // It is concave on logarithms: the peak is where as many give up as are too many.
        let top = if self.arrival_rate > drain { self.patience.quantile(1.0 - drain / self.arrival_rate) } else { 0.0 };
        self.peak = self.exponent(top);
        let height = |x: f64| self.exponent(x) - self.peak + NEGLIGIBLE;
        let mut end = top.max(1.0 / drain);
        while height(end) > 0.0 {
            end *= 2.0;
        }
        let end = roots::bracketed(top, end, 1e-6, height);
        let start = if height(0.0) < 0.0 { roots::bracketed(0.0, top, 1e-6, height) } else { 0.0 };
        let mut breaks = vec![start, end];
        breaks.extend(self.jumps().into_iter().filter(|t| *t > start && *t < end));
        breaks.sort_by(f64::total_cmp);
        breaks.dedup();
        let pieces = breaks.windows(2).flat_map(|pair| {
            let (from, width) = (pair[0], pair[1] - pair[0]);
            (0..PANELS).map(move |i| from + width * i as f64 / PANELS as f64)
        });
        self.ends = pieces.chain([end]).collect();
    }

    fn jumps(&self) -> Vec<Seconds> {
        match &self.patience {
            Law::Constant(law) => vec![law.value],
            law => law.jumps(),
        }
    }

    /// Density over its peak of the offered wait.
    fn density(&self, x: f64) -> f64 {
        (self.exponent(x) - self.peak).exp()
    }

    /// Mass of the offered wait on a panel, and of its served part, over the peak.
    fn panel(&self, from: f64, to: f64) -> (f64, f64) {
        quadrature::panel(from, to).fold((0.0, 0.0), |sum, (x, weight)| {
            let density = weight * self.density(x);
            (sum.0 + density, sum.1 + density * self.patience.exceeding(x))
        })
    }

    /// Offered wait beyond `t`, and its served part, as probabilities.
    fn beyond(&self, t: f64) -> (f64, f64) {
        let after = self.ends.partition_point(|end| *end <= t);
        let (all, served) = match (after, self.ends.get(after)) {
            (0, _) => self.beyond[0],
            (_, None) => (0.0, 0.0),
            (_, Some(end)) => {
                let (all, served) = self.panel(t, *end);
                (all + self.beyond[after].0, served + self.beyond[after].1)
            }
        };
        (all * self.scale, served * self.scale)
    }

    /// The integral over time of a function of it, weighed with nothing, on the panels; zero of time comes first.
    fn integral(&self, f: impl Fn(f64) -> f64) -> f64 {
        let first = self.ends[0];
        let early = if first > 0.0 { quadrature::panel(0.0, first).map(|(t, w)| w * f(t)).sum() } else { 0.0 };
        let panels = self.ends.windows(2).flat_map(|pair| quadrature::panel(pair[0], pair[1]));
        early + panels.map(|(t, weight)| weight * f(t)).sum::<f64>()
    }

    /// Chance to find all servers busy.
    pub fn wait_probability(&self) -> f64 {
        1.0 - self.at_once
    }

    /// Chance to be served at last.
    pub fn served(&self) -> f64 {
        self.at_once + self.beyond(0.0).1
    }

    /// Chance to give up.
    pub fn abandonment(&self) -> f64 {
        // Directly, because it may be small: those that wait less the served among them.
        let lost = |(from, to): (f64, f64)| -> f64 {
            quadrature::panel(from, to).map(|(x, w)| w * self.density(x) * (1.0 - self.patience.exceeding(x))).sum()
        };
        self.ends.windows(2).map(|pair| lost((pair[0], pair[1]))).sum::<f64>() * self.scale
    }

    /// Mean wait of all arrivals, in seconds.
    pub fn mean_wait(&self) -> Seconds {
        self.integral(|t| self.wait_exceeding(t))
    }

    /// Mean wait of those served, in seconds.
    pub fn mean_wait_served(&self) -> Seconds {
        self.integral(|t| self.served_wait_exceeding(t))
    }

    /// Chance of an arrival to wait longer than `t`, until it is served or gives up.
    pub fn wait_exceeding(&self, t: Seconds) -> f64 {
        self.beyond(t).0 * self.patience.exceeding(t)
    }

    /// Chance of a served request to have waited longer than `t`.
    pub fn served_wait_exceeding(&self, t: Seconds) -> f64 {
        self.beyond(t).1 / self.served()
    }

    /// Chance of a served request to have waited and been served for longer than `t`.
    pub fn response_exceeding(&self, t: Seconds) -> f64 {
        let mu = self.service_rate;
        let during: f64 = self
            .ends
            .windows(2)
            .filter(|pair| pair[0] < t)
            .flat_map(|pair| quadrature::panel(pair[0], pair[1].min(t)))
            .map(|(x, w)| w * self.density(x) * self.patience.exceeding(x) * (-mu * (t - x)).exp())
            .sum();
        (self.at_once * (-mu * t).exp() + self.scale * during + self.beyond(t).1) / self.served()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::erlang;

    #[test]
    fn exponential_patience_is_palm_s_chain() {
        let (rate, mean, servers, patience) = (5.0, 1.0, 4u32, 5.0);
        let chain = crate::math::birth_death::stationary(
            |_| rate,
            |n| n.min(servers as usize) as f64 / mean + n.saturating_sub(servers as usize) as f64 / patience,
        );
        let queue = Impatient::new(rate, mean, servers, &Law::exponential(patience));
        let waiting: f64 = chain.iter().enumerate().skip(4).map(|(n, p)| (n - 4) as f64 * p).sum();
        assert!((queue.wait_probability() / chain[4..].iter().sum::<f64>() - 1.0).abs() < 1e-11);
        assert!((queue.abandonment() / (waiting / patience / rate) - 1.0).abs() < 1e-11);
        assert!((queue.mean_wait() / (waiting / rate) - 1.0).abs() < 1e-10);
        assert!((queue.served() + queue.abandonment() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn endless_patience_is_erlang_c() {
        let queue = Impatient::new(8.0, 1.0, 10, &Law::constant(1e4));
        assert!((queue.wait_probability() / erlang::erlang_c(10, 8.0).unwrap() - 1.0).abs() < 1e-10);
        assert!(queue.abandonment() < 1e-15);
    }

    #[test]
    fn a_crowd_settles() {
        // Twice the work that can be done: half of it gives up, after waiting for 2 s ln 2.
        let queue = Impatient::new(200_000.0, 1.0, 100_000, &Law::exponential(2.0));
        assert!((queue.abandonment() - 0.5).abs() < 1e-6, "{}", queue.abandonment());
        assert!((queue.mean_wait_served() / (2.0 * 2f64.ln()) - 1.0).abs() < 1e-4, "{}", queue.mean_wait_served());
    }
}

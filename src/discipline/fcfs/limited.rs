//! Queues with a limited number of places: who finds them taken is refused.
//!
//! Exact for M/M/c/K. Otherwise the loss comes from the unlimited queue's tail, by the formula that is exact for
//! M/M/c/K and M/G/1/K alike:
//!
//! ```text
//! P(refused) = (1 - ρ) Q / (1 - ρ Q),   Q = P(at least K present at an arrival of the unlimited queue)
//! ```
//!
//! Source: Tijms (2003), section 9.7. Above saturation there is no unlimited queue; there the memoryless chain with
//! its places stretched or shrunk by the variability `(ca² + cs²) / 2` takes over.

use super::{Arrivals, Queue};
use crate::discipline::{Delay, Knowledge};
use crate::math::birth_death;

/// A queue with limited places in steady state.
#[derive(Debug, Clone, PartialEq)]
pub struct Limited {
    /// Probability that an arrival is refused.
    pub blocking: f64,
    /// Wait of those who are admitted.
    pub wait: Delay,
    /// Mean number of waiting requests.
    pub queue_length: f64,
    /// How it is known.
    pub knowledge: Knowledge,
}

/// A queue with `capacity` places, those in service counted, `capacity ≥ servers`; any load.
pub fn limited(queue: &Queue, capacity: u32) -> Limited {
    let memoryless = matches!(queue.arrivals, Arrivals::Poisson) && queue.service.is_exponential();
    let mu = 1.0 / queue.service.mean();
    let c = queue.servers as usize;
    if !memoryless {
        // The chain is the two-moment stand-in: fewer effective places when traffic is more variable.
        return scaled(queue, capacity);
    }
    let present = birth_death::limited(queue.arrival_rate, mu, queue.servers, capacity);
    let blocking = present[present.len() - 1];
    from_chain(&present, c, f64::from(queue.servers) * mu, blocking, Knowledge::Exact)
}

/// The admitted wait of a chain seen by Poisson arrivals: one stage for each request ahead of the last free server.
fn from_chain(present: &[f64], servers: usize, drain: f64, blocking: f64, knowledge: Knowledge) -> Limited {
    let admitted = 1.0 - blocking;
    let last = present.len() - 1;
    let weights: Vec<f64> = (servers..last).map(|n| present[n] / admitted).collect();
    let queue_length = (servers..=last).map(|n| (n - servers) as f64 * present[n]).sum();
    let wait = if weights.is_empty() { Delay::None } else { Delay::Erlangs { weights, rate: drain } };
    Limited { blocking, wait, queue_length, knowledge }
}

/// The two-moment stand-in: the memoryless chain whose queue states are `v = (ca² + cs²) / 2` jobs apart.
///
/// The queue of a G/G/c in heavy traffic falls by `exp(-2(1 - ρ) / (ca² + cs²))` per job where that of M/M/c falls by
/// `exp(-(1 - ρ))`, so a chain with the arrival rate pulled towards the service rate has the right slope.
fn scaled(queue: &Queue, capacity: u32) -> Limited {
    let v = (0.5 * (queue.arrivals.scv() + queue.service.scv())).max(0.05);
    let mu = 1.0 / queue.service.mean();
    let c = queue.servers as usize;
    let rho = queue.utilization();
    let slope = rho.powf(1.0 / v);
    let capacity = capacity as usize;
    let drain = f64::from(queue.servers) * mu;
    let present = birth_death::stationary(
        |n| {
            if n >= capacity {
                0.0
            } else if n >= c {
                slope * drain
            } else {
                queue.arrival_rate
            }
        },
        |n| mu * n.min(c) as f64,
    );
    // Flow balance fixes the loss exactly, whatever the shape of the chain: what is served is what was admitted.
    let busy: f64 = present.iter().enumerate().map(|(n, p)| n.min(c) as f64 * p).sum();
    let blocking = (1.0 - busy * mu / queue.arrival_rate).clamp(0.0, 1.0);
    let mut answer =
        from_chain(&present, c, drain, blocking.min(1.0 - 1e-12), Knowledge::Approximate { p95_error: 0.1 });
    if let Delay::Erlangs { weights, .. } = &mut answer.wait {
        // Little's law ties the admitted wait to the number waiting; the chain's own arrival rate above c is a device.
        let mean = answer.queue_length / (queue.arrival_rate * (1.0 - blocking));
        let total: f64 = weights.iter().enumerate().map(|(k, w)| w * (k + 1) as f64).sum::<f64>() / drain;
        let factor = if total > 0.0 { mean / total } else { 0.0 };
        let sum: f64 = weights.iter().sum::<f64>() * factor;
        let factor = if sum > 1.0 { factor / sum } else { factor };
        weights.iter_mut().for_each(|w| *w *= factor);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Law;

    #[test]
    fn little_holds_for_the_admitted() {
        for (rate, c, k) in [(18.0, 1, 10), (76.0, 4, 20), (30.0, 1, 5)] {
            let queue =
                Queue { arrival_rate: rate, arrivals: Arrivals::Poisson, service: Law::exponential(0.05), servers: c };
            let got = limited(&queue, k);
            assert!((got.queue_length / (rate * (1.0 - got.blocking)) - got.wait.mean()).abs() < 1e-12);
        }
    }

    #[test]
    fn regular_traffic_is_refused_less_often() {
        let with = |service: Law| {
            let queue = Queue { arrival_rate: 90.0, arrivals: Arrivals::Poisson, service, servers: 1 };
            limited(&queue, 6).blocking
        };
        let (constant, exponential, wild) =
            (with(Law::constant(0.01)), with(Law::exponential(0.01)), with(Law::lognormal(0.01, 2.0)));
        assert!(constant < exponential && exponential < wild, "{constant} {exponential} {wild}");
    }
}

//! Queues with a limited number of places: who finds them taken is refused.
//!
//! Exact for M/M/c/K. With other laws the finite chain of a few phases of the same moments is solved; where that is too
//! large, the loss is that of M/M/c/K with the queue falling as fast per place as heavy traffic says:
//!
//! ```text
//! P(refused) = B s^k (1 - ρ) / (1 - ρ + ρ B (1 - s^k)),   s = ρ^(2 / (ca² + cs²)),   k waiting places, B of Erlang
//! ```
//!
//! Source: Bolch et al. (1998), section 6.5; Tijms (2003), section 9.7.

use super::{Arrivals, Queue, hardly_waits, phase};
use crate::discipline::{Delay, Knowledge};
use crate::math::{birth_death, erlang};

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
    let drain = f64::from(queue.servers) / queue.service.mean();
    if matches!(queue.arrivals, Arrivals::Poisson) && queue.service.is_exponential() {
        return memoryless(queue, capacity, drain);
    }
    let places = (capacity - queue.servers) as usize;
    let phases = if hardly_waits(queue) { None } else { phase::limited(queue, capacity as usize) };
    if let Some(phases) = phases {
        let admitted = queue.arrival_rate * (1.0 - phases.blocking);
        let mean = phases.queue_length / admitted;
        return Limited {
            blocking: phases.blocking,
            wait: stages(phases.ahead, mean, drain),
            queue_length: phases.queue_length,
            knowledge: Knowledge::Approximate { p95_error: 0.1 },
        };
    }
    by_formula(queue, places, drain)
}

fn memoryless(queue: &Queue, capacity: u32, drain: f64) -> Limited {
    let c = queue.servers as usize;
    let present = birth_death::limited(queue.arrival_rate, drain / f64::from(queue.servers), queue.servers, capacity);
    let last = present.len() - 1;
    let blocking = present[last];
    let weights: Vec<f64> = (c..last).map(|n| present[n] / (1.0 - blocking)).collect();
    let wait = if weights.is_empty() { Delay::None } else { Delay::Erlangs { weights, rate: drain } };
    let queue_length = (c..=last).map(|n| (n - c) as f64 * present[n]).sum();
    Limited { blocking, wait, queue_length, knowledge: Knowledge::Exact }
}

/// One stage for each request ahead of the last free server, as long as gives the mean wait.
fn stages(weights: Vec<f64>, mean: f64, drain: f64) -> Delay {
    let count: f64 = weights.iter().enumerate().map(|(k, weight)| weight * (k + 1) as f64).sum();
    if count <= 0.0 || mean <= 0.0 {
        return Delay::None;
    }
    let rate = count / mean;
    Delay::Erlangs { weights, rate: if rate.is_finite() { rate } else { drain } }
}

fn by_formula(queue: &Queue, places: usize, drain: f64) -> Limited {
    let v = (0.5 * (queue.arrivals.scv() + queue.service.scv())).clamp(0.02, 1e3);
    // The quotient has a removable gap at one.
    let rho = if (queue.utilization() - 1.0).abs() < 1e-6 { 1.0 - 1e-6 } else { queue.utilization() };
    let b = erlang::erlang_b(queue.servers, queue.offered_load());
    let slope = rho.powf(1.0 / v);
    let end = slope.powf(places as f64);
    let blocking = if end.is_infinite() {
        1.0 - 1.0 / rho
    } else {
        (b * end * (1.0 - rho) / (1.0 - rho + rho * b * (1.0 - end))).clamp(0.0, 1.0)
    };
    // All servers are busy as often as in M/M/c/K of the same places; the queue above them falls by the slope.
    let capacity = queue.servers + places as u32;
    let alike = memoryless(&Queue { arrivals: Arrivals::Poisson, ..queue.clone() }, capacity, drain);
    let busy = alike.wait.probability();
    let shape: Vec<f64> = (0..places)
        .map(|k| ((k as f64 - places as f64 * f64::from(u8::from(slope > 1.0))) * slope.ln()).exp())
        .collect();
    let total: f64 = shape.iter().sum();
    let weights: Vec<f64> = shape.iter().map(|w| w / total * busy).collect();
    let mean = weights.iter().enumerate().map(|(k, w)| w * (k + 1) as f64).sum::<f64>() / drain;
    Limited {
        blocking,
        queue_length: mean * queue.arrival_rate * (1.0 - blocking),
        wait: stages(weights, mean, drain),
        knowledge: Knowledge::Approximate { p95_error: 0.2 },
    }
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
    fn formula_and_chain_agree_where_both_apply() {
        for (rate, servers, places) in [(90.0, 1, 8), (170.0, 2, 10), (130.0, 1, 6)] {
            let service = Law::lognormal(0.01, 1.4);
            let queue = Queue { arrival_rate: rate, arrivals: Arrivals::Poisson, service, servers };
            let chain = limited(&queue, servers + places).blocking;
            let formula = by_formula(&queue, places as usize, f64::from(servers) / 0.01).blocking;
            assert!((chain - formula).abs() < 0.15 * chain, "{chain} {formula}");
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

//! Load balancers that look before they send: the shortest queue, and the better of two.
//!
//! | symbol | meaning                                   | unit       |
//! |--------|-------------------------------------------|------------|
//! | `n`    | instances                                 | 1          |
//! | `ρ`    | utilization                               | 1          |
//! | `s_k`  | share of instances with at least k jobs   | 1          |
//!
//! Source: the better of two in a large system: Mitzenmacher (2001), `s_k = ρ^(2^k - 1)`; few instances: the first
//! correction of Gast and Van Houdt (2017). The shortest queue: its tail falls by `ρ^n` per job (Nelson and Philips,
//! 1989, for the mean; Foley and McDonald, 2001, for the tail).

use super::fcfs::Queue;
use super::{Delay, Knowledge};
use crate::math::erlang;

/// Waiting that a shortest-queue balancer adds to the shared queue's, in mean services per chance that all are busy.
const SHORTEST_QUEUE_LOSS: f64 = 0.4;

/// What is left of the correction for few instances when the two are drawn without replacement.
const WITHOUT_REPLACEMENT: f64 = 0.77;

/// The wait behind a balancer that sends each request to the instance with the fewest outstanding. `queue` is all
/// instances as one, `instances` of them with equal cores. The queue must be stable.
pub fn least_outstanding(queue: &Queue, instances: u32) -> (Delay, Knowledge) {
    let rho = queue.utilization();
    let all_busy = erlang::erlang_c(queue.servers, queue.offered_load()).unwrap_or(1.0);
    let service = queue.service.mean();
    let cores = f64::from(queue.servers / instances.max(1)).max(1.0);
    let drain = f64::from(queue.servers) / service;
    let memoryless = all_busy / (drain * (1.0 - rho)) + SHORTEST_QUEUE_LOSS * all_busy * service / cores;
    let variability = 0.5 * (queue.arrivals.scv() + queue.service.scv());
    let mean = memoryless * variability;
    let rate = cores / service * (1.0 - rho.powf(f64::from(instances))) / variability.max(0.1);
    (one_exponential(mean, rate), Knowledge::Approximate { p95_error: 0.1 })
}

/// The wait behind a balancer that sends each request to the better of two instances drawn at random.
pub fn power_of_two(queue: &Queue, instances: u32) -> (Delay, Knowledge) {
    let rho = queue.utilization();
    let service = queue.service.mean();
    let cores = queue.servers / instances.max(1);
    let n = f64::from(instances);
    let variability = 0.5 * (queue.arrivals.scv() + queue.service.scv());
    let knowledge = Knowledge::Approximate { p95_error: 0.1 };
    let shares = two_choices(rho, cores);
    // Jobs waiting per instance, by Little the wait; an arrival joins behind k jobs when the better of two has k.
    let waiting: f64 = shares.iter().skip(cores as usize + 1).sum();
    let few = WITHOUT_REPLACEMENT * rho * rho / (2.0 * (1.0 - rho)) / n;
    let mean = (waiting + few) / (rho * f64::from(cores)) * service * variability;
    let joins = |k: usize| {
        let at_least = |j: usize| shares.get(j).copied().unwrap_or(0.0);
        at_least(k) * at_least(k) - at_least(k + 1) * at_least(k + 1)
    };
    let weights: Vec<f64> = (cores as usize..shares.len()).map(joins).collect();
    let probability: f64 = weights.iter().sum();
    let plain: f64 = weights.iter().enumerate().map(|(k, w)| w * (k + 1) as f64).sum();
    if probability <= 0.0 || plain <= 0.0 || mean <= 0.0 {
        return (Delay::None, knowledge);
    }
    (Delay::Erlangs { weights, rate: plain / mean }, knowledge)
}

/// `s_k` of the large system with `cores` cores per instance: the arrivals at instances with k jobs are
/// `λ (s_k² - s_{k+1}²)` of all, and must balance the departures from k + 1.
fn two_choices(rho: f64, cores: u32) -> Vec<f64> {
    let c = f64::from(cores);
    // With one core the balance gives ρ^(2^k - 1); with more, iterate it from the top share, which starts at 1.
    let mut shares = vec![1.0];
    if cores == 1 {
        let mut exponent = 1.0;
        while shares[shares.len() - 1] > 1e-14 {
            shares.push(rho.powf(exponent));
            exponent = 2.0 * exponent + 1.0;
        }
        return shares;
    }
    // Cut equation between k - 1 and k jobs: λ (s_{k-1}² - …) summed from k up: Σ_{j≥k} flow = cρ s_{k-1}², and the
    // work done by instances above k is Σ min(j, c) p_j. Below c the two differ, so a fixed point over s is needed.
    let size = cores as usize + 60;
    let mut s: Vec<f64> = (0..=size).map(|k| if k == 0 { 1.0 } else { rho.powf(0.5 * k as f64) }).collect();
    for _ in 0..500 {
        let mut next = vec![1.0; size + 1];
        // Probability of exactly k from local balance: λ_k p_k = min(k + 1, c) p_{k+1}, λ_k = cρ (s_k + s_{k+1}).
        let mut p = vec![1.0];
        for k in 0..size {
            let rate = c * rho * (s[k] + s.get(k + 1).copied().unwrap_or(0.0));
            p.push(p[k] * rate / (k as f64 + 1.0).min(c));
        }
        let total: f64 = p.iter().sum();
        let mut tail = 1.0;
        for k in 0..size {
            tail -= p[k] / total;
            next[k + 1] = tail.max(0.0);
        }
        let change: f64 = next.iter().zip(&s).map(|(a, b)| (a - b).abs()).sum();
        s = s.iter().zip(&next).map(|(a, b)| 0.5 * (a + b)).collect();
        if change < 1e-10 {
            break;
        }
    }
    s
}

fn one_exponential(mean: f64, rate: f64) -> Delay {
    let probability = mean * rate;
    if probability <= 1.0 { Delay::exponential(probability, rate) } else { Delay::exponential(1.0, 1.0 / mean) }
}

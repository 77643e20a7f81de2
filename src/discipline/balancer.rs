//! Load balancers that look before they send: the shortest queue, and the better of two.
//!
//! | symbol | meaning                                   | unit       |
//! |--------|-------------------------------------------|------------|
//! | `n`    | instances                                 | 1          |
//! | `ρ`    | utilization                               | 1          |
//! | `s_k`  | share of instances with at least k jobs   | 1          |
//!
//! Source: the better of two in a large system: Mitzenmacher (2001), `s_k = ρ^(2^k - 1)`. The shortest queue: its tail falls by `ρ^n` per job (Nelson and Philips,
//! 1989, for the mean; Foley and McDonald, 2001, for the tail).

use super::fcfs::{Queue, Waiting};
use super::{Delay, Knowledge};
use crate::math::erlang;

/// Jobs at one instance beyond which none is found.
const MOST_LEVELS: usize = 400;

/// The wait behind a balancer that sends each request to the instance with the fewest outstanding. `queue` is all
/// instances as one, `instances` of them with equal cores. The queue must be stable.
pub fn least_outstanding(queue: &Queue, instances: u32) -> Waiting {
    let rho = queue.utilization();
    let all_busy = erlang::erlang_c(queue.servers, queue.offered_load()).unwrap_or(1.0);
    let service = queue.service.mean();
    let cores = f64::from(queue.servers / instances.max(1)).max(1.0);
    let drain = f64::from(queue.servers) / service;
    // Who finds all busy waits for the jobs at one instance, not for the next that ends anywhere: with numbers of jobs
    // even over the instances, half a service more, but for one instance's part.
    let n = f64::from(instances);
    let memoryless = all_busy / (drain * (1.0 - rho)) + 0.5 * (1.0 - 1.0 / n) * all_busy * service / cores;
    let variability = 0.5 * (queue.arrivals.scv() + queue.service.scv());
    let mean = memoryless * variability;
    let rate = cores / service * (1.0 - rho.powf(n)) / variability.max(0.1);
    Waiting { delay: one_exponential(mean, rate), knowledge: Knowledge::Approximate { p95_error: 0.1 } }
}

/// A wait in one queue for all instances as one at the instances themselves, each of which serves only what was sent to
/// it: of so many requests ahead in all, an even part is at each.
pub fn waiting_at_one(together: Delay, instances: u32) -> Delay {
    match together {
        Delay::Erlangs { weights, rate } => Delay::Erlangs {
            weights: weights.chunks(instances as usize).map(|chances| chances.iter().sum()).collect(),
            rate: rate / f64::from(instances),
        },
        other => other,
    }
}

/// The wait behind a balancer that sends each request to the better of two instances drawn at random.
pub fn power_of_two(queue: &Queue, instances: u32) -> Waiting {
    let rho = queue.utilization();
    let cores = queue.servers / instances.max(1);
    let variability = (0.5 * (queue.arrivals.scv() + queue.service.scv())).max(1e-3);
    let found = better_of_two(rho, cores, instances);
    // Who finds k jobs at the better of two waits for k - cores + 1 of them to end.
    let weights: Vec<f64> = (cores as usize..found.len() - 1).map(|k| found[k] - found[k + 1]).collect();
    let rate = f64::from(cores) / (queue.service.mean() * variability);
    let knowledge = Knowledge::Approximate { p95_error: if cores == 1 { 0.04 } else { 0.1 } };
    if weights.iter().sum::<f64>() <= 0.0 {
        return Waiting { delay: Delay::None, knowledge };
    }
    Waiting { delay: Delay::Erlangs { weights, rate }, knowledge }
}

/// The chance that the better of two instances has at least k jobs, for k from 0. In a large system it is `s_k²`, which
/// falls from level to level by `ρ^2`, `ρ^4`, `ρ^8`, and on; among `n` instances it falls by `ρ^e` with exponents that
/// double less and less and end at `n`, where the two are as good as the shortest of all.
///
/// The exponents for one core are fitted to simulations of 2 to 30 instances at utilizations from 0.5 to 0.9, on which
/// they do not depend; mean waits are right to 4%.
fn better_of_two(rho: f64, cores: u32, instances: u32) -> Vec<f64> {
    let n = f64::from(instances);
    let mut found = vec![1.0];
    if cores == 1 {
        let mut exponent = 2.0 - 0.68 / n;
        while found[found.len() - 1] > 1e-14 && found.len() < MOST_LEVELS {
            found.push(found[found.len() - 1] * rho.powf(exponent));
            exponent *= 1.0 + (1.0 - exponent / n).max(0.0).powf(1.4);
        }
        return found;
    }
    let shares = two_choices(rho, cores);
    for k in 1..MOST_LEVELS {
        let (before, here) = (shares.get(k - 1).copied().unwrap_or(0.0), shares.get(k).copied().unwrap_or(0.0));
        let steep = if here > 0.0 { 2.0 * (here / before).ln() / rho.ln() } else { f64::INFINITY };
        let exponent = if k <= cores as usize { steep } else { (steep.powf(-1.5) + n.powf(-1.5)).powf(-1.0 / 1.5) };
        found.push(found[k - 1] * rho.powf(exponent));
        if found[k] < 1e-14 {
            break;
        }
    }
    found
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_of_two_is_as_simulated() {
        // Mean number found, from 2e7 simulated arrivals each.
        let simulated = [
            (2, 0.5, 0.4261),
            (2, 0.8, 1.9544),
            (3, 0.9, 3.2981),
            (5, 0.8, 1.2395),
            (5, 0.9, 2.4762),
            (10, 0.8, 1.0772),
            (10, 0.9, 1.9874),
            (30, 0.9, 1.7258),
        ];
        for (n, rho, mean) in simulated {
            let got: f64 = better_of_two(rho, 1, n).iter().skip(1).sum();
            assert!((got / mean - 1.0).abs() < 0.04, "{n} {rho}: {got} {mean}");
        }
    }
}

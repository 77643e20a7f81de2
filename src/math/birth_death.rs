//! Queues whose number of jobs goes up and down by one: limited places, state-dependent rates.
//!
//! | symbol | meaning                          | unit       |
//! |--------|----------------------------------|------------|
//! | `λ`    | arrival rate                     | per second |
//! | `μ`    | service rate of one server       | per second |
//! | `c, K` | servers; places, servers counted | 1          |
//!
//! Source: Bolch, Greiner, de Meer, Trivedi (1998), section 3.1.

/// States with less than this share of the largest probability are left out of an infinite chain.
const NEGLIGIBLE: f64 = 1e-18;

/// The most states kept of an infinite chain; reached only where the chain has no steady state.
const MAX_STATES: usize = 20_000_000;

/// Stationary probabilities of states `0, 1, …` with rates `up(n)` from `n` to `n + 1` and `down(n)` from `n` to `n - 1`.
///
/// The chain ends at the first `n` with `up(n) = 0`, or where the probabilities have become negligible past their peak.
/// Terms are kept relative to the peak, so no product overflows.
pub fn stationary(up: impl Fn(usize) -> f64, down: impl Fn(usize) -> f64) -> Vec<f64> {
    // Logarithms, because the product of 5,000 ratios overflows long before its normalised value matters.
    let mut logs = vec![0.0f64];
    let mut peak = 0.0f64;
    for n in 0..MAX_STATES {
        let rate = up(n);
        if rate <= 0.0 {
            break;
        }
        let next = logs[n] + (rate / down(n + 1)).ln();
        logs.push(next);
        if next > peak {
            peak = next;
        } else if next < peak + NEGLIGIBLE.ln() && up(n + 1) < down(n + 2) {
            break;
        }
    }
    let mut probabilities: Vec<f64> = logs.iter().map(|l| (l - peak).exp()).collect();
    let total: f64 = probabilities.iter().sum();
    probabilities.iter_mut().for_each(|p| *p /= total);
    probabilities
}

/// M/M/c with `capacity` places, those in service counted: the probability of each number of jobs present.
pub fn limited(arrival_rate: f64, service_rate: f64, servers: u32, capacity: u32) -> Vec<f64> {
    let (c, capacity) = (servers as usize, capacity as usize);
    stationary(|n| if n < capacity { arrival_rate } else { 0.0 }, |n| service_rate * n.min(c) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::erlang::erlang_b;

    #[test]
    fn without_queue_the_last_place_is_erlang_b() {
        for (c, a) in [(1, 0.5), (10, 8.0), (500, 480.0)] {
            let last = *limited(a, 1.0, c, c).last().unwrap();
            assert!((last / erlang_b(c, a) - 1.0).abs() < 1e-11);
        }
    }
}

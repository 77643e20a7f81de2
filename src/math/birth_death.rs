//! Queues whose number of jobs goes up and down by one: limited places, impatience, state-dependent rates.
//!
//! | symbol | meaning                          | unit       |
//! |--------|----------------------------------|------------|
//! | `λ`    | arrival rate                     | per second |
//! | `μ`    | service rate of one server       | per second |
//! | `θ`    | rate at which a waiter gives up  | per second |
//! | `c, K` | servers; places, servers counted | 1          |
//!
//! Source: Bolch, Greiner, de Meer, Trivedi (1998), section 3.1; impatience: Palm (1957), Garnett, Mandelbaum and
//! Reiman (2002).

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

/// M/M/c whose waiting requests give up at rate `patience_rate` each (Erlang A).
pub fn impatient(arrival_rate: f64, service_rate: f64, servers: u32, patience_rate: f64) -> Vec<f64> {
    let c = servers as usize;
    stationary(|_| arrival_rate, |n| service_rate * n.min(c) as f64 + patience_rate * n.saturating_sub(c) as f64)
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

    #[test]
    fn an_overloaded_impatient_queue_settles() {
        let p = impatient(200.0, 1.0, 100, 0.5);
        let mean: f64 = p.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        // Fluid limit: 100 served, the other 100/s give up at 0.5 each, so 200 wait.
        assert!((mean - 300.0).abs() < 2.0, "{mean}");
    }
}

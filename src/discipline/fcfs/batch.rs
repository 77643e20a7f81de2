//! Requests that arrive several at once.
//!
//! With exponential services the chances of so many present follow from those of fewer; `B` is the mean size of the batch that a
//! request comes in, `Σ λ_b b² / Σ λ_b b`.
//!
//! A member that comes `j`th in a batch that finds `n` begins after `n + j - c` services. Its law is a gamma law with the
//! chance to wait and the two moments that follow. For other services the mean wait is that times
//! `(B + cs²) / (B + 1)`, right in heavy traffic.
//!
//! Source: Chaudhry and Templeton, A First Course in Bulk Queues (1983), chapter 3.

use super::{Queue, Waiting};
use crate::discipline::{Delay, Knowledge};
use crate::distribution::{Gamma, Law};
use crate::math::bulk::bulk;
use crate::unit::PerSecond;

/// The wait of a random request when some arrive in batches, each with its rate and size, and the rest as single
/// Poisson arrivals. `None` at or above full load, or so near that the chances take too long to end.
pub fn batched(queue: &Queue, batches: &[(PerSecond, u32)]) -> Option<Waiting> {
    let rho = queue.utilization();
    if rho >= 1.0 {
        return None;
    }
    let in_batches: f64 = batches.iter().map(|(rate, size)| rate * f64::from(*size)).sum();
    let single = (queue.arrival_rate - in_batches).max(0.0);
    let all: Vec<(f64, usize)> =
        batches.iter().map(|(rate, size)| (*rate, *size as usize)).chain([(single, 1)]).collect();
    let service = queue.service.mean();
    let found = bulk(&all, queue.servers as usize, |present| present as f64 / service, None)?;
    let squares: f64 = all.iter().map(|(rate, size)| rate * (size * size) as f64).sum();
    Some(waiting(queue, squares / queue.arrival_rate, found.waits))
}

/// The wait from the mean size of the batch a request comes in, the chance to wait, and the first two moments of the
/// number of services waited for.
fn waiting(queue: &Queue, size: f64, [probability, first, second]: [f64; 3]) -> Waiting {
    let scv = queue.service.scv();
    let stage = queue.service.mean() / f64::from(queue.servers) * (size + scv) / (size + 1.0);
    let knowledge = Knowledge::Approximate { p95_error: if queue.service.is_exponential() { 0.1 } else { 0.25 } };
    if probability < 1e-300 {
        return Waiting { delay: Delay::None, knowledge };
    }
    let mean = first / probability * stage;
    let spread = (second / probability * stage * stage / (mean * mean) - 1.0).max(1e-6);
    Waiting { delay: Delay::Of { probability, law: Law::Gamma(Gamma { mean, cv: spread.sqrt() }) }, knowledge }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discipline::fcfs::{Arrivals, solve};

    fn queue(rate: f64, servers: u32) -> Queue {
        Queue { arrival_rate: rate, arrivals: Arrivals::Poisson, service: Law::exponential(1.0), servers }
    }

    #[test]
    fn single_requests_wait_as_in_erlang_c() {
        for (rate, servers) in [(0.7, 1), (3.0, 4), (900.0, 1000)] {
            let (batched, alone) =
                (batched(&queue(rate, servers), &[]).unwrap(), solve(&queue(rate, servers)).unwrap());
            assert!((batched.delay.probability() / alone.delay.probability() - 1.0).abs() < 1e-9);
            assert!((batched.delay.mean() / alone.delay.mean() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn batches_at_one_server_have_the_mean_of_the_formula() {
        // Chaudhry and Templeton: ρ/(1 - ρ) + (b - 1)/2/(1 - ρ) services.
        let (rho, size) = (0.6, 3);
        let wait = batched(&queue(rho, 1), &[(rho / 3.0, size)]).unwrap().delay;
        assert!((wait.mean() - (rho + 1.0) / (1.0 - rho)).abs() < 1e-9);
    }

    #[test]
    fn full_load_has_no_answer() {
        assert_eq!(batched(&queue(2.0, 2), &[(0.5, 4)]), None);
    }
}

//! PH/PH/c: interarrival and service times of a few exponential phases, solved exactly.
//!
//! | symbol   | meaning                                                                | unit       |
//! |----------|------------------------------------------------------------------------|------------|
//! | `A*, B*` | transforms of interarrival and service time                            | 1          |
//! | `z`      | root in the unit disk: levels of the queue fall by `z`                 | 1          |
//! | `θ_j(z)` | roots of `z B*(θ) = 1`, one for each phase of service                  | per second |
//! | `η`      | `-(θ_{j1} + … + θ_{jc})`, with `A*(η) = z`                             | per second |
//!
//! With all servers busy each serves on its own, so the eigenvalues of the whole are sums over the servers, and each
//! multiset of phases gives one root of a scalar equation. Each root is one exponential `exp(-ηt)` of the wait. Its
//! weight follows from the balance of the levels at which servers are free.
//!
//! Source: Bertsimas (1990); Asmussen and Møller, Calculation of the steady state waiting time distribution in
//! GI/PH/c and MAP/PH/c queues, Queueing Systems 37 (2001).

mod fit;
mod levels;
mod modes;
mod phases;
mod states;

pub(super) use levels::LimitedPhases;
pub use phases::Phases;

use super::{Arrivals, Queue, renewal};
use crate::discipline::Delay;
use levels::Levels;

/// Matrices up to this size are solved; beyond, an approximation is nearer than the rounding.
const LARGEST: usize = 70;

/// Servers beyond which the eigenvectors of parallel phases are too nearly dependent for double precision.
const MOST_SERVERS: u32 = 20;

/// More multiplications than this are left to a formula.
const MOST_WORK: f64 = 3e6;

/// The exact wait of a stable queue whose laws are of a few phases; `None` when they are not, or are too many.
pub(super) fn solve(queue: &Queue) -> Option<Delay> {
    let service = Phases::of(&queue.service)?;
    let arrivals = match &queue.arrivals {
        Arrivals::Poisson => Phases::OneOf(vec![(1.0, queue.arrival_rate)]),
        Arrivals::Renewal(law) => Phases::of(law)?,
        Arrivals::Scv(_) => return None,
    };
    size(queue, &arrivals, &service)?;
    Levels::new(arrivals, service, queue.servers as usize, queue.arrival_rate).wait()
}

/// The wait of a stable queue with its laws replaced by phases of the same first moments; `None` when that takes too
/// many phases. Variabilities between those of two numbers of stages mix the two answers.
pub(super) fn approximate(queue: &Queue) -> Option<Delay> {
    let mut mixed = Vec::new();
    let mut add = |weight: f64, delay: Delay| {
        let Delay::Exponentials(mut terms) = delay else { return false };
        terms.iter_mut().for_each(|term| term.weight *= weight);
        mixed.append(&mut terms);
        true
    };
    if let (Arrivals::Scv(scv), true) = (&queue.arrivals, queue.service.is_exponential()) {
        // One root instead of a matrix for each server.
        for (weight, law) in fit::of_two_moments(1.0 / queue.arrival_rate, *scv, 1)? {
            add(weight, renewal(&law, queue.service.mean(), queue.servers));
        }
        return Some(Delay::Exponentials(mixed));
    }
    let service = fit::fitted_service(queue)?;
    for (p, arrivals) in fit::fitted_arrivals(queue)? {
        for (q, service) in &service {
            size(queue, &arrivals, service)?;
            let levels = Levels::new(arrivals.clone(), service.clone(), queue.servers as usize, queue.arrival_rate);
            if !add(p * q, levels.wait()?) {
                return None;
            }
        }
    }
    Some(match &queue.arrivals {
        Arrivals::Renewal(_) => Delay::Exponentials(mixed),
        arrivals => {
            // Fewer stages than the law asks for make the services, and with them the waits, vary too much.
            let (arrivals, own) = (arrivals.scv(), queue.service.scv());
            let taken = own.max(fit::least_scv(queue.servers));
            Delay::Exponentials(mixed).shortened((arrivals + own) / (arrivals + taken))
        }
    })
}

/// A queue with `capacity` places, its laws replaced by phases of the same first moments; `None` when that takes too
/// much work.
pub(super) fn limited(queue: &Queue, capacity: usize) -> Option<LimitedPhases> {
    let service = fit::fitted_service(queue)?;
    let c = queue.servers as usize;
    let waiting = capacity - c;
    let mut sum = LimitedPhases { blocking: 0.0, ahead: vec![0.0; waiting], queue_length: 0.0 };
    for (p, arrivals) in fit::fitted_arrivals(queue)? {
        for (q, service) in &service {
            let size = size(queue, &arrivals, service)?;
            if (size as f64).powi(3) * capacity as f64 > MOST_WORK {
                return None;
            }
            let levels = Levels::new(arrivals.clone(), service.clone(), c, queue.arrival_rate);
            let part = levels.limited(waiting)?;
            sum.blocking += p * q * part.blocking;
            sum.queue_length += p * q * part.queue_length;
            sum.ahead.iter_mut().zip(&part.ahead).for_each(|(sum, chance)| *sum += p * q * chance);
        }
    }
    Some(sum)
}

/// How many states a level has with all servers busy; `None` when that is too many.
fn size(queue: &Queue, arrivals: &Phases, service: &Phases) -> Option<usize> {
    let size = states::count(queue.servers as usize, service.count()).checked_mul(arrivals.count())?;
    (size <= LARGEST && queue.servers <= MOST_SERVERS).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::{Erlang, Hyperexponential, Law};
    use crate::math::erlang::erlang_c;

    fn queue(arrivals: Arrivals, rate: f64, service: Law, servers: u32) -> Queue {
        Queue { arrival_rate: rate, arrivals, service, servers }
    }

    #[test]
    fn memoryless_laws_give_erlang_c() {
        for (c, rho) in [(1, 0.5), (4, 0.9), (16, 0.8)] {
            let rate = f64::from(c) * rho;
            let delay = solve(&queue(Arrivals::Poisson, rate, Law::exponential(1.0), c)).unwrap();
            assert!((delay.probability() / erlang_c(c, rate).unwrap() - 1.0).abs() < 1e-10);
        }
    }

    #[test]
    fn one_server_has_the_mean_of_pollaczek_and_khinchine() {
        let two = Law::Hyperexponential(Hyperexponential::new(0.1, 2.0));
        let four = Law::Erlang(Erlang { mean: 0.1, stages: 4 });
        for (service, scv) in [(two, 4.0), (four, 0.25)] {
            let delay = solve(&queue(Arrivals::Poisson, 7.0, service, 1)).unwrap();
            let exact = 0.7 * 0.1 * (1.0 + scv) / 2.0 / 0.3;
            assert!((delay.mean() / exact - 1.0).abs() < 1e-9, "{scv}");
            assert!((delay.probability() - 0.7).abs() < 1e-9);
        }
    }
}

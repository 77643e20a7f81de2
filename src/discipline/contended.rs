//! Servers that slow each other down, by the Universal Scalability Law.
//!
//! | symbol | meaning                                                                             | unit       |
//! |--------|-------------------------------------------------------------------------------------|------------|
//! | `ψ(m)` | how many times slower each is served with `m` in service: `1 + α (m-1) + β m (m-1)` | 1          |
//! | `b(n)` | in service when `n` are there: `min(n, c)`, all of them when they share             | 1          |
//! | `μ(n)` | rate at which they leave, `min(n, c) / (τ ψ(b(n)))`                                 | per second |
//!
//! A birth-death process: exact for Poisson arrivals and exponential work; with other laws waits are those of it times
//! `(ca² + cs²) / 2`. Where more of them there leave more slowly, a queue that has once grown so long that less leaves than
//! comes does not recover; what is given is the state before, if it lasts.
//!
//! Source: Gunther, Guerrilla Capacity Planning (2007).

use super::fcfs::Queue;
use super::{Delay, Knowledge};

/// Universal Scalability Law slow-down: with `n` in service each runs at `1 / (1 + α (n - 1) + β n (n - 1))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contention {
    /// Contention for shared things.
    pub alpha: f64,
    /// Cost of keeping all of them coherent.
    pub beta: f64,
}

/// States are followed until hardly any chance is left.
const MOST_STATES: usize = 200_000;

/// A state that cannot be left lasts long enough if it is entered no more often than once in so many arrivals.
const SELDOM: f64 = 1e-7;

/// A queue whose servers slow each other down.
#[derive(Debug, Clone, PartialEq)]
pub struct Contended {
    /// Mean time in service over that of one alone.
    pub slowdown: f64,
    /// Mean time there, wait included, over the work.
    pub stretch: f64,
    /// Mean number in service.
    pub busy: f64,
    /// Share that is refused.
    pub refused: f64,
    /// Time before service begins.
    pub wait: Delay,
    /// How it is known.
    pub knowledge: Knowledge,
}

/// How many times slower each is served with so many in service at one instance.
pub fn slower(contention: Contention, present: f64) -> f64 {
    let m = present.max(1.0);
    1.0 + contention.alpha * (m - 1.0) + contention.beta * m * (m - 1.0)
}

/// The work that so many servers of an instance can do, in servers without contention: of those that share, with the number
/// of requests that is best.
pub fn capacity(contention: Contention, servers: u32, sharing: bool) -> f64 {
    let all = f64::from(servers);
    if !sharing {
        return all / slower(contention, all);
    }
    (1..=servers).map(|n| f64::from(n) / slower(contention, f64::from(n))).fold(0.0, f64::max)
}

/// Solves a queue of servers on so many instances that slow each other down; `sharing` if all that are there are served, `places`
/// if only so many may wait. `None` where it grows without end.
pub fn solve(
    queue: &Queue,
    contention: Contention,
    instances: u32,
    sharing: bool,
    places: Option<u32>,
) -> Option<Contended> {
    let (rate, work, servers) = (queue.arrival_rate, queue.service.mean(), queue.servers as usize);
    if rate <= 0.0 {
        let (wait, knowledge) = (Delay::None, Knowledge::Exact);
        return Some(Contended { slowdown: 1.0, stretch: 1.0, busy: 0.0, refused: 0.0, wait, knowledge });
    }
    let leaving = |n: usize| {
        let in_service = if sharing { n } else { n.min(servers) };
        n.min(servers) as f64 / (work * slower(contention, in_service as f64 / f64::from(instances)))
    };
    let last = places.map(|places| servers.saturating_add(places as usize));
    let variability = 0.5 * (queue.arrivals.scv() + if sharing { 1.0 } else { queue.service.scv().min(1e3) });
    let full = leaving(servers);
    if last.is_none() && !sharing && rate >= full {
        return None;
    }
    let Counted { present, busy, mut waiting, at_last } = counted(rate, leaving, servers, sharing, last)?;
    let refused = if last.is_some() { at_last } else { 0.0 };
    if last.is_some() {
        // The last one is refused.
        waiting.pop();
    }
    let passed = rate * (1.0 - refused);
    let chances: Vec<f64> = waiting.iter().map(|chance| chance / (1.0 - refused)).collect();
    let wait = match last {
        _ if sharing => Delay::None,
        None => Delay::exponential(chances.iter().sum(), full - rate).scaled(variability.max(1e-9)),
        Some(_) if chances.is_empty() => Delay::None,
        Some(_) => Delay::Erlangs { weights: chances, rate: full / variability.max(1e-9) },
    };
    let exact = queue.arrivals.is_poisson() && queue.service.is_exponential();
    Some(Contended {
        slowdown: if passed > 0.0 { busy / (passed * work) } else { 1.0 },
        stretch: if passed > 0.0 { present / (passed * work) } else { 1.0 },
        busy,
        refused,
        wait,
        // The speed changes while one is served: the mean time is right, its law is about that of the work.
        knowledge: Knowledge::Approximate { p95_error: if exact { 0.05 } else { 0.15 } },
    })
}

/// How many are there.
struct Counted {
    /// Mean number, and that in service.
    present: f64,
    busy: f64,
    /// Chance of each number from that of the servers on.
    waiting: Vec<f64>,
    /// Chance that it is full.
    at_last: f64,
}

/// The chances of each number of requests, which leave at these rates, up to the last if there is one. `None` where they grow
/// without end.
fn counted(
    rate: f64,
    leaving: impl Fn(usize) -> f64,
    servers: usize,
    sharing: bool,
    last: Option<usize>,
) -> Option<Counted> {
    let (mut weight, mut total, mut present, mut busy) = (1.0f64, 1.0, 0.0, 0.0);
    let mut waiting: Vec<f64> = Vec::new();
    let mut n = 0;
    let at_last = loop {
        n += 1;
        if last.is_some_and(|last| n > last) {
            break weight;
        }
        if sharing && last.is_none() && n > servers && rate >= leaving(n) {
            // From here on it would never come back.
            if weight > SELDOM * total {
                return None;
            }
            break 0.0;
        }
        weight *= rate / leaving(n);
        total += weight;
        present += n as f64 * weight;
        busy += (if sharing { n } else { n.min(servers) }) as f64 * weight;
        if n >= servers {
            waiting.push(weight);
        }
        if n > servers && weight < 1e-15 * total || n > MOST_STATES {
            break 0.0;
        }
        if total > 1e200 {
            [&mut weight, &mut total, &mut present, &mut busy].into_iter().for_each(|sum| *sum *= 1e-200);
            waiting.iter_mut().for_each(|weight| *weight *= 1e-200);
        }
    };
    waiting.iter_mut().for_each(|weight| *weight /= total);
    Some(Counted { present: present / total, busy: busy / total, waiting, at_last: at_last / total })
}

#[cfg(test)]
mod tests {
    use super::super::fcfs::{self, Arrivals};
    use super::*;
    use crate::distribution::Law;

    fn queue(rate: f64, servers: u32) -> Queue {
        Queue { arrival_rate: rate, arrivals: Arrivals::Poisson, service: Law::exponential(0.01), servers }
    }

    #[test]
    fn without_contention_it_is_the_queue_of_erlang() {
        let none = Contention { alpha: 0.0, beta: 0.0 };
        let own = solve(&queue(300.0, 4), none, 1, false, None).unwrap();
        let erlang = fcfs::solve(&queue(300.0, 4)).unwrap();
        assert!((own.slowdown - 1.0).abs() < 1e-12 && (own.busy - 3.0).abs() < 1e-12);
        assert!((own.wait.mean() / erlang.delay.mean() - 1.0).abs() < 1e-9);
        let limited = solve(&queue(500.0, 4), none, 1, false, Some(3)).unwrap();
        let right = fcfs::limited(&queue(500.0, 4), 7);
        assert!((limited.refused - right.blocking).abs() < 1e-12);
        assert!((limited.wait.mean() / right.wait.mean() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn work_is_conserved_and_slower() {
        let some = Contention { alpha: 0.05, beta: 0.002 };
        let own = solve(&queue(200.0, 4), some, 1, false, None).unwrap();
        assert!(own.slowdown > 1.02 && own.slowdown < slower(some, 4.0));
        assert!(solve(&queue(400.0 / slower(some, 4.0), 4), some, 1, false, None).is_none());
        // All that share are served; beyond what they can do it does not come back.
        assert!(solve(&queue(100.0, 4), some, 1, true, None).is_some());
        assert!(solve(&queue(390.0, 4), some, 1, true, None).is_none());
    }
}

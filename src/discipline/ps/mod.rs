//! Processor sharing: all present are served at once, none faster than one server.
//!
//! | symbol    | meaning                                                        | unit    |
//! |-----------|----------------------------------------------------------------|---------|
//! | `x`       | work of the request, alone on a server                         | seconds |
//! | `T(x)`    | its response time                                              | seconds |
//! | `S, C, m` | slowness an arrival finds, Erlang C, servers                   | 1       |
//!
//! ```text
//! E T(x) = x (1 + C / (m (1 - ρ)))
//! ```
//!
//! The mean is insensitive to the law of the work. One server: the exact law, with phases in place of work that has
//! none (`single`). Several servers and exponential work: the exact law (`several`). Several servers and other work:
//! given `x`, the time beyond `x` is zero with the chance that nobody is in the way, and otherwise gamma, with the
//! variance that follows from how long the slowness is correlated among exponential others.
//!
//! Source: Yashkov (1983); Cohen (1979), insensitivity.

mod several;
mod single;

use super::fcfs::{self, Arrivals, Queue};
use super::{Delay, Knowledge};
use crate::distribution::{Derived, Distribution, Law, Table};
use crate::math::ladder::{Ladder, Stretch};
use crate::math::{erlang, quadrature, special};
use several::{Chain, Several};
use single::Shared;

/// Times are looked at down to this part of the mean.
const SHORTEST: f64 = 1e-9;

/// Chains of more states, which are near saturation, take longer than their figures are worth.
const MOST_STATES: usize = 4000;

/// Knots of a tabulated law, at most.
const KNOTS: usize = 96;

/// Mean response over work: how much longer everything takes than alone.
pub fn slowdown(queue: &Queue) -> Option<f64> {
    let busy = erlang::erlang_c(queue.servers, queue.offered_load())?;
    Some(1.0 + busy / (f64::from(queue.servers) * (1.0 - queue.utilization())))
}

/// A queue with so many servers and this work in which everything takes so many times as long as alone.
pub fn with_slowdown(queue: &Queue, wanted: f64) -> Queue {
    let at = |rate: f64| Queue { arrival_rate: rate, ..queue.clone() };
    let (mut low, mut high) = (0.0, f64::from(queue.servers) / queue.service.mean());
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if slowdown(&at(middle)).is_none_or(|slowdown| slowdown > wanted) {
            high = middle;
        } else {
            low = middle;
        }
    }
    at(low)
}

/// A shared queue with Poisson arrivals in which all takes as long as in this one with arrivals spaced otherwise.
///
/// Other arrivals make as many wait there as in a queue where they are served one after the other, if work is exponential.
/// In heavy traffic what they add to that goes with `2 / (1 + cs²)`, as the work that is left of each job is longer the more
/// work varies: `E N (1 - ρ) = (ca² + cs²) / (1 + cs²)` (Zhang and Zwart, 2008).
pub fn spaced(own: Queue) -> Queue {
    if own.arrivals.is_poisson() {
        return own;
    }
    let memoryless = |arrivals: Arrivals| {
        let service = Law::exponential(own.service.mean());
        fcfs::solve(&Queue { arrivals, service, ..own.clone() }).map_or(0.0, |waiting| waiting.delay.mean())
    };
    let (plain, met) = (memoryless(Arrivals::Poisson), memoryless(own.arrivals.clone()));
    match slowdown(&own) {
        Some(slowdown) if plain > 0.0 => {
            let part = 2.0 / (1.0 + own.service.scv());
            let factor = (1.0 + part * (met / plain - 1.0)).max(0.0);
            with_slowdown(&own, 1.0 + factor * (slowdown - 1.0))
        }
        _ => own,
    }
}

/// A visit to a shared station: a wait and a service in form only, since all are served all the time.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// For constant work what comes on top of it.
    pub wait: Delay,
    /// The work if it is constant, all of the response time otherwise.
    pub law: Law,
    /// How it is known.
    pub knowledge: Knowledge,
}

/// How a visit to several servers is known whose law is put together from the slowness of the station.
const TABULATED: Knowledge = Knowledge::Approximate { p95_error: 0.08 };

/// How the response time of requests that bring the work of all is known; `None` without a steady state.
pub fn knowledge(queue: &Queue) -> Option<Knowledge> {
    let tabulated = queue.servers > 1 && queue.service.mean() > 0.0 && followed(queue, &queue.service).is_none();
    if tabulated { slowdown(queue).map(|_| TABULATED) } else { own_visit(queue).map(|visit| visit.knowledge) }
}

/// The work as exponential parts, where a request can be followed among those at several servers.
fn followed(queue: &Queue, work: &Law) -> Option<Vec<(f64, f64)>> {
    let alike = queue.service.is_exponential() || queue.service.scv() < 1.5;
    if queue.servers > 1 && alike { single::exponentials(work) } else { None }
}

/// The response time of requests with the work of all.
pub fn own_visit(queue: &Queue) -> Option<Visit> {
    visit(queue, &queue.service, &Ladder { unit: queue.service.mean() })
}

/// The response time of requests with work of the law `work`, in a station that as a whole looks like `queue`, where the rungs of a ladder
/// are looked at. `None` without a steady state.
pub fn visit(queue: &Queue, work: &Law, ladder: &Ladder) -> Option<Visit> {
    let slowdown = slowdown(queue)?;
    let knowledge = |exact: bool| if exact { Knowledge::Exact } else { Knowledge::Approximate { p95_error: 0.05 } };
    if work.mean() == 0.0 || queue.arrival_rate <= 0.0 {
        return Some(Visit { wait: Delay::None, law: work.clone(), knowledge: Knowledge::Exact });
    }
    let chain = Chain::new(queue.arrival_rate, queue.service.mean(), queue.servers);
    if let Some(size) = followed(queue, work)
        && chain.found().len() <= MOST_STATES
    {
        let law = Law::Derived(Derived::new(Several::new(chain, size)));
        return Some(Visit { wait: Delay::None, law, knowledge: knowledge(queue.service.is_exponential()) });
    }
    let slowness = Slowness::new(&chain, queue);
    if queue.servers > 1 {
        let law = slowness.tabulated(work, slowdown, ladder);
        return Some(Visit { wait: Delay::None, law, knowledge: TABULATED });
    }
    let square = |x: f64| slowness.variance(x) + (x * slowdown) * (x * slowdown);
    let second: f64 = sizes(work, &FINELY).iter().map(|(weight, x)| weight * square(*x)).sum();
    let mean = work.mean() * slowdown;
    let shared = Shared::new(queue.arrival_rate, &queue.service, work);
    let knowledge = knowledge(shared.is_exact());
    if work.is_constant() {
        let x = work.mean();
        let extra = x * (slowdown - 1.0);
        let (probability, law) = shared.on_top(x, extra, slowness.variance(x) + extra * extra);
        let wait = Delay::Of { probability, law: Law::Derived(Derived::new(law)) };
        return Some(Visit { wait, law: work.clone(), knowledge });
    }
    let law = Law::Derived(Derived::new(shared.with_moments(mean, second)));
    Some(Visit { wait: Delay::None, law, knowledge })
}

/// How slow a station is over the time of a request.
struct Slowness {
    variance: f64,
    /// Work after which it is another, on average.
    memory: f64,
    /// Chance to find a server free, and the rate at which that ends.
    free: f64,
    crowding: f64,
}

impl Slowness {
    fn new(chain: &Chain, queue: &Queue) -> Slowness {
        let found = chain.found();
        let each = || found.iter().enumerate().map(|(n, p)| (*p, chain.slowness(n)));
        let mean: f64 = each().map(|(p, slow)| p * slow).sum();
        let variance: f64 = each().map(|(p, slow)| p * (slow - mean) * (slow - mean)).sum();
        let servers = (queue.servers as usize).min(found.len());
        let free: f64 = found[..servers].iter().sum();
        // Longer services keep a station slow for longer, by their residual time.
        let memory = if variance > 0.0 {
            chain.correlation(mean) / variance * 0.5 * (1.0 + queue.service.scv().min(1e4))
        } else {
            0.0
        };
        let crowding = queue.arrival_rate * found[servers - 1] / free.max(f64::MIN_POSITIVE);
        Slowness { variance, memory, free, crowding }
    }

    /// Variance of the response time of work `x`.
    fn variance(&self, x: f64) -> f64 {
        if self.memory <= 0.0 {
            return 0.0;
        }
        let u = x / self.memory;
        2.0 * self.variance * self.memory * self.memory * (u + (-u).exp_m1())
    }

    /// Chance that work `x` meets nobody who is in its way.
    fn alone(&self, x: f64) -> f64 {
        self.free * (-self.crowding * x).exp()
    }

    /// The law of the response time of this work, on knots of a lattice.
    fn tabulated(&self, work: &Law, slowdown: f64, ladder: &Ladder) -> Law {
        let mean = work.mean() * slowdown;
        let part = |(weight, x): (f64, f64)| {
            let (alone, met) = (self.alone(x), Met::new(x, x * (slowdown - 1.0), self.variance(x), self.alone(x)));
            (weight * (1.0 - alone), met)
        };
        let mut met: Vec<(f64, Met)> = sizes(work, &COARSELY).into_iter().map(part).collect();
        met.retain(|(weight, _)| *weight > HARDLY_ANY);
        let in_the_way = |t: f64| met.iter().map(|(weight, met)| weight * met.exceeding(t)).sum::<f64>();
        // All who are late by their work alone are late.
        let about = |t: f64| self.alone(t) * work.exceeding(t) + in_the_way(t);
        let (mut low, mut high) =
            (work.at_score(-END, 1.0 - LEFT).max(SHORTEST * mean), work.at_score(END, LEFT).max(mean));
        while about(low) < 1.0 - 1e-4 && low > SHORTEST * mean {
            low *= 0.7;
        }
        while about(high) > 1e-6 && high < mean * 1e9 {
            high *= 1.3;
        }
        let stretch = Stretch::between(ladder, low, high, KNOTS);
        // From the end on: those whom nobody was in the way of are late by their work, each size with its own chance.
        let mut tails = vec![0.0; stretch.count];
        let (mut alone, mut after) = (0.0, (high, 0.0));
        for i in (0..stretch.count - 1).rev() {
            let t = stretch.time(i);
            let longer = work.exceeding(t);
            alone += self.alone(0.5 * (t + after.0)) * (longer - after.1);
            tails[i] = (alone + in_the_way(t)).max(tails[i + 1]).min(1.0);
            after = (t, longer);
        }
        Law::Table(Table::on_lattice(stretch, tails, f64::INFINITY, mean))
    }
}

/// Of those with work of size `least` who have met others: gamma time beyond it.
struct Met {
    least: f64,
    shape: f64,
    scale: f64,
}

impl Met {
    /// Where all of that size, those who are alone too, take so much longer on average, with this variance.
    fn new(least: f64, beyond: f64, variance: f64, alone: f64) -> Met {
        let met = 1.0 - alone;
        if beyond <= 0.0 || variance <= 0.0 || met <= 1e-12 {
            return Met { least, shape: 1.0, scale: 0.0 };
        }
        // Never less variable than the mean allows.
        let mean = beyond / met;
        let spread = ((variance + beyond * beyond) / met - mean * mean).max(1e-4 * mean * mean);
        Met { least, shape: mean * mean / spread, scale: spread / mean }
    }

    fn exceeding(&self, t: f64) -> f64 {
        if t < self.least {
            1.0
        } else if self.scale == 0.0 {
            0.0
        } else {
            let y = (t - self.least) / self.scale;
            // Far out next to none are left, and it costs as much to see how few.
            if y > self.shape + 8.0 * self.shape.sqrt() + 30.0 { 0.0 } else { special::gamma_upper(self.shape, y) }
        }
    }
}

/// Fewer than this say nothing.
const HARDLY_ANY: f64 = 1e-9;

/// Ends of the panels of normal scores on which sizes are taken.
const FINELY: [f64; 5] = [-4.2, -1.6, 0.0, 1.6, 4.2];
const COARSELY: [f64; 3] = [-4.2, 0.0, 4.2];

/// A normal score, and the part that is beyond it: as good as all sizes lie within.
const END: f64 = 3.72;
const LEFT: f64 = 1e-4;

/// Sizes of work with their weights: nodes of a quadrature over its normal scores.
fn sizes(work: &Law, scores: &[f64]) -> Vec<(f64, f64)> {
    if work.is_constant() {
        return vec![(1.0, work.mean())];
    }
    let mut nodes: Vec<(f64, f64)> = scores
        .windows(2)
        .flat_map(|pair| quadrature::panel(pair[0], pair[1]))
        .map(|(score, weight)| {
            let density = (-0.5 * score * score).exp() / (2.0 * std::f64::consts::PI).sqrt();
            (weight * density, work.at_score(score, special::normal_upper(score)))
        })
        .collect();
    let total: f64 = nodes.iter().map(|(weight, _)| weight).sum();
    nodes.iter_mut().for_each(|(weight, _)| *weight /= total);
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discipline::fcfs::Arrivals;
    use crate::distribution::Mixture;

    #[test]
    fn work_that_may_be_none_has_a_response_time() {
        let work = Law::Mixture(Mixture::new(vec![(0.3, Law::constant(0.0)), (0.7, Law::lognormal(0.02, 2.0))]));
        let queue = Queue { arrival_rate: 70.0, arrivals: Arrivals::Poisson, service: work.clone(), servers: 2 };
        let visit = own_visit(&queue).unwrap();
        let mean = work.mean() * slowdown(&queue).unwrap();
        assert!((visit.law.mean() / mean - 1.0).abs() < 1e-6, "{}", visit.law.mean());
        assert!(visit.law.exceeding(0.02) > work.exceeding(0.02) && visit.law.exceeding(1e-6) < 0.75);
    }

    #[test]
    fn the_variance_of_one_memoryless_server_is_known() {
        // Yashkov: Var T(x) = 2ρ / (μ² (1-ρ)⁴) (μ(1-ρ)x - 1 + exp(-μ(1-ρ)x)).
        let (rho, mu, x) = (0.7f64, 1.0f64, 2.0f64);
        let queue =
            Queue { arrival_rate: rho, arrivals: Arrivals::Poisson, service: Law::exponential(1.0 / mu), servers: 1 };
        let chain = Chain::new(rho, 1.0 / mu, 1);
        let u = mu * (1.0 - rho) * x;
        let exact = 2.0 * rho / (mu * mu * (1.0 - rho).powi(4)) * (u - 1.0 + (-u).exp());
        assert!((Slowness::new(&chain, &queue).variance(x) / exact - 1.0).abs() < 1e-6);
    }
}

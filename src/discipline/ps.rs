//! Processor sharing: all present are served at once, none faster than one server.
//!
//! | symbol | meaning                                          | unit    |
//! |--------|--------------------------------------------------|---------|
//! | `x`    | work of the request, alone on a server           | seconds |
//! | `T(x)` | its response time                                | seconds |
//!
//! ```text
//! one server:       E T(x) = x / (1 - ρ),   Var T(x) = 2 / (1 - ρ)² ∫_0^x (x - u) P(W > u) du
//! several servers:  E T(x) = x (1 + C / (m (1 - ρ)))
//! ```
//!
//! with `W` the wait of first come, first served. The mean is insensitive to the law of the work. Given `x`, the time
//! beyond `x` is taken as gamma with these two moments.
//!
//! Source: Yashkov (1983); Zwart and Boxma (2000); several servers: Cohen (1979).

use super::Knowledge;
use super::fcfs::Queue;
use crate::distribution::{Distribution, Law, Table};
use crate::math::{erlang, special};

/// Sizes of work the law is averaged over.
const SIZES: usize = 24;
/// Knots of the resulting law.
const KNOTS: usize = 64;

/// Mean response over work: how much longer everything takes than alone.
pub fn slowdown(queue: &Queue) -> Option<f64> {
    let busy = erlang::erlang_c(queue.servers, queue.offered_load())?;
    Some(1.0 + busy / (f64::from(queue.servers) * (1.0 - queue.utilization())))
}

/// The law of the response time of requests with this work, in a station that as a whole looks like `queue`.
/// `None` without a steady state.
pub fn response(queue: &Queue, work: &Law) -> Option<(Law, Knowledge)> {
    let slowdown = slowdown(queue)?;
    let knowledge = Knowledge::Approximate { p95_error: 0.05 };
    if work.mean() == 0.0 {
        return Some((Law::constant(0.0), knowledge));
    }
    let rho = queue.utilization();
    // The wait that drives the variance: exponential with the right mean, which it is for memoryless work.
    let busy = erlang::erlang_c(queue.servers, queue.offered_load())?;
    let mean_wait = 0.5 * (1.0 + queue.service.scv()) * queue.service.mean() / (f64::from(queue.servers) * (1.0 - rho));
    let parts: Vec<Part> = sizes(work)
        .into_iter()
        .map(|x| {
            let u = x / mean_wait;
            let integral = busy * mean_wait * mean_wait * (u + (-u).exp_m1());
            let variance = 2.0 / ((1.0 - rho) * (1.0 - rho)) * integral / f64::from(queue.servers * queue.servers);
            Part::new(x, x * (slowdown - 1.0), variance)
        })
        .collect();
    Some((tabulate(&parts, work.mean() * slowdown), knowledge))
}

/// Work of size `least`, and gamma time beyond it.
struct Part {
    least: f64,
    shape: f64,
    scale: f64,
}

impl Part {
    fn new(least: f64, beyond: f64, variance: f64) -> Part {
        if beyond <= 0.0 || variance <= 0.0 {
            return Part { least, shape: 1.0, scale: 0.0 };
        }
        Part { least, shape: beyond * beyond / variance, scale: variance / beyond }
    }

    fn exceeding(&self, t: f64) -> f64 {
        if t <= self.least {
            1.0
        } else if self.scale == 0.0 {
            0.0
        } else {
            special::gamma_upper(self.shape, (t - self.least) / self.scale)
        }
    }
}

/// Work at the middles of equally likely classes.
fn sizes(work: &Law) -> Vec<f64> {
    if work.is_constant() {
        return vec![work.mean()];
    }
    (0..SIZES).map(|i| work.quantile((i as f64 + 0.5) / SIZES as f64)).collect()
}

fn tabulate(parts: &[Part], mean: f64) -> Law {
    let exceeding = |t: f64| parts.iter().map(|part| part.exceeding(t)).sum::<f64>() / parts.len() as f64;
    let (mut low, mut high) = (mean, mean);
    while exceeding(low) < 1.0 - 1e-4 && low > mean * 1e-9 {
        low *= 0.7;
    }
    while exceeding(high) > 1e-6 && high < mean * 1e9 {
        high *= 1.3;
    }
    let ratio = (high / low).powf(1.0 / (KNOTS - 1) as f64);
    let mut knots: Vec<(f64, f64)> = (0..KNOTS)
        .map(|i| {
            let t = low * ratio.powi(i as i32);
            (t, exceeding(t))
        })
        .collect();
    knots[0].1 = 1.0;
    knots[KNOTS - 1].1 = 0.0;
    for i in 1..KNOTS {
        knots[i].1 = knots[i].1.min(knots[i - 1].1);
    }
    let table = Table::new(knots);
    let factor = mean / table.moment(1);
    Law::Table(table.scaled(factor))
}

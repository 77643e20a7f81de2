//! The simulation engine: requests one by one, event by event.

mod arrivals;
mod balance;
mod calendar;
mod calls;
mod engine;
mod forks;
mod frames;
mod ledger;
mod lru;
mod program;
mod queue;
mod record;
mod share;
mod spans;
mod steps;

use crate::math::histogram::Histogram;
use crate::network::Network;
use crate::unit::{PerSecond, Seconds};
use engine::Engine;
use program::Program;
use rayon::prelude::*;

/// How long to run, and with which numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effort {
    /// Where all random numbers come from.
    pub seed: u64,
    /// Independent runs.
    pub replications: u64,
    /// Simulated time that each run leaves out at its beginning, in seconds.
    pub warmup: Seconds,
    /// Simulated time that each run measures after that, in seconds.
    pub duration: Seconds,
}

/// What one replication measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Replication {
    /// One for each workload of the network.
    pub workloads: Vec<Measured>,
    /// One for each service of the network.
    pub services: Vec<Measured>,
    /// Busy servers of each station, on average.
    pub busy: Vec<f64>,
    /// Waiting requests of each station, on average.
    pub queue_length: Vec<f64>,
}

/// Requests of a workload or a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Requests that came, per second.
    pub arrival_rate: PerSecond,
    /// Requests that were answered with success, per second.
    pub throughput: PerSecond,
    /// Failed ones among those that were answered; `None` when none was.
    pub error_rate: Option<f64>,
    /// Mean response time of the successful ones, in seconds; `None` when there is none.
    pub mean: Option<Seconds>,
    /// Their response times.
    pub times: Histogram,
}

/// Runs the replications of an effort, in order, on several threads.
pub fn run(network: &Network, effort: &Effort) -> Vec<Replication> {
    let program = Program::new(network);
    let one = |replication: u64| replicated(network, &program, effort, replication);
    (0..effort.replications).into_par_iter().map(one).collect()
}

/// One replication of an effort: the same figures wherever and whenever it runs.
pub fn replicate(network: &Network, effort: &Effort, replication: u64) -> Replication {
    replicated(network, &Program::new(network), effort, replication)
}

fn replicated(network: &Network, program: &Program, effort: &Effort, replication: u64) -> Replication {
    let mut engine = Engine::new(network, program, effort.seed, replication);
    engine.run_until(effort.warmup);
    engine.clear();
    engine.run_until(effort.warmup + effort.duration);
    let time = engine.now - engine.since;
    let measured = |requests: &record::Requests| {
        let successes = requests.response.times.count();
        let answered = successes + requests.failures;
        Measured {
            arrival_rate: requests.arrivals as f64 / time,
            throughput: successes as f64 / time,
            error_rate: (answered > 0).then(|| requests.failures as f64 / answered as f64),
            mean: requests.response.mean(),
            times: requests.response.times.clone(),
        }
    };
    let (busy, queue_length) = engine.station_usage().into_iter().map(|u| (u.busy / time, u.waiting / time)).unzip();
    Replication {
        workloads: engine.record.workloads.iter().map(measured).collect(),
        services: engine.record.services.iter().map(measured).collect(),
        busy,
        queue_length,
    }
}

/// What of a network this engine cannot run yet, in words; nothing when it can.
pub fn unsupported(_network: &Network) -> Vec<&'static str> {
    Vec::new()
}

//! How long the queue of a station remembers, and how soon a request comes back to it.
//!
//! | symbol | meaning                                                                             | unit    |
//! |--------|-------------------------------------------------------------------------------------|---------|
//! | `n`    | visits of one request to the station                                                | 1       |
//! | `m`    | servers of its queue                                                                | 1       |
//! | `D`    | work of one request there, all its visits together; `cD²` its variability, `cs² / n` | seconds |
//! | `T`    | time in which the queue forgets, `D (1 + cD²) / (2 m (1 - ρ)²)`                     | seconds |
//!
//! `T` is the integral of the correlation of the number of requests in heavy traffic.

use crate::distribution::{Distribution, Law};
use crate::network::flows::Flows;
use crate::network::{Network, StationId, Step};
use crate::unit::{PerSecond, Seconds};

/// What the queue of a station remembers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Memory {
    /// Time in which it forgets.
    pub time: Seconds,
    /// Chance that a request meets the same queue again.
    pub same: f64,
    /// Servers of that queue.
    pub servers: f64,
    pub utilization: f64,
    /// Mean service time that is left of one that is going on.
    pub residual: Seconds,
    pub service_scv: f64,
    /// Whether one request may come more than once: some workload's do on average, or some operation does.
    pub repeated: bool,
}

impl Memory {
    /// The part of what a request found that is still so after some time.
    pub fn kept(&self, time: Seconds) -> f64 {
        if self.time > 0.0 { (-time.max(0.0) / self.time).exp() } else { 0.0 }
    }

    /// How many times as long as its work a visit takes, roughly: as at M/M/1.
    pub fn stretch(&self) -> f64 {
        1.0 / (1.0 - self.utilization).max(1e-9)
    }

    /// How fast what one visit of a request found and left is gone for its next.
    pub fn forgetting(&self) -> PerSecond {
        if self.residual > 0.0 { 0.2 * self.servers * (1.0 - self.utilization) / self.residual } else { f64::MAX }
    }
}

/// What the queue of each station remembers when requests flow like this.
pub(super) fn memories(network: &Network, flows: &Flows, rates: &[PerSecond]) -> Vec<Memory> {
    let mut work = vec![(0.0, 0.0); network.stations.len()];
    let mut visits = vec![vec![0.0; rates.len()]; network.stations.len()];
    for (visit, own) in network.visits.iter().zip(flows.visits.iter()) {
        let rate: f64 = own.iter().sum();
        let sum = &mut work[visit.station];
        *sum = (sum.0 + rate * visit.time.mean(), sum.1 + rate * visit.time.moment(2));
        visits[visit.station].iter_mut().zip(own).for_each(|(sum, rate)| *sum += rate);
    }
    let utilization: Vec<f64> =
        work.iter().zip(&network.stations).map(|((work, _), place)| (work / place.capacity()).min(1.0)).collect();
    let again = again(network);
    let memory = |station: usize| {
        let (place, visits, (work, second)) = (&network.stations[station], &visits[station], work[station]);
        let rate: f64 = visits.iter().sum();
        if rate <= 0.0 || work <= 0.0 {
            return Memory::default();
        }
        let mean = work / rate;
        let service_scv = (second / rate / (mean * mean) - 1.0).clamp(0.0, 1e4);
        let (mut times, mut most) = (0.0, 0.0f64);
        for (visits, rate) in visits.iter().zip(rates).filter(|(visits, _)| **visits > 0.0) {
            times += visits * (visits / rate).max(1.0);
            most = most.max(visits / rate);
        }
        let visits = times / rate;
        let servers = if place.is_split() { f64::from(place.servers) } else { place.total_servers() };
        let idle = 1.0 - utilization[station];
        Memory {
            time: (visits + service_scv) * mean / (2.0 * servers * idle * idle),
            same: if place.is_split() { 1.0 / f64::from(place.instances) } else { 1.0 },
            servers,
            utilization: utilization[station],
            residual: 0.5 * mean * (1.0 + service_scv),
            service_scv,
            repeated: most > 1.0 + 1e-6 || again[station],
        }
    };
    (0..network.stations.len()).map(memory).collect()
}

/// Whether an operation visits each station more than once.
fn again(network: &Network) -> Vec<bool> {
    let mut again = vec![false; network.stations.len()];
    let mut last = vec![usize::MAX; network.stations.len()];
    for (id, operation) in network.operations.iter().enumerate() {
        note(network, &operation.steps, &mut |station, often| {
            again[station] |= often || last[station] == id;
            last[station] = id;
        });
    }
    again
}

/// Notes each visit among some steps, and whether it is within what is repeated.
fn note(network: &Network, steps: &[Step], seen: &mut dyn FnMut(StationId, bool)) {
    for step in steps {
        match step {
            Step::Visit(visit) => seen(network.visits[*visit].station, false),
            Step::Repeat { times: 2.., steps } => note(network, steps, &mut |station, _| seen(station, true)),
            step => step.inner(|steps| note(network, steps, seen)),
        }
    }
}

/// Time that some steps spend in no queue, those that they call left out.
pub(super) fn delays(steps: &[Step]) -> Seconds {
    let each = steps.iter().map(|step| match step {
        Step::Delay(law) => law.mean(),
        Step::Guarded(guarded) => delays(&guarded.attempt) * guarded.call.probability * f64::from(guarded.call.times),
        Step::Call(call) => call.probability * f64::from(call.times) * call.network.as_ref().map_or(0.0, Law::mean),
        Step::Choose { ways, .. } => ways.iter().map(|(weight, steps)| weight * delays(steps)).sum(),
        Step::Hold { steps, .. } => delays(steps),
        Step::Repeat { times, steps } => f64::from(*times) * delays(steps),
        Step::Parallel { branches, .. } => branches.iter().map(|steps| delays(steps)).fold(0.0, f64::max),
        Step::Visit(_) | Step::Send(_) | Step::Fail(_) => 0.0,
    });
    each.sum()
}

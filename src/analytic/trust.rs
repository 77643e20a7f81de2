//! How far the figures of a workload can be trusted.
//!
//! Exact is what theory calls exact: Poisson arrivals everywhere on the way, product-form queues, and a way on which
//! the times at successive stations are independent (Reich, 1957; Burke, 1969: no station twice, and only the first
//! and the last with several servers). Everything else is an approximation, with the error to expect of it.

use super::Solution;
use super::compose::Composed;
use crate::discipline::Knowledge;
use crate::network::{OperationId, StationId, Step, VisitId};
use crate::prediction::{Accuracy, Times};
use std::collections::HashSet;

/// Error of a composition whose parts are exact but not independent.
const DEPENDENCE: f64 = 0.02;

/// Added for branches of one request that queue at the same time.
const FORK: f64 = 0.05;

/// How the figures of workload `w` are known.
pub(super) fn accuracy(solution: &Solution<'_>, composed: &Composed<'_>, w: usize, response: &Times) -> Accuracy {
    let network = solution.network;
    let workload = &network.workloads[w];
    let mut way = Way::default();
    for (operation, _) in &workload.mix {
        way.operation(solution, *operation, 1.0, 0);
    }
    if way.is_exact(solution, workload.class) && workload.mix.len() == 1 {
        return Accuracy::Exact;
    }
    let mean = response.mean.unwrap_or(0.0);
    let mut error = DEPENDENCE;
    for (visit, runs) in &way.visits {
        if let Knowledge::Approximate { p95_error } =
            solution.stations[network.visits[*visit].station].classes[workload.class].knowledge
        {
            let work = network.visits[*visit].time.mean();
            let wait = solution.stations[network.visits[*visit].station].classes[workload.class].wait.as_ref();
            let queueing =
                wait.map_or(0.0, |w| w.mean()) + composed.served_mean(*visit, workload.class).unwrap_or(work) - work;
            let share = if mean > 0.0 { (runs * queueing / mean).min(1.0) } else { 0.0 };
            error += p95_error * share;
        }
    }
    if way.forked {
        error += FORK;
    }
    Accuracy::Approximate { p95_error: (error * 1000.0).round() / 1000.0 }
}

/// The stations a request passes, in order.
#[derive(Default)]
struct Way {
    visits: Vec<(VisitId, f64)>,
    stations: HashSet<StationId>,
    /// Some station is passed more than once, or by chance, or too many operations were looked at to tell.
    tangled: bool,
    /// Several branches of a parallel step queue.
    forked: bool,
}

/// A way through more operations than this is an approximation anyway.
const LONGEST: usize = 2000;

impl Way {
    fn operation(&mut self, solution: &Solution<'_>, operation: OperationId, runs: f64, depth: usize) {
        if depth > 60 || self.visits.len() > LONGEST {
            self.tangled = true;
            return;
        }
        self.steps(solution, &solution.network.operations[operation].steps, runs, depth);
    }

    fn steps(&mut self, solution: &Solution<'_>, steps: &[Step], runs: f64, depth: usize) {
        for step in steps {
            match step {
                Step::Visit(visit) => {
                    let station = solution.network.visits[*visit].station;
                    self.tangled |= !self.stations.insert(station);
                    self.visits.push((*visit, runs));
                }
                Step::Call(call) => {
                    if call.times > 1 {
                        self.tangled = true;
                    }
                    if call.times > 0 && call.probability > 0.0 {
                        let runs = runs * call.probability * f64::from(call.times);
                        self.operation(solution, call.target, runs, depth + 1);
                    }
                }
                Step::Choose(ways) => {
                    for (weight, steps) in ways.iter().filter(|(weight, _)| *weight > 0.0) {
                        self.steps(solution, steps, runs * weight, depth + 1);
                    }
                }
                Step::Repeat { times, steps } => {
                    self.tangled |= *times > 1;
                    self.steps(solution, steps, runs * f64::from(*times), depth + 1);
                }
                Step::Parallel { branches, .. } => {
                    let mut queueing = 0;
                    for steps in branches {
                        let before = self.visits.len();
                        self.steps(solution, steps, runs, depth + 1);
                        queueing += usize::from(self.visits.len() > before);
                    }
                    self.forked |= queueing > 1;
                    self.tangled |= queueing > 1;
                }
                Step::Delay(_) | Step::Send(_) | Step::Fail(_) => {}
            }
        }
    }

    fn is_exact(&self, solution: &Solution<'_>, class: usize) -> bool {
        if self.tangled {
            return false;
        }
        let last = self.visits.len().saturating_sub(1);
        self.visits.iter().enumerate().all(|(i, (visit, _))| {
            let id = solution.network.visits[*visit].station;
            let (station, state) = (&solution.network.stations[id], &solution.stations[id]);
            let known = state.classes[class].knowledge == Knowledge::Exact && state.classes[class].refused == 0.0;
            let single = station.servers == 1 && station.instances == 1;
            let closed = solution.network.visits[*visit].time.has_closed_transform();
            let alone = last == 0;
            known
                && closed
                && (alone || (state.poisson && (state.memoryless || i == last) && (single || i == 0 || i == last)))
        })
    }
}

//! How far the figures of a workload can be trusted.
//!
//! Exact is what theory calls exact: Poisson arrivals everywhere on the way, product-form queues, and a way on which
//! the times at successive stations are independent (Reich, 1957; Burke, 1969: no station twice, and only the first
//! and the last with several servers). Everything else is an approximation, with the error to expect of it.

use super::Solution;
use super::breakdown::Breakdown;
use crate::discipline::Knowledge;
use crate::network::{Network, OperationId, StationId, Step, VisitId, Workload};
use crate::prediction::{Accuracy, Prediction};
use crate::system::{ArrivalLaw, Load};
use crate::unit::ratio;
use std::collections::HashSet;

/// Error of a composition whose parts are exact but not independent.
const DEPENDENCE: f64 = 0.02;

/// Whether the figures of workload `w` are exact by theory.
pub(super) fn is_exact(solution: &Solution<'_>, w: usize) -> bool {
    let workload = &solution.network.workloads[w];
    let [(operation, _)] = workload.mix.as_slice() else { return false };
    Way::of(solution, *operation, workload.class).is_some_and(|way| way.is_exact(solution))
}

/// How the figures of workload `w` are known that are not exact, its mean response time being made up like this.
pub(super) fn approximate(solution: &Solution<'_>, w: usize, breakdown: &Breakdown) -> Accuracy {
    let closed = solution.network.workloads[w].is_closed() && breakdown.fork > 0.0;
    let users = if closed { FORKED_USERS } else { 0.0 };
    let error = DEPENDENCE + breakdown.doubt.min(1.0) + breakdown.fork + breakdown.late + users;
    // Where requests hold things, try again, or come in bursts or as users, errors above what is small add up to more.
    let error = if is_entangled(solution) { error + (error - SMALL).max(0.0) * BEYOND } else { error };
    Accuracy::approximate(error)
}

/// Values of a fixed point that are less far from where they lead are as good as there.
const SETTLED: f64 = 1e-5;

/// The error of percentiles that fixed points leave, by how far they are from where they lead.
const LEFT: f64 = 10.0;

/// What moves by more than this grows, or falls, without end.
const FAR: f64 = 10.0;

/// By how much requests of users that are answered take longer than there are users for, by Little's law.
pub(super) fn beyond_users(network: &Network, prediction: &Prediction) -> f64 {
    let each = network.workloads.iter().zip(&prediction.workloads).map(|(workload, own)| {
        let Load::Closed { users, .. } = workload.load else { return 0.0 };
        own.response.mean.map_or(0.0, |mean| own.throughput * mean / f64::from(users) - 1.0)
    });
    // What is drawn is known no better than that.
    Some(each.fold(0.0, f64::max)).filter(|beyond| *beyond > DRAWN).unwrap_or(0.0)
}

/// Times of requests that are drawn may be so much too long.
const DRAWN: f64 = 0.05;

/// Says of a prediction that its fixed points are so far from where they lead.
pub(super) fn unsettled(prediction: &mut Prediction, apart: f64) {
    if apart < SETTLED {
        return;
    }
    doubted(prediction, (LEFT * apart).min(1.0));
    let moves = if apart > FAR { "without end".to_string() } else { format!("by {}", ratio::print(apart)) };
    prediction.notes.push(format!(
        "not settled: what waits, refusals and calls depend on each other by still moves {moves}; simulate instead, with --method simulate"
    ));
}

/// Adds so much to the errors that are expected of a prediction.
pub(super) fn doubted(prediction: &mut Prediction, more: f64) {
    for workload in &mut prediction.workloads {
        let error = match &workload.accuracy {
            Accuracy::Exact => 0.0,
            Accuracy::Approximate { p95_error } => *p95_error,
            _ => continue,
        };
        workload.accuracy = Accuracy::approximate(error + more);
    }
}

/// Error where branches of users' requests wait beside each other: they are taken as a part of the time of one.
const FORKED_USERS: f64 = 0.2;

/// Expected errors above this are too low, as the study says; by how many times what is above it.
const SMALL: f64 = 0.08;
const BEYOND: f64 = 1.2;

/// Whether a network has more than queues that requests pass one after the other.
fn is_entangled(solution: &Solution<'_>) -> bool {
    let network = solution.network;
    let plain = |workload: &Workload| matches!(workload.arrivals(), Some(ArrivalLaw::Poisson | ArrivalLaw::Renewal(_)));
    network.guards > 0 || !network.pools.is_empty() || !network.workloads.iter().all(plain)
}

/// No longer way is followed: calls nest as deep.
const LONGEST: usize = 1000;

/// The stations a request passes one after the other, each once.
#[derive(Default)]
struct Way {
    class: usize,
    visits: Vec<VisitId>,
    stations: HashSet<StationId>,
}

impl Way {
    /// `None` when some station is passed more than once, branches run at once, or some station is not known exactly.
    fn of(solution: &Solution<'_>, operation: OperationId, class: usize) -> Option<Way> {
        let mut way = Way { class, ..Way::default() };
        way.steps(solution, &solution.network.operations[operation].steps)?;
        Some(way)
    }

    fn steps(&mut self, solution: &Solution<'_>, steps: &[Step]) -> Option<()> {
        let network = solution.network;
        steps.iter().try_for_each(|step| match step {
            Step::Visit(visit) => {
                let station = network.visits[*visit].station;
                self.visits.push(*visit);
                let state = &solution.stations[station].classes[self.class];
                let known = self.visits.len() < LONGEST
                    && state.knowledge == Knowledge::Exact
                    && network.visits[*visit].time.has_closed_transform();
                (self.stations.insert(station) && known).then_some(())
            }
            // What is given up or tried again depends on how long it takes.
            Step::Guarded(_) => None,
            Step::Call(call) if call.times == 0 || call.probability == 0.0 => Some(()),
            Step::Call(call) if call.times > 1 => None,
            Step::Call(call) => self.steps(solution, &network.operations[call.target].steps),
            Step::Choose { ways, .. } => {
                ways.iter().filter(|(weight, _)| *weight > 0.0).try_for_each(|(_, steps)| self.steps(solution, steps))
            }
            Step::Hold { pool, .. } if solution.gates[*pool].knowledge != Knowledge::Exact => None,
            Step::Hold { steps, .. } => self.steps(solution, steps),
            Step::Repeat { times, steps } => {
                if *times > 1 {
                    return None;
                }
                self.steps(solution, steps)
            }
            Step::Parallel { branches, .. } => {
                let before = self.visits.len();
                for steps in branches {
                    self.steps(solution, steps)?;
                }
                // Branches that queue at the same time are not independent.
                (branches.len() == 1 || self.visits.len() == before).then_some(())
            }
            Step::Delay(_) | Step::Send(_) | Step::Fail(_) => Some(()),
        })
    }

    fn is_exact(&self, solution: &Solution<'_>) -> bool {
        let last = self.visits.len().saturating_sub(1);
        self.visits.iter().enumerate().all(|(i, visit)| {
            let id = solution.network.visits[*visit].station;
            let (station, state) = (&solution.network.stations[id], &solution.stations[id]);
            let single = station.servers == 1 && station.instances == 1;
            // Behind a place that sends some away arrivals are not Poisson.
            let refuses = state.classes[self.class].refused > 0.0;
            last == 0
                || (!refuses || i == last)
                    && (state.poisson && (state.memoryless || i == last) && (single || i == 0 || i == last))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;
    use crate::network::compile;

    #[test]
    fn times_of_users_are_no_longer_than_there_are_users_for() {
        let model =
            "[service.s]\noperations.o.work = \"10ms\"\n[workload.w]\nentry = \"s.o\"\nusers = 5\nthink = \"1ms\"\n";
        let no_files = |_: &str| Err("none".to_string());
        let network =
            compile(&document::read(model, &no_files).unwrap_or_else(|wrong| panic!("{:?}", wrong.first())).system);
        let mut prediction = super::super::solve(&network);
        assert_eq!(beyond_users(&network, &prediction), 0.0);
        let response = &mut prediction.workloads[0].response;
        response.mean = response.mean.map(|mean| 3.0 * mean);
        let beyond = beyond_users(&network, &prediction);
        assert!(beyond > 1.9 && beyond < 2.1, "{beyond}");
        unsettled(&mut prediction, beyond);
        assert!(prediction.notes[0].starts_with("not settled"), "{:?}", prediction.notes);
    }
}

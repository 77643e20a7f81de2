//! Which networks are of product form: where what is where does not depend on the way it came.
//!
//! Source: Baskett, Chandy, Muntz and Palacios (1975).

use crate::discipline::Discipline;
use crate::distribution::Law;
use crate::network::{Network, Operation, Service, Station, Step, Visit};
use crate::system::Balancer;

/// Whether a network with workloads of users, and others that come as a Poisson process, is one of product form.
pub(super) fn is_product_form(network: &Network) -> bool {
    let one_queue = |service: &Service| service.instances == 1 || service.balancer == Balancer::Shared;
    let plain = |station: &Station| {
        matches!(station.discipline, Discipline::Fcfs | Discipline::Ps)
            && station.queue.is_none()
            && station.contention.is_none()
    };
    let first = |station: usize| network.visits.iter().find(|visit| visit.station == station);
    let alike = |visit: &Visit| {
        let same = |law: &Law| (law.mean() - visit.time.mean()).abs() <= 1e-9 * law.mean();
        let shared = network.stations[visit.station].discipline == Discipline::Ps;
        shared || visit.time.is_exponential() && first(visit.station).is_some_and(|first| same(&first.time))
    };
    let sequential = |operation: &Operation| is_sequential(&operation.steps);
    network.services.iter().all(one_queue)
        && network.stations.iter().all(plain)
        && network.visits.iter().all(alike)
        && network.operations.iter().all(sequential)
}

fn is_sequential(steps: &[Step]) -> bool {
    steps.iter().all(|step| {
        let mut inner = true;
        step.inner(|steps| inner &= is_sequential(steps));
        inner
            && !matches!(
                step,
                Step::Parallel { .. } | Step::Guarded(_) | Step::Send(_) | Step::Fail(_) | Step::Hold { .. }
            )
    })
}

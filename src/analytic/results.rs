//! From a solved network to the prediction people read.

use super::breakdown::breakdown;
use super::compose::Composed;
use super::crowd::crowd;
use super::refined::{REFINED, refined};
use super::saturation::Offered;
use super::tails::{Tail, mixed_curve, mixed_times};
use super::trust;
use super::waits::waits;
use super::{Solution, each};
use crate::network::flows::{Flows, flows};
use crate::network::tries::Tries;
use crate::network::{Network, OperationId, Pool, PoolId, PoolKind, ServiceId};
use crate::prediction::{Accuracy, Overload, Prediction, ServiceResult, Times, WorkloadResult};
use crate::system::Metric;

pub(super) fn predict(solution: &Solution<'_>, composed: &Composed<'_>) -> Prediction {
    let offered = Offered::new(solution);
    let network = solution.network;
    let workloads: Vec<usize> = (0..network.workloads.len()).collect();
    let services: Vec<ServiceId> = (0..network.services.len()).collect();
    let together = offered.together();
    let first = first_attempts(solution);
    Prediction {
        stable: solution.is_stable(),
        workloads: each(network, &workloads, |w| workload(solution, composed, &offered, *w)),
        services: each(network, &services, |id| service(solution, composed, &offered, first.as_ref(), *id)),
        bottleneck: together.map(|(_, resource)| resource_name(network, resource)),
        headroom: together.map(|(factor, _)| factor),
        overloads: overloads(solution, &offered),
        deadlocked: dead(solution),
        metastable: None,
        notes: Vec::new(),
        simulation: None,
    }
}

/// An operation that succeeds less often has no answers to speak of.
const NEVER: f64 = 1e-9;

/// Response time of a workload's successful requests, or its mean where there are no tails; `fine` is with all the digits there are.
pub(super) fn response(solution: &Solution<'_>, composed: &Composed<'_>, w: usize, fine: bool) -> Times {
    let workload = &solution.network.workloads[w];
    let (class, rate) = (workload.class, solution.rates[w]);
    if let Some(timed) = composed.followed(w) {
        return distribution(&[(1.0, &timed.tail)], timed.mean);
    }
    let mix: Vec<(OperationId, f64)> =
        workload.mix.iter().copied().filter(|(o, _)| composed.success(*o, class) > NEVER).collect();
    if !composed.has_tails() {
        let weight = |(o, share): &(OperationId, f64)| share * composed.success(*o, class);
        let total: f64 = mix.iter().map(weight).sum();
        let sum = mix.iter().map(|part| Some(weight(part) * composed.mean(part.0, class)?)).sum::<Option<f64>>();
        return Times { mean: sum.map(|sum| sum / total).filter(|mean| mean.is_finite()), ..Times::default() };
    }
    let means: Option<Vec<f64>> = mix.iter().map(|(o, _)| composed.mean(*o, class)).collect();
    let parts: Vec<(f64, &Tail)> = mix
        .iter()
        .filter_map(|(o, share)| composed.tail(*o, class).map(|tail| (share * composed.success(*o, class), tail)))
        .collect();
    match means {
        Some(means) if parts.len() == mix.len() && rate > 0.0 => {
            let total: f64 = parts.iter().map(|(p, _)| p).sum();
            let mean: f64 = parts.iter().zip(&means).map(|((p, _), mean)| p * mean).sum::<f64>() / total;
            if total > 0.0 {
                let mut times = distribution(&parts, mean);
                refined(solution, composed, (&mix, class), &parts, fine, &mut times);
                drawn_together(solution, composed, &mix, class, times)
            } else {
                Times::default()
            }
        }
        _ => Times::default(),
    }
}

fn workload(solution: &Solution<'_>, composed: &Composed<'_>, offered: &Offered, w: usize) -> WorkloadResult {
    let network = solution.network;
    let workload = &network.workloads[w];
    let class = workload.class;
    let rate = solution.rates[w];
    let passed: f64 =
        workload.mix.iter().map(|(operation, share)| share * solution.flows.success[*operation][class]).sum();
    // Errors are what is refused or fails; what is stuck in an overloaded queue is neither answer nor error.
    let succeeded: f64 = workload.mix.iter().map(|(o, share)| share * composed.success(*o, class)).sum();
    let exact = trust::is_exact(solution, w);
    let response = response(solution, composed, w, exact);
    let (shares, accuracy) = match response.mean {
        Some(mean) => {
            let breakdown = breakdown(solution, composed, w, mean);
            let accuracy = if exact { Accuracy::Exact } else { trust::approximate(solution, w, &breakdown) };
            (breakdown.shares, accuracy)
        }
        None => (Vec::new(), Accuracy::Overloaded),
    };
    WorkloadResult {
        name: workload.name.clone(),
        arrival_rate: rate,
        throughput: rate * passed,
        error_rate: (1.0 - succeeded).clamp(0.0, 1.0),
        saturation_rate: offered.alone(w).map(|factor| factor * rate).filter(|_| rate > 0.0),
        crowd: crowd(solution, offered, w, &shares),
        breakdown: shares,
        accuracy,
        response,
    }
}

/// Times of some operations with their shares, as they are where users wait for their answers.
fn drawn_together(
    solution: &Solution<'_>,
    composed: &Composed<'_>,
    mix: &[(OperationId, f64)],
    class: usize,
    times: Times,
) -> Times {
    let Some((users, mean)) = solution.users.as_ref().zip(times.mean) else { return times };
    let second = |(operation, share): &(OperationId, f64)| {
        let (mean, variance) = (composed.mean(*operation, class)?, composed.response_variance(*operation, class)?);
        Some(share * (variance + mean * mean))
    };
    match mix.iter().map(second).sum::<Option<f64>>() {
        Some(second) => users.drawn_together(class, mix, second - mean * mean, times),
        None => times,
    }
}

/// Mean, percentiles and curve of a mixture of tails by weight.
pub(super) fn distribution(parts: &[(f64, &Tail)], mean: f64) -> Times {
    let times = mixed_times(parts, mean);
    let highest = times.percentiles[5].unwrap_or(mean);
    Times { curve: mixed_curve(parts, highest), ..times }
}

/// What comes of first attempts alone; `None` where no call is ever tried again or copied.
fn first_attempts(solution: &Solution<'_>) -> Option<Flows> {
    if !solution.network.makes_calls_again() {
        return None;
    }
    let mut losses = solution.losses.clone();
    let once = |tries: &mut Tries| (tries.attempts, tries.copied) = (1.0, 0.0);
    losses.tries.cells_mut().iter_mut().for_each(once);
    Some(flows(solution.network, &solution.rates, &losses))
}

fn service(
    solution: &Solution<'_>,
    composed: &Composed<'_>,
    offered: &Offered,
    first: Option<&Flows>,
    id: ServiceId,
) -> ServiceResult {
    let network = solution.network;
    let service = &network.services[id];
    let asked = |flows: &Flows| service.operations.iter().map(|o| flows.asked(*o).sum::<f64>()).sum::<f64>();
    let flows = &solution.flows;
    let arrival_rate = asked(flows);
    // Runs of each operation and class, of which the successful ones have a response time.
    let mut runs: Vec<(f64, usize, usize)> = Vec::new();
    for &operation in &service.operations {
        for class in 0..network.classes {
            let rate: f64 = flows.operations[operation]
                .iter()
                .zip(&network.workloads)
                .filter(|(_, workload)| workload.class == class)
                .map(|(rate, _)| rate)
                .sum();
            if rate > 0.0 {
                runs.push((rate, operation, class));
            }
        }
    }
    let throughput: f64 = runs.iter().map(|(rate, o, class)| rate * flows.success[*o][*class]).sum();
    let succeeded: f64 = runs.iter().map(|(rate, o, class)| rate * composed.success(*o, *class)).sum();
    let (wait, response) = if composed.has_tails() {
        let response = responses(composed, &runs, network.operations.len() <= REFINED);
        let mix: Vec<(OperationId, f64)> = runs.iter().map(|(rate, o, _)| (*o, rate / arrival_rate)).collect();
        // Of several workloads each is drawn together in its own way.
        let alone = network.classes == 1;
        let response = if alone { drawn_together(solution, composed, &mix, 0, response) } else { response };
        (waits(solution, composed, id, &runs), response)
    } else {
        Default::default()
    };
    let stations: Vec<usize> = service.cores.iter().chain(&service.devices).copied().collect();
    let workers = workers(network, id);
    let gate = workers.map(|pool| network.stations.len() + pool);
    let highest = stations.iter().chain(&gate).map(|s| offered.utilization(*s)).fold(0.0, f64::max);
    ServiceResult {
        name: service.name.clone(),
        external: service.external,
        instances: service.instances,
        utilization: service.cores.map(|s| solution.stations[s].utilization),
        arrival_rate,
        amplification: first.map(asked).filter(|first| *first > 0.0).map(|first| arrival_rate / first),
        throughput,
        error_rate: if arrival_rate > 0.0 { (1.0 - succeeded / arrival_rate).clamp(0.0, 1.0) } else { 0.0 },
        queue_length: service
            .cores
            .map_or(Some(0.0), |s| solution.stations[s].queue_length)
            .zip(workers.map_or(Some(0.0), |pool| solution.gates[pool].waiting))
            .map(|(cores, workers)| cores + workers),
        wait,
        response,
        workers_utilization: workers.map(|pool| solution.gates[pool].utilization),
        saturation_rate: (highest > 0.0 && arrival_rate > 0.0).then(|| arrival_rate / highest),
        devices: service
            .devices
            .iter()
            .map(|s| (network.stations[*s].name.clone(), solution.stations[*s].utilization))
            .collect(),
        confidence: None,
    }
}

/// The name of a station, or of a pool, these after the stations.
fn resource_name(network: &Network, resource: usize) -> String {
    match network.stations.get(resource) {
        Some(station) => station.name.clone(),
        None => network.pools[resource - network.stations.len()].title(),
    }
}

/// The names of what ends up held by requests that wait for one another.
fn dead(solution: &Solution<'_>) -> Vec<String> {
    let pools = solution.network.pools.iter().zip(&solution.gates).filter(|(_, gate)| gate.dead);
    pools.map(|(pool, _)| if pool.kind == PoolKind::Named { pool.title() } else { pool.name.clone() }).collect()
}

/// The pool of a service's workers.
fn workers(network: &Network, id: ServiceId) -> Option<PoolId> {
    let own = |pool: &Pool| pool.per == Some(id) && matches!(pool.kind, PoolKind::Workers { .. });
    network.pools.iter().position(own)
}

/// Response times of a service over its runs; with `fine` the curve has points of its own, else the percentiles are its
/// points.
fn responses(composed: &Composed<'_>, runs: &[(f64, usize, usize)], fine: bool) -> Times {
    let mut parts = Vec::with_capacity(runs.len());
    let (mut total, mut sum) = (0.0, 0.0);
    for (rate, operation, class) in runs {
        let (Some(mean), Some(tail)) = (composed.mean(*operation, *class), composed.tail(*operation, *class)) else {
            return Times::default();
        };
        let weight = rate * composed.success(*operation, *class);
        total += weight;
        sum += weight * mean;
        parts.push((weight, tail));
    }
    if total <= 0.0 {
        return Times::default();
    }
    if fine {
        return distribution(&parts, sum / total);
    }
    let times = mixed_times(&parts, sum / total);
    let points =
        times.percentiles.iter().zip(Metric::PERCENTILES).filter_map(|(t, (_, level))| Some(((*t)?, 1.0 - level)));
    Times { curve: points.collect(), ..times }
}

fn overloads(solution: &Solution<'_>, offered: &Offered) -> Vec<Overload> {
    let network = solution.network;
    let full = network
        .pools
        .iter()
        .zip(&solution.gates)
        .enumerate()
        .filter(|(_, (_, gate))| gate.wait.is_none() && !gate.dead);
    let gates = full.map(|(id, (pool, gate))| {
        let offered = offered.utilization(network.stations.len() + id);
        match (pool.kind, pool.per) {
            (PoolKind::Workers { .. }, Some(service)) => {
                Overload::new(pool.title(), &network.services[service], gate.load, offered)
            }
            // More of it are not more instances of anything.
            _ => Overload {
                station: pool.title(),
                service: pool.title(),
                load: gate.load,
                instances_needed: 0,
                external: true,
            },
        }
    });
    network
        .stations
        .iter()
        .zip(&solution.stations)
        .enumerate()
        .filter(|(_, (station, state))| station.queue.is_none() && state.load >= 1.0)
        .map(|(id, (station, state))| {
            let service = &network.services[station.service];
            Overload::new(station.name.clone(), service, state.load, offered.utilization(id))
        })
        .chain(gates)
        .collect()
}

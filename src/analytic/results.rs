//! From a solved network to the prediction people read.

use super::breakdown::breakdown;
use super::compose::Composed;
use super::saturation::Offered;
use super::tails::{Tail, is_formula, mixed_curve, mixed_exceeding, mixed_times};
use super::trust;
use super::{Solution, each};
use crate::discipline::Delay;
use crate::distribution::Law;
use crate::network::{OperationId, ServiceId, Step, VisitId};
use crate::prediction::{Accuracy, Overload, Prediction, ServiceResult, Times, WorkloadResult};
use crate::system::Metric;

/// Above this many operations the ladder's percentiles, right to 0.05%, are not refined any further.
const REFINED: usize = 64;

pub(super) fn predict(solution: &Solution<'_>) -> Prediction {
    let composed = Composed::new(solution);
    let offered = Offered::new(solution);
    let network = solution.network;
    let workloads: Vec<usize> = (0..network.workloads.len()).collect();
    let services: Vec<ServiceId> = (0..network.services.len()).collect();
    let together = offered.together();
    Prediction {
        stable: solution.stations.iter().all(|s| s.classes.iter().all(|c| c.wait.is_some())),
        workloads: each(network, &workloads, |w| workload(solution, &composed, &offered, *w)),
        services: each(network, &services, |id| service(solution, &composed, &offered, *id)),
        bottleneck: together.map(|(_, station)| network.stations[station].name.clone()),
        headroom: together.map(|(factor, _)| factor),
        overloads: overloads(solution, &offered),
        simulation: None,
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
    let means: Option<Vec<f64>> = workload.mix.iter().map(|(o, _)| composed.mean(*o, class)).collect();
    let parts: Vec<(f64, &Tail)> = workload
        .mix
        .iter()
        .filter_map(|(o, share)| composed.tail(*o, class).map(|tail| (share * composed.success(*o, class), tail)))
        .collect();
    let response = match means {
        Some(means) if parts.len() == workload.mix.len() && rate > 0.0 => {
            let total: f64 = parts.iter().map(|(p, _)| p).sum();
            let mean: f64 = parts.iter().zip(&means).map(|((p, _), mean)| p * mean).sum::<f64>() / total;
            if total > 0.0 {
                let mut times = distribution(&parts, mean);
                refined(solution, composed, w, &parts, &mut times);
                drawn_together(solution, composed, &workload.mix, class, times)
            } else {
                Times::default()
            }
        }
        _ => Times::default(),
    };
    let (shares, accuracy) = match response.mean {
        Some(mean) => {
            let breakdown = breakdown(solution, composed, w, mean);
            let accuracy = trust::accuracy(solution, w, &breakdown);
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
        Some(second) => users.drawn_together(mix, second - mean * mean, times),
        None => times,
    }
}

/// Mean, percentiles and curve of a mixture of tails by weight.
pub(super) fn distribution(parts: &[(f64, &Tail)], mean: f64) -> Times {
    let times = mixed_times(parts, mean);
    let highest = times.percentiles[5].unwrap_or(mean);
    Times { curve: mixed_curve(parts, highest), ..times }
}

/// Percentiles of a workload with all the digits there are, where the model is small enough.
fn refined(solution: &Solution<'_>, composed: &Composed<'_>, w: usize, parts: &[(f64, &Tail)], times: &mut Times) {
    let workload = &solution.network.workloads[w];
    let class = workload.class;
    let curved = parts.iter().any(|(_, tail)| matches!(tail, Tail::Curve { .. }));
    let tabulated = || workload.mix.iter().any(|(o, _)| composed.is_tabulated(*o, class));
    if !curved || solution.network.operations.len() > REFINED || tabulated() {
        return;
    }
    let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
    // The tail of the mix, and its slope on logarithms.
    let look = |t: f64| -> Option<(f64, f64)> {
        let (mut tail, mut density) = (0.0, Some(0.0));
        for ((operation, _), (weight, _)) in workload.mix.iter().zip(parts) {
            let (own, slope) = composed.exceeding_precisely(*operation, class, t)?;
            tail += weight / total * own;
            density = density.zip(slope).map(|(sum, own)| sum + weight / total * own);
        }
        let coarse = || (mixed_exceeding(parts, t * 1.002) / mixed_exceeding(parts, t * 0.998)).ln() / 0.004;
        Some((tail, density.map_or_else(coarse, |density| -t * density / tail)))
    };
    for (slot, (_, level)) in times.percentiles.iter_mut().zip(Metric::PERCENTILES) {
        if let Some(start) = *slot {
            *slot = Some(polish(start, 1.0 - level, &look).unwrap_or(start));
        }
    }
    for i in 1..times.percentiles.len() {
        times.percentiles[i] = match (times.percentiles[i], times.percentiles[i - 1]) {
            (Some(this), Some(before)) => Some(this.max(before)),
            (this, _) => this,
        };
    }
}

/// Newton steps from a percentile that is right to a thousandth, on the logarithms of time and tail.
fn polish(start: f64, level: f64, look: &dyn Fn(f64) -> Option<(f64, f64)>) -> Option<f64> {
    let mut t = start;
    for _ in 0..6 {
        let (tail, slope) = look(t)?;
        let excess = (tail / level).ln();
        if !excess.is_finite() || slope >= -1e-6 || !slope.is_finite() {
            return None;
        }
        let step = (excess / -slope).clamp(-0.05, 0.05);
        t *= step.exp();
        // The error after a step is of the order of its square.
        if step.abs() < 1e-5 {
            break;
        }
    }
    t.is_finite().then_some(t)
}

fn service(solution: &Solution<'_>, composed: &Composed<'_>, offered: &Offered, id: ServiceId) -> ServiceResult {
    let network = solution.network;
    let service = &network.services[id];
    let arrival_rate: f64 = service.operations.iter().flat_map(|o| &solution.flows.operations[*o]).sum();
    // Runs of each operation and class, of which the successful ones have a response time.
    let mut runs: Vec<(f64, usize, usize)> = Vec::new();
    for &operation in &service.operations {
        for class in 0..network.classes {
            let rate: f64 = solution.flows.operations[operation]
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
    let throughput: f64 = runs.iter().map(|(rate, o, class)| rate * solution.flows.success[*o][*class]).sum();
    let succeeded: f64 = runs.iter().map(|(rate, o, class)| rate * composed.success(*o, *class)).sum();
    let response = responses(composed, &runs, network.operations.len() <= REFINED);
    let mix: Vec<(OperationId, f64)> = runs.iter().map(|(rate, o, _)| (*o, rate / arrival_rate)).collect();
    let response = drawn_together(solution, composed, &mix, 0, response);
    let stations: Vec<usize> = service.cores.iter().chain(&service.devices).copied().collect();
    let highest = stations.iter().map(|s| offered.utilization(*s)).fold(0.0, f64::max);
    ServiceResult {
        name: service.name.clone(),
        external: service.external,
        instances: service.instances,
        utilization: service.cores.map(|s| solution.stations[s].utilization),
        arrival_rate,
        throughput,
        error_rate: if arrival_rate > 0.0 { (1.0 - succeeded / arrival_rate).clamp(0.0, 1.0) } else { 0.0 },
        queue_length: service.cores.map_or(Some(0.0), |s| solution.stations[s].queue_length),
        wait: waits(solution, composed, id, &runs),
        response,
        workers_utilization: None,
        saturation_rate: (highest > 0.0 && arrival_rate > 0.0).then(|| arrival_rate / highest),
        devices: service
            .devices
            .iter()
            .map(|s| (network.stations[*s].name.clone(), solution.stations[*s].utilization))
            .collect(),
        confidence: None,
    }
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

/// Time in the queues of a service, by each of its runs.
fn waits(solution: &Solution<'_>, composed: &Composed<'_>, id: ServiceId, runs: &[(f64, usize, usize)]) -> Times {
    let mut parts: Vec<(f64, Option<Tail>, f64)> = Vec::new();
    for (rate, operation, class) in runs {
        let mut visits = Vec::new();
        own_visits(&solution.network.operations[*operation].steps, 1.0, &mut visits);
        visits.retain(|(visit, _)| solution.network.stations[solution.network.visits[*visit].station].service == id);
        match wait_of(composed, &visits, *class) {
            Some((tail, mean)) => parts.push((*rate, tail, mean)),
            None => return Times::default(),
        }
    }
    let total: f64 = parts.iter().map(|(rate, _, _)| rate).sum();
    if total <= 0.0 {
        return Times::default();
    }
    let mean = parts.iter().map(|(rate, _, mean)| rate * mean).sum::<f64>() / total;
    if mean <= 0.0 {
        return Times::zero();
    }
    let none = Tail::Single { wait: Delay::None, law: Law::constant(0.0) };
    let tails: Vec<(f64, &Tail)> =
        parts.iter().map(|(rate, tail, _)| (*rate, tail.as_ref().unwrap_or(&none))).collect();
    mixed_times(&tails, mean)
}

/// The visits some steps make themselves, with how often.
fn own_visits(steps: &[Step], weight: f64, found: &mut Vec<(VisitId, f64)>) {
    for step in steps {
        match step {
            Step::Visit(visit) => found.push((*visit, weight)),
            Step::Hold { steps, .. } => own_visits(steps, weight, found),
            Step::Repeat { times, steps } => own_visits(steps, weight * f64::from(*times), found),
            Step::Choose { ways, .. } => ways.iter().for_each(|(w, steps)| own_visits(steps, weight * w, found)),
            Step::Parallel { branches, .. } => branches.iter().for_each(|steps| own_visits(steps, weight, found)),
            Step::Delay(_) | Step::Call(_) | Step::Send(_) | Step::Fail(_) => {}
        }
    }
}

/// The total wait of several visits: exact for one; otherwise a gamma with the right mean and variance, waits taken as
/// independent. `None` when a queue grows without end.
fn wait_of(composed: &Composed<'_>, visits: &[(VisitId, f64)], class: usize) -> Option<(Option<Tail>, f64)> {
    if let [(visit, weight)] = visits
        && *weight == 1.0
        && let (wait, _) = composed.met(*visit, class)?
        && composed.queueing(*visit, class)? <= wait.mean()
    {
        let law = Law::constant(0.0);
        let tail = if is_formula(wait, &law) {
            Tail::Single { wait: wait.clone(), law }
        } else {
            Tail::on_ladder(wait, &law, composed.ladder())
        };
        return Some((Some(tail), wait.mean()));
    }
    let (mut mean, mut variance, mut none) = (0.0, 0.0, 1.0);
    for (visit, weight) in visits {
        let (wait, _) = composed.met(*visit, class)?;
        let own = composed.queueing(*visit, class)?;
        let extra = own - wait.mean();
        mean += weight * own;
        let second = wait.second_moment().min(1e4 * own * own) + 2.0 * extra * own;
        // A visit made by chance waits by chance: its second moment counts by its weight.
        variance +=
            if *weight <= 1.0 { weight * second - weight * weight * own * own } else { weight * (second - own * own) };
        let busy = if extra > 0.0 { 1.0 } else { wait.probability() };
        none *= if *weight <= 1.0 { 1.0 - weight * busy } else { (1.0 - busy).powf(*weight) };
    }
    if mean <= 0.0 {
        return Some((None, 0.0));
    }
    let some = (1.0 - none).max(1e-12);
    let conditional = mean / some;
    let second = (variance + mean * mean) / some;
    let cv = (second / (conditional * conditional) - 1.0).clamp(1e-2, 1e3).sqrt();
    let law = Law::Gamma(crate::distribution::Gamma { mean: conditional, cv });
    let tail = Tail::Single { wait: Delay::Of { probability: some, law }, law: Law::constant(0.0) };
    Some((Some(tail), mean))
}

fn overloads(solution: &Solution<'_>, offered: &Offered) -> Vec<Overload> {
    let network = solution.network;
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
        .collect()
}

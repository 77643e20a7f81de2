//! What a percentile is made of: the share of each place and cause.
//!
//! A response time is a sum of parts, each of which may take longer. How fast the percentile grows with the length of a part
//! is the mean of that part among the requests that take as long as the percentile; these means add up to it.
//!
//! ```text
//! q(p) = Σ_i E[T_i | T = q(p)],   E[T_i | T = q(p)] = ∂q / ∂θ_i  where the part T_i is θ_i times as long
//! ```
//!
//! Source: Hong, Estimating quantile sensitivities, Operations Research 57 (2009).

use super::compose::{Composed, Extent};
use super::follow::Sample;
use super::stations::Treatment;
use super::{Setting, Solution, begun, prepared, results, settle};
use crate::distribution::{Distribution, Law};
use crate::network::{Network, PoolKind, ServiceId, Step};
use crate::prediction::{Origin, Part};

/// Parts become so much longer.
const LONGER: f64 = 0.02;

/// Parts with a smaller share of the mean are not told apart.
const SMALL: f64 = 0.005;

/// No more places than these are told apart.
const MOST_PLACES: usize = 16;

/// For each workload what its percentile (of the six that are reported, by its place) is made of; nothing where it does not exist.
pub fn parts(network: &Network, percentile: usize) -> Vec<Vec<Part>> {
    let network = prepared(network);
    let rates = network.workloads.iter().map(begun).collect();
    let workloads = 0..network.workloads.len();
    let parts = |solution: &Solution<'_>, composed: &Composed<'_>, _| {
        workloads.clone().map(|w| of_workload(solution, composed, w, percentile)).collect()
    };
    settle(&network, rates, Setting::PLAIN, parts).1
}

fn of_workload(solution: &Solution<'_>, composed: &Composed<'_>, w: usize, percentile: usize) -> Vec<Part> {
    let network = solution.network;
    let response = results::response(solution, composed, w, true);
    let Some((whole, mean)) = response.percentiles[percentile].zip(response.mean) else { return Vec::new() };
    let breakdown = super::breakdown::breakdown(solution, composed, w, mean);
    let mut places: Vec<(f64, &str)> = breakdown
        .shares
        .iter()
        .map(|share| (share.queueing + share.service_time, share.service.as_str()))
        .filter(|(time, _)| *time > SMALL * mean)
        .collect();
    places.sort_by(|a, b| b.0.total_cmp(&a.0));
    places.truncate(MOST_PLACES);
    let grown = |changed: &Solution<'_>| {
        let mut composed = Composed::new(changed, Extent::Whole);
        composed.follow(Sample::WHOLE);
        let longer = results::response(changed, &composed, w, true).percentiles[percentile];
        longer.map_or(0.0, |longer| (longer - whole) / LONGER)
    };
    let mut found: Vec<Part> = Vec::new();
    let mut put = |place: &str, cause: Origin, time: f64| {
        if time > SMALL * whole {
            found.push(Part { place: place.to_string(), cause, time, share: time / whole });
        }
    };
    for (id, service) in network.services.iter().enumerate() {
        if !places.iter().any(|(_, name)| *name == service.name) {
            continue;
        }
        let queueing = grown(&waiting_longer(solution, id));
        put(&service.name, Origin::Cores, queueing);
        let slower = serving_longer(network, id);
        let all = grown(&Solution { network: &slower, ..solution.clone() });
        let shared = service
            .cores
            .is_some_and(|cores| matches!(solution.stations[cores].classes[0].treatment, Treatment::Shared(_)));
        put(&service.name, Origin::Service, if shared { all - queueing } else { all });
    }
    for (id, pool) in network.pools.iter().enumerate() {
        let mut changed = solution.clone();
        let Some(wait) = changed.gates[id].wait.take().filter(|wait| wait.mean() > 0.0) else { continue };
        changed.gates[id].wait = Some(wait.scaled(1.0 + LONGER));
        let workers = matches!(pool.kind, PoolKind::Workers { .. });
        put(&pool.name, if workers { Origin::Workers } else { Origin::Pool }, grown(&changed));
    }
    let far = networks_longer(network);
    put("network", Origin::Network, grown(&Solution { network: &far, ..solution.clone() }));
    let known: f64 = found.iter().map(|part| part.time).sum();
    let rest = if network.guards > 0 { Origin::Retries } else { Origin::Other };
    if whole - known > SMALL * whole {
        let place = if rest == Origin::Retries { "retries" } else { "other places" };
        found.push(Part { place: place.to_string(), cause: rest, time: whole - known, share: 1.0 - known / whole });
    }
    found.sort_by(|a, b| b.time.total_cmp(&a.time));
    found
}

/// The waits at a service a little longer.
fn waiting_longer<'n>(solution: &Solution<'n>, id: ServiceId) -> Solution<'n> {
    let mut changed = solution.clone();
    let service = &solution.network.services[id];
    for station in service.cores.iter().chain(&service.devices) {
        for class in &mut changed.stations[*station].classes {
            class.lengthen(1.0 + LONGER);
        }
    }
    changed
}

/// The work and the pauses of a service a little longer, its waits as they were.
fn serving_longer(network: &Network, id: ServiceId) -> Network {
    let mut changed = network.clone();
    let service = &network.services[id];
    for visit in &mut changed.visits {
        if network.stations[visit.station].service == id {
            visit.time = visit.time.scaled(1.0 + LONGER);
        }
    }
    for operation in &service.operations {
        each_law(&mut changed.operations[*operation].steps, &mut |step| match step {
            Step::Delay(law) => Some(law),
            _ => None,
        });
    }
    changed
}

/// All ways between services a little longer.
fn networks_longer(network: &Network) -> Network {
    let mut changed = network.clone();
    for operation in &mut changed.operations {
        each_law(&mut operation.steps, &mut |step| match step {
            Step::Call(call) => call.network.as_mut(),
            _ => None,
        });
    }
    changed
}

/// Makes the laws that are picked a little longer.
fn each_law(steps: &mut [Step], pick: &mut dyn FnMut(&mut Step) -> Option<&mut Law>) {
    for step in steps {
        if let Some(law) = pick(step) {
            *law = law.scaled(1.0 + LONGER);
        }
        step.inner_mut(|steps| each_law(steps, pick));
    }
}

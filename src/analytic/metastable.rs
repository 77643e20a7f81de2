//! Second regimes: systems that run well, and once pushed over do not come back.
//!
//! Who gives up and tries again brings the more work the less of it is answered in time. Where all that could be tried again
//! would overload a queue, that keeps it overloaded: no attempt is answered in time, and all are made. From which load on
//! there is such a state is known from the work that all attempts bring, `L`: from `1 / L` times the load. Who sends second copies of
//! calls that take long keeps a queue overloaded in the same way.
//!
//! Source: Bronson, Aghayev, Charapko and Zhu, Metastable failures in distributed systems, HotOS (2021).

use super::Solution;
use super::compose::Composed;
use crate::network::flows::{Losses, flows};
use crate::network::{Guarded, Network, OperationId, StationId, Step};
use crate::prediction::{Metastable, Regime};
use crate::unit::Seconds;

/// The second regime of a solution whose first is stable; `None` where there is none.
pub(super) fn find(solution: &Solution<'_>, composed: &Composed<'_>) -> Option<Metastable> {
    let network = solution.network;
    let mut late: Vec<&Guarded> = network.guarded();
    late.retain(|guarded| guarded.is_copied() || guarded.call.timeout.is_some() && guarded.call.retries > 0);
    let mut losses = Losses { tries: solution.losses.tries.clone(), ..Losses::none(network) };
    // Only what comes to an overloaded queue stays late.
    loop {
        if late.is_empty() {
            return None;
        }
        for class in 0..network.classes {
            for guarded in &late {
                losses.tries[guarded.id][class] = guarded.endless();
            }
        }
        let loads = loads(network, &losses, &solution.rates);
        let before = late.len();
        late.retain(|guarded| {
            let kept = reached(network, guarded.call.target)
                .iter()
                .any(|station| keeps_late(network, &loads, *station, guarded));
            if !kept {
                losses.tries[guarded.id].copy_from_slice(&solution.losses.tries[guarded.id]);
            }
            kept
        });
        if late.len() < before {
            continue;
        }
        let (station, load) = late
            .iter()
            .flat_map(|guarded| reached(network, guarded.call.target))
            .map(|station| (station, loads[station]))
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        return Some(described(solution, composed, &losses, &late, station, load));
    }
}

fn described(
    solution: &Solution<'_>,
    composed: &Composed<'_>,
    losses: &Losses,
    late: &[&Guarded],
    station: StationId,
    load: f64,
) -> Metastable {
    let network = solution.network;
    let flows = flows(network, &solution.rates, losses);
    let came = &flows.came(network)[station];
    let regime = |(w, workload): (usize, &crate::network::Workload)| {
        let passed: f64 = workload.mix.iter().map(|(o, share)| share * flows.success[*o][workload.class]).sum();
        let normal: f64 = workload.mix.iter().map(|(o, share)| share * composed.success(*o, workload.class)).sum();
        // Where nobody gives up, what comes to the queue above what it can do is left there.
        let rate = solution.rates[w];
        let visits = if rate > 0.0 { (came[w] / rate).min(1.0) } else { 0.0 };
        let through = 1.0 - visits * (1.0 - 1.0 / load);
        Regime {
            workload: workload.name.clone(),
            throughput: rate * passed.min(normal) * through,
            error_rate: 1.0 - passed.min(normal),
        }
    };
    // Once the queue is as long as the shortest of them wait, all that comes is late.
    let mut waiting = late.to_vec();
    waiting.retain(|guarded| reached(network, guarded.call.target).contains(&station));
    let given_up = waiting.iter().any(|guarded| guarded.call.timeout.is_some());
    let shortest = waiting.iter().filter_map(|guarded| patience(guarded)).fold(f64::INFINITY, f64::min);
    let (rate, work) = solution.flows.brought(network)[station];
    let drain = if work > 0.0 { network.stations[station].capacity() * rate / work } else { 0.0 };
    let waiting = shortest * drain;
    Metastable {
        resource: network.stations[station].name.clone(),
        load,
        from: 1.0 / load,
        waiting,
        outage: if rate > 0.0 { waiting / rate } else { 0.0 },
        given_up,
        workloads: network.workloads.iter().enumerate().map(regime).collect(),
    }
}

/// How long its caller waits before more is done.
fn patience(guarded: &Guarded) -> Option<Seconds> {
    guarded.call.timeout.or(guarded.call.hedge)
}

/// Work over capacity of each station.
fn loads(network: &Network, losses: &Losses, rates: &[f64]) -> Vec<f64> {
    let brought = flows(network, rates, losses).brought(network);
    network.stations.iter().zip(brought).map(|(station, (_, work))| work / station.capacity()).collect()
}

/// Whether a station with this load keeps calls late that give up after a while: where its queue has a limit, if a full one takes
/// longer.
fn keeps_late(network: &Network, loads: &[f64], station: StationId, guarded: &Guarded) -> bool {
    let place = &network.stations[station];
    let full = place.queue.map(|places| f64::from(places) / f64::from(place.servers));
    let long = full.zip(patience(guarded)).is_none_or(|(each, patience)| {
        let visits = network.visits.iter().filter(|visit| visit.station == station);
        let work = visits.map(|visit| visit.time.mean()).fold(0.0, f64::max);
        each * work > patience
    });
    loads[station] > 1.0 && long
}

/// The stations that a call comes to while its caller waits.
fn reached(network: &Network, target: OperationId) -> Vec<StationId> {
    let mut seen = vec![false; network.operations.len()];
    let (mut open, mut found) = (vec![target], Vec::new());
    while let Some(operation) = open.pop() {
        if std::mem::replace(&mut seen[operation], true) {
            continue;
        }
        let mut stack: Vec<&Step> = network.operations[operation].steps.iter().collect();
        while let Some(step) = stack.pop() {
            match step {
                Step::Visit(visit) => found.push(network.visits[*visit].station),
                Step::Call(call) => open.push(call.target),
                step => step.inner(|steps| stack.extend(steps)),
            }
        }
    }
    found
}

//! From what replications counted to the prediction people read.

use super::collected::Collected;
use super::deadlock;
use super::effort::Effort;
use super::engine::Engine;
use super::figures::{self, AMPLIFICATION, BUSY_WORKERS, QUEUE_LENGTH, RESPONSE, UTILIZATION, WAIT};
use super::queue::Usage;
use super::record::{Elsewhere, Record, Sample, place_of};
use crate::discipline::Discipline;
use crate::distribution::Distribution;
use crate::network::{Network, ServiceId, Visit};
use crate::prediction::{
    Accuracy, Ended, Overload, Prediction, ServiceResult, Share, Simulation, Times, Widths, WorkloadResult,
};
use crate::system::Metric;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Servers that are busy for more than this share of the time are where things pile up.
const FULL: f64 = 0.98;

/// What is held for more than this share of the time is held all the time.
const HELD: f64 = 0.995;

/// Points of the curve of a time.
const POINTS: usize = 400;

/// Names in one sentence.
const NAMED: usize = 3;

/// Said of runs that cannot go on.
const ENDLESS: &str = "requests multiply without end: does an operation send to itself, or is retried work never done?";

/// How a simulation ends, beside its runs.
pub(super) struct Finish {
    pub ended: Ended,
    /// Whether as many requests are answered as come, in a system that keeps up.
    pub balances: bool,
    pub deadlocked: Vec<String>,
    /// Whether requests multiplied, so that no figure says anything.
    pub endless: bool,
    pub notes: Vec<String>,
}

impl Default for Finish {
    fn default() -> Finish {
        Finish { ended: Ended::Complete, balances: true, deadlocked: Vec::new(), endless: false, notes: Vec::new() }
    }
}

/// Whether some resource gets more work than it can do, or is held all the time. Where none is, what grows has not settled
/// yet, but will.
pub(super) fn is_full(network: &Network, together: &Record) -> bool {
    Capacity::new(network, together).resources.iter().any(Resource::is_full)
}

/// The names of what is dead in most of some runs: services for their workers, and pools.
pub(super) fn deadlocks(network: &Network, engines: &[&Engine<'_>]) -> Vec<String> {
    let (mut services, mut pools) = (vec![0; network.services.len()], vec![0; network.pools.len()]);
    let found: Vec<_> = engines.par_iter().map(|engine| deadlock::find(engine)).collect();
    for (dead_services, dead_pools) in found {
        dead_services.into_iter().for_each(|id| services[id] += 1);
        dead_pools.into_iter().for_each(|id| pools[id] += 1);
    }
    let most = |(_, count): &(usize, &usize)| 2 * **count > engines.len();
    let services = services.iter().enumerate().filter(most).map(|(id, _)| network.services[id].name.clone());
    let pools = pools.iter().enumerate().filter(most).map(|(id, _)| network.pools[id].title());
    services.chain(pools).collect()
}

/// The prediction that replications make together.
pub(super) fn prediction(
    collected: &Collected<'_>,
    effort: &Effort,
    wanted: Option<f64>,
    finish: Finish,
) -> Prediction {
    let network = collected.network;
    let capacity = Capacity::new(network, &collected.together);
    let may_grow = finish.balances && capacity.resources.iter().any(Resource::is_full);
    let overdue = |grows: bool| finish.endless || may_grow && grows;
    let overdue_workloads: Vec<bool> =
        (0..network.workloads.len()).map(|w| overdue(collected.workload_grows(w))).collect();
    let overdue_services: Vec<bool> =
        (0..network.services.len()).map(|id| overdue(collected.service_grows(id))).collect();
    let hopeless = finish.ended == Ended::Hopeless || !finish.deadlocked.is_empty();
    let stable = !hopeless && !overdue_workloads.iter().chain(&overdue_services).any(|overdue| *overdue);
    let together = capacity.together();
    let (worst, least_certain) = collected.worst();
    let mut notes = finish.notes;
    notes.extend(finish.endless.then(|| ENDLESS.to_string()));
    if stable {
        notes.extend(rarities(collected));
        notes.extend(heavy_tails(network));
    }
    Prediction {
        stable,
        workloads: overdue_workloads.iter().enumerate().map(|(w, is)| workload(collected, &capacity, w, *is)).collect(),
        services: overdue_services.iter().enumerate().map(|(id, is)| service(collected, &capacity, id, *is)).collect(),
        bottleneck: together.as_ref().map(|(_, name)| name.clone()),
        headroom: together.map(|(load, _)| 1.0 / load),
        overloads: if stable || !finish.deadlocked.is_empty() { Vec::new() } else { overloads(collected) },
        deadlocked: finish.deadlocked,
        metastable: None,
        notes: Vec::new(),
        simulation: Some(Box::new(Simulation {
            seed: effort.seed,
            replications: collected.runs() as u64,
            warmup: collected.warmup,
            duration: collected.together.time / collected.runs().max(1) as f64,
            requests: collected.together.requests(),
            visits: collected.together.services.iter().map(|requests| requests.arrivals).sum(),
            precision: Some(worst).filter(|worst| worst.is_finite()),
            least_certain,
            wanted,
            ended: finish.ended,
            notes,
        })),
    }
}

/// What happened in one run alone, so that intervals say little.
fn rarities(collected: &Collected<'_>) -> Option<String> {
    let names = collected.resting_on_one();
    let (first, more) = names.split_at(names.len().min(NAMED));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    let runs = collected.runs();
    (!first.is_empty()).then(|| {
        format!(
            "these rest on what happened in one of {runs} runs alone, so the truth may lie outside their intervals: {}{more}",
            first.join(", ")
        )
    })
}

/// Services with work so heavy in its tail that the waits it causes have no variance.
fn heavy_tails(network: &Network) -> Option<String> {
    let heavy = |visit: &&Visit| {
        let station = &network.stations[visit.station];
        visit.time.moment(3).is_infinite() && station.discipline != Discipline::Ps && station.queue.is_none()
    };
    let names: BTreeSet<&str> =
        network.visits.iter().filter(heavy).map(|visit| network.stations[visit.station].name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    (!names.is_empty()).then(|| {
        format!(
            "work without a third moment makes waits without variance, so the truth may lie outside the intervals of means and far percentiles: {}",
            names.join(", ")
        )
    })
}

fn workload(collected: &Collected<'_>, capacity: &Capacity, w: usize, overdue: bool) -> WorkloadResult {
    let Collected { network, together, figures, .. } = collected;
    let requests = &together.workloads[w];
    let [arrival_rate, throughput, error_rate, ..] = figures.workloads[w];
    let response =
        if overdue { Times::default() } else { times(&requests.response, &figures.workloads[w][RESPONSE..]) };
    let mut confidence = figures::confidence(&collected.workload(w).widths());
    if overdue {
        confidence.response = Widths::default();
    }
    WorkloadResult {
        name: network.workloads[w].name.clone(),
        arrival_rate: existing(arrival_rate),
        throughput: existing(throughput),
        error_rate: existing(error_rate),
        saturation_rate: capacity.alone(w).filter(|_| arrival_rate > 0.0).map(|factor| factor * arrival_rate),
        breakdown: response.mean.map_or_else(Vec::new, |mean| breakdown(network, together, w, mean)),
        response,
        accuracy: Accuracy::Simulated(Box::new(confidence)),
        crowd: None,
    }
}

fn service(collected: &Collected<'_>, capacity: &Capacity, id: ServiceId, overdue: bool) -> ServiceResult {
    let Collected { network, together, figures, .. } = collected;
    let service = &network.services[id];
    let requests = &together.services[id];
    let own = &figures.services[id];
    let of = |sample: &Sample, from: usize| if overdue { Times::default() } else { times(sample, &own[from..]) };
    let number = |at: usize| Some(own[at]).filter(|value| value.is_finite());
    let mut confidence = figures::confidence(&collected.service(id).widths());
    if overdue {
        (confidence.response, confidence.wait, confidence.queue_length) = Default::default();
    }
    let devices = service.devices.iter().map(|station| {
        let busy = figures::utilization(&network.stations[*station], &together.stations[*station], together.time);
        (network.stations[*station].name.clone(), existing(busy))
    });
    ServiceResult {
        name: service.name.clone(),
        external: service.external,
        instances: service.instances,
        utilization: number(UTILIZATION),
        arrival_rate: existing(own[0]),
        amplification: number(AMPLIFICATION),
        throughput: existing(own[1]),
        error_rate: existing(own[2]),
        queue_length: number(QUEUE_LENGTH).filter(|_| !overdue),
        wait: of(&requests.wait, WAIT),
        response: of(&requests.response, RESPONSE),
        workers_utilization: number(BUSY_WORKERS),
        saturation_rate: capacity.of_service(id).filter(|_| own[0] > 0.0).map(|factor| factor * own[0]),
        devices: devices.collect(),
        confidence: Some(Box::new(confidence)),
    }
}

/// Zero for a figure that does not exist but must be a number.
fn existing(figure: f64) -> f64 {
    if figure.is_finite() { figure } else { 0.0 }
}

/// Mean and percentiles, with points of the curve in between.
fn times(sample: &Sample, figures: &[f64]) -> Times {
    let count = sample.times.count();
    if count == 0 {
        return Times::default();
    }
    let mut percentiles = [None; Metric::PERCENTILES.len()];
    percentiles.iter_mut().zip(&figures[1..]).for_each(|(slot, figure)| *slot = Some(*figure));
    // Points where the tail has fallen by a step of its own, or of the whole.
    let mut curve = vec![(0.0, 1.0 - sample.times.zeros() as f64 / count as f64)];
    let (mut left, mut last) = (count - sample.times.zeros(), 1.0);
    for (_, high, number) in sample.times.buckets() {
        left -= number;
        let tail = left as f64 / count as f64;
        if last - tail >= 1.0 / POINTS as f64 || tail <= 0.97 * last || left == 0 {
            curve.push((high, tail));
            last = tail;
        }
    }
    Times { mean: Some(figures[0]), percentiles, curve }
}

/// Where the mean response time goes: by the requests that were looked at, in all as much as the mean.
fn breakdown(network: &Network, together: &Record, w: usize, mean: f64) -> Vec<Share> {
    let account = &together.accounts[w];
    let total: f64 = account.spent.iter().map(|spent| spent.queueing + spent.service).sum();
    if total <= 0.0 {
        return Vec::new();
    }
    let workloads = network.workloads.len();
    let arrivals = together.workloads[w].arrivals.max(1) as f64;
    let visits = |id: usize| together.visits[id * workloads + w] as f64 / arrivals;
    let services = network.services.iter().enumerate().map(|(id, service)| (id, service.name.clone(), visits(id)));
    let elsewhere = [
        (place_of(network, Elsewhere::Network), "network".to_string(), 1.0),
        (place_of(network, Elsewhere::Again), "retries".to_string(), 1.0),
    ];
    let pools = network.pools.iter().enumerate();
    let pools = pools.map(|(id, pool)| (place_of(network, Elsewhere::Pool(id)), pool.title(), 1.0));
    let shares = services.chain(elsewhere).chain(pools).map(|(place, service, visits)| Share {
        service,
        queueing: account.spent[place].queueing / total * mean,
        service_time: account.spent[place].service / total * mean,
        visits,
    });
    shares.filter(|share| share.queueing + share.service_time > 0.0).collect()
}

/// How much of each resource its users take.
struct Capacity {
    resources: Vec<Resource>,
}

/// A resource, and how much of it its users take.
struct Resource {
    /// The service it belongs to.
    service: Option<ServiceId>,
    name: String,
    /// The share of it that each workload takes: of servers the work offered to them, of what is held the time it is held.
    shares: Vec<f64>,
    /// From this share on requests pile up in front of it; never where those that do not fit are refused.
    piles: f64,
}

impl Resource {
    fn load(&self) -> f64 {
        self.shares.iter().sum()
    }

    fn is_full(&self) -> bool {
        self.load() >= self.piles
    }
}

impl Capacity {
    fn new(network: &Network, together: &Record) -> Capacity {
        let workloads = network.workloads.len();
        let mut resources = Vec::new();
        if together.time > 0.0 {
            for (id, station) in network.stations.iter().enumerate() {
                let work = &together.work[id * workloads..(id + 1) * workloads];
                let all = together.time * station.total_servers();
                let offered: f64 = work.iter().sum::<f64>() / all;
                // Slowed down servers are busy for longer than their work.
                let slower = match station.contention {
                    Some(_) if offered > 0.0 => together.stations[id].busy / all / offered,
                    _ => 1.0,
                };
                let shares = work.iter().map(|work| slower * work / all).collect();
                resources.push(Resource {
                    service: Some(station.service),
                    name: station.name.clone(),
                    shares,
                    piles: match (station.queue, station.contention) {
                        (Some(_), _) => f64::INFINITY,
                        (None, Some(_)) => HELD,
                        (None, None) => 1.0,
                    },
                });
            }
            for (id, service) in network.services.iter().enumerate() {
                let visits = &together.visits[id * workloads..(id + 1) * workloads];
                let total = visits.iter().sum::<u64>().max(1) as f64;
                let mut put = |share: f64, name: String, piles: f64| {
                    let shares = visits.iter().map(|visits| share * *visits as f64 / total).collect();
                    resources.push(Resource { service: Some(id), name, shares, piles });
                };
                if let Some(workers) = service.workers {
                    let all = together.time * f64::from(workers) * f64::from(service.instances);
                    let piles = if service.queue.is_some() { f64::INFINITY } else { HELD };
                    put(together.workers[id].busy / all, format!("{} workers", service.name), piles);
                }
                if let Some(limit) = service.limit {
                    put(total / together.time / limit, format!("{} limit", service.name), f64::INFINITY);
                }
            }
            for (id, pool) in network.pools.iter().enumerate() {
                let instances = pool.per.map_or(1, |service| network.services[service].instances);
                let all = together.time * f64::from(pool.size) * f64::from(instances);
                let share = together.pools[id].busy / all / workloads.max(1) as f64;
                resources.push(Resource {
                    service: pool.per,
                    name: pool.title(),
                    shares: vec![share; workloads],
                    piles: HELD,
                });
            }
        }
        Capacity { resources }
    }

    /// The share of the fullest resource, and its name.
    fn together(&self) -> Option<(f64, String)> {
        let used = self.resources.iter().filter(|resource| resource.load() > 0.0);
        let fullest = used.max_by(|a, b| a.load().total_cmp(&b.load()));
        fullest.map(|resource| (resource.load(), resource.name.clone()))
    }

    /// By how much a workload could grow before the first resource it uses is full; 0 when the others fill it.
    fn alone(&self, w: usize) -> Option<f64> {
        let own = self.resources.iter().filter(|resource| resource.shares[w] > 0.0);
        own.map(|resource| ((1.0 - resource.load() + resource.shares[w]) / resource.shares[w]).max(0.0))
            .min_by(f64::total_cmp)
    }

    /// By how much the calls of a service could grow before its first resource is full.
    fn of_service(&self, id: ServiceId) -> Option<f64> {
        let own = self.resources.iter().filter(|resource| resource.service == Some(id));
        let fullest = own.map(Resource::load).fold(0.0, f64::max);
        (fullest > 0.0).then(|| 1.0 / fullest)
    }
}

/// What is full, and for which more waits at the end than at the beginning.
fn overloads(collected: &Collected<'_>) -> Vec<Overload> {
    let Collected { network, together, .. } = collected;
    let mut found = Vec::new();
    let mut look = |id: ServiceId, name: String, usage: &Usage, servers: f64, offered: Option<f64>| {
        let service = &network.services[id];
        // What came over what left.
        let load = offered.unwrap_or_else(|| 1.0 + usage.growth as f64 / usage.departures.max(1) as f64);
        if usage.busy >= FULL * servers * together.time && usage.growth > 0 && load > 1.0 {
            found.push(Overload::new(name, service, load, load));
        }
    };
    let workloads = network.workloads.len();
    for (id, station) in network.stations.iter().enumerate() {
        let work: f64 = together.work[id * workloads..(id + 1) * workloads].iter().sum();
        let servers = station.total_servers();
        let offered = station.contention.is_none().then(|| work / (servers * together.time));
        look(station.service, station.name.clone(), &together.stations[id], servers, offered);
    }
    for (id, service) in network.services.iter().enumerate() {
        if let Some(workers) = service.workers {
            let all = f64::from(workers) * f64::from(service.instances);
            look(id, format!("{} workers", service.name), &together.workers[id], all, None);
        }
    }
    found
}

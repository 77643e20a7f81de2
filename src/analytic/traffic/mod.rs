//! How variable the arrivals at each station are: parametric decomposition of the network.
//!
//! | symbol     | meaning                                                        |
//! |------------|----------------------------------------------------------------|
//! | `ca², cd²` | squared coefficients of variation of arrivals and departures   |
//! | `ρ, m`     | utilization, servers                                           |
//!
//! ```text
//! departures   cd² = 1 + (1 - ρ²)(ca² - 1) + ρ² (max(cs², 0.2) - 1) / √m
//! splitting    c²  = 1 + p (cd² - 1)
//! merging      ca² = 1 - w + w Σ p_i c_i²,   w = 1 / (1 + 4 (1 - ρ)² (v - 1)),   v = 1 / Σ p_i²
//! ```
//!
//! The two parts of what leaves are kept apart on their way, the one as variable as its workload, the other as the services:
//! `streams` says what comes to each station of both, so that nothing that belongs together is split at random. What visits of
//! one request do to each other is in `returns`, how variable requests are that come for the first time in `fresh`, and where
//! all is Poisson by theory in `poisson`.
//!
//! Source: Whitt, The Queueing Network Analyzer, Bell System Technical Journal 62 (1983), section 4.

mod fresh;
mod poisson;
mod returns;
mod streams;
mod together;
mod tour;

use super::follow::Company;
use super::memory::Memory;
use crate::discipline::Discipline;
use crate::distribution::{Distribution, Law};
use crate::math::rows::Rows;
use crate::network::flows::Flows;
use crate::network::{Network, StationId, Workload};
use crate::system::{ArrivalLaw, Load};
use crate::unit::{PerSecond, Seconds};
use fresh::Fresh;
use returns::{Felt, Returns};
use streams::{Source, Streams};
use together::Together;

/// The arrivals of one station.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variability {
    /// Squared coefficient of variation of the interarrival times.
    pub scv: f64,
    /// What waits are multiplied by where requests come back to the queue they left.
    pub returning: f64,
    /// How often requests come for the first time that come back, and the mean time from one of their visits to the next.
    pub back: Option<(PerSecond, Seconds)>,
    /// The part of a long queue's work that is done before one who joins it is served.
    pub before_next: f64,
    /// What those of each class are multiplied by, those of regular arrivals being shorter than those of bursts.
    pub by_class: Vec<f64>,
    /// Whether theory says the arrivals are a Poisson process.
    pub poisson: bool,
    /// The interarrival law over its mean, when all arrivals come straight from one workload.
    pub renewal: Option<Law>,
    /// What those that nearly come together add to it.
    pub crowded: f64,
    /// What they wait for each other, over what it were if all work were alike.
    pub form: f64,
    /// What arrivals that are not Poisson add to that, as to Kingman's mean of `ca² + cs²`, in seconds; below zero where they are more
    /// regular.
    pub beside: Seconds,
    /// What a visit waits for its own request on average.
    pub own: Seconds,
    /// Requests that meet in one queue as if they arrived together: how often at all queues of the station, and how many.
    pub batches: Vec<(PerSecond, u32)>,
}

/// Whether workloads wait differently only because their arrivals vary differently, or because some are of users.
pub(super) fn tells_apart(network: &Network) -> bool {
    let differs = |workload: &Workload| match &workload.load {
        Load::Closed { .. } => true,
        Load::Open { arrivals: ArrivalLaw::Renewal(law), .. } => law.scv() != 1.0,
        _ => false,
    };
    network.classes == 1 && network.workloads.len() > 1 && network.workloads.iter().any(differs)
}

/// The variability of the arrivals at each station.
pub(super) fn variability(
    network: &Network,
    rates: &[PerSecond],
    flows: &Flows,
    memories: &[Memory],
    held: &Rows<f64>,
    company: Option<&Company>,
) -> Vec<Variability> {
    let plain: Vec<bool> = network.workloads.iter().map(|w| w.arrivals() == Some(&ArrivalLaw::Poisson)).collect();
    let returns = returns::returns(network, rates, memories);
    let stations: Vec<Server> = servers(network, flows, held, &returns);
    let batches: Vec<Vec<(PerSecond, u32)>> = match company {
        Some(company) => company.batches[..stations.len()].to_vec(),
        None => vec![Vec::new(); stations.len()],
    };
    let beside = |station: usize| company.map_or(0.0, |company| company.beside(station));
    let form = |station: usize, batches: &[(PerSecond, u32)]| {
        let memory = &memories[station];
        let work = memory.utilization * network.stations[station].capacity();
        let (rate, returns) = (stations[station].outflow, returns[station].as_ref());
        let shared = network.stations[station].discipline == Discipline::Ps;
        let together = Together { station, rate, work, batches, memory, shared, returns };
        company.map_or(1.0, |company| together.factor(company))
    };
    // Without branches theory says that it does not matter who comes back.
    let forked =
        |station: usize, batches: &[(PerSecond, u32)]| returns[station].as_ref().filter(|_| !batches.is_empty());
    // What is so where all arrivals are Poisson.
    let alone = |station: usize, batches: Vec<(PerSecond, u32)>| Variability {
        scv: 1.0,
        crowded: batched(&batches, stations[station].outflow),
        form: form(station, &batches),
        beside: 0.0,
        own: company.map_or(0.0, |company| company.waited[station]),
        returning: forked(station, &batches)
            .map_or(1.0, |returns| returns.felt(1.0, 1.0, beside(station), memories[station].utilization).factor),
        // Visits on several branches at once do not come back.
        back: returns[station].as_ref().filter(|_| batches.is_empty()).map(|returns| returns.back(&memories[station])),
        before_next: returns[station].as_ref().map_or(1.0, Returns::before_next),
        by_class: vec![1.0; network.classes],
        poisson: true,
        renewal: None,
        batches,
    };
    if plain.iter().all(|p| *p) && stations.iter().all(|s| s.passes_poisson) {
        return batches.into_iter().enumerate().map(|(station, batches)| alone(station, batches)).collect();
    }
    let respaced: Vec<f64> = stations.iter().map(|station| station.rho * station.rho).collect();
    let streams = streams::streams(network, held, &respaced);
    let passes: Vec<bool> = stations.iter().map(|station| station.passes_poisson).collect();
    let poisson = poisson::stations(network, &plain, &passes);
    let fresh = Fresh::of(network, &stations, flows);
    let brought = Brought::of(network, flows);
    let each = |(station, batches): (usize, Vec<(PerSecond, u32)>)| {
        let poisson = poisson[station];
        let scv = mixed(&streams[station], station, &stations, network);
        let memory = &memories[station];
        let felt = match &returns[station] {
            _ if poisson && forked(station, &batches).is_none() => Felt::of(1.0, memory.service_scv),
            Some(returns) => {
                let entering = fresh.scv(station, &brought.work[station]);
                returns.felt(scv, entering, beside(station), memory.utilization)
            }
            None => Felt::of(scv, memory.service_scv),
        };
        // Where all share the servers visits in a row are one, which as few of come.
        let sharing = network.stations[station].discipline == Discipline::Ps && !plain.iter().all(|plain| *plain);
        let shared = returns[station].as_ref().filter(|_| sharing);
        let scv = shared.map_or(felt.scv, |returns| (1.0 + (felt.scv - 1.0) * returns.as_one().0).max(0.0));
        let mut by_class =
            by_class(network, &brought, station, &streams[station], (1.0 - memory.utilization) * felt.carried);
        if let Some(returns) = &returns[station] {
            let urgent = by_urgency(network, station, returns, memory.utilization);
            for (factor, urgent) in by_class.iter_mut().zip(urgent) {
                *factor *= urgent / felt.plain;
            }
        }
        let renewal = direct_renewal(network, &streams[station]);
        let (beside, returning) = (felt.beside, felt.factor);
        Variability { scv, beside, returning, by_class, poisson, renewal, ..alone(station, batches) }
    };
    batches.into_iter().enumerate().map(each).collect()
}

/// What each workload brings to each station: visits per second, and their work.
struct Brought {
    rates: Rows<PerSecond>,
    work: Rows<f64>,
}

impl Brought {
    fn of(network: &Network, flows: &Flows) -> Brought {
        let nothing = Rows::of(0.0, network.stations.len(), network.workloads.len());
        let (mut rates, mut work) = (nothing.clone(), nothing);
        for (visit, own) in network.visits.iter().zip(flows.visits.iter()) {
            let mean = visit.time.mean();
            for (w, rate) in own.iter().enumerate() {
                rates[visit.station][w] += rate;
                work[visit.station][w] += rate * mean;
            }
        }
        Brought { rates, work }
    }
}

/// What a station does to the variability of a stream.
struct Server {
    rho: f64,
    /// The variability of what leaves while it is always busy, and how much does: requests that come back at once not
    /// counted.
    ending: f64,
    leaving: PerSecond,
    outflow: PerSecond,
    /// Poisson arrivals leave as Poisson departures.
    passes_poisson: bool,
}

fn servers(network: &Network, flows: &Flows, held: &Rows<f64>, returns: &[Option<Returns>]) -> Vec<Server> {
    let n = network.stations.len();
    let (mut rate, mut load, mut second) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    let mut mean_seen: Vec<Option<f64>> = vec![None; n];
    let mut same_exponential = vec![true; n];
    for (visit, rates) in network.visits.iter().zip(flows.visits.iter()) {
        let passed: f64 = rates
            .iter()
            .zip(&network.workloads)
            .map(|(rate, workload)| rate * (1.0 - held[visit.station][workload.class]))
            .sum();
        if passed <= 0.0 {
            continue;
        }
        let mean = visit.time.mean();
        rate[visit.station] += passed;
        load[visit.station] += passed * mean;
        second[visit.station] += passed * visit.time.moment(2).min(1e6 * mean * mean);
        let first = *mean_seen[visit.station].get_or_insert(mean);
        same_exponential[visit.station] &= visit.time.is_exponential() && (first - mean).abs() <= 1e-12 * mean;
    }
    (0..n)
        .map(|i| {
            let station = &network.stations[i];
            let mean = if rate[i] > 0.0 { load[i] / rate[i] } else { 0.0 };
            let scv = if mean > 0.0 { (second[i] / rate[i] / (mean * mean) - 1.0).max(0.0) } else { 1.0 };
            let unrefusing = station.queue.is_none() && held[i].iter().all(|h| *h == 0.0);
            // Processor sharing is quasi-reversible for any work; one queue of equal exponentials for any order that
            // does not look at the work. Balancers that look at the instances break it.
            let plain_balancer =
                matches!(station.balancer, crate::system::Balancer::Shared | crate::system::Balancer::Random)
                    || station.instances == 1;
            let reversible = matches!(station.discipline, Discipline::Ps) || same_exponential[i];
            let passes_poisson = unrefusing && reversible && plain_balancer && station.contention.is_none();
            let (many, scv) = returns[i].as_ref().map_or((1.0, scv), Returns::as_one);
            let ending = if passes_poisson { 1.0 } else { 1.0 + (scv.max(0.2) - 1.0) / station.total_servers().sqrt() };
            Server {
                rho: (load[i] / station.capacity()).min(1.0),
                ending: ending.max(0.0),
                leaving: rate[i] / many,
                outflow: rate[i],
                passes_poisson,
            }
        })
        .collect()
}

/// How variable all arrivals at a station are.
fn mixed(incoming: &Streams, own: StationId, stations: &[Server], network: &Network) -> f64 {
    let total = incoming.total();
    if total <= 0.0 {
        return 1.0;
    }
    // Those not kept apart are Poisson, in streams no larger than the others.
    let mut mixed = incoming.rest / total;
    let mut concentration = mixed * (incoming.least() / total).max(1e-9);
    // However many Poisson streams come from outside, they are one.
    let mut plain = 0.0;
    for (source, part, whole) in incoming.iter() {
        let share = part / total;
        if matches!(source, Source::Workload(_)) && stream_scv(source, whole, stations, network) == 1.0 {
            plain += share;
        } else {
            concentration += share * share;
        }
        // What comes back to where it left is no burst that the station has not just served.
        let returns = source == Source::Station(own);
        mixed += share * if returns { 1.0 } else { stream_scv(source, whole, stations, network) };
    }
    let w = merged(stations[own].rho, concentration + plain * plain);
    (1.0 - w + w * mixed).max(0.0)
}

/// How much of the variability of streams is left where several come together, `concentration` being the sum of the squares
/// of their shares.
fn merged(rho: f64, concentration: f64) -> f64 {
    1.0 / (1.0 + 4.0 * (1.0 - rho) * (1.0 - rho) * (1.0 / concentration - 1.0))
}

/// The variability of a stream that was so large when it left its source with others.
fn stream_scv(source: Source, rate: PerSecond, stations: &[Server], network: &Network) -> f64 {
    let (origin, outflow) = match source {
        Source::Workload(w) => {
            let workload = &network.workloads[w];
            let scv = match workload.arrivals() {
                Some(ArrivalLaw::Renewal(law)) => law.scv(),
                _ => 1.0,
            };
            (scv, workload.rate())
        }
        Source::Station(j) => (stations[j].ending, stations[j].leaving),
    };
    let share = if outflow > 0.0 { (rate / outflow).min(1.0) } else { 1.0 };
    1.0 + share * (origin - 1.0)
}

/// What waits of each class are multiplied by where requests come back, instead of what all are, where the more urgent go
/// first; nothing elsewhere.
fn by_urgency(network: &Network, station: StationId, returns: &Returns, utilization: f64) -> Vec<f64> {
    let discipline = network.stations[station].discipline;
    if !discipline.uses_priority() || network.classes == 1 {
        return Vec::new();
    }
    let preemptive = discipline == Discipline::Preemptive;
    (0..network.classes).map(|class| returns.by_priority(class, preemptive, utilization)).collect()
}

/// What waits of each class are multiplied by, where the variability of arrivals makes up such a part of the difference
/// between the mean wait of those who come and that of someone who came at any time.
///
/// Someone who comes at any time waits `V`, and `W - V = (1 - ρ) W - Λ E[S²] / 2` (Brumelle, 1971), of which arrivals
/// that are not Poisson cause what they add to `(1 - ρ) W`. That is the work of those streams that vary: each stream
/// meets its own past, and of the others the mean.
fn by_class(network: &Network, brought: &Brought, station: StationId, streams: &Streams, part: f64) -> Vec<f64> {
    let classes = network.classes;
    if classes == 1 || part == 0.0 {
        return vec![1.0; classes];
    }
    let mut rates = vec![0.0; classes];
    let mut work = vec![0.0; classes];
    for (w, workload) in network.workloads.iter().enumerate() {
        rates[workload.class] += brought.rates[station][w];
        work[workload.class] += brought.work[station][w];
    }
    let total: f64 = rates.iter().sum();
    let mut varying = vec![0.0; classes];
    for (source, part, whole) in streams.iter() {
        if let Source::Workload(w) = source {
            let class = network.workloads[w].class;
            let scv = stream_scv(source, whole, &[], network);
            varying[class] += work[class] * (scv - 1.0) * part / rates[class].max(f64::MIN_POSITIVE);
        }
    }
    let mean = rates.iter().zip(&varying).map(|(rate, own)| rate * own).sum::<f64>() / total;
    // Both are below zero where arrivals are regular.
    if mean * part <= 0.0 || (mean * part).is_nan() {
        return vec![1.0; classes];
    }
    let factor = |own: f64| 1.0 + part * (own / mean - 1.0);
    varying.into_iter().map(|own| factor(own).clamp(0.2, 5.0)).collect()
}

/// What batches add to the variability of all arrivals, of this rate.
fn batched(batches: &[(PerSecond, u32)], rate: PerSecond) -> f64 {
    let added = |(rate, size): &(PerSecond, u32)| rate * f64::from(*size) * f64::from(size - 1);
    if rate > 0.0 { batches.iter().map(added).sum::<f64>() / rate } else { 0.0 }
}

/// The interarrival law when a station gets every request of one workload and nothing else.
fn direct_renewal(network: &Network, streams: &Streams) -> Option<Law> {
    let (Some((Source::Workload(w), rate, _)), 0.0) = (streams.iter().next(), streams.rest) else { return None };
    let workload = &network.workloads[w];
    match workload.arrivals()? {
        ArrivalLaw::Renewal(law) if streams.iter().count() == 1 && (rate - workload.rate()).abs() <= 1e-12 * rate => {
            Some(law.clone())
        }
        _ => None,
    }
}

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
//! Where a request comes back `n` times to a queue that still remembers it, the queue feels all its visits as one: in
//! heavy traffic each waits `τ/(1 - ρ) (n ca² + cs²)/(n + 1)`, because each that is there has half of its visits before it.
//! Between that and independent visits lies the part `1 / (1 + x)`, `x` being the time between two visits over the
//! memory of the queue.
//!
//! Source: Whitt, The Queueing Network Analyzer, Bell System Technical Journal 62 (1983), section 4.

mod streams;

use super::follow::Company;
use super::memory::Memory;
use crate::discipline::Discipline;
use crate::distribution::{Distribution, Law};
use crate::math::rows::Rows;
use crate::network::Network;
use crate::network::flows::Flows;
use crate::system::ArrivalLaw;
use crate::unit::PerSecond;
use streams::{Source, Streams};

/// Sweeps over all stations; along a path without feedback each sweep settles every station behind a settled one.
const MAX_SWEEPS: usize = 100;

/// The arrivals of one station.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variability {
    /// Squared coefficient of variation of the interarrival times.
    pub scv: f64,
    /// What waits are multiplied by, where less variable arrivals cannot make them short enough.
    pub shortened: f64,
    /// Whether theory says the arrivals are a Poisson process.
    pub poisson: bool,
    /// The interarrival law over its mean, when all arrivals come straight from one workload.
    pub renewal: Option<Law>,
    /// What those that nearly come together add to it.
    pub crowded: f64,
    /// What they wait for each other, over what it were if all work were alike.
    pub form: f64,
    /// Requests that meet in one queue as if they arrived together: how often at all queues of the station, and how many.
    pub batches: Vec<(PerSecond, u32)>,
}

/// The variability of the arrivals at each station.
pub(super) fn variability(
    network: &Network,
    flows: &Flows,
    memories: &[Memory],
    held: &Rows<f64>,
    company: Option<&Company>,
) -> Vec<Variability> {
    let plain: Vec<bool> = network.workloads.iter().map(|w| w.arrivals() == Some(&ArrivalLaw::Poisson)).collect();
    let stations: Vec<Server> = servers(network, flows, held);
    let batches: Vec<Vec<(PerSecond, u32)>> = match company {
        Some(company) => company.batches[..stations.len()].to_vec(),
        None => vec![Vec::new(); stations.len()],
    };
    let form = |station: usize| company.map_or(1.0, |company| company.form(station));
    if plain.iter().all(|p| *p) && stations.iter().all(|s| s.passes_poisson) {
        let alone = |(station, batches): (usize, Vec<_>)| Variability {
            scv: 1.0,
            crowded: batched(&batches, stations[station].outflow),
            form: form(station),
            shortened: 1.0,
            poisson: true,
            renewal: None,
            batches,
        };
        return batches.into_iter().enumerate().map(alone).collect();
    }
    let streams = streams::streams(network, held);
    let scv = settle(&streams, &stations, network);
    let poisson = poisson_stations(&streams, &stations, &plain);
    let each = |(station, batches): (usize, Vec<(PerSecond, u32)>)| {
        let poisson = poisson[station];
        let entering = streams::entering(&streams[station], station, |source, rate| {
            stream_scv(source, rate, &stations, network, &scv)
        });
        // Branches do not come back: what visits of one request do to each other is in what they meet.
        let meeting = (0.5 * batched(&batches, stations[station].outflow)).min(1.0);
        let (scv, shortened) = if poisson {
            (1.0, 1.0)
        } else {
            let (back, shortened) = returning(scv[station], entering, &memories[station]);
            (back + meeting * (scv[station] - back), shortened + meeting * (1.0 - shortened))
        };
        Variability {
            scv,
            crowded: batched(&batches, stations[station].outflow),
            form: form(station),
            shortened,
            poisson,
            renewal: direct_renewal(network, &streams[station]),
            batches,
        }
    };
    batches.into_iter().enumerate().map(each).collect()
}

/// What a station does to the variability of a stream.
struct Server {
    rho: f64,
    service_scv: f64,
    servers: f64,
    outflow: f64,
    /// Poisson arrivals leave as Poisson departures.
    passes_poisson: bool,
}

fn servers(network: &Network, flows: &Flows, held: &Rows<f64>) -> Vec<Server> {
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
            Server {
                rho: (load[i] / station.capacity()).min(1.0),
                service_scv: scv,
                servers: station.total_servers(),
                outflow: rate[i],
                passes_poisson: unrefusing && reversible && plain_balancer && station.contention.is_none(),
            }
        })
        .collect()
}

/// Solves the equations for `ca²` by sweeping.
fn settle(streams: &[Streams], stations: &[Server], network: &Network) -> Vec<f64> {
    let mut scv = vec![1.0f64; stations.len()];
    for _ in 0..MAX_SWEEPS {
        let mut moved = 0.0f64;
        for (i, incoming) in streams.iter().enumerate() {
            let total = incoming.total();
            if total <= 0.0 {
                continue;
            }
            // Those not kept apart are Poisson, in streams no larger than the others.
            let mut mixed = incoming.rest / total;
            let mut concentration = mixed * (incoming.least() / total).max(1e-9);
            for (source, rate) in incoming.iter() {
                let share = rate / total;
                // What comes back to where it left is no burst that the station has not just served.
                let own = source == Source::Station(i);
                mixed += share * if own { 1.0 } else { stream_scv(source, rate, stations, network, &scv) };
                concentration += share * share;
            }
            let idle = 1.0 - stations[i].rho;
            let w = 1.0 / (1.0 + 4.0 * idle * idle * (1.0 / concentration - 1.0));
            let next = (1.0 - w + w * mixed).max(0.0);
            moved = moved.max((next - scv[i]).abs());
            scv[i] = next;
        }
        if moved < 1e-9 {
            break;
        }
    }
    scv
}

fn stream_scv(source: Source, rate: f64, stations: &[Server], network: &Network, scv: &[f64]) -> f64 {
    let (origin, outflow) = match source {
        Source::Workload(w) => {
            let workload = &network.workloads[w];
            let scv = match workload.arrivals() {
                Some(ArrivalLaw::Renewal(law)) => law.scv(),
                _ => 1.0,
            };
            (scv, workload.rate())
        }
        Source::Station(j) => {
            let from = &stations[j];
            let departures = if from.passes_poisson && scv[j] == 1.0 {
                1.0
            } else {
                1.0 + (1.0 - from.rho * from.rho) * (scv[j] - 1.0)
                    + from.rho * from.rho * (from.service_scv.max(0.2) - 1.0) / from.servers.sqrt()
            };
            (departures.max(0.0), from.outflow)
        }
    };
    let share = if outflow > 0.0 { (rate / outflow).min(1.0) } else { 1.0 };
    1.0 + share * (origin - 1.0)
}

/// The variability of arrivals as it matters for waits, where requests come back to the queue they left; and what these are
/// multiplied by, where it would have to be below zero: much of the work's variability is then that of few visits of a
/// request, which waits for the others' long ones only once.
fn returning(scv: f64, entering: f64, memory: &Memory) -> (f64, f64) {
    if memory.visits <= 1.0 || memory.time <= 0.0 {
        return (scv, 1.0);
    }
    // Of visits at once the queue feels the work all together: n ca² + cs² over n + 1 instead of ca² + cs² over 2.
    let (n, served) = (memory.visits, memory.service_scv);
    let at_once = 2.0 * (n * entering + served) / (n + 1.0) - served;
    let remembered = 1.0 / (1.0 + memory.lag / memory.time);
    let arrivals = scv + remembered * (at_once - scv);
    if arrivals >= 0.0 { (arrivals, 1.0) } else { (scv, (arrivals + served) / (scv + served)) }
}

/// What batches add to the variability of all arrivals, of this rate.
fn batched(batches: &[(PerSecond, u32)], rate: PerSecond) -> f64 {
    let added = |(rate, size): &(PerSecond, u32)| rate * f64::from(*size) * f64::from(size - 1);
    if rate > 0.0 { batches.iter().map(added).sum::<f64>() / rate } else { 0.0 }
}

/// Stations that see Poisson arrivals: everything that reaches them started as Poisson and met only stations that keep
/// it so.
fn poisson_stations(streams: &[Streams], stations: &[Server], plain: &[bool]) -> Vec<bool> {
    let mut poisson = vec![true; streams.len()];
    loop {
        let mut changed = false;
        for (i, incoming) in streams.iter().enumerate() {
            let mut kept = incoming.iter().map(|(source, _)| match source {
                Source::Workload(w) => plain[w],
                Source::Station(j) => poisson[j] && stations[j].passes_poisson,
            });
            // Of those that are not kept apart nothing is known.
            if poisson[i] && (incoming.rest > 0.0 || !kept.all(|kept| kept)) {
                poisson[i] = false;
                changed = true;
            }
        }
        if !changed {
            return poisson;
        }
    }
}

/// The interarrival law when a station gets every request of one workload and nothing else.
fn direct_renewal(network: &Network, streams: &Streams) -> Option<Law> {
    let (Some((Source::Workload(w), rate)), 0.0) = (streams.iter().next(), streams.rest) else { return None };
    let workload = &network.workloads[w];
    match workload.arrivals()? {
        ArrivalLaw::Renewal(law) if streams.iter().count() == 1 && (rate - workload.rate()).abs() <= 1e-12 * rate => {
            Some(law.clone())
        }
        _ => None,
    }
}

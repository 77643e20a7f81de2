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
//! Source: Whitt, The Queueing Network Analyzer, Bell System Technical Journal 62 (1983), section 4.

use crate::discipline::Discipline;
use crate::distribution::{Distribution, Law};
use crate::network::flows::Flows;
use crate::network::{Network, StationId, Step};
use crate::system::ArrivalLaw;

/// Sweeps over all stations; along a path without feedback each sweep settles every station behind a settled one.
const MAX_SWEEPS: usize = 100;

/// Streams kept apart at one place: the many small ones beyond change the variability by little, and their number
/// grows with everything downstream of a chance call. Their rate goes to the kept ones.
const MOST_STREAMS: usize = 8;

/// Where a stream of requests comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Workload(usize),
    Station(StationId),
}

/// A stream into a station.
#[derive(Debug, Clone, Copy)]
struct Stream {
    source: Source,
    rate: f64,
}

/// The arrivals of one station.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variability {
    /// Squared coefficient of variation of the interarrival times.
    pub scv: f64,
    /// Whether theory says the arrivals are a Poisson process.
    pub poisson: bool,
    /// The interarrival law over its mean, when all arrivals come straight from one workload.
    pub renewal: Option<Law>,
}

/// The variability of the arrivals at each station.
pub(super) fn variability(network: &Network, flows: &Flows, held: &[Vec<f64>]) -> Vec<Variability> {
    let streams = Walker::new(network, held).streams();
    let plain: Vec<bool> = network.workloads.iter().map(|w| w.arrivals() == Some(&ArrivalLaw::Poisson)).collect();
    let stations: Vec<Server> = servers(network, flows, held);
    let mut scv = vec![1.0f64; network.stations.len()];
    if !(plain.iter().all(|p| *p) && stations.iter().all(|s| s.passes_poisson)) {
        settle(&streams, &stations, network, &mut scv);
    }
    let poisson = poisson_stations(&streams, &stations, &plain);
    streams
        .iter()
        .enumerate()
        .map(|(station, streams)| Variability {
            scv: if poisson[station] { 1.0 } else { scv[station] },
            poisson: poisson[station],
            renewal: direct_renewal(network, streams),
        })
        .collect()
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

fn servers(network: &Network, flows: &Flows, held: &[Vec<f64>]) -> Vec<Server> {
    let n = network.stations.len();
    let (mut rate, mut load, mut second) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    let mut mean_seen: Vec<Option<f64>> = vec![None; n];
    let mut same_exponential = vec![true; n];
    for (visit, rates) in network.visits.iter().zip(&flows.visits) {
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
                rho: (load[i] / station.total_servers()).min(1.0),
                service_scv: scv,
                servers: station.total_servers(),
                outflow: rate[i],
                passes_poisson: unrefusing && reversible && plain_balancer,
            }
        })
        .collect()
}

/// Solves the equations for `ca²` by sweeping.
fn settle(streams: &[Vec<Stream>], stations: &[Server], network: &Network, scv: &mut [f64]) {
    for _ in 0..MAX_SWEEPS {
        let mut moved = 0.0f64;
        for (i, incoming) in streams.iter().enumerate() {
            let total: f64 = incoming.iter().map(|s| s.rate).sum();
            if total <= 0.0 {
                continue;
            }
            let (mut mixed, mut concentration) = (0.0, 0.0);
            for stream in incoming {
                let share = stream.rate / total;
                mixed += share * stream_scv(stream, stations, network, scv);
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
}

fn stream_scv(stream: &Stream, stations: &[Server], network: &Network, scv: &[f64]) -> f64 {
    let (origin, outflow) = match stream.source {
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
    let share = if outflow > 0.0 { (stream.rate / outflow).min(1.0) } else { 1.0 };
    1.0 + share * (origin - 1.0)
}

/// Stations that see Poisson arrivals: everything that reaches them started as Poisson and met only stations that keep
/// it so.
fn poisson_stations(streams: &[Vec<Stream>], stations: &[Server], plain: &[bool]) -> Vec<bool> {
    let mut poisson = vec![true; streams.len()];
    loop {
        let mut changed = false;
        for (i, incoming) in streams.iter().enumerate() {
            let kept = incoming.iter().all(|stream| match stream.source {
                Source::Workload(w) => plain[w],
                Source::Station(j) => poisson[j] && stations[j].passes_poisson,
            });
            if poisson[i] && !kept {
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
fn direct_renewal(network: &Network, streams: &[Stream]) -> Option<Law> {
    let [Stream { source: Source::Workload(w), rate }] = streams else { return None };
    let workload = &network.workloads[*w];
    match workload.arrivals()? {
        ArrivalLaw::Renewal(law) if (rate - workload.rate()).abs() <= 1e-12 * rate => Some(law.clone()),
        _ => None,
    }
}

/// Follows requests through the programs and notes from where each station gets them.
struct Walker<'a> {
    network: &'a Network,
    held: &'a [Vec<f64>],
    /// Which station a request leaves an operation from, with probabilities; `None` when it visits none.
    exits: Vec<Vec<(Option<StationId>, f64)>>,
    streams: Vec<Vec<Stream>>,
}

impl<'a> Walker<'a> {
    fn new(network: &'a Network, held: &'a [Vec<f64>]) -> Self {
        let mut exits = vec![Vec::new(); network.operations.len()];
        for &operation in network.order.iter().rev() {
            exits[operation] = exit_of(network, &network.operations[operation].steps, &exits);
        }
        Walker { network, held, exits, streams: vec![Vec::new(); network.stations.len()] }
    }

    fn streams(mut self) -> Vec<Vec<Stream>> {
        let network = self.network;
        let mut arriving: Vec<Vec<Stream>> = vec![Vec::new(); network.operations.len()];
        for (w, workload) in network.workloads.iter().enumerate() {
            for (operation, share) in &workload.mix {
                add(&mut arriving[*operation], Stream { source: Source::Workload(w), rate: workload.rate() * share });
            }
        }
        for &operation in &network.order {
            let mut incoming = std::mem::take(&mut arriving[operation]);
            keep_largest(&mut incoming, |stream| &mut stream.rate);
            if !incoming.is_empty() {
                self.steps(&network.operations[operation].steps, incoming, &mut arriving);
            }
        }
        self.streams
    }

    fn steps(&mut self, steps: &[Step], mut at: Vec<Stream>, arriving: &mut [Vec<Stream>]) -> Vec<Stream> {
        for step in steps {
            at = self.step(step, at, arriving);
            keep_largest(&mut at, |stream| &mut stream.rate);
        }
        at
    }

    fn step(&mut self, step: &Step, at: Vec<Stream>, arriving: &mut [Vec<Stream>]) -> Vec<Stream> {
        match step {
            Step::Delay(_) => at,
            Step::Visit(visit) => {
                let station = self.network.visits[*visit].station;
                at.iter().for_each(|stream| add(&mut self.streams[station], *stream));
                let rate = total(&at) * (1.0 - self.held[station].iter().copied().fold(0.0, f64::max));
                vec![Stream { source: Source::Station(station), rate }]
            }
            Step::Fail(chance) => scaled(&at, 1.0 - chance),
            Step::Send(target) => {
                at.iter().for_each(|stream| add(&mut arriving[*target], *stream));
                at
            }
            Step::Call(call) => {
                if call.times == 0 || call.probability == 0.0 {
                    return at;
                }
                let made = scaled(&at, call.probability);
                made.iter().for_each(|stream| add(&mut arriving[call.target], *stream));
                let mut after = self.leave(&self.exits[call.target], &made);
                if call.times > 1 {
                    scaled(&after, f64::from(call.times - 1))
                        .into_iter()
                        .for_each(|stream| add(&mut arriving[call.target], stream));
                }
                scaled(&at, 1.0 - call.probability).into_iter().for_each(|stream| add(&mut after, stream));
                after
            }
            Step::Choose(ways) => {
                let mut after = Vec::new();
                for (weight, steps) in ways {
                    self.steps(steps, scaled(&at, *weight), arriving).into_iter().for_each(|s| add(&mut after, s));
                }
                after
            }
            Step::Repeat { times, steps } => {
                if *times == 0 {
                    return at;
                }
                let first = self.steps(steps, at, arriving);
                if *times == 1 {
                    return first;
                }
                let again = scaled(&first, f64::from(times - 1));
                let last = self.steps(steps, again, arriving);
                scaled(&last, 1.0 / f64::from(times - 1))
            }
            Step::Parallel { branches, .. } => {
                // What leaves is paced by the branch that visits the most; the others end within it.
                let mut after = at.clone();
                for steps in branches {
                    let left = self.steps(steps, at.clone(), arriving);
                    if left.iter().any(|s| matches!(s.source, Source::Station(_))) {
                        after = left;
                    }
                }
                after
            }
        }
    }

    /// Streams after an operation that is left from these stations.
    fn leave(&self, exits: &[(Option<StationId>, f64)], at: &[Stream]) -> Vec<Stream> {
        let rate = total(at);
        let mut after = Vec::new();
        for (exit, share) in exits {
            match exit {
                Some(station) => add(&mut after, Stream { source: Source::Station(*station), rate: rate * share }),
                None => scaled(at, *share).into_iter().for_each(|stream| add(&mut after, stream)),
            }
        }
        after
    }
}

fn exit_of(
    network: &Network,
    steps: &[Step],
    exits: &[Vec<(Option<StationId>, f64)>],
) -> Vec<(Option<StationId>, f64)> {
    let mut at = vec![(None, 1.0)];
    for step in steps {
        let onward = |inner: &[(Option<StationId>, f64)], at: &[(Option<StationId>, f64)], chance: f64| {
            let mut after: Vec<(Option<StationId>, f64)> = Vec::new();
            let mut put = |exit: Option<StationId>, share: f64| match after.iter_mut().find(|(e, _)| *e == exit) {
                Some((_, sum)) => *sum += share,
                None => after.push((exit, share)),
            };
            for (exit, share) in inner {
                match exit {
                    Some(_) => put(*exit, chance * share),
                    None => at.iter().for_each(|(e, s)| put(*e, chance * share * s)),
                }
            }
            if chance < 1.0 {
                at.iter().for_each(|(e, s)| put(*e, (1.0 - chance) * s));
            }
            after
        };
        at = match step {
            Step::Visit(visit) => vec![(Some(network.visits[*visit].station), 1.0)],
            Step::Delay(_) | Step::Fail(_) | Step::Send(_) => at,
            Step::Call(call) if call.times > 0 => onward(&exits[call.target], &at, call.probability),
            Step::Call(_) => at,
            Step::Repeat { times, steps } if *times > 0 => onward(&exit_of(network, steps, exits), &at, 1.0),
            Step::Repeat { .. } => at,
            Step::Choose(ways) => {
                let mut merged: Vec<(Option<StationId>, f64)> = Vec::new();
                for (weight, steps) in ways {
                    merged.extend(exit_of(network, steps, exits).into_iter().map(|(e, s)| (e, s * weight)));
                }
                onward(&merged, &at, 1.0)
            }
            Step::Parallel { branches, .. } => {
                let mut all = branches.iter().map(|steps| exit_of(network, steps, exits));
                let slowest = all.rfind(|exit| exit.iter().any(|(e, _)| e.is_some()));
                slowest.map_or(at.clone(), |exit| onward(&exit, &at, 1.0))
            }
        };
        keep_largest(&mut at, |(_, share)| share);
    }
    at
}

fn add(streams: &mut Vec<Stream>, stream: Stream) {
    if stream.rate <= 0.0 {
        return;
    }
    match streams.iter_mut().find(|s| s.source == stream.source) {
        Some(same) => same.rate += stream.rate,
        None => streams.push(stream),
    }
}

/// Keeps the largest entries and scales them to the old total.
fn keep_largest<T>(entries: &mut Vec<T>, size: impl Fn(&mut T) -> &mut f64) {
    // Only now and then: sorting costs more than carrying a few more along.
    if entries.len() <= 2 * MOST_STREAMS {
        return;
    }
    let before: f64 = entries.iter_mut().map(|entry| *size(entry)).sum();
    // Of equal ones the first in the order of the model are kept.
    let mut sizes: Vec<(usize, f64)> = entries.iter_mut().map(|entry| *size(entry)).enumerate().collect();
    sizes.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut kept = vec![false; entries.len()];
    sizes.iter().take(MOST_STREAMS).for_each(|(i, _)| kept[*i] = true);
    let mut i = 0;
    entries.retain(|_| {
        i += 1;
        kept[i - 1]
    });
    let after: f64 = entries.iter_mut().map(|entry| *size(entry)).sum();
    if after > 0.0 {
        entries.iter_mut().for_each(|entry| *size(entry) *= before / after);
    }
}

fn scaled(streams: &[Stream], factor: f64) -> Vec<Stream> {
    if factor <= 0.0 {
        return Vec::new();
    }
    streams.iter().map(|s| Stream { rate: s.rate * factor, ..*s }).collect()
}

fn total(streams: &[Stream]) -> f64 {
    streams.iter().map(|s| s.rate).sum()
}

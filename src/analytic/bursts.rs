//! Arrivals in bursts: one solution for each phase, on and off.
//!
//! What is met in a phase is solved at the rates of that phase, but for queues without a limit: there arrivals of a phase meet
//! what has come before them too, as in M/M/c with arrivals of two phases, in the proportion in which the queue differs from
//! M/M/c. Of several workloads that come in bursts each is on or off by itself.
//!
//! Source: Fischer and Meier-Hellstern, The Markov-modulated Poisson process cookbook, Performance Evaluation 18 (1993).

use super::layers::Gate;
use super::stations::StationState;
use super::{Solution, regimes::Regime};
use crate::discipline::fcfs::modulated;
use crate::discipline::{Delay, Discipline, Knowledge};
use crate::math::erlang;
use crate::network::{Network, Pool, PoolId, PoolKind, Station, StationId};
use crate::system::{ArrivalLaw, Balancer, Load};
use crate::unit::{PerSecond, Seconds};

/// Workloads that are told apart by phase; more of them are taken as they are on average.
const MOST: usize = 3;

/// Error of waits that depend on phases.
const PHASES: Knowledge = Knowledge::Approximate { p95_error: 0.1 };

/// And where the queue is none of first come, first served.
const OTHERS: Knowledge = Knowledge::Approximate { p95_error: 0.4 };

/// Error of waits where the number is followed through time.
const FOLLOWED: Knowledge = Knowledge::Approximate { p95_error: 0.02 };

/// A workload that comes in bursts.
#[derive(Debug, Clone, Copy)]
struct Burst {
    workload: usize,
    /// Rates on and off over the mean.
    rates: [f64; 2],
    /// Rates at which on and off are left, per second.
    leaving: [f64; 2],
}

impl Burst {
    fn of(network: &Network, workload: usize) -> Option<Burst> {
        let Load::Open { arrivals: ArrivalLaw::Burst { ratio, on, off }, .. } = network.workloads[workload].load else {
            return None;
        };
        let slow = (on + off) / (on * ratio + off);
        Some(Burst { workload, rates: [ratio * slow, slow], leaving: [1.0 / on, 1.0 / off] })
    }

    /// Share of all time that it is in a phase.
    fn share(&self, phase: usize) -> f64 {
        self.leaving[1 - phase] / (self.leaving[0] + self.leaving[1])
    }
}

/// What queues without a limit, and pools, meet in a regime: `None` where nothing comes in bursts.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    stations: Vec<Option<Delay>>,
    /// What waits of each class on average are multiplied by: `[station][class]`.
    factors: Vec<Vec<f64>>,
    pools: Vec<Option<Delay>>,
    /// Mean service times.
    services: Vec<Seconds>,
    /// How waits at stations are known.
    knowledge: Knowledge,
}

/// The workloads that come in bursts at these mean rates, as far as they are told apart.
fn bursts(network: &Network, rates: &[PerSecond]) -> Vec<Burst> {
    let each = (0..network.workloads.len()).filter_map(|w| Burst::of(network, w));
    each.filter(|burst| rates[burst.workload] > 0.0 && burst.rates[0] != burst.rates[1]).take(MOST).collect()
}

/// Whether workloads come in bursts at these mean rates.
pub(super) fn come(network: &Network, rates: &[PerSecond]) -> bool {
    !bursts(network, rates).is_empty()
}

/// The regimes of a network whose workloads come in bursts, around its solution at mean rates.
pub(super) fn regimes(base: &Solution<'_>) -> Vec<Regime> {
    let bursts = bursts(base.network, &base.rates);
    (0..1usize << bursts.len())
        .map(|number| {
            let phases: Vec<usize> = (0..bursts.len()).map(|b| number >> b & 1).collect();
            let mut rates = base.rates.clone();
            let mut share = 1.0;
            for (burst, phase) in bursts.iter().zip(&phases) {
                rates[burst.workload] *= burst.rates[*phase];
                share *= burst.share(*phase);
            }
            Regime { share, rates, phase: Some(phase(base, &bursts, &phases)) }
        })
        .collect()
}

fn phase(base: &Solution<'_>, bursts: &[Burst], phases: &[usize]) -> Phase {
    let network = base.network;
    let mut found =
        Phase { stations: Vec::new(), factors: Vec::new(), pools: Vec::new(), services: Vec::new(), knowledge: PHASES };
    for ((station, state), arrivals) in network.stations.iter().zip(&base.stations).zip(&base.flows.came(network)) {
        let all: f64 = arrivals.iter().sum();
        let (parts, servers) = queues(station);
        let service = if all > 0.0 { state.load * station.capacity() / all } else { 0.0 };
        let own = |burst: &Burst| arrivals[burst.workload] / parts;
        let plain = station.discipline == Discipline::Fcfs && !looks(station) && station.queue.is_none();
        let mean = erlang_wait(all / parts, service, servers);
        let met = met(station, state, all);
        let (alone, over_memoryless) = alone(station, state, all, service);
        let form = Form { over_memoryless, before_next: state.before_next };
        let (delay, factor) = in_phase(bursts, phases, all / parts, &own, service, servers, form);
        let factors = if station.discipline.uses_priority() {
            let class_of = |w: usize| network.workloads[w].class;
            let up_to = |class: usize| {
                let come = arrivals.iter().enumerate().filter(|(w, _)| class_of(*w) <= class);
                let all = come.map(|(_, rate)| rate).sum::<f64>() / parts;
                let own = |burst: &Burst| if class_of(burst.workload) <= class { own(burst) } else { 0.0 };
                let factor = in_phase(bursts, phases, all, &own, service, servers, form).1;
                (all * erlang_wait(all, service, servers), factor)
            };
            of_classes(&(0..network.classes).map(up_to).collect::<Vec<_>>())
        } else {
            vec![factor; network.classes]
        };
        // What company adds it adds in each phase.
        let scaled = |(delay, met): (Delay, f64)| {
            let before = delay.mean();
            if before > 0.0 { delay.scaled(1.0 + (met - alone) / before) } else { delay }
        };
        found.stations.push(delay.zip(met).filter(|_| plain && mean > 0.0).map(scaled));
        found.factors.push(factors);
        found.services.push(service);
    }
    for (id, gate) in base.gates.iter().enumerate() {
        let asked = &base.flows.pools[id];
        let all: f64 = asked.iter().sum();
        let own = |burst: &Burst| asked[burst.workload];
        let service = if all > 0.0 { gate.load / all } else { 0.0 };
        found.pools.push(in_phase(bursts, phases, all, &own, service, 1, Form::PLAIN).0);
    }
    found
}

/// What the waits of each class are multiplied by, from what all those up to it who wait, the most urgent first, are multiplied by: they
/// do not wait for others.
fn of_classes(up_to: &[(f64, f64)]) -> Vec<f64> {
    let mut before = (0.0, 0.0);
    let mut of_class = |(waiting, factor): &(f64, f64)| {
        let (plain, bursting) = (waiting - before.0, waiting * factor - before.1);
        before = (*waiting, waiting * factor);
        if plain > 0.0 { (bursting / plain).max(0.0) } else { *factor }
    };
    up_to.iter().map(&mut of_class).collect()
}

/// How many queues a station has, and the servers of each.
fn queues(station: &Station) -> (f64, u32) {
    let split = station.is_split() || station.balancer != Balancer::Shared;
    let parts = if split { f64::from(station.instances) } else { 1.0 };
    (parts, if split { station.servers } else { station.servers.saturating_mul(station.instances) })
}

/// The same where nobody looks at how long they are.
pub(super) fn parts(station: &Station) -> Option<(f64, u32)> {
    (!looks(station)).then(|| queues(station))
}

/// What is waited on average at a station to which so much comes.
fn met(station: &Station, state: &StationState, rate: f64) -> Option<f64> {
    if station.discipline.uses_priority() {
        // The urgent wait for less than all, the others for more.
        return state.queue_length.filter(|_| rate > 0.0).map(|length| length / rate);
    }
    state.classes.first().and_then(|class| class.wait.as_ref()).map(Delay::mean)
}

/// The same without company, and over that of M/M/c.
pub(super) fn alone(station: &Station, state: &StationState, rate: f64, service: f64) -> (f64, f64) {
    let (parts, servers) = queues(station);
    let mean = erlang_wait(rate / parts, service, servers);
    let met = met(station, state, rate);
    let alone = met.filter(|met| *met > 0.0 && mean > 0.0).map_or(mean, |met| met / state.company);
    (alone, if mean > 0.0 { alone / mean } else { 1.0 })
}

fn looks(station: &Station) -> bool {
    station.instances > 1 && matches!(station.balancer, Balancer::LeastOutstanding | Balancer::PowerOfTwo)
}

fn erlang_wait(rate: f64, service: f64, servers: u32) -> f64 {
    let load = rate * service;
    let left = f64::from(servers) - load;
    erlang::erlang_c(servers, load).filter(|_| left > 0.0).map_or(0.0, |busy| busy * service / left)
}

/// How a queue differs from one with exponential work and requests that come once.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// Its wait over that of the other, without bursts.
    over_memoryless: f64,
    /// The part of a long queue's work that is done before one who joins it is served.
    before_next: f64,
}

impl Form {
    const PLAIN: Form = Form { over_memoryless: 1.0, before_next: 1.0 };
}

/// The wait at a queue in a regime, and over what it is on average.
fn in_phase(
    bursts: &[Burst],
    phases: &[usize],
    all: f64,
    own: &dyn Fn(&Burst) -> f64,
    service: f64,
    servers: u32,
    form: Form,
) -> (Option<Delay>, f64) {
    let mean = erlang_wait(all, service, servers);
    if all <= 0.0 || service <= 0.0 || mean <= 0.0 {
        return (None, 1.0);
    }
    let mut found: Option<(Delay, f64)> = None;
    // What several of them add to the wait adds up; what they take off is never more than all.
    let (mut added, mut least) = (0.0, 1.0f64);
    for (burst, phase) in bursts.iter().zip(phases) {
        let mine = own(burst);
        if mine <= 1e-9 * all {
            continue;
        }
        let rates = burst.rates.map(|over| all - mine + mine * over);
        let Some(waits) = modulated(rates, burst.leaving, service, servers) else { continue };
        let wait = waits[*phase].clone();
        // The flood that a phase of too many leaves behind is as long whatever the form of the work; of it, whoever comes
        // again waits for a part each time.
        let steady = |phase: usize| erlang_wait(rates[phase], service, servers);
        let busy = usize::from(rates[1] > rates[0]);
        let diffused = (service / burst.leaving[busy] / f64::from(servers)).sqrt();
        let unflooded = Some(steady(busy)).filter(|wait| *wait > 0.0).map_or(diffused, |wait| wait.min(diffused));
        let flooded = (1.0 - unflooded / waits[busy].mean()).max(0.0);
        let (all, steady) = (wait.mean(), steady(*phase).min(wait.mean()));
        let flood = flooded * (all - steady);
        let met = form.over_memoryless * (all - flood) + form.before_next * flood;
        let over = met / (mean * form.over_memoryless);
        let wait = if all > 0.0 { wait.scaled(met / all) } else { wait };
        added += over - 1.0;
        least = least.min(over);
        if found.as_ref().is_none_or(|(_, known)| over.ln().abs() > known.ln().abs()) {
            found = Some((wait, over));
        }
    }
    let factor = (1.0 + added).max(least);
    (found.map(|(wait, over)| wait.scaled(factor / over)), factor)
}

/// The cores that the workers of a service wait for.
fn cores_of(network: &Network, pool: &Pool) -> Option<StationId> {
    pool.per
        .filter(|_| matches!(pool.kind, PoolKind::Workers { .. }))
        .and_then(|service| network.services[service].cores)
}

impl Phase {
    /// One in which these waits are met at stations, and elsewhere what there always is.
    pub fn of_waits(stations: Vec<Option<Delay>>, classes: usize) -> Phase {
        let factor = |wait: &Option<Delay>| if wait.is_some() { f64::INFINITY } else { 1.0 };
        let factors = stations.iter().map(|wait| vec![factor(wait); classes]).collect();
        let services = vec![0.0; stations.len()];
        Phase { stations, factors, pools: Vec::new(), services, knowledge: FOLLOWED }
    }

    /// What is waited for workers, and with one for the cores, where there are more requests than workers and more workers
    /// than these: all workers but those at work wait for the cores, and everyone else for a worker.
    fn behind_workers(&self, network: &Network, pool: PoolId) -> Option<(StationId, Delay, Delay)> {
        let cores = cores_of(network, &network.pools[pool])?;
        let all = self.stations[cores].as_ref()?;
        let servers = f64::from(network.stations[cores].servers);
        let waiting = f64::from(network.pools[pool].size) - servers;
        let inside = waiting * self.services[cores] / servers;
        let total = all.mean();
        if waiting <= 0.0 || inside >= total {
            return None;
        }
        let inside = Delay::with_moments(1.0, inside, inside * inside * (1.0 + 1.0 / waiting));
        Some((cores, all.clone().scaled(1.0 - inside.mean() / total), inside))
    }

    /// Gives stations and pools what is met in the phase.
    pub fn apply(&self, network: &Network, base: &Solution<'_>, stations: &mut [StationState], gates: &mut [Gate]) {
        for (id, (state, known)) in stations.iter_mut().zip(&base.stations).enumerate() {
            let place = &network.stations[id];
            if place.queue.is_some() || self.factors[id].iter().all(|factor| (factor - 1.0).abs() < 1e-9) {
                continue;
            }
            for ((class, known), factor) in state.classes.iter_mut().zip(&known.classes).zip(&self.factors[id]) {
                class.stuck = 0.0;
                class.knowledge =
                    known.knowledge.and(if self.stations[id].is_some() { self.knowledge } else { OTHERS });
                if let Some(delay) = &self.stations[id] {
                    class.wait = Some(delay.clone());
                    class.treatment = known.treatment.clone();
                    continue;
                }
                class.wait.clone_from(&known.wait);
                class.treatment = known.treatment.clone();
                class.lengthen(*factor);
            }
            let waits = state.classes.iter().filter_map(|class| class.wait.as_ref()).map(Delay::mean);
            state.queue_length = known_length(known.queue_length, waits.fold(0.0, f64::max), known);
        }
        for (pool, ((gate, delay), known)) in gates.iter_mut().zip(&self.pools).zip(&base.gates).enumerate() {
            if gate.wait.is_none() && known.wait.is_some() {
                gate.wait.clone_from(delay);
                if let Some((cores, waiting, served)) = self.behind_workers(network, pool) {
                    stations[cores].classes.iter_mut().for_each(|class| class.wait = Some(served.clone()));
                    gate.wait = Some(waiting);
                }
                gate.stuck = 0.0;
                gate.knowledge = known.knowledge.and(PHASES);
            }
        }
    }
}

/// The queue grows as its wait does.
fn known_length(length: Option<f64>, wait: f64, known: &StationState) -> Option<f64> {
    let before = known.classes.iter().filter_map(|class| class.wait.as_ref()).map(Delay::mean).fold(0.0, f64::max);
    length.map(|length| if before > 0.0 { length * wait / before } else { length })
}

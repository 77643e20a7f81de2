//! Users who wait for their answers, among all else that is in the language.
//!
//! | symbol       | meaning                                                                  | unit       |
//! |--------------|--------------------------------------------------------------------------|------------|
//! | `N, Z`       | users, time they think                                                   | 1, seconds |
//! | `X`          | rate at which they come                                                  | per second |
//! | `Q_e, ρ_e`   | number at element e, share of its servers that is busy, with one user less | 1        |
//!
//! What a request of theirs does is a part of the network that always holds `N` of them, thinking included: with exponential
//! work its rate and queues are those of a closed network in which others take their share of the servers. Other work changes
//! both as it does in mean value analysis, where who is served takes `(1 + cs²) / 2` of its time still:
//!
//! ```text
//! R_e(n) = τ_e / m (m + Q_e ρ_e^a(m) - (1 - cs²) / 2 ρ_e^(a(m) + 1)),   a(m) = 4.464 (m^0.676 - 1)
//! ```
//!
//! Source: Reiser and Lavenberg (1980); other work: Reiser, A queueing network analysis of computer communication networks
//! with window flow control, IEEE Transactions on Communications 27 (1979); several servers: Suri, Sahu and Vernon, Approximate
//! mean value analysis for closed queuing networks with multiple-server stations (2007).

use super::section::{Section, of_users};
use super::{Gate, HELD, Solver, tokens};
use crate::analytic::follow::Company;
use crate::analytic::stations::{StationState, Treatment};
use crate::discipline::{Delay, Discipline, ps};
use crate::math::equivalent::{Element, filled};
use crate::network::flows::{Flows, Losses};
use crate::network::{Network, PoolId, PoolKind, StationId};
use crate::system::Load;
use crate::unit::{PerSecond, Seconds};

/// Users that mean value analysis adds one by one.
const ONE_BY_ONE: usize = 200;

/// What users meet.
pub(super) struct Population {
    /// Rate at which they come, per second.
    pub throughput: f64,
    stations: Vec<(StationId, Met)>,
    pools: Vec<(PoolId, Met)>,
}

/// What a user meets at an element.
#[derive(Debug, Clone, Copy)]
struct Met {
    /// Requests of theirs per second.
    rate: f64,
    /// Mean work of each, in seconds.
    work: f64,
    /// Mean wait of each, in seconds.
    wait: f64,
    /// Its squared coefficient of variation, at most.
    scv: f64,
}

impl Solver<'_> {
    /// What the users of a closed workload meet.
    pub(super) fn population(&self, w: usize, rate: PerSecond, beyond: Seconds, losses: &Losses) -> Option<Population> {
        let Load::Closed { users, think } = &self.network.workloads[w].load else { return None };
        let users = *users as usize;
        let enough = |pool: PoolId| match self.network.pools[pool].kind {
            PoolKind::Calls { .. } => true,
            _ => tokens(self.network, &self.network.pools[pool]) >= users,
        };
        let section: Section = of_users(self.network, self.flows, losses, w, &enough);
        let mut elements = self.elements(None, &section, 1.0, rate);
        let mut away = (think.mean() + section.delay + beyond).max(0.0);
        // What branches do at the same time is done by as many users as it takes, each of whom does all of it one after the other.
        let once: f64 = elements.iter().map(|element| element.demand).sum();
        let counts = section.stations.iter().map(|(_, p)| p).chain(section.pools.iter().map(|(_, p)| p));
        for (element, passed) in elements.iter_mut().zip(counts) {
            element.demand *= if passed.time > 0.0 { passed.count / passed.time } else { 1.0 };
        }
        let all: f64 = elements.iter().map(|element| element.demand).sum();
        let at_once = if once > 0.0 { (all / once).max(1.0) } else { 1.0 };
        let users = (users as f64 * at_once).round() as usize;
        away *= at_once;
        let (rate_alike, present) = filled(users, away, &elements);
        // Shared servers do not care about the law of the work.
        let shared = |id: &StationId| self.network.stations[*id].discipline == Discipline::Ps;
        let own = section.stations.iter().map(|(id, passed)| if shared(id) { 1.0 } else { passed.scv() });
        let inner = section.pools.iter().map(|(pool, _)| self.inside[*pool].map_or(1.0, |inside| inside.scv));
        let scvs: Vec<f64> = own.chain(inner).collect();
        let plain = mean_values(users, away, &elements, &vec![1.0; elements.len()]);
        let other = mean_values(users, away, &elements, &scvs);
        let throughput = rate_alike * other.0 / plain.0;
        let met = |e: usize, visits: f64, work: f64| {
            let busy = rate_alike * elements[e].demand;
            let ratio = if plain.1[e] > 1e-12 { other.1[e] / plain.1[e] } else { 1.0 };
            let waiting = (present[e] - busy).max(0.0);
            let wait = waiting / rate_alike * ratio / visits;
            // With all but a few of them there, those who are elsewhere make it vary, as many as left while they were there, and the
            // work of those before.
            let present = present[e].max(1e-9);
            let elsewhere = (users as f64 - present).max(0.0);
            let scv = (elsewhere * 0.5 * (1.0 + scvs[e]) + present * scvs[e]) / (present * present);
            let scv = scv.min(1.5);
            Met { rate: throughput * visits, work, wait, scv }
        };
        let count = section.stations.len();
        Some(Population {
            throughput,
            stations: section
                .stations
                .iter()
                .enumerate()
                .map(|(e, (id, passed))| (*id, met(e, passed.count, passed.mean())))
                .collect(),
            pools: section.pools.iter().enumerate().map(|(e, (id, p))| (*id, met(count + e, p.count, 0.0))).collect(),
        })
    }
}

/// Throughput and waits per cycle by mean value analysis; of many users one less leaves as much less everywhere.
fn mean_values(users: usize, away: f64, elements: &[Element], scvs: &[f64]) -> (f64, Vec<f64>) {
    let mut present = vec![0.0; elements.len()];
    let mut waits = vec![0.0; elements.len()];
    let powers: Vec<f64> = elements.iter().map(|element| 4.464 * (element.servers.powf(0.676) - 1.0)).collect();
    let mut throughput = 0.0;
    for n in 1..=users.min(2 * ONE_BY_ONE) {
        // Beyond, all of them again and again until they rest.
        let (n, part) = if n <= ONE_BY_ONE || users <= 2 * ONE_BY_ONE {
            (n as f64, 1.0)
        } else {
            (users as f64, (users as f64 - 1.0) / users as f64)
        };
        let mut cycle = away;
        for (e, (element, scv)) in elements.iter().zip(scvs).enumerate() {
            let Element { demand, servers } = *element;
            let power = powers[e];
            let busy = (throughput * demand / servers).min(1.0);
            let others = part * present[e] - 0.5 * (1.0 - scv.min(20.0)) * busy;
            waits[e] = demand / servers * (others * busy.powf(power)).max(0.0);
            cycle += demand + waits[e];
        }
        throughput = n / cycle;
        for ((present, wait), element) in present.iter_mut().zip(&waits).zip(elements) {
            *present = throughput * (element.demand + wait);
        }
    }
    (throughput, waits)
}

/// Gives stations and pools the waits that users meet there.
pub(super) fn apply(
    network: &Network,
    flows: &Flows,
    brought: &[(f64, f64)],
    company: Option<&Company>,
    populations: &[Option<Population>],
    stations: &mut [StationState],
    gates: &mut [Gate],
) {
    let mut met: Vec<Option<Met>> = vec![None; stations.len() + gates.len()];
    for population in populations.iter().flatten() {
        let pools = population.pools.iter().map(|(pool, met)| (stations.len() + pool, met));
        for (place, own) in population.stations.iter().map(|(station, met)| (*station, met)).chain(pools) {
            met[place] = Some(met[place].map_or(*own, |known| known.and(own)));
        }
    }
    // What users do not wait for, others do: it comes as in an open network.
    let mut all = vec![0.0; stations.len()];
    for (visit, rates) in network.visits.iter().zip(flows.visits.iter()) {
        let closed = rates.iter().zip(populations).filter(|(_, population)| population.is_some());
        all[visit.station] += closed.map(|(rate, _)| rate).sum::<f64>();
    }
    let (of_stations, of_pools) = met.split_at(stations.len());
    for (id, (state, met)) in stations.iter_mut().zip(of_stations).enumerate() {
        let Some(met) = met else { continue };
        // The branches of a request wait for each other too.
        let met = Met { wait: met.wait.max(company.map_or(0.0, |company| company.waited[id])), ..*met };
        let sent = ((all[id] - met.rate) / brought[id].0.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
        let open = state.classes.first().and_then(|class| class.wait.as_ref()).filter(|_| state.load < 1.0);
        let met = open.map_or(met, |open| met.beside(open, sent));
        station(network, id, brought[id].0, state, &met);
    }
    for (pool, (gate, met)) in gates.iter_mut().zip(of_pools).enumerate() {
        let Some(met) = met else { continue };
        let asked: f64 = flows.pools[pool].iter().sum();
        let busy = gate.load.min(1.0);
        let wait = gate.wait.take().filter(|_| gate.load < 1.0);
        gate.wait = Some(met.wait(wait.as_ref(), busy));
        gate.waiting = Some(asked * met.wait);
        gate.stuck = 0.0;
        gate.knowledge = HELD;
    }
}

/// Gives a station the wait that users meet there; all others there meet the same queue.
fn station(network: &Network, id: StationId, arrivals: f64, state: &mut StationState, met: &Met) {
    let place = &network.stations[id];
    if place.queue.is_some() && place.discipline != Discipline::Ps {
        return;
    }
    state.queue_length = Some(arrivals * met.wait);
    let mean = state.classes.first().and_then(|class| class.wait.as_ref()).map_or(f64::INFINITY, Delay::mean);
    let busy = state.load.min(1.0);
    state.utilization = busy;
    for class in &mut state.classes {
        class.stuck = 0.0;
        class.knowledge = class.knowledge.and(HELD);
        match &mut class.treatment {
            Treatment::Shared(queue) => {
                if met.work > 0.0 {
                    *queue = ps::with_slowdown(queue, 1.0 + met.wait / met.work);
                }
                class.wait = Some(Delay::None);
            }
            _ if place.discipline.uses_priority() && mean.is_finite() && mean > 0.0 => {
                class.wait = class.wait.take().map(|wait| wait.scaled(met.wait / mean));
            }
            _ => class.wait = Some(met.wait(class.wait.as_ref().filter(|_| state.load < 1.0), busy)),
        }
    }
}

impl Met {
    /// Of two workloads, by their rates.
    fn and(&self, other: &Met) -> Met {
        let rate = self.rate + other.rate;
        let part = if rate > 0.0 { self.rate / rate } else { 0.5 };
        let mix = |a: f64, b: f64| part * a + (1.0 - part) * b;
        Met { rate, work: mix(self.work, other.work), wait: mix(self.wait, other.wait), scv: mix(self.scv, other.scv) }
    }

    /// Of those who come, such a part waits as in an open network.
    fn beside(self, open: &Delay, part: f64) -> Met {
        let mean = open.mean();
        if part < 1e-6 || mean <= self.wait {
            return self;
        }
        let scv = open.second_moment() / (mean * mean) - 1.0;
        let mix = |own: f64, open: f64| own + part * (open - own);
        Met { wait: mix(self.wait, mean), scv: mix(self.scv, scv.max(self.scv)), ..self }
    }

    /// The wait with this mean, as it would be without a limit to those who wait or, where that varies more, as it varies with the
    /// number of users.
    fn wait(&self, open: Option<&Delay>, busy: f64) -> Delay {
        if self.wait <= 0.0 {
            return Delay::None;
        }
        let open = open.filter(|wait| wait.mean() > 0.0);
        if let Some(open) = open {
            let scv = open.second_moment() / open.mean().powi(2) - 1.0;
            if scv <= self.scv {
                return open.clone().scaled(self.wait / open.mean());
            }
        }
        let probability = open.map_or(1.0, Delay::probability).clamp(busy.powi(2).min(0.999), 1.0);
        // Some of it is that not all wait.
        let scv = self.scv.max(1.0 / probability - 1.0 + 1e-4);
        Delay::with_moments(probability, self.wait, self.wait * self.wait * (1.0 + scv))
    }
}

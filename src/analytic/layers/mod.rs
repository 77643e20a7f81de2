//! What requests hold while they wait elsewhere: workers, pools, tokens.
//!
//! | symbol | meaning                                                                     | unit       |
//! |--------|-----------------------------------------------------------------------------|------------|
//! | `c`    | how many there are of a pool                                                | 1          |
//! | `X(n)` | rate at which `n` holders let go                                            | per second |
//! | `λ`    | rate at which they are asked for                                            | per second |
//! | `cs²`  | variability of the times between letting go while all are held              | 1          |
//!
//! What is done while one of a pool is held is a part of the network that holds at most `c` requests: the stations visited
//! within it, other pools as one server for those of them that let go together, and all other time. Its queue is that of
//! a server whose rate depends on how many are inside, its waits multiplied by `(ca² + cs²) / 2`. Inside, a station never
//! has more than `c` requests: its waits are multiplied by what they are in such a part over what they would be without
//! a limit.
//!
//! Source: Chandy, Herzog and Woo (1975); layers of them: Rolia and Sevcik, The Method of Layers, IEEE Transactions on
//! Software Engineering 21 (1995).

mod bare;
mod covered;
mod crowds;
mod deadlock;
mod limited;
mod population;
mod section;

use super::feedback::Beyond;
use super::follow::Company;
use super::stations::StationState;
use super::traffic::Variability;
use crate::discipline::{Delay, Knowledge};
use crate::math::bucket;
use crate::math::entrance::{Entrance, entrance};
use crate::math::equivalent::{self, Element};
use crate::math::lasting::Lasting;
use crate::network::flows::{Flows, Losses};
use crate::network::{Network, Pool, PoolId, PoolKind, Service, ServiceId, Workload};
use crate::unit::PerSecond;
use covered::{inner_first, uncovered};
use limited::Limited;
use section::{Section, sections};

/// Error of the wait for something that is held, at least; and that of how often it can be, which counts the more the fuller it is.
const HELD: Knowledge = Knowledge::Approximate { p95_error: 0.15 };
const CAPACITY: f64 = 0.03;

/// More tokens of a limit of calls do not change how long there is none.
const MOST_TOKENS: f64 = 1e3;

/// No queue before a pool is taken as more regular.
const LEAST_VARIED: f64 = 0.05;

/// A pool in steady state.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    /// Time until one is got; `None` when it grows without end.
    pub wait: Option<Delay>,
    /// Share that is refused.
    pub refused: f64,
    /// How long those are refused who come while its queue is full.
    pub lasting: Lasting,
    /// Share that never gets one of a pool that is over capacity.
    pub stuck: f64,
    /// Share of the pool that is held.
    pub utilization: f64,
    /// What is asked for over what could be handed out.
    pub load: f64,
    /// The same if nobody else used what is used meanwhile.
    pub own_load: f64,
    /// Those that wait, over all instances; `None` when they grow without end.
    pub waiting: Option<f64>,
    /// Chance that all of it is held.
    full: f64,
    /// Whether all of it ends up held by requests that wait for one another.
    pub dead: bool,
    /// How all this is known.
    pub knowledge: Knowledge,
}

impl Gate {
    /// One that nobody asks for.
    pub const IDLE: Gate = Gate {
        wait: Some(Delay::None),
        refused: 0.0,
        lasting: Lasting::NONE,
        stuck: 0.0,
        utilization: 0.0,
        load: 0.0,
        own_load: 0.0,
        waiting: Some(0.0),
        full: 0.0,
        dead: false,
        knowledge: Knowledge::Exact,
    };

    /// Nobody waits.
    fn passed(&mut self) {
        (self.wait, self.waiting, self.full, self.stuck) = (Some(Delay::None), Some(0.0), 0.0, 0.0);
    }

    /// The share that does not get through.
    pub fn held(&self) -> f64 {
        1.0 - (1.0 - self.refused) * (1.0 - self.stuck)
    }
}

/// What a pool looks like to those that take something from it within something else that they hold.
#[derive(Debug, Clone, Copy)]
struct Inside {
    /// Mean time it is held, that by the only one who holds one, and that without any waits.
    time: f64,
    alone: f64,
    least_time: f64,
    /// Rate at which it lets go when all is held, over all instances.
    capacity: f64,
    /// Variability of the times between letting go.
    scv: f64,
}

/// The pools, and so the stations within them; and for each workload of users the rate at which they come, whose requests take so much
/// longer than the part of the network that they pass.
pub(super) fn solve(
    network: &Network,
    rates: &[PerSecond],
    (beyond, company): (&[Beyond], Option<&Company>),
    flows: &Flows,
    losses: &Losses,
    variability: &[Variability],
    stations: &mut [StationState],
) -> (Vec<Gate>, Vec<Option<f64>>) {
    let closed = network.workloads.iter().any(Workload::is_closed);
    if network.pools.is_empty() && !closed {
        return (Vec::new(), Vec::new());
    }
    let (sections, covered) = uncovered(network, flows, losses);
    let mut solver = Solver {
        network,
        company,
        flows,
        variability,
        stations,
        inside: vec![None; network.pools.len()],
        throughput: vec![Vec::new(); network.pools.len()],
        gates: vec![Gate::IDLE; network.pools.len()],
        covered,
        limited: vec![Limited::default(); network.stations.len() + network.pools.len()],
        brought: flows.brought(network),
    };
    for pool in inner_first(&sections) {
        solver.gate(pool, &sections[pool]);
    }
    let population = solver.population(rates, beyond, losses);
    let Solver { mut gates, limited, .. } = solver;
    limited::apply(&limited, stations, &mut gates);
    let Some(population) = population else { return (gates, vec![None; network.workloads.len()]) };
    population::apply(network, &population, stations, &mut gates);
    (gates, population.throughput)
}

/// Says of pools whether all of each ends up held by requests that wait for one another.
pub(super) fn find_dead(network: &Network, flows: &Flows, losses: &Losses, gates: &mut [Gate]) {
    if gates.is_empty() {
        return;
    }
    let most: Vec<usize> = network.pools.iter().map(|pool| tokens(network, pool)).collect();
    let sections = sections(network, flows, losses, &vec![false; network.pools.len()]);
    let dead = deadlock::find(network, &sections, gates, &most);
    // Whoever needs one of them waits for ever.
    dead.into_iter().for_each(|pool| (gates[pool].dead, gates[pool].wait) = (true, None));
}

struct Solver<'a> {
    network: &'a Network,
    company: Option<&'a Company>,
    flows: &'a Flows,
    variability: &'a [Variability],
    stations: &'a [StationState],
    inside: Vec<Option<Inside>>,
    /// Rates at which one queue of each pool is left by so many holders, from none of them on.
    throughput: Vec<Vec<PerSecond>>,
    gates: Vec<Gate>,
    /// Pools that nobody waits for.
    covered: Vec<bool>,
    /// For each station, then for each pool.
    limited: Vec<Limited>,
    /// Requests that come to each station, and the work that they bring, per second.
    brought: Vec<(f64, f64)>,
}

impl Solver<'_> {
    fn gate(&mut self, id: PoolId, section: &Section) {
        let pool = &self.network.pools[id];
        let asked: f64 = self.flows.pools[id].iter().sum();
        if asked <= 0.0 {
            return;
        }
        if let PoolKind::Calls { limit } = pool.kind {
            let refused = bucket::refused(asked, 1.0, limit);
            let (load, utilization) = (asked / limit, (asked / limit).min(1.0));
            // Tokens come as those go who hold places in a queue of as many.
            let lasting = Lasting::of_full(limit.min(MOST_TOKENS).ceil() as usize, asked, |_| limit);
            self.gates[id] = Gate { refused, lasting, load, own_load: load, utilization, ..Gate::IDLE };
            return;
        }
        let groups = groups(self.network, pool);
        let most = tokens(self.network, pool);
        let rate = asked / groups;
        let elements: Vec<Element> = self.elements(pool.per, section, groups, 1.0);
        let throughput = equivalent::throughput(most, section.delay, &elements);
        let capacity = throughput[most];
        let queue = places(self.network, pool);
        let scv = self.scv(section, &elements, capacity);
        let arrivals = section.stations.first().map_or(1.0, |(station, _)| self.variability[*station].scv);
        let factor = 0.5 * (arrivals.min(20.0) + scv);
        let own_capacity = self.own_capacity(section, groups, most);
        let (load, own_load) = (rate / capacity, rate / own_capacity);
        let (gate, inside) = entered(rate, groups, &throughput, queue, factor);
        let nearly_full = Knowledge::Approximate { p95_error: (CAPACITY / (1.0 - load).max(CAPACITY)) };
        let mut gate = Gate { load, own_load, knowledge: HELD.and(nearly_full), ..gate };
        let passed = rate * (1.0 - gate.held());
        let time = if passed > 0.0 { mean(&inside) / passed } else { most as f64 / capacity };
        let least_time = (most as f64 / own_capacity.max(f64::MIN_POSITIVE)).min(time);
        let alone = (1.0 / throughput[1]).min(time);
        self.inside[id] = Some(Inside { time, alone, least_time, capacity: capacity * groups, scv });
        if self.covered[id] {
            gate.passed();
            self.gates[id] = gate;
            return;
        }
        let crowds = gate.wait.is_some().then(|| self.crowds(id, rate, groups, &throughput, queue)).flatten();
        let inside = match &crowds {
            Some(bulk) => {
                gate.meet_crowds(bulk, (rate, groups), capacity, factor);
                &bulk.present
            }
            None => &inside,
        };
        let passed = rate * (1.0 - gate.held());
        let present = equivalent::present(section.delay, &elements, inside);
        self.limit_inside(section, &elements, &present, passed, crowds.is_some());
        self.gates[id] = gate;
        self.throughput[id] = throughput;
    }

    /// The elements of what is done while something of a service, or of none, is held by one group of requests: stations, then
    /// pools.
    fn elements(&self, service: Option<ServiceId>, section: &Section, groups: f64, rate: f64) -> Vec<Element> {
        let mut elements = Vec::with_capacity(section.stations.len() + section.pools.len());
        for (station, passed) in &section.stations {
            let place = &self.network.stations[*station];
            let same = groups > 1.0 && service == Some(place.service);
            let servers = if same { f64::from(place.servers) } else { place.total_servers() };
            let mine = rate * passed.work / self.brought[*station].1 / if same { 1.0 } else { groups };
            let load = self.stations[*station].load.min(1.0);
            let count = passed.time / section.rate;
            elements.push(element(count * passed.mean(), servers, load * (1.0 - mine.min(1.0))));
        }
        for (inner, passed) in &section.pools {
            let Some(Inside { alone, capacity, .. }) = self.inside[*inner] else {
                elements.push(element(0.0, 1.0, 0.0));
                continue;
            };
            let asked: f64 = self.flows.pools[*inner].iter().sum();
            let mine = (rate * passed.count / asked / groups).min(1.0);
            let load = (asked / capacity).min(1.0);
            elements.push(element(
                passed.time / section.rate * alone,
                (capacity * alone).max(1.0),
                load * (1.0 - mine),
            ));
        }
        elements.iter_mut().for_each(|element| element.demand = element.demand.max(1e-300));
        elements
    }

    /// A bound on the rate at which one group lets go of what it holds, if nobody else used what is used meanwhile.
    fn own_capacity(&self, section: &Section, groups: f64, most: usize) -> f64 {
        let (mut time, mut least) = (section.delay, f64::INFINITY);
        for (station, passed) in &section.stations {
            time += passed.time * passed.mean() / section.rate;
            let work = passed.work / section.rate;
            least = least.min(self.network.stations[*station].capacity() / groups / work);
        }
        for (inner, passed) in &section.pools {
            let count = passed.time / section.rate;
            if let Some(Inside { least_time, capacity, .. }) = self.inside[*inner] {
                time += count * least_time;
                least = least.min(capacity / groups / count.max(f64::MIN_POSITIVE));
            }
        }
        least.min(most as f64 / time)
    }

    /// Variability of the times between letting go while all is held: that of the bottleneck inside, or of the times it is held.
    fn scv(&self, section: &Section, elements: &[Element], capacity: f64) -> f64 {
        let own = section.stations.iter().map(|(_, passed)| section.scv_at(passed));
        let inner = section.pools.iter().map(|(pool, _)| self.inside[*pool].map_or(1.0, |inside| inside.scv));
        let each = elements.iter().zip(own.chain(inner));
        let busiest = each.map(|(element, scv)| (capacity / element.capacity(), scv));
        let (utilization, scv) = busiest.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, 1.0));
        let part = utilization.clamp(0.0, 1.0).powi(2);
        part * scv + (1.0 - part) * section.scv()
    }
}

/// The mean of a number with these chances.
fn mean(chances: &[f64]) -> f64 {
    chances.iter().zip(0..).map(|(chance, n)| chance * f64::from(n)).sum()
}

/// A station of which others use this part.
fn element(demand: f64, servers: f64, others: f64) -> Element {
    Element { demand, servers, others: servers * others.clamp(0.0, 1.0 - 1e-6), copies: 1 }
}

/// How many one instance has of a pool, or all of them where they share.
pub(super) fn tokens(network: &Network, pool: &Pool) -> usize {
    let service = pool.per.map(|service| &network.services[service]);
    let instances = service.filter(|service| is_one(service)).map_or(1, |service| service.instances);
    (pool.size as usize).saturating_mul(instances as usize).max(1)
}

/// How many may wait for one of a pool in one queue, where that has a limit.
fn places(network: &Network, pool: &Pool) -> Option<usize> {
    let PoolKind::Workers { queue } = pool.kind else { return None };
    let instances = tokens(network, pool) / pool.size.max(1) as usize;
    queue.map(|places| places as usize * instances.max(1))
}

/// How many queues there are for a pool.
pub(super) fn groups(network: &Network, pool: &Pool) -> f64 {
    let service = pool.per.map(|service| &network.services[service]);
    service.filter(|service| !is_one(service)).map_or(1.0, |service| f64::from(service.instances))
}

/// Whether the pools of all instances of a service are nearly as one.
fn is_one(service: &Service) -> bool {
    service.balancer.fills_all(service.instances)
}

/// The gate of a part that lets those inside out like this, arrivals coming at this rate to each of as many groups, and the chance of each
/// number inside.
fn entered(
    rate: PerSecond,
    groups: f64,
    throughput: &[PerSecond],
    queue: Option<usize>,
    factor: f64,
) -> (Gate, Vec<f64>) {
    let most = throughput.len() - 1;
    let capacity = throughput[most];
    let varies = factor.max(LEAST_VARIED);
    let Some(entrance) = entrance(rate, throughput, queue.map(|places| (places, varies))) else {
        let mut inside = vec![0.0; most + 1];
        inside[most] = 1.0;
        let stuck = 1.0 - capacity / rate;
        return (Gate { wait: None, stuck, utilization: 1.0, waiting: None, full: 1.0, ..Gate::IDLE }, inside);
    };
    let passed = rate * (1.0 - entrance.refused);
    let wait = wait(&entrance, capacity, rate, queue.is_some());
    let wait = if queue.is_some() { wait } else { wait.scaled(factor.max(1e-9)) };
    let room = queue.map(|queue| most + queue);
    let lasting = room.map_or(Lasting::NONE, |room| Lasting::of_full(room, rate, |n| throughput[n.min(most)]));
    let gate = Gate {
        refused: entrance.refused,
        lasting,
        utilization: mean(&entrance.inside) / most as f64,
        waiting: Some(groups * passed * wait.mean()),
        full: entrance.inside[most],
        wait: Some(wait),
        ..Gate::IDLE
    };
    (gate, entrance.inside)
}

/// The wait of those who get in.
fn wait(entrance: &Entrance, capacity: f64, rate: f64, limited: bool) -> Delay {
    let Entrance { waiting, ratio, refused, .. } = entrance;
    if !limited {
        return Delay::exponential(waiting[0] / (1.0 - ratio), capacity - rate);
    }
    if waiting.is_empty() || *refused >= 1.0 {
        return Delay::None;
    }
    Delay::Erlangs { weights: waiting.iter().map(|chance| chance / (1.0 - refused)).collect(), rate: capacity }
}

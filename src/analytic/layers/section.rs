//! What is done while something is held: the stations and pools that are passed, and all other time.

use super::bare::{Bare, bare, kth, moments, time_of};
use crate::distribution::{Distribution, Law};
use crate::network::flows::{Flows, Losses, geometric_sum, sequence_success};
use crate::network::{Call, Network, OperationId, PoolId, PoolKind, StationId, Step};
use std::collections::BTreeMap;

/// What is passed while something is held, per second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Passed {
    /// How often.
    pub count: f64,
    /// How often as far as the time it is held goes: of steps at the same time each counts by its part of it.
    pub time: f64,
    /// The work.
    pub work: f64,
    square: f64,
    variance: f64,
}

impl Passed {
    /// Adds what is passed so many times as often.
    pub fn add(&mut self, other: &Passed, times: f64) {
        self.count += times * other.count;
        self.time += times * other.time;
        self.work += times * other.work;
        self.square += times * other.square;
        self.variance += times * other.variance;
    }

    /// Adds visits of so much work.
    pub fn visit(&mut self, time: &Law, count: f64) {
        let (mean, second) = moments(time);
        self.count += count;
        self.work += count * mean;
        self.square += count * second;
    }

    /// What is left without some of it.
    pub fn without(&self, other: &Passed) -> Passed {
        let mut rest = *self;
        rest.add(other, -1.0);
        if rest.count > 1e-9 * self.count && rest.work > 0.0 { rest } else { Passed::default() }
    }

    /// Mean time of one visit's work.
    pub fn mean(&self) -> f64 {
        if self.count > 0.0 { self.work / self.count } else { 0.0 }
    }

    /// Its squared coefficient of variation.
    pub fn scv(&self) -> f64 {
        let mean = self.mean();
        if mean > 0.0 { (self.square / self.count / (mean * mean) - 1.0).clamp(0.0, 1e3) } else { 1.0 }
    }
}

/// All that is done while something is held.
#[derive(Debug, Clone, Default)]
pub(super) struct Section {
    /// How often one is taken, per second.
    pub rate: f64,
    /// In their order.
    pub stations: Vec<(StationId, Passed)>,
    /// What is taken besides, in its order.
    pub pools: Vec<(PoolId, Passed)>,
    /// Time at neither, of one holding.
    pub delay: f64,
    /// Variance of the time that one is held, without waits.
    variance: f64,
    /// Its mean.
    mean: f64,
}

impl Section {
    /// What is passed of a station.
    pub fn station(&self, id: StationId) -> Option<&Passed> {
        found(&self.stations, id)
    }

    /// What is passed of a pool.
    pub fn pool(&self, id: PoolId) -> Option<&Passed> {
        found(&self.pools, id)
    }

    /// Variability of all the work that one holding brings to a station.
    pub fn scv_at(&self, passed: &Passed) -> f64 {
        if passed.work > 0.0 {
            (self.rate * passed.variance / (passed.work * passed.work)).clamp(0.0, 1e3)
        } else {
            1.0
        }
    }

    /// Variability of the time that one is held, without waits.
    pub fn scv(&self) -> f64 {
        if self.mean > 0.0 { (self.variance / (self.mean * self.mean)).clamp(0.0, 1e3) } else { 1.0 }
    }
}

fn found(passed: &[(usize, Passed)], id: usize) -> Option<&Passed> {
    passed.binary_search_by_key(&id, |(id, _)| *id).ok().map(|at| &passed[at].1)
}

/// What is done while one of each pool is held, some of which nobody ever waits for.
pub(super) fn sections(network: &Network, flows: &Flows, losses: &Losses, covered: &[bool]) -> Vec<Section> {
    let passed = |pool: PoolId| covered[pool] || matches!(network.pools[pool].kind, PoolKind::Calls { .. });
    let world = World::new(network, flows, losses, &passed);
    let mut sections: Vec<Walk<'_>> = network.pools.iter().map(|_| Walk::new(&world)).collect();
    for (id, operation) in network.operations.iter().enumerate() {
        let mut rates = vec![0.0; network.classes];
        for (rate, workload) in flows.operations[id].iter().zip(&network.workloads) {
            rates[workload.class] += rate;
        }
        for (class, rate) in rates.into_iter().enumerate().filter(|(_, rate)| *rate > 0.0) {
            find(&world, &operation.steps, class, rate, &mut sections);
        }
    }
    sections.into_iter().map(Walk::finish).collect()
}

/// What one request of a closed workload does: pools that have enough for all its users are passed without a wait.
pub(super) fn of_users(
    network: &Network,
    flows: &Flows,
    losses: &Losses,
    w: usize,
    enough: &dyn Fn(PoolId) -> bool,
) -> Section {
    let world = World::new(network, flows, losses, enough);
    let mut walk = Walk::new(&world);
    let workload = &network.workloads[w];
    walk.section.rate = 1.0;
    for (operation, share) in &workload.mix {
        walk.open.insert((world.place[*operation], workload.class), (*share, *share));
    }
    walk.finish()
}

/// Finds what is held in some steps that begin at this rate; returns how often they succeed.
fn find(world: &World<'_>, steps: &[Step], class: usize, mut rate: f64, sections: &mut [Walk<'_>]) {
    for step in steps {
        match step {
            Step::Hold { pool, steps } => {
                let taken = rate * (1.0 - world.losses.pools[*pool]);
                sections[*pool].section.rate += taken;
                sections[*pool].steps(steps, class, taken, 1.0);
                find(world, steps, class, taken, sections);
            }
            Step::Choose { ways, .. } => {
                ways.iter().for_each(|(weight, steps)| find(world, steps, class, rate * weight, sections));
            }
            Step::Repeat { times, steps } => {
                let runs = geometric_sum(world.success(steps, class), *times);
                find(world, steps, class, rate * runs, sections);
            }
            Step::Parallel { branches, .. } => {
                branches.iter().for_each(|steps| find(world, steps, class, rate, sections));
            }
            _ => {}
        }
        rate *= world.success(std::slice::from_ref(step), class);
    }
}

struct World<'a> {
    network: &'a Network,
    flows: &'a Flows,
    losses: &'a Losses,
    /// Where each operation stands in the order.
    place: Vec<usize>,
    /// Time of each operation without any waits.
    bare: Vec<Bare>,
    /// Whether nobody waits for one of a pool, so that it is passed like nothing.
    passed: &'a dyn Fn(PoolId) -> bool,
}

impl<'a> World<'a> {
    fn new(
        network: &'a Network,
        flows: &'a Flows,
        losses: &'a Losses,
        passed: &'a dyn Fn(PoolId) -> bool,
    ) -> World<'a> {
        let mut place = vec![0; network.operations.len()];
        network.order.iter().enumerate().for_each(|(i, id)| place[*id] = i);
        World { network, flows, losses, place, bare: bare(network, losses), passed }
    }

    fn success(&self, steps: &[Step], class: usize) -> f64 {
        sequence_success(self.network, steps, class, &self.flows.success, self.losses)
    }
}

/// Follows what is done while something is held.
struct Walk<'a> {
    world: &'a World<'a>,
    section: Section,
    stations: BTreeMap<StationId, Passed>,
    pools: BTreeMap<PoolId, Passed>,
    /// Operations still to be followed, by their place in the order and class: how often, and as far as time goes.
    open: BTreeMap<(usize, usize), (f64, f64)>,
}

impl<'a> Walk<'a> {
    fn new(world: &'a World<'a>) -> Walk<'a> {
        Walk {
            world,
            section: Section::default(),
            stations: BTreeMap::new(),
            pools: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    fn finish(mut self) -> Section {
        while let Some(((place, class), (count, time))) = self.open.pop_first() {
            let operation: OperationId = self.world.network.order[place];
            let part = if count > 0.0 { time / count } else { 0.0 };
            self.steps(&self.world.network.operations[operation].steps, class, count, part);
        }
        let Section { rate, delay, variance, mean, .. } = self.section;
        let per = if rate > 0.0 { 1.0 / rate } else { 0.0 };
        Section {
            rate,
            // What is never reached takes nothing.
            stations: self.stations.into_iter().filter(|(_, passed)| passed.work > 0.0).collect(),
            pools: self.pools.into_iter().filter(|(_, passed)| passed.count > 0.0).collect(),
            delay: delay * per,
            variance: variance * per,
            mean: mean * per,
        }
    }

    /// Time that is passed `count` times, and its law's moments; returns what it adds to the variance.
    fn time(&mut self, count: f64, part: f64, mean: f64, second: f64) -> f64 {
        // What is passed by chance varies with that chance.
        let chance = (count / self.section.rate.max(f64::MIN_POSITIVE)).min(1.0);
        self.section.mean += count * part * mean;
        let variance = count * (second - chance * mean * mean).clamp(0.0, 1e3 * mean * mean);
        self.section.variance += part * variance;
        variance
    }

    fn delay(&mut self, law: &Law, count: f64, part: f64) {
        self.section.delay += count * part * law.mean();
        self.time(count, part, law.mean(), law.moment(2));
    }

    /// Steps that begin so often; each second of them counts for this part.
    fn steps(&mut self, steps: &[Step], class: usize, mut count: f64, part: f64) {
        for step in steps {
            self.step(step, class, count, part);
            count *= self.world.success(std::slice::from_ref(step), class);
        }
    }

    fn step(&mut self, step: &Step, class: usize, count: f64, part: f64) {
        let (network, losses) = (self.world.network, self.world.losses);
        match step {
            Step::Visit(visit) => {
                let visit = &network.visits[*visit];
                let (mean, second) = moments(&visit.time);
                let variance = self.time(count, part, mean, second);
                let passed = self.stations.entry(visit.station).or_default();
                passed.count += count;
                passed.time += count * part;
                passed.work += count * mean;
                passed.square += count * second;
                passed.variance += variance;
            }
            Step::Delay(law) => self.delay(law, count, part),
            Step::Call(call) => self.call(call, 1.0, self.world.flows.success[call.target][class], class, count, part),
            Step::Guarded(guarded) => {
                let (call, tries) = (&guarded.call, &losses.tries[guarded.id][class]);
                let calls = count * call.probability * geometric_sum(tries.success, call.times);
                if tries.late > 0.0 {
                    // Who gives up holds for so long, whatever goes on behind.
                    self.section.delay += calls * part * tries.time;
                    self.time(calls, part, tries.time, 2.0 * tries.time * tries.time);
                } else {
                    let pause = call.backoff.map_or(0.0, |backoff| backoff.mean(1)) * (tries.attempts - 1.0);
                    self.section.delay += calls * part * pause;
                    self.call(call, tries.met(), tries.success, class, count, part);
                }
            }
            Step::Choose { ways, .. } => {
                ways.iter().for_each(|(weight, steps)| self.steps(steps, class, count * weight, part));
            }
            Step::Repeat { times, steps } => {
                let runs = geometric_sum(self.world.success(steps, class), *times);
                self.steps(steps, class, count * runs, part);
            }
            Step::Hold { pool, steps } => {
                if (self.world.passed)(*pool) {
                    return self.steps(steps, class, count * (1.0 - losses.pools[*pool]), part);
                }
                let passed = self.pools.entry(*pool).or_default();
                passed.count += count;
                passed.time += count * part;
                let Bare { mean, .. } = time_of(network, steps, &self.world.bare, losses);
                self.time(count, part, mean, 2.0 * mean * mean);
            }
            Step::Parallel { branches, needed, .. } => {
                let times: Vec<Bare> =
                    branches.iter().map(|steps| time_of(network, steps, &self.world.bare, losses)).collect();
                let sum: f64 = times.iter().map(|time| time.mean).sum();
                let together = if sum > 0.0 { kth(&times, *needed).mean / sum } else { 1.0 };
                branches.iter().for_each(|steps| self.steps(steps, class, count, part * together));
            }
            Step::Send(_) | Step::Fail(_) => {}
        }
    }

    /// A call of so many attempts.
    fn call(&mut self, call: &Call, attempts: f64, success: f64, class: usize, count: f64, part: f64) {
        let runs = count * call.probability * attempts * geometric_sum(success, call.times);
        if let Some(law) = &call.network {
            self.delay(law, runs, part);
        }
        let open = self.open.entry((self.world.place[call.target], class)).or_default();
        *open = (open.0 + runs, open.1 + runs * part);
    }
}

//! What a request meets at stations and pools: others, by a law that is known, and itself.

use super::super::Solution;
use super::super::layers::{groups, tokens};
use super::super::stations::Treatment;
use super::frames::{Last, Lines};
use super::{Company, Form};
use crate::discipline::fcfs::Queue;
use crate::discipline::{Delay, Discipline, ps};
use crate::distribution::{Distribution, Gamma, Law, Sampler};
use crate::math::erlang;
use crate::math::random::Stream;
use crate::network::flows::Flows;
use crate::network::program::LawId;
use crate::network::{Network, Pool, PoolKind, Station, VisitId};
use crate::system::Balancer;
use crate::unit::{PerSecond, Seconds};
use std::collections::VecDeque;

/// No utilization is higher where what is put before others takes its time to leave.
const FULLEST: f64 = 0.98;

/// Of more visits of a request to a queue the last of those are looked at on which another one depends.
const RECENT: usize = 64;

/// More servers than these are taken as these: a request that keeps as many busy is rare.
const MOST_SERVERS: u32 = 256;

/// A wait for others: none, or one of a law.
#[derive(Debug, Clone)]
struct Wait {
    chance: f64,
    law: Sampler,
}

impl Wait {
    /// With this chance a time of this mean and this squared coefficient of variation.
    fn new(chance: f64, mean: Seconds, scv: f64) -> Wait {
        let exponential = (scv - 1.0).abs() < 1e-3;
        let law =
            if exponential { Law::exponential(mean) } else { Law::Gamma(Gamma { mean, cv: scv.max(1e-6).sqrt() }) };
        Wait { chance: if mean > 0.0 { chance } else { 0.0 }, law: law.sampler() }
    }

    /// One like this, `less` of it on average being left out.
    fn like(delay: &Delay, less: Seconds, chance: f64) -> Wait {
        let (mean, probability) = (delay.mean(), delay.probability().min(1.0));
        if mean <= 0.0 || probability <= 0.0 {
            return Wait::new(0.0, 0.0, 1.0);
        }
        let met = mean / probability;
        let scv = (delay.second_moment() / probability / (met * met) - 1.0).max(0.0);
        if less > 0.0 {
            return Wait::new(chance, (mean - less).max(0.0) / chance.max(1e-9), scv.min(1.0));
        }
        Wait::new(probability, met, scv)
    }

    fn draw(&self, stream: &mut Stream) -> Seconds {
        if self.chance > 0.0 && stream.chance(self.chance) { self.law.draw(stream) } else { 0.0 }
    }
}

/// A visit to a station: how much work of which law, by whom, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visit {
    pub law: LawId,
    pub work: Seconds,
    pub line: u32,
    /// The visit before it.
    pub from: Last,
    pub now: Seconds,
}

/// A visit that stands before others: from when to when its work is done in their place, and how much that is. It leaves before that,
/// others who came behind it taking its place: what depends on that it has left finds no more than anybody does.
#[derive(Debug, Clone, Copy)]
struct Stands {
    begins: Seconds,
    until: Seconds,
    work: Seconds,
    came: Seconds,
    leaves: Seconds,
    line: u32,
    from: Last,
}

impl Stands {
    /// What is left of the work.
    fn left(&self, now: Seconds) -> Seconds {
        let part = (self.until - now) / (self.until - self.begins).max(f64::MIN_POSITIVE);
        self.work * part.clamp(0.0, 1.0)
    }
}

/// One queue of a station, as the visits of one request find it.
#[derive(Debug, Clone, Default)]
struct Lane {
    /// Its visits that stand before others.
    present: Vec<Stands>,
    /// When each server is done with them.
    free: Vec<Seconds>,
    /// Until when those stand before them that were there already.
    behind: Seconds,
    /// All its visits.
    past: Vec<Stands>,
    /// What was found last, and when.
    found: Option<(Seconds, Seconds)>,
}

/// A station.
#[derive(Debug, Clone)]
struct Place {
    lanes: Vec<Lane>,
    /// Whether visits go to the lanes in turn.
    turns: bool,
    turn: usize,
    wait: Wait,
    /// The part of the servers that others leave.
    idle: f64,
    /// How much longer work stands before others than it takes, and the variance of the time for each second of it.
    stretch: f64,
    jitter: f64,
    /// Variance of the work that others bring, per second.
    brings: f64,
    /// Mean work of a visit.
    work: Seconds,
    forgets: Seconds,
    refused: f64,
    /// Whether all that is there is served at once: what is found is how many times longer it takes then, not a wait.
    shared: bool,
    slowdown: f64,
    /// Sums over visits: of waits for the own request, and of what these would be if all work were alike.
    waited: Seconds,
    expected: Seconds,
    /// The waits, each as often as its visit has more work than others.
    burden: Seconds,
    /// How many others were met that had not come at the same time.
    elsewhen: f64,
}

/// What comes of asking a pool.
pub(super) enum Taken {
    Refused,
    After(Seconds),
    /// The request itself holds all of them.
    Waits,
}

/// What of a pool one instance has: how many the request holds, and who of it waits for more.
#[derive(Debug, Clone, Default)]
struct Share {
    holders: Vec<u32>,
    waiting: VecDeque<(u32, Seconds)>,
}

/// A pool.
#[derive(Debug, Clone)]
struct Tokens {
    /// How many there are of each share.
    size: usize,
    shares: Vec<Share>,
    wait: Wait,
    refused: f64,
    /// Sum of waits for the own request.
    waited: Seconds,
}

/// What requests bring to a station, per second: visits, their work, its square.
#[derive(Debug, Clone, Copy, Default)]
struct Brought {
    rate: f64,
    work: f64,
    square: f64,
}

fn brought(network: &Network, flows: &Flows) -> Vec<Brought> {
    let mut brought = vec![Brought::default(); network.stations.len()];
    for (visit, rates) in network.visits.iter().zip(flows.visits.iter()) {
        let sum = &mut brought[visit.station];
        let rate: f64 = rates.iter().sum();
        sum.rate += rate;
        sum.work += rate * visit.time.mean();
        sum.square += rate * visit.time.moment(2);
    }
    brought
}

/// All stations and pools.
pub(super) struct Places {
    places: Vec<Place>,
    pools: Vec<Tokens>,
    /// Stations and pools that the present request has come to.
    touched: Vec<usize>,
    touched_pools: Vec<usize>,
    /// Laws of visits that take otherwise than their work says.
    instead: Vec<Option<Sampler>>,
    /// How many visits have met so many others, at stations, then at pools.
    met: Vec<Vec<f64>>,
    /// Visits that others have looked at.
    pub looked: u64,
}

impl Places {
    /// Before waits are known: those of M/G/m.
    pub fn before(network: &Network, flows: &Flows) -> Places {
        let brought = brought(network, flows);
        let place = |(station, brought): (&Station, &Brought)| {
            let Brought { rate, work, square } = *brought;
            let utilization = (work / station.capacity()).min(FULLEST);
            let servers = of_one_queue(station);
            let chance = erlang::erlang_c(servers, utilization * f64::from(servers)).unwrap_or(1.0);
            let mean = if rate > 0.0 { work / rate } else { 0.0 };
            let form = if mean > 0.0 { (square / rate / (mean * mean)).min(1e3) } else { 1.0 };
            let met = 0.5 * mean * form / (f64::from(servers) * (1.0 - utilization));
            let wait = if station.discipline == Discipline::Ps {
                Wait::new(1.0, 1.0 / (1.0 - utilization), utilization / (2.0 - utilization))
            } else {
                Wait::new(chance, met, 1.0)
            };
            Place::new(station, utilization, (mean, form), wait)
        };
        let pool = |pool: &Pool| {
            let limited = !matches!(pool.kind, PoolKind::Calls { .. });
            Tokens {
                size: if limited { tokens(network, pool) } else { usize::MAX },
                shares: vec![Share::default(); groups(network, pool) as usize],
                wait: Wait::new(0.0, 0.0, 1.0),
                refused: 0.0,
                waited: 0.0,
            }
        };
        Places {
            places: network.stations.iter().zip(&brought).map(place).collect(),
            pools: network.pools.iter().map(pool).collect(),
            touched: Vec::new(),
            touched_pools: Vec::new(),
            instead: Vec::new(),
            met: vec![Vec::new(); network.stations.len() + network.pools.len()],
            looked: 0,
        }
    }

    /// Waits of a class in a solved network, those for the own request left out; `None` where one grows without end.
    pub fn settled(
        solution: &Solution<'_>,
        company: &Company,
        class: usize,
        visits: &[Option<VisitId>],
        met: &dyn Fn(VisitId) -> Option<Law>,
    ) -> Option<Places> {
        let network = solution.network;
        let mut places = Places::before(network, &solution.flows);
        let states = solution.stations.iter().zip(&solution.memories).zip(&company.waited);
        for (place, ((state, memory), waited)) in places.places.iter_mut().zip(states) {
            let own = &state.classes[class];
            place.wait = match &own.treatment {
                Treatment::Shared(queue) => slowness(queue, *waited)?,
                _ => Wait::like(own.wait.as_ref()?, *waited, place.wait.chance),
            };
            place.refused = own.refused;
            place.forgets = memory.time;
            place.slowdown = if let Treatment::Slowed(slowdown) = own.treatment { slowdown } else { 1.0 };
        }
        let pools = company.waited.iter().skip(network.stations.len());
        for ((pool, gate), waited) in places.pools.iter_mut().zip(&solution.gates).zip(pools) {
            let wait = gate.wait.as_ref()?;
            pool.wait = Wait::like(wait, *waited, wait.probability());
            pool.refused = gate.refused;
        }
        let instead = |visit: &Option<VisitId>| {
            let visit = (*visit)?;
            let state = &solution.stations[network.visits[visit].station].classes[class];
            matches!(state.treatment, Treatment::Interrupted(_)).then(|| met(visit)).flatten()
        };
        let sampler = |law: Law| {
            let (mean, scv) = (law.mean(), law.scv());
            if scv < 1e-9 { Law::constant(mean) } else { Law::Gamma(Gamma { mean, cv: scv.sqrt() }) }.sampler()
        };
        places.instead = visits.iter().map(|visit| instead(visit).map(sampler)).collect();
        Some(places)
    }

    /// Begins with another request.
    pub fn clear(&mut self) {
        for station in self.touched.drain(..) {
            self.places[station].lanes.iter_mut().for_each(Lane::clear);
        }
        for pool in self.touched_pools.drain(..) {
            for share in &mut self.pools[pool].shares {
                share.holders.clear();
                share.waiting.clear();
            }
        }
    }

    /// When a visit is over; `None` if it is refused.
    pub fn visit(&mut self, id: usize, visit: Visit, lines: &Lines, stream: &mut Stream) -> Option<Seconds> {
        let busy = if visit.from.number > 0 { 1.0 - self.places[visit.from.station as usize].idle } else { 0.0 };
        let place = &mut self.places[id];
        if place.refused > 0.0 && stream.chance(place.refused) {
            return None;
        }
        self.touched.push(id);
        let work = match self.instead.get(visit.law as usize) {
            Some(Some(law)) => law.draw(stream),
            _ => visit.work * place.slowdown,
        };
        self.looked += place.lanes.iter().map(|lane| lane.present.len() as u64).sum::<u64>();
        let (met, time) = place.visit(Visit { work, ..visit }, busy, lines, stream);
        note(&mut self.met[id], met);
        Some(time)
    }

    /// A frame asks for one of a pool.
    pub fn take(&mut self, id: usize, frame: u32, now: Seconds, stream: &mut Stream) -> Taken {
        let pool = &mut self.pools[id];
        if pool.refused > 0.0 && stream.chance(pool.refused) {
            return Taken::Refused;
        }
        self.touched_pools.push(id);
        let shares = pool.shares.len();
        let share = if shares > 1 { stream.below(shares as u32) as usize } else { 0 };
        let Some(share) = pool.shares.get_mut(share) else { return Taken::Refused };
        let met = share.holders.len() + share.waiting.len();
        note(&mut self.met[self.places.len() + id], met);
        if share.holders.len() >= pool.size {
            share.waiting.push_back((frame, now));
            return Taken::Waits;
        }
        share.holders.push(frame);
        Taken::After(pool.wait.draw(stream))
    }

    /// A frame gives one of a pool back; who of the same request gets it next.
    pub fn give(&mut self, id: usize, frame: u32, now: Seconds) -> Option<u32> {
        let pool = &mut self.pools[id];
        let holds = |share: &Share| share.holders.iter().rposition(|holder| *holder == frame);
        let (share, place) = pool.shares.iter_mut().find_map(|share| holds(share).map(|place| (share, place)))?;
        share.holders.swap_remove(place);
        let (next, since) = share.waiting.pop_front()?;
        share.holders.push(next);
        pool.waited += now - since;
        Some(next)
    }

    /// Adds whom visits have met since this was last asked, each of them standing for so many per second.
    pub fn count(&mut self, weight: PerSecond, company: &mut Company) {
        for (met, all) in self.met.iter_mut().zip(&mut company.met) {
            all.resize(all.len().max(met.len()), 0.0);
            all.iter_mut().zip(met.drain(..)).for_each(|(sum, count)| *sum += weight * count);
        }
        for (place, elsewhen) in self.places.iter_mut().zip(&mut company.elsewhen) {
            *elsewhen += weight * std::mem::take(&mut place.elsewhen);
        }
        for (place, (waited, form)) in self.places.iter_mut().zip(company.waited.iter_mut().zip(&mut company.form)) {
            *waited += weight * std::mem::take(&mut place.waited);
            form.expected += weight * std::mem::take(&mut place.expected);
            form.burden += weight * std::mem::take(&mut place.burden);
            form.utilization = 1.0 - place.idle;
        }
        for (pool, waited) in self.pools.iter_mut().zip(company.waited.iter_mut().skip(self.places.len())) {
            *waited += weight * std::mem::take(&mut pool.waited);
        }
    }
}

impl Form {
    /// Longer by what those who wait long bring to wait for, in the part of it that is for others' requests.
    pub fn factor(&self) -> f64 {
        if self.waited <= 0.0 || self.expected <= 0.0 {
            return 1.0;
        }
        self.waited / self.expected * (1.0 - self.utilization + self.utilization * self.burden / self.waited)
    }
}

impl Company {
    /// Nobody, at so many stations and pools.
    pub fn none(stations: usize, pools: usize) -> Company {
        Company {
            met: vec![Vec::new(); stations + pools],
            elsewhen: vec![0.0; stations],
            waited: vec![0.0; stations + pools],
            form: vec![Form::default(); stations],
            batches: Vec::new(),
        }
    }

    /// Means of what was summed up, where so many come to stations and pools in all.
    pub fn averaged(&mut self, arrivals: &[PerSecond]) {
        for (form, waited) in self.form.iter_mut().zip(&self.waited) {
            form.waited = *waited;
        }
        for (waited, arrivals) in self.waited.iter_mut().zip(arrivals) {
            *waited = if *arrivals > 0.0 { *waited / arrivals } else { 0.0 };
        }
    }
}

impl Lane {
    fn clear(&mut self) {
        self.present.clear();
        self.free.fill(0.0);
        self.past.clear();
        (self.behind, self.found) = (0.0, None);
    }
}

impl Place {
    fn new(station: &Station, utilization: f64, (work, square): (Seconds, f64), wait: Wait) -> Place {
        let servers = of_one_queue(station).min(MOST_SERVERS);
        let lanes = if station.is_split() { station.instances as usize } else { 1 };
        let lane = Lane { free: vec![0.0; servers as usize], ..Lane::default() };
        let idle = 1.0 - utilization;
        Place {
            lanes: vec![lane; lanes],
            turns: station.balancer == Balancer::RoundRobin,
            turn: 0,
            wait,
            idle,
            stretch: 1.0 + (1.0 / idle - 1.0) / f64::from(servers),
            jitter: utilization * work * square / (f64::from(servers) * idle * idle * idle),
            brings: utilization * work * square / f64::from(servers),
            work,
            forgets: if idle < 1.0 { 0.5 * work * (1.0 + square) / (f64::from(servers) * idle * idle) } else { 0.0 },
            refused: 0.0,
            shared: station.discipline == Discipline::Ps,
            slowdown: 1.0,
            waited: 0.0,
            expected: 0.0,
            burden: 0.0,
            elsewhen: 0.0,
        }
    }

    /// How many visits of the request itself stand before this one, and when it is over; `busy` is the utilization of the station that it
    /// comes from.
    fn visit(&mut self, visit: Visit, busy: f64, lines: &Lines, stream: &mut Stream) -> (usize, Seconds) {
        let Visit { work, line, from, now, .. } = visit;
        let lane = match self.lanes.len() {
            1 => 0,
            lanes if self.turns => {
                self.turn = (self.turn + 1) % lanes;
                self.turn
            }
            lanes => stream.below(lanes as u32) as usize,
        };
        let lane = &mut self.lanes[lane];
        lane.present.retain(|before| before.until > now);
        let last =
            lane.past.iter().rev().take(RECENT).find(|past| past.leaves <= now && !lines.are_apart(line, past.line));
        let last = last.copied();
        let (mut met, mut left) = (0, 0.0);
        for before in &lane.present {
            // Those who came from one busy queue came no closer than anybody does who leaves it.
            let follows = before.from.station == from.station && before.from.number != from.number;
            let spaced = follows && stream.chance(busy * busy);
            let since = last.is_none_or(|last| before.came >= last.leaves);
            if !spaced && (before.leaves > now || since && lines.are_apart(line, before.line)) {
                met += 1;
                self.elsewhen += f64::from(u8::from(before.came < now));
                left += before.left(now);
            }
        }
        let mut is_kept = |since: Seconds| self.forgets > 0.0 && stream.chance((-(now - since) / self.forgets).exp());
        let wait = match (last, lane.found) {
            // Who came while the last visit was there stands behind it.
            (Some(last), _) if lane.free.len() == 1 && !self.shared && is_kept(last.leaves) => {
                let there = last.leaves - last.came;
                passed((1.0 - self.idle) * there, self.brings * there, stream)
            }
            (_, Some((time, wait))) if is_kept(time) => wait,
            _ => self.wait.draw(stream),
        };
        lane.found = Some((now, wait));
        if met == 0 && !self.shared {
            lane.behind = now + passed(wait / self.idle, wait * self.jitter, stream);
        }
        // A lane has one server at least.
        let servers = lane.free.len();
        let first = (0..servers).min_by(|a, b| lane.free[*a].total_cmp(&lane.free[*b])).unwrap_or(0);
        let begins = now.max(lane.behind).max(lane.free[first]);
        let until = begins + passed(work * self.stretch, work * self.jitter, stream);
        lane.free[first] = until;
        // Of the work of so many before it a visit waits for what is too much for the servers.
        let own = if met >= servers { left * (met + 1 - servers) as f64 / (met * servers) as f64 } else { 0.0 };
        // Where all are served at once what was found is how slow that is, for the own request too.
        let (own, time) = if self.shared { (own * wait, work * wait) } else { (own, wait + work) };
        let leaves = now + own + time;
        let stands = Stands { begins, until: until.max(leaves), work, came: now, leaves, line, from };
        lane.present.push(stands);
        lane.past.push(stands);
        self.waited += own;
        self.burden += own * if self.work > 0.0 { work / self.work } else { 1.0 };
        let slower = if self.shared { 1.0 / self.idle } else { 1.0 };
        self.expected += slower * self.work * (met + 1).saturating_sub(servers) as f64 / servers as f64;
        (met, leaves)
    }
}

/// A time until so much has left that others, who come meanwhile, add to: as the first passage of a Brownian motion.
///
/// Source: Michael, Schucany and Haas, Generating random variates using transformations with multiple roots (1976).
fn passed(mean: Seconds, variance: f64, stream: &mut Stream) -> Seconds {
    if mean <= 0.0 || variance <= 1e-12 * mean * mean {
        return mean;
    }
    let y = stream.normal().powi(2) * variance / (2.0 * mean);
    let x = mean + y - (y * (2.0 * mean + y)).sqrt();
    if stream.uniform() * (mean + x) <= mean { x } else { mean * mean / x.max(f64::MIN_POSITIVE) }
}

/// How much longer work takes at a shared station for others' requests, if a visit takes so much longer for its own: as variable as
/// makes response times as variable as they are.
fn slowness(queue: &Queue, own: Seconds) -> Option<Wait> {
    let ps::Visit { wait, law, .. } = ps::visit(queue, &queue.service)?;
    let work = queue.service.mean();
    let (time, square) =
        (wait.mean() + law.mean(), law.moment(2) + 2.0 * law.mean() * wait.mean() + wait.second_moment());
    let scv = square / (time * time) / (1.0 + queue.service.scv()) - 1.0;
    Some(Wait::new(1.0, ((time - own) / work).max(1.0), scv.max(0.0)))
}

/// The servers of one queue of a station.
fn of_one_queue(station: &Station) -> u32 {
    if station.is_split() { station.servers } else { station.servers.saturating_mul(station.instances) }.max(1)
}

/// Counts one that meets so many.
fn note(counts: &mut Vec<f64>, met: usize) {
    if counts.len() <= met {
        counts.resize(met + 1, 0.0);
    }
    counts[met] += 1.0;
}

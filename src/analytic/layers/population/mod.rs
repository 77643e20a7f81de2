//! Users who wait for their answers, among all else that is in the language.
//!
//! | symbol     | meaning                                                                    | unit       |
//! |------------|----------------------------------------------------------------------------|------------|
//! | `N, Z`     | users of a workload, time they think                                       | 1, seconds |
//! | `X`        | rate at which they come                                                    | per second |
//! | `k`        | in how many queues a request is at once, on average, while it is in any    | 1          |
//! | `W, W_o`   | wait of their visits at a queue, and of those who come from outside        | seconds    |
//!
//! What requests of users do is a part of the network that always holds `N` of them, thinking included; who else comes to its
//! queues comes from outside. Mean value analysis says what each crowd of users meets there, whatever the work, however many branches
//! wait beside each other ([`linearizer`]). For all users as one crowd of `Σ N k` that do one thing after the other with exponential
//! work the waits can be known exactly ([`crate::math::equivalent`]): those of mean values are multiplied by such a power of the
//! utilization that they are right there.
//!
//! Source: Reiser and Lavenberg (1980); Chandy and Neuse, Linearizer (1982).

mod even;
mod exactly;
mod few;
mod met;

use super::section::{Passed, Section, of_users};
use super::{Solver, groups, places, tokens};
use crate::analytic::feedback::Beyond;
use crate::discipline::{Delay, Discipline};
use crate::math::equivalent::Element;
use crate::math::linearizer::{self, Crowd, Others, Queue, Visits};
use crate::network::flows::Losses;
use crate::network::{Pool, PoolId, PoolKind, StationId};
use crate::system::Load;
use crate::unit::{PerSecond, Seconds};
use exactly::Alike;
use few::{ByWhom, Few, few};
use met::Met;
use std::collections::BTreeSet;

pub(super) use met::apply;

/// Where no more than this part of a pool is needed for what is done meanwhile at most, who waits waits for that.
const NEEDED: f64 = 0.8;

/// Nobody else comes who offers less load than this.
const NOBODY: f64 = 1e-6;

/// Others leave users something of every queue.
const FULLEST: f64 = 1.0 - 1e-6;

/// What users meet.
pub(super) struct Population {
    /// Of each workload of users the rate at which they come.
    pub throughput: Vec<Option<PerSecond>>,
    /// By station, then by pool; `None` where no users come.
    places: Vec<Option<Place>>,
    /// How often requests of each workload come there.
    came: Vec<Vec<PerSecond>>,
    /// Pools that users alone ask for, and never have to wait for more than for what is done meanwhile.
    free: Vec<PoolId>,
}

/// What is met at a station or pool.
struct Place {
    /// By those of each workload of users who wait there.
    met: Vec<Option<Met>>,
    /// By those who come from outside.
    outside: Met,
    /// What those would wait, if users were not so many but came from outside too.
    open: Seconds,
    /// What visits of each workload wait for their own request.
    own: Vec<Seconds>,
    /// The part of the work that those from outside bring.
    theirs: f64,
    /// The part of how much waits vary that lasts.
    lasting: f64,
    /// What its limit makes of users, where it has one.
    few: Option<Few>,
}

/// A station or pool where users come.
struct Shared {
    /// Its number: stations come first, then pools.
    id: usize,
    queue: Queue,
    /// Variability of the work.
    scv: f64,
}

/// All crowds of users, the workloads that they are, and what mean values say of them.
struct Solved {
    closed: Vec<usize>,
    crowds: Vec<Crowd>,
    /// How many requests of each there are at most, branches counted each.
    present: Vec<f64>,
    met: linearizer::Met,
    alike: Alike,
}

impl Solver<'_> {
    /// What users meet, who come at these rates now and whose requests take so much longer than the part of the network that they
    /// pass; `None` where there are none.
    pub(super) fn population(&self, rates: &[PerSecond], beyond: &[Beyond], losses: &Losses) -> Option<Population> {
        let came = self.flows.came(self.network);
        let free = self.free(&came, rates, losses);
        let (mut closed, mut sections, mut crowds) = (Vec::new(), Vec::new(), Vec::new());
        for (w, workload) in self.network.workloads.iter().enumerate() {
            let Load::Closed { users, think } = &workload.load else { continue };
            let passed = |pool: PoolId| self.is_passed(pool, *users) || free.contains(&pool);
            let section = of_users(self.network, self.flows, losses, w, &passed);
            let away = think.mean() + beyond[w].part() * section.delay + beyond[w].added();
            crowds.push(Crowd { users: f64::from(*users), away, part: beyond[w].part(), visits: Vec::new() });
            sections.push(section);
            closed.push(w);
        }
        if closed.is_empty() {
            return None;
        }
        let shared = self.shared(&closed, &sections, &came, rates);
        let mut present = Vec::with_capacity(closed.len());
        for ((crowd, section), w) in crowds.iter_mut().zip(&sections).zip(&closed) {
            let (visits, part) = self.visits(&shared, section, *w);
            (crowd.visits, crowd.part) = (visits, crowd.part * part);
            present.push(crowd.users / part);
        }
        let mut queues: Vec<Queue> = shared.iter().map(|shared| shared.queue).collect();
        let weights: Vec<PerSecond> = closed.iter().map(|w| rates[*w]).collect();
        let alike = exactly::correct(&crowds, &mut queues, &weights);
        let met = linearizer::solve(&crowds, &queues);
        let mut throughput = vec![None; self.network.workloads.len()];
        closed.iter().zip(&met.throughput).for_each(|(w, rate)| throughput[*w] = Some(*rate));
        let mut places: Vec<Option<Place>> = Vec::new();
        places.resize_with(self.network.stations.len() + self.network.pools.len(), || None);
        let solved = Solved { closed, crowds, present, met, alike };
        for (e, shared) in shared.iter().enumerate() {
            places[shared.id] = Some(self.place(shared, e, &solved));
        }
        Some(Population { throughput, places, came, free })
    }

    /// Whether so many users never wait for a pool.
    fn is_passed(&self, pool: PoolId, users: u32) -> bool {
        let Pool { kind, .. } = &self.network.pools[pool];
        matches!(kind, PoolKind::Calls { .. }) || tokens(self.network, &self.network.pools[pool]) >= users as usize
    }

    /// What is met at a station or pool, of which mean values say this.
    fn place(&self, shared: &Shared, e: usize, solved: &Solved) -> Place {
        let Shared { id, queue, scv } = shared;
        let Solved { closed, crowds, met, alike, .. } = solved;
        let workloads = self.network.workloads.len();
        let Others { load, work, .. } = queue.others;
        // What is waited while a pool is held is not waited for it.
        let pool = id.checked_sub(self.network.stations.len()).and_then(|pool| self.inside[pool]);
        let within = pool.map_or(0.0, |inside| inside.time - inside.alone);
        let (scv, lasting) = met::spread(alike.users, alike.present[e], load / queue.servers, *scv);
        let of =
            |rate: PerSecond, work: Seconds, wait: Seconds| Met { rate, work, wait: (wait - within).max(0.0), scv };
        let mut by_users = vec![None; workloads];
        for (k, crowd) in crowds.iter().enumerate() {
            let Visits { count, work, .. } = crowd.visits[e];
            by_users[closed[k]] = (count > 0.0).then(|| of(met.throughput[k] * count, work, met.waits[k][e]));
        }
        let (open, busy) = open(queue, crowds, e, &met.throughput);
        Place {
            met: by_users,
            outside: of(if work > 0.0 { queue.copies * load / work } else { 0.0 }, work, met.outside[e]),
            open,
            own: (0..workloads).map(|w| self.waited_for_own(w, *id).0).collect(),
            theirs: (load / busy).min(1.0),
            lasting,
            few: self.few(shared, e, solved),
        }
    }

    /// What the limit of a station or pool makes of users.
    fn few(&self, shared: &Shared, e: usize, solved: &Solved) -> Option<Few> {
        let (mut users, mut theirs, mut work) = (0.0, 0.0, 0.0);
        let each = solved.crowds.iter().zip(&solved.met.throughput).zip(&solved.present);
        for ((crowd, rate), present) in each.filter(|((crowd, _), _)| crowd.visits[e].count > 0.0) {
            users += present;
            theirs += rate * crowd.visits[e].count;
            work += rate * crowd.visits[e].demand();
        }
        let came = |all: f64, queues: f64| {
            let others = if shared.queue.others.load > NOBODY { (all - theirs).max(0.0) } else { 0.0 };
            ByWhom { users: theirs / queues, others: others / queues }
        };
        match self.network.stations.get(shared.id) {
            Some(station) => {
                let queues = shared.queue.copies;
                let of_one = |each: u32| each.saturating_mul(station.instances / queues as u32) as usize;
                let (servers, places) = (of_one(station.servers), of_one(station.queue?));
                let mean = work / theirs;
                let all = self.stations[shared.id].load * servers as f64 * queues / mean;
                let served = |n: usize| n.min(servers) as f64 / mean;
                few(&served, (servers, servers + places), users, came(all, queues))
            }
            None => {
                let id = shared.id - self.network.stations.len();
                let (pool, throughput) = (&self.network.pools[id], &self.throughput[id]);
                let most = throughput.len().checked_sub(1)?;
                let room = most + places(self.network, pool)?;
                let all = self.flows.pools[id].iter().sum();
                let served = |n: usize| throughput[n.min(most)];
                few(&served, (most, room), users, came(all, groups(self.network, pool)))
            }
        }
    }

    /// Pools that nobody else asks for, nor what users have sent off, of which there are as many as users or more than what is done
    /// meanwhile needs at most: whether one waits before them or behind is the same.
    fn free(&self, came: &[Vec<PerSecond>], rates: &[PerSecond], losses: &Losses) -> Vec<PoolId> {
        let mut asked = vec![(0.0, 0.0); self.network.pools.len()];
        if asked.is_empty() {
            return Vec::new();
        }
        for (w, workload) in self.network.workloads.iter().enumerate() {
            let Load::Closed { users, .. } = workload.load else { continue };
            for (pool, passed) in of_users(self.network, self.flows, losses, w, &|_| false).pools {
                asked[pool].0 += f64::from(users);
                asked[pool].1 += rates[w] * passed.count;
            }
        }
        let is_free = |(id, (users, rate)): (PoolId, &(f64, f64))| {
            let all: f64 = came[self.network.stations.len() + id].iter().sum();
            let pool = &self.network.pools[id];
            let there = tokens(self.network, pool) as f64;
            let needed =
                self.inside[id].map_or(0.0, |inside| inside.capacity * inside.alone / groups(self.network, pool));
            // Whom it refuses is not behind it.
            let enough = there >= *users || needed < NEEDED * there && places(self.network, pool).is_none();
            (enough && *rate > (1.0 - 1e-6) * all).then_some(id)
        };
        asked.iter().enumerate().filter_map(is_free).collect()
    }

    /// The queues where users come at these rates, and requests of all workloads so often.
    fn shared(
        &self,
        closed: &[usize],
        sections: &[Section],
        came: &[Vec<PerSecond>],
        rates: &[PerSecond],
    ) -> Vec<Shared> {
        let stations = self.network.stations.len();
        let of_section = |section: &Section| {
            let pools = section.pools.iter().map(|(pool, _)| stations + pool);
            section.stations.iter().map(|(station, _)| *station).chain(pools).collect::<Vec<usize>>()
        };
        let ids: BTreeSet<usize> = sections.iter().flat_map(of_section).collect();
        let mut all = vec![Passed::default(); stations];
        for (visit, rates) in self.network.visits.iter().zip(self.flows.visits.iter()) {
            all[visit.station].visit(&visit.time, rates.iter().sum());
        }
        let mine = |passed: &dyn Fn(&Section) -> Option<Passed>| {
            let mut mine = Passed::default();
            let each = closed.iter().zip(sections).filter_map(|(w, section)| Some((passed(section)?, rates[*w])));
            each.for_each(|(passed, rate)| mine.add(&passed, rate));
            mine
        };
        let of = |id: usize| {
            let (mut queue, scv) = match id.checked_sub(stations) {
                None => self.station(id, &all[id], &mine(&|section| section.station(id).copied())),
                Some(pool) => self.pool(pool, &mine(&|section| section.pool(pool).copied()))?,
            };
            // What those from outside wait for their own requests.
            let open = |w: &usize| !closed.contains(w) && came[id][*w] > 0.0;
            let (mut often, mut waited) = (0.0, 0.0);
            for w in (0..rates.len()).filter(open) {
                often += came[id][w];
                waited += came[id][w] * self.waited_for_own(w, id).0;
            }
            queue.others.company = if often > 0.0 { waited / often } else { 0.0 };
            Some(Shared { id, queue, scv })
        };
        ids.into_iter().filter_map(of).collect()
    }

    /// A station where all bring so much, and users so much of it.
    fn station(&self, id: StationId, all: &Passed, mine: &Passed) -> (Queue, f64) {
        let place = &self.network.stations[id];
        let (copies, even) = even::queues(place, self.stations[id].load, all.mean());
        let servers = place.total_servers() / copies;
        let rest = all.without(mine);
        let load = (rest.work / all.work * self.stations[id].load).clamp(0.0, FULLEST) * servers;
        // Shared servers do not care about the law of the work.
        let shared = place.discipline == Discipline::Ps;
        let scv = |passed: &Passed| if shared { 1.0 } else { passed.scv() };
        let others = Others { load, work: rest.mean(), residual: residual(scv(&rest)), company: 0.0 };
        let residual = residual(scv(mine));
        // With a limit nobody waits longer than where all come as they like.
        let open = self.stations[id].classes.iter().map(|class| class.queueing(all.mean()).unwrap_or(f64::INFINITY));
        let most = if place.queue.is_some() { open.fold(0.0, f64::max) } else { f64::INFINITY };
        (Queue { servers, copies, even, others, residual, shared, powers: (0.0, 0.0), most }, scv(mine))
    }

    /// A pool that users ask for so often.
    fn pool(&self, id: PoolId, mine: &Passed) -> Option<(Queue, f64)> {
        let inside = self.inside[id]?;
        let asked: f64 = self.flows.pools[id].iter().sum();
        let mine = (mine.count / asked).min(1.0);
        // What is waited inside is waited at one server whose rate is that of the pool.
        let servers = (inside.capacity * inside.alone).max(1.0);
        let load = (asked / inside.capacity * (1.0 - mine)).min(FULLEST) * servers;
        let residual = residual(inside.scv);
        let others = Others { load, work: inside.alone, residual, company: 0.0 };
        let gate = &self.gates[id];
        let limited = places(self.network, &self.network.pools[id]).is_some();
        let open = gate.wait.as_ref().filter(|_| limited || gate.load < 1.0).map_or(f64::INFINITY, Delay::mean);
        let most = open + inside.time - inside.alone;
        let (copies, even, powers) = (1.0, 1.0, (0.0, 0.0));
        Some((Queue { servers, copies, even, others, residual, shared: false, powers, most }, inside.scv))
    }

    /// What a visit of a workload to a station or pool waits for its own request, and would if others kept all servers busy.
    fn waited_for_own(&self, w: usize, id: usize) -> (Seconds, Seconds) {
        self.company.map_or((0.0, 0.0), |company| company.waited_by(w, id))
    }

    /// What requests of a workload meet at queues: how often, for how long, and how long they wait for themselves; and the part
    /// of all that time which they take.
    fn visits(&self, shared: &[Shared], section: &Section, w: usize) -> (Vec<Visits>, f64) {
        let stations = self.network.stations.len();
        let (mut all, mut once) = (0.0, 0.0);
        let mut each = |id: usize| {
            let (passed, work) = match id.checked_sub(stations) {
                None => {
                    let station = &self.network.stations[id];
                    // Servers that slow each other down take longer.
                    let slower = station.total_servers() / station.capacity();
                    section.station(id).map(|passed| (passed, passed.mean() * slower))?
                }
                Some(pool) => (section.pool(pool)?, self.inside[pool]?.alone),
            };
            all += passed.count * work;
            once += passed.time * work;
            Some(Visits { count: passed.count, work, company: self.waited_for_own(w, id) })
        };
        let visits = shared.iter().map(|shared| each(shared.id).unwrap_or_default()).collect();
        (visits, if all > 0.0 { (once / all).min(1.0) } else { 1.0 })
    }
}

/// What a visit to a queue would wait if all who come came from outside, and their offered load at one queue.
fn open(queue: &Queue, crowds: &[Crowd], e: usize, rates: &[PerSecond]) -> (Seconds, f64) {
    let own = |(crowd, rate): (&Crowd, &PerSecond)| {
        let rate = rate / queue.copies;
        (rate * crowd.visits[e].count, rate * crowd.visits[e].demand())
    };
    let Others { load, work, .. } = queue.others;
    let others = (if work > 0.0 { load / work } else { 0.0 }, load);
    let (rate, work) = crowds.iter().zip(rates).map(own).fold(others, |sum, own| (sum.0 + own.0, sum.1 + own.1));
    if rate <= 0.0 || work >= queue.servers {
        return (0.0, work);
    }
    let element = Element { demand: work / rate, servers: queue.servers, others: 0.0, copies: 1 };
    let residual = (load * queue.others.residual + (work - load) * queue.residual) / work;
    (queue.even * residual * (element.present(rate) - work).max(0.0) / rate, work)
}

/// What is left of work that varies so much, to one who finds it begun, over its mean.
fn residual(scv: f64) -> f64 {
    0.5 * (1.0 + scv.min(20.0))
}

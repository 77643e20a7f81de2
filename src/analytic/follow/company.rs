//! Whom visits meet of their own request, counted before waits are known.

use super::at_once::at_once;
use super::batches::batches;
use super::machine::Machine;
use super::places::Places;
use super::{SEED, any, sends};
use crate::analytic::Solution;
use crate::analytic::memory::Memory;
use crate::math::random::Stream;
use crate::network::flows::{Flows, Losses};
use crate::network::program::Program;
use crate::network::{Network, OperationId, PoolId, PoolKind, StationId, Step, Workload};
use crate::unit::{PerSecond, Seconds};

/// Visits that are followed to learn whom they meet, and requests of an entry at least and at most.
const MEETING_VISITS: f64 = 16_000.0;
const MEETING: (f64, f64) = (60.0, 400.0);

/// The part of them that say how others come.
const FEW: f64 = 0.2;

/// What happens to them is followed no further than this effort.
const MEETING_EFFORT: f64 = 200_000.0;

/// Whom a request waits for that is its own may be anybody, where these waits, and those that they would be among others who come as
/// often as they do, are no larger a part of its work; after so many forks of every kind have been seen.
const LITTLE: f64 = 1e-3;
const FORKS: f64 = 10.0;

/// Company is taken as it was where arrivals have changed by no more than this part.
const SAME: f64 = 0.02;

/// And it is learned no more often than this on the way to a fixed point.
const MOST_LEARNED: usize = 6;

/// What was counted of requests that were followed is right to about this.
const SAMPLED: f64 = 0.1;

/// What requests meet of themselves.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::analytic) struct Company {
    /// For each station, then for each pool, how many visits per second meet so many others of the same request in their queue.
    pub(super) met: Vec<Vec<PerSecond>>,
    /// How many of these per second did not come at the same time, at stations.
    pub(super) elsewhen: Vec<PerSecond>,
    /// The products of the work of two visits on different branches, per second, as far as what the one leaves is there at the other.
    pub(super) beside: Vec<f64>,
    /// The part of all time that single requests keep all servers of a queue.
    pub(super) kept: Vec<f64>,
    /// What a visit waits for those, on average.
    pub waited: Vec<Seconds>,
    /// The same for visits of each workload, and what it were if others always kept all servers busy.
    waited_by: Vec<Vec<(Seconds, Seconds)>>,
    /// What a visit to a station would wait for those if others always kept all servers busy, on average.
    pub(super) behind: Vec<f64>,
    /// Where all come at once, from one fork.
    at_once: Vec<bool>,
    /// Batches that come to stations, then pools, in which as many visits would meet as many: rate and size.
    pub batches: Vec<Vec<(PerSecond, u32)>>,
}

impl Company {
    /// What a visit to a station waits for its own request on average, and what it would if others always kept all servers busy.
    pub fn waited_at(&self, station: usize) -> (Seconds, Seconds) {
        (self.waited[station], self.behind[station])
    }

    /// Whether all who meet there come at once, from one fork.
    pub fn is_at_once(&self, station: usize) -> bool {
        self.at_once[station]
    }

    /// The products of the work of two visits of a request to a station on different branches, per second, as far as what the one leaves
    /// is still there at the other.
    pub fn beside(&self, station: usize) -> f64 {
        self.beside[station]
    }

    /// What a visit of a workload to a station, or to a pool after all stations, waits for its own request on average, and what it would
    /// if others always kept all servers busy.
    pub fn waited_by(&self, workload: usize, place: usize) -> (Seconds, Seconds) {
        self.waited_by[workload][place]
    }

    /// The share of visits to a station that a request leaves no room for by itself, because so many of its own are there.
    pub fn crowded_out(&self, network: &Network, id: StationId) -> f64 {
        network.stations[id].room_of_queue().map_or(0.0, |room| self.meeting(id, room))
    }

    /// The same of those who ask for one of a pool.
    pub fn crowded_out_of(&self, network: &Network, id: PoolId) -> f64 {
        match network.pools[id].kind {
            PoolKind::Workers { queue: Some(queue) } => {
                self.meeting(network.stations.len() + id, network.pools[id].size.saturating_add(queue))
            }
            _ => 0.0,
        }
    }

    /// The share of those who come to a place that meet at least so many of their own request there.
    fn meeting(&self, place: usize, many: u32) -> f64 {
        let all: f64 = self.met[place].iter().sum();
        if all > 0.0 { self.met[place].iter().skip(many as usize).sum::<f64>() / all } else { 0.0 }
    }

    /// What those of a workload wait there for a request of their own, or are thought to, at most.
    pub(super) fn at_most(&self, workload: usize, place: usize) -> Seconds {
        let of_all = self.behind.get(place).map_or(self.waited[place], |behind| behind.max(self.waited[place]));
        self.waited_by[workload][place].1.max(of_all)
    }

    /// What is in the wait that those of a class meet there for their own request: where users are told apart it is known of each,
    /// elsewhere of all.
    pub(super) fn in_wait(&self, network: &Network, class: usize, place: usize) -> Seconds {
        let apart = network.classes == network.workloads.len() && network.workloads.iter().any(Workload::is_closed);
        if apart { self.waited_by[class][place].0 } else { self.waited[place] }
    }

    /// Nobody.
    pub(super) fn none(network: &Network) -> Company {
        let (stations, pools) = (network.stations.len(), network.pools.len());
        Company {
            met: vec![Vec::new(); stations + pools],
            elsewhen: vec![0.0; stations],
            beside: vec![0.0; stations],
            kept: vec![0.0; stations],
            waited: vec![0.0; stations + pools],
            waited_by: vec![vec![(0.0, 0.0); stations + pools]; network.workloads.len()],
            behind: vec![0.0; stations],
            at_once: vec![false; stations],
            batches: Vec::new(),
        }
    }

    /// Adds what followed requests of a workload have met, each standing for so many per second.
    pub(super) fn count(&mut self, places: &mut Places, w: usize, weight: PerSecond) {
        let (waited, behind) = (self.waited.clone(), self.behind.clone());
        places.count(weight, self);
        for (id, sum) in self.waited_by[w].iter_mut().enumerate() {
            let waited = self.waited[id] - waited[id];
            let behind = behind.get(id).map_or(waited, |before| self.behind[id] - before);
            *sum = (sum.0 + waited, sum.1 + behind);
        }
    }

    /// Means of what was summed up.
    pub(super) fn finish(&mut self, network: &Network, flows: &Flows) {
        let came = flows.came(network);
        for (id, came) in came.iter().enumerate() {
            for (waited, came) in self.waited_by.iter_mut().zip(came) {
                let (waited, behind) = &mut waited[id];
                let per = if *came > 0.0 { 1.0 / came } else { 0.0 };
                (*waited, *behind) = (*waited * per, *behind * per);
            }
        }
        for (id, came) in came.iter().enumerate() {
            let arrivals: f64 = came.iter().sum();
            let per = if arrivals > 0.0 { 1.0 / arrivals } else { 0.0 };
            self.waited[id] *= per;
            if let Some(behind) = self.behind.get_mut(id) {
                *behind *= per;
            }
        }
        self.batches = self.met.iter().map(|met| batches(met)).collect();
        // Where all come at once, from one fork, nothing is left to chance.
        for (station, known) in at_once(network, flows).into_iter().enumerate() {
            let met: f64 = self.met[station].iter().zip(0..).map(|(rate, met)| rate * f64::from(met)).sum();
            let pairs: f64 = known.iter().map(|(rate, size)| 0.5 * rate * f64::from(*size) * f64::from(size - 1)).sum();
            if self.elsewhen[station] == 0.0 && (met - pairs).abs() <= SAMPLED * met {
                (self.batches[station], self.at_once[station]) = (known, true);
            }
        }
    }
}

/// Whom visits meet of their own request; `None` where no request does several things at once.
fn company(
    network: &Network,
    flows: &Flows,
    losses: &Losses,
    memories: &[Memory],
    rates: &[PerSecond],
) -> Option<Company> {
    let forking = forking(network);
    let entries: Vec<(usize, OperationId, PerSecond)> = entries(network, rates).collect();
    if !entries.iter().any(|(_, operation, _)| forking[*operation]) {
        return None;
    }
    let program = Program::new(network);
    let mut machine = Machine::new(network, &program, Places::before(network, flows, losses, memories));
    // First a few, as if all visits of others came by themselves; then all, among others like those.
    let (mut few, followed) = sample(network, flows, losses, &entries, FEW, &mut machine);
    few.finish(network, flows);
    let is_little = |w: usize| {
        own_waits(network, flows, &machine.places, &few, w) <= LITTLE * work(network, flows, w)
            && followed[w] * rarest_fork(network, flows, w) >= FORKS * rates[w]
    };
    if (0..rates.len()).filter(|w| rates[*w] > 0.0).all(is_little) {
        return Some(few);
    }
    machine.places.meet(&few);
    let (mut company, _) = sample(network, flows, losses, &entries, 1.0, &mut machine);
    company.finish(network, flows);
    Some(company)
}

/// What requests of a workload wait for their own per second, or would among others.
fn own_waits(network: &Network, flows: &Flows, places: &Places, company: &Company, w: usize) -> f64 {
    let came = flows.came(network);
    let each = company.waited_by[w].iter().zip(&came).enumerate();
    each.map(|(id, ((waited, behind), came))| came[w] * (waited + places.busy(id) * (behind - waited).max(0.0))).sum()
}

/// The work that requests of a workload bring per second.
fn work(network: &Network, flows: &Flows, w: usize) -> f64 {
    network.visits.iter().zip(flows.visits.iter()).map(|(visit, rates)| rates[w] * visit.time.mean()).sum()
}

/// How often that is done at once, or sent off, per second which requests of a workload do least often.
fn rarest_fork(network: &Network, flows: &Flows, w: usize) -> PerSecond {
    let each = network.operations.iter().zip(flows.operations.iter());
    each.map(|(operation, rates)| rarest(&operation.steps, rates[w])).fold(f64::INFINITY, f64::min)
}

/// The same of some steps that are done so often; infinite where nothing is.
fn rarest(steps: &[Step], rate: PerSecond) -> PerSecond {
    let of = |step: &Step| match step {
        _ if rate <= 0.0 => f64::INFINITY,
        Step::Send(_) => rate,
        Step::Choose { ways, .. } => {
            ways.iter().map(|(weight, steps)| rarest(steps, weight * rate)).fold(f64::INFINITY, f64::min)
        }
        step => {
            let mut least = if matches!(step, Step::Parallel { .. }) { rate } else { f64::INFINITY };
            step.inner(|steps| least = least.min(rarest(steps, rate)));
            least
        }
    };
    steps.iter().map(of).fold(f64::INFINITY, f64::min)
}

/// Follows requests of all entries, so many of those that are wanted, and counts what they meet; and how many of each workload.
fn sample(
    network: &Network,
    flows: &Flows,
    losses: &Losses,
    entries: &[(usize, OperationId, PerSecond)],
    share: f64,
    machine: &mut Machine<'_>,
) -> (Company, Vec<f64>) {
    let mut followed = vec![0.0; network.workloads.len()];
    let all: f64 = entries.iter().map(|(_, _, rate)| rate).sum();
    let visits: f64 = flows.visits.iter().flatten().sum::<f64>() / all;
    let mut company = Company::none(network);
    let came = flows.came(network);
    for &(w, operation, rate) in entries {
        let part = rate / all;
        machine.refusing = refusing(losses, network.workloads[w].class);
        machine.places.come(network, &came, w, rate);
        let wanted = share * (MEETING_VISITS / visits.max(1.0) * part).clamp(MEETING.0, MEETING.1);
        let enough = machine.effort() + (share * MEETING_EFFORT * part) as u64;
        let mut count = 0;
        while (count as f64) < wanted && (machine.effort() < enough || count == 0) {
            machine.request(operation, &mut Stream::new(SEED, count, w as u64));
            count += 1;
        }
        company.count(&mut machine.places, w, rate / count as f64);
        followed[w] += count as f64;
    }
    (company, followed)
}

/// What is known of the company of visits, at which arrival rates of stations.
#[derive(Debug, Clone, Default)]
pub(in crate::analytic) struct Companions {
    at: Vec<PerSecond>,
    company: Option<Company>,
    learned: usize,
    /// Whether how often users come, and so whom visits meet, is to be found first.
    later: bool,
}

impl Companions {
    /// Nothing is known yet.
    pub fn of(network: &Network) -> Companions {
        Companions { later: network.workloads.iter().any(Workload::is_closed), ..Companions::default() }
    }

    /// Takes it from now on as it was met by requests that were timed.
    pub fn meet(&mut self, company: Company) {
        self.company = Some(company);
        self.learned = MOST_LEARNED;
    }

    /// Whom visits meet: what was known before, or is found at these flows.
    pub fn known(
        &mut self,
        network: &Network,
        flows: &Flows,
        losses: &Losses,
        memories: &[Memory],
        rates: &[PerSecond],
    ) -> Option<&Company> {
        if self.is_unknown() && !self.later {
            self.learn(network, flows, losses, memories, rates);
        }
        self.company.as_ref()
    }

    /// Whether nothing was looked for yet.
    pub fn is_unknown(&self) -> bool {
        self.learned == 0
    }

    /// Whether flows have become others than those at which that is known; then it is found anew.
    pub fn is_outdated(&mut self, solution: &Solution<'_>) -> bool {
        let Solution { network, flows, losses, memories, rates, .. } = solution;
        let same = |(now, then): (&f64, &f64)| (now - then).abs() <= SAME * then;
        let holds = || self.company.is_none() || arrivals(network, flows).iter().zip(&self.at).all(same);
        if !self.is_unknown() && (self.learned >= MOST_LEARNED || holds()) {
            return false;
        }
        self.learn(network, flows, losses, memories, rates);
        true
    }

    fn learn(&mut self, network: &Network, flows: &Flows, losses: &Losses, memories: &[Memory], rates: &[PerSecond]) {
        (self.company, self.at) = (company(network, flows, losses, memories, rates), arrivals(network, flows));
        self.learned += 1;
    }
}

/// Arrivals at each station, then at each pool.
fn arrivals(network: &Network, flows: &Flows) -> Vec<PerSecond> {
    let of_pools = flows.pools.iter().map(|rates| rates.iter().sum());
    flows.brought(network).into_iter().map(|(rate, _)| rate).chain(of_pools).collect()
}

/// The chance to be refused at each station, of those of a class.
pub(super) fn refusing(losses: &Losses, class: usize) -> Vec<f64> {
    losses.stations.iter().map(|held| held[class]).collect()
}

/// Every operation that workloads ask for, at its rate.
fn entries<'a>(
    network: &'a Network,
    rates: &'a [PerSecond],
) -> impl Iterator<Item = (usize, OperationId, PerSecond)> + 'a {
    let each =
        |(w, rate): (usize, &'a f64)| network.workloads[w].mix.iter().map(move |(o, share)| (w, *o, rate * share));
    rates.iter().enumerate().flat_map(each).filter(|(_, _, rate)| *rate > 0.0)
}

/// The operations that do several things at once that may meet, or ask one that does.
pub(super) fn forking(network: &Network) -> Vec<bool> {
    let mut forking = sends::meeting(network);
    if network.parallels > 0 || forking.contains(&true) {
        for &operation in network.order.iter().rev() {
            forking[operation] |= any(&network.operations[operation].steps, &|step| match step {
                Step::Parallel { branches, .. } => branches.len() > 1,
                Step::Call(call) => forking[call.target],
                Step::Send(target) => forking[*target],
                _ => false,
            });
        }
    }
    forking
}

//! Where the mean response time of a workload goes, by service and cause.

use super::Solution;
use super::compose::Composed;
use super::follow::Company;
use crate::discipline::{Delay, Knowledge};
use crate::network::{Guarded, Network, OperationId, PoolKind, Step, flows};
use crate::prediction::Share;
use crate::system::ArrivalLaw;

/// Error where all branches of a request that queue at the same time are waited for.
const FORK_ALL: f64 = 0.04;

/// Error where the first of them are: that they are slow together counts for more.
const FORK_SOME: f64 = 0.08;

/// Error for each attempt of a request that is late or made twice, and at most. At this load of what it may wait for while all attempts are
/// late; less below, and so many times as much above, because attempts that make a queue longer come to the one that they have made.
const LATE: f64 = 3.0;
const MOST_LATE: f64 = 0.4;
const BUSY: f64 = 0.6;
const MOST_BUSY: f64 = 3.0;

/// Where no call is late more often than this none matters.
const SELDOM: f64 = 0.01;

/// Error of the waits at a station that a request visits very often: that they depend on each other is known, that those
/// at different stations then do too is not.
const REPEATED: f64 = 0.35;

/// Error of the waits behind arrivals that are not Poisson, for each unit of their variability away from it.
const UNSTEADY: f64 = 0.15;

/// That error grows with the variability of the work, up to here.
const MOST_VARIED: f64 = 3.0;

/// Error where branches wait for each other in requests of which so much comes that few were followed, and where none was: as if all
/// waits were each other's, or none.
const FEW_FOLLOWED: f64 = 0.3;
const UNFOLLOWED: f64 = 1.0;

/// Error where attempts that are refused are made again after a while, which come back together as those did that found no room, or where
/// the more urgent take the room of others; and the share of requests from which on that shows.
const REFUSED: f64 = 0.15;
const SHOWS: f64 = 1e-3;

/// What the mean response time of a workload is made of.
#[derive(Default)]
pub(super) struct Breakdown {
    /// What each service, and the network, contributes.
    pub shares: Vec<Share>,
    /// The error to expect of the waits on the way, over the mean response time.
    pub doubt: f64,
    /// The error of branches of parallel steps that queue at the same time, and so depend on each other.
    pub fork: f64,
    /// The error of calls that are given up or made twice: who does so knows the queue that others come to; and of those that others of
    /// the same request leave no room for.
    pub late: f64,
}

/// What the mean response time `mean` of workload `w` is made of.
pub(super) fn breakdown(solution: &Solution<'_>, composed: &Composed<'_>, w: usize, mean: f64) -> Breakdown {
    let network = solution.network;
    let workload = &network.workloads[w];
    let class = workload.class;
    let mut walk = Walk {
        solution,
        composed,
        class,
        runs: vec![0.0; network.operations.len()],
        queueing: vec![0.0; network.services.len()],
        service_time: vec![0.0; network.services.len()],
        network: 0.0,
        retries: 0.0,
        pools: vec![0.0; network.pools.len()],
        doubt: 0.0,
        fork: 0.0,
        late: 0.0,
        refused: 0.0,
        busiest: Busiest::each(solution),
        stations: vec![(0.0, 0.0); network.stations.len()],
        in_a_run: vec![0.0; network.stations.len()],
    };
    let succeed = |operation: OperationId| composed.success(operation, class);
    let total: f64 = workload.mix.iter().map(|(operation, share)| share * succeed(*operation)).sum();
    if total <= 0.0 {
        return Breakdown::default();
    }
    for (operation, share) in &workload.mix {
        walk.runs[*operation] += share * succeed(*operation) / total;
    }
    // Which of them are in time says which make up the response time.
    if solution.losses.tries.iter().any(|tries| tries[class].late > SELDOM) {
        let chances = || workload.mix.iter().map(|(operation, _)| succeed(*operation));
        walk.late += LATE * (chances().fold(0.0, f64::max) - chances().fold(1.0, f64::min));
    }
    let mut before: Vec<f64> = Vec::new();
    for &operation in &network.order {
        let runs = walk.runs[operation];
        if runs > 0.0 {
            let service = network.operations[operation].service;
            let own = || network.services[service].cores.iter().chain(&network.services[service].devices).copied();
            before.clear();
            before.extend(own().map(|station| walk.stations[station].0));
            walk.steps(&network.operations[operation].steps, runs, service);
            for (station, before) in own().zip(&before) {
                let visits = (walk.stations[station].0 - before) / runs;
                walk.in_a_run[station] = walk.in_a_run[station].max(visits);
            }
        }
    }
    let share = |time: f64| if mean > 0.0 { time / mean } else { 0.0 };
    // Branches depend on each other through their queues: without queueing they do not.
    let fork = walk.fork * (2.0 * share(walk.queueing.iter().sum())).min(1.0);
    let fork = match composed.followed(w) {
        _ if !composed.was_too_much(w) => fork,
        Some(_) => fork.max(FEW_FOLLOWED),
        None => fork.max(UNFOLLOWED),
    };
    let again = |(station, (visits, queueing)): (usize, &(f64, f64))| {
        let visits = visits.max(walk.in_a_run[station]);
        // Works that differ much from visit to visit follow each other in an order that variances do not know.
        let varied = solution.memories[station].service_scv.clamp(1.0, MOST_VARIED);
        if visits > 1.0 { varied * (1.0 - 1.0 / visits.sqrt()) * queueing } else { 0.0 }
    };
    let repeated = REPEATED * walk.stations.iter().enumerate().map(again).sum::<f64>();
    // Behind the first queue, and where requests come back, arrivals are known by their variability alone.
    let visits: f64 = walk.stations.iter().filter(|(_, queueing)| *queueing > 0.0).map(|(visits, _)| visits).sum();
    let unsteady = match workload.arrivals() {
        Some(ArrivalLaw::Renewal(law)) if visits > 1.0 + 1e-9 => UNSTEADY * (law.scv() - 1.0).abs().min(3.0),
        _ => 0.0,
    };
    let unsteady = unsteady * walk.queueing.iter().sum::<f64>();
    let again = REFUSED * (walk.refused / SHOWS).min(1.0);
    let late = (walk.late + again).min(MOST_LATE);
    let doubt = share(walk.doubt + unsteady + repeated);
    let mut shares = walk.shares(w);
    if composed.followed(w).is_some() {
        add_up(&mut shares, mean);
    }
    Breakdown { doubt, fork, late, shares }
}

/// Makes shares add up to a mean that is known better than they are: queueing takes what is left.
fn add_up(shares: &mut [Share], mean: f64) {
    let queueing: f64 = shares.iter().map(|share| share.queueing).sum();
    let service: f64 = shares.iter().map(|share| share.service_time).sum();
    let (longer, slower) = if queueing > 0.0 && mean > service {
        ((mean - service) / queueing, 1.0)
    } else {
        let all = queueing + service;
        if all > 0.0 { (mean / all, mean / all) } else { (1.0, 1.0) }
    };
    for share in shares {
        share.queueing *= longer;
        share.service_time *= slower;
    }
}

/// The highest load of what some steps may wait for; and of that by the chance to meet the same queue again.
#[derive(Debug, Clone, Copy, Default)]
struct Busiest {
    load: f64,
    same: f64,
}

impl Busiest {
    fn or(self, other: Busiest) -> Busiest {
        Busiest { load: self.load.max(other.load), same: self.same.max(other.same) }
    }

    /// That of some steps, those of the callees being known.
    fn of(solution: &Solution<'_>, steps: &[Step], callees: &[Busiest]) -> Busiest {
        let each = |step: &Step| {
            let mut most = match step {
                Step::Visit(visit) => {
                    let station = solution.network.visits[*visit].station;
                    let load = solution.stations[station].load;
                    Busiest { load, same: load * solution.memories[station].same }
                }
                Step::Call(call) => callees[call.target],
                Step::Hold { pool, .. } => {
                    let load = solution.gates[*pool].load;
                    Busiest { load, same: load }
                }
                _ => Busiest::default(),
            };
            step.inner(|steps| most = most.or(Busiest::of(solution, steps, callees)));
            most
        };
        steps.iter().map(each).fold(Busiest::default(), Busiest::or)
    }

    /// Those of all operations; nothing where no call is guarded.
    fn each(solution: &Solution<'_>) -> Vec<Busiest> {
        let network = solution.network;
        let mut each = vec![Busiest::default(); network.operations.len()];
        for &operation in network.order.iter().rev().filter(|_| network.guards > 0) {
            each[operation] = Busiest::of(solution, &network.operations[operation].steps, &each);
        }
        each
    }
}

struct Walk<'a> {
    solution: &'a Solution<'a>,
    composed: &'a Composed<'a>,
    class: usize,
    /// How often each operation counts on the critical path of a request.
    runs: Vec<f64>,
    queueing: Vec<f64>,
    service_time: Vec<f64>,
    network: f64,
    /// Time that goes by before the attempts that succeed.
    retries: f64,
    /// Time in the queue of each pool.
    pools: Vec<f64>,
    /// Queueing times by the errors to expect of them.
    doubt: f64,
    fork: f64,
    late: f64,
    /// How often an attempt is refused by what has changed until the next, or by what urgency makes of a limit.
    refused: f64,
    busiest: Vec<Busiest>,
    /// For each station how often it is visited, and the time in its queue.
    stations: Vec<(f64, f64)>,
    /// For each station the most visits that one run of an operation makes.
    in_a_run: Vec<f64>,
}

impl Walk<'_> {
    fn steps(&mut self, steps: &[Step], runs: f64, service: usize) {
        for step in steps {
            match step {
                Step::Visit(visit) => {
                    let station = self.solution.network.visits[*visit].station;
                    let owner = self.solution.network.stations[station].service;
                    let state = &self.solution.stations[station].classes[self.class];
                    let work = self.solution.network.visits[*visit].time.mean();
                    let queueing = runs * self.composed.queueing(*visit, self.class).unwrap_or(0.0);
                    if let Knowledge::Approximate { p95_error } = state.knowledge {
                        self.doubt += p95_error * queueing;
                    }
                    self.queueing[owner] += queueing;
                    self.stations[station].0 += runs;
                    self.stations[station].1 += queueing;
                    self.service_time[owner] += runs * work;
                    self.crowded_out(runs, |company, network| company.crowded_out(network, station));
                    if self.solution.network.stations[station].discipline.uses_priority() {
                        // Whether those who are interrupted still have room is not known.
                        self.refused += runs * state.refused;
                    }
                }
                Step::Delay(law) => self.service_time[service] += runs * law.mean(),
                Step::Send(_) | Step::Fail(_) => {}
                Step::Call(call) => {
                    let runs = runs * flows::runs_of(call, self.composed.success(call.target, self.class));
                    self.runs[call.target] += runs;
                    self.network += runs * call.network.as_ref().map_or(0.0, |law| law.mean());
                }
                Step::Hold { pool, steps } => {
                    let gate = &self.solution.gates[*pool];
                    let waiting = runs * gate.wait.as_ref().map_or(0.0, Delay::mean);
                    if let Knowledge::Approximate { p95_error } = gate.knowledge {
                        self.doubt += p95_error * waiting;
                    }
                    self.pools[*pool] += waiting;
                    self.crowded_out(runs, |company, network| company.crowded_out_of(network, *pool));
                    self.steps(steps, runs, service);
                }
                Step::Guarded(guarded) => self.guarded(guarded, runs, service),
                Step::Repeat { times, steps } => self.steps(steps, runs * f64::from(*times), service),
                Step::Choose { ways, .. } => {
                    let chance = |(weight, steps): &(f64, Vec<Step>)| {
                        if *weight > 0.0 { weight * self.composed.sequence_success(steps, self.class) } else { 0.0 }
                    };
                    let chances: Vec<f64> = ways.iter().map(chance).collect();
                    let total: f64 = chances.iter().sum();
                    for ((_, steps), chance) in ways.iter().zip(chances) {
                        if chance > 0.0 {
                            self.steps(steps, runs * chance / total, service);
                        }
                    }
                }
                Step::Parallel { branches, id, needed } => {
                    let queues = |step: &Step| !matches!(step, Step::Delay(_) | Step::Send(_) | Step::Fail(_));
                    if branches.iter().filter(|steps| steps.iter().any(queues)).count() > 1 {
                        self.fork = self.fork.max(if *needed == branches.len() { FORK_ALL } else { FORK_SOME });
                    }
                    let critical = self.composed.critical(*id, self.class).map(<[f64]>::to_vec).unwrap_or_default();
                    for (steps, weight) in branches.iter().zip(critical) {
                        self.steps(steps, runs * weight, service);
                    }
                }
            }
        }
    }

    /// Of those that others of the same request leave no room for it is not known how many they are.
    fn crowded_out(&mut self, runs: f64, share: impl Fn(&Company, &Network) -> f64) {
        let share = self.solution.company.as_ref().map_or(0.0, |company| share(company, self.solution.network));
        self.late += LATE * runs * share;
    }

    fn guarded(&mut self, guarded: &Guarded, runs: f64, service: usize) {
        let parts = self.composed.parts_of_guarded(guarded, self.class);
        let Some((lost, last)) = parts.filter(|(lost, last)| lost + last.all > 0.0) else { return };
        let tries = &self.solution.losses.tries[guarded.id][self.class];
        // So busy is what is waited for while all that comes is late, and made again.
        let Busiest { load, same } = Busiest::of(self.solution, &guarded.attempt, &self.busiest);
        let more = f64::from(guarded.call.hedge.is_some()) + f64::from(guarded.call.retries);
        let busy = ((load + more * same) / BUSY).powi(2).min(MOST_BUSY);
        self.late += LATE * runs * (tries.late + tries.copied) * busy;
        self.retries += runs * lost;
        self.refused += runs * self.composed.forgotten(guarded, self.class);
        let once = self.composed.mean_of(&guarded.attempt, self.class).map_or(0.0, |mean| mean.all);
        if once > 0.0 {
            self.steps(&guarded.attempt, runs * last.all / once, service);
        } else {
            self.retries += runs * last.all;
        }
    }

    fn shares(self, w: usize) -> Vec<Share> {
        let network = self.solution.network;
        let rate = self.solution.rates[w];
        let mut queueing = self.queueing;
        let mut others = Vec::new();
        for (pool, waiting) in network.pools.iter().zip(&self.pools) {
            match (pool.kind, pool.per) {
                (PoolKind::Workers { .. }, Some(service)) => queueing[service] += waiting,
                _ => others.push((pool.title(), *waiting, 0.0)),
            }
        }
        others.push(("network".to_string(), 0.0, self.network));
        others.push(("retries".to_string(), self.retries, 0.0));
        let mut shares: Vec<Share> = network
            .services
            .iter()
            .enumerate()
            .map(|(s, service)| {
                let asked = |o: &OperationId| self.solution.flows.asked(*o).nth(w).unwrap_or(0.0);
                let runs: f64 = service.operations.iter().map(asked).sum();
                Share {
                    service: service.name.clone(),
                    queueing: queueing[s],
                    service_time: self.service_time[s],
                    visits: if rate > 0.0 { runs / rate } else { 0.0 },
                }
            })
            .filter(|share| share.visits > 0.0 || share.queueing + share.service_time > 0.0)
            .collect();
        let others = others.into_iter().filter(|(_, queueing, service_time)| queueing + service_time > 0.0);
        shares.extend(others.map(|(service, queueing, service_time)| Share {
            service,
            queueing,
            service_time,
            visits: 1.0,
        }));
        shares
    }
}

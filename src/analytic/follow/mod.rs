//! Requests followed one by one, for what those that do several things at once do to themselves.
//!
//! The branches of a request meet in the queues that they share, now or several calls further down: they wait for each other, and
//! what one finds there so does the next. Transforms take times as independent; so a few hundred requests are followed
//! through their programs, each alone with its own branches in queues where everybody else is a wait that is known:
//!
//! | symbol | meaning                                                                                | unit    |
//! |--------|----------------------------------------------------------------------------------------|---------|
//! | `V`    | what a visit waits for others' requests: at one server the work in line before it, to which others bring more in lumps that keep it as long on average as it is; elsewhere drawn anew as fast as the queue forgets | seconds |
//! | `S`    | work; that of the own request is done one after the other on `m` servers               | seconds |
//! | `ρ`    | utilization by everybody: what is put before others leaves at the rate `1 - ρ`          | 1       |
//! | `K(d)` | the part of a work that is there still some time `d` after it came                      | 1       |
//!
//! To first order in how close branches come, a queue with exponential work has its mean wait lengthened by those of the own request that
//! came before, and by what the branches of others add to each other:
//!
//! ```text
//! E W = E W(Poisson) + Σ S K(d) + ρ / (1 - ρ) Σ S K(d)
//! ```
//!
//! which is what batches would add of which as many visits meet as many others; for branches that come at once both are exact. In heavy
//! traffic everything counts that a request brings while the queue remembers, whoever meets whom (`traffic/together`).
//! So [`Companions`] counts whom visits meet, before waits are known, and [`timed`] times requests when they are. Every request
//! has random numbers of its own, which are the same for all models: figures change only with the model.

mod at_once;
mod batches;
mod company;
mod frames;
mod machine;
mod place;
mod places;
mod pool;
mod sends;
mod times;
mod wait;

pub(super) use company::{Companions, Company};
pub(super) use times::Timed;

use super::Solution;
use crate::distribution::Law;
use crate::math::random::Stream;
use crate::network::program::Program;
use crate::network::{PoolId, Step, VisitId, Workload};
use crate::unit::Seconds;
use company::{forking, refusing};
use machine::Machine;
use places::Places;
use rayon::prelude::*;

/// Visits that are followed to learn how long requests take, and requests of a workload at least and at most.
const TIMED_VISITS: f64 = 100_000.0;
const TIMED: (f64, f64) = (1_000.0, 6_000.0);

/// Those of a workload are timed for no more than this effort, and not at all where the first of them say that it would not be enough for
/// so many.
const TIMED_EFFORT: f64 = 1_000_000.0;
const FEWEST: usize = 50;
const FIRST: usize = 10;

/// Of all requests that are followed those that fall to one of several regimes, which are put together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    number: usize,
    regimes: usize,
}

impl Sample {
    /// Where there is one regime.
    pub const WHOLE: Sample = Sample { number: 0, regimes: 1 };

    /// Those that fall to one of so many regimes within this one.
    pub fn part(self, number: usize, regimes: usize) -> Sample {
        Sample { number: self.number * regimes + number, regimes: self.regimes * regimes }
    }

    /// How many they are of so many, but never too few.
    fn of(self, count: f64) -> f64 {
        (count / self.regimes as f64).max(TIMED.0)
    }

    /// The number of its first request.
    fn first(self) -> u64 {
        self.number as u64 * TIMED.1 as u64
    }
}

/// Waits that company makes no longer than this are those of visits alone.
const ALONE: f64 = 1.01;

/// Requests that wait for themselves no more than this part of their time are not timed, nor those that wait for anybody where they meet
/// themselves no more than that: what was drawn is no closer. Of so many of them it is seen whom they meet.
const FAINT: f64 = 0.003;
const CALM: f64 = 0.01;
const SEEN: f64 = 200.0;

/// All random numbers come from this seed.
const SEED: u64 = 0x706c_696d;

/// The operations that wait for others of the same request, or ask one that does and wait for it.
fn accompanied(solution: &Solution<'_>, company: &Company) -> Vec<bool> {
    let network = solution.network;
    let mut accompanied = vec![false; network.operations.len()];
    for &operation in network.order.iter().rev() {
        // Where users alone keep a queue from growing without end nothing is known of it without them.
        let meets = |visit: VisitId| {
            let station = network.visits[visit].station;
            let state = &solution.stations[station];
            state.company > ALONE || state.load >= 1.0 && company.waited[station] > 0.0
        };
        let waits = |pool: PoolId| company.waited[network.stations.len() + pool] > 0.0;
        accompanied[operation] = any(&network.operations[operation].steps, &|step| match step {
            Step::Visit(visit) => meets(*visit),
            Step::Hold { pool, .. } => waits(*pool),
            Step::Call(call) => accompanied[call.target],
            _ => false,
        });
    }
    accompanied
}

/// Whether something holds for any of some steps, or of those inside them.
fn any(steps: &[Step], holds: &dyn Fn(&Step) -> bool) -> bool {
    steps.iter().any(|step| {
        let mut inside = false;
        step.inner(|steps| inside |= any(steps, holds));
        inside || holds(step)
    })
}

/// What was timed of requests whose branches wait for each other.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    /// Requests of each workload; `None` where they never wait for each other, or too few were timed.
    pub workloads: Vec<Option<Timed>>,
    /// Those of which so much comes that only few were timed, or none.
    pub too_much: Vec<bool>,
    /// Runs of operations that fork, and in which they do: `[operation × classes + class]`.
    pub operations: Vec<Option<Timed>>,
    /// Whom they met, where all that may meet anybody were followed.
    pub company: Option<Company>,
}

/// What requests of a workload wait per second, for whomever, where they meet themselves; `None` where a queue grows without end.
fn waited(solution: &Solution<'_>, company: &Company, w: usize) -> Option<f64> {
    let Solution { network, flows, .. } = solution;
    let class = network.workloads[w].class;
    let meets = |place: usize| company.at_most(w, place) > 0.0;
    let mut sum = 0.0;
    for (visit, rates) in network.visits.iter().zip(flows.visits.iter()).filter(|(visit, _)| meets(visit.station)) {
        sum += rates[w] * solution.stations[visit.station].classes[class].queueing(visit.time.mean())?;
    }
    for (id, asked) in flows.pools.iter().enumerate().filter(|(id, _)| meets(network.stations.len() + id)) {
        sum += asked[w] * solution.gates[id].wait.as_ref()?.mean();
    }
    Some(sum)
}

/// Whether requests of a workload, which take so much time in all per second, wait where they meet themselves as little as would not show.
fn is_faint(solution: &Solution<'_>, company: &Company, came: &[Vec<f64>], w: usize, all: f64) -> bool {
    let own: f64 = came.iter().enumerate().map(|(place, came)| came[w] * company.at_most(w, place)).sum();
    own <= FAINT * all || waited(solution, company, w).is_some_and(|waits| waits <= CALM * all)
}

/// Times requests whose branches wait for each other, and the operations in them that do; `met` is the law of the service of a
/// visit of a class, `mean` what requests of a workload take that are not followed. `None` where nobody forks, or waits for that as much
/// as would show, or a queue grows without end.
pub(super) fn timed(
    solution: &Solution<'_>,
    sample: Sample,
    met: &dyn Fn(VisitId, usize) -> Option<Law>,
    mean: &dyn Fn(usize) -> Option<Seconds>,
) -> Option<Followed> {
    let network = solution.network;
    let company = solution.company.as_ref()?;
    let came = solution.flows.came(network);
    let mean = |w: usize| mean(w).map(|mean| mean * solution.rates[w]);
    let is_faint = |w: usize| mean(w).is_some_and(|all| is_faint(solution, company, &came, w, all));
    let faint: Vec<bool> = (0..network.workloads.len()).map(is_faint).collect();
    if !faint.contains(&false) {
        return None;
    }
    let accompanied = accompanied(solution, company);
    // What does one thing after the other takes what it takes on average, whoever asks for it.
    let meeting = forking(network);
    let forking: Vec<bool> = meeting.iter().zip(&accompanied).map(|(a, b)| *a && *b).collect();
    let program = Program::new(network);
    let visits: f64 = solution.flows.visits.iter().flatten().sum::<f64>() / solution.rates.iter().sum::<f64>();
    let enough = sample.of((TIMED_VISITS / visits.max(1.0)).clamp(TIMED.0, TIMED.1)).round();
    let asks = |w: usize, those: &[bool]| {
        solution.rates[w] > 0.0 && network.workloads[w].mix.iter().any(|(operation, _)| those[*operation])
    };
    let (mut all, mut wanted) = (true, Vec::new());
    for (w, is_faint) in faint.iter().enumerate() {
        if asks(w, &accompanied) {
            let class = network.workloads[w].class;
            let mut places = Places::settled(solution, company, class, &program.visits, &|visit| met(visit, class))?;
            places.come(network, &came, w, solution.rates[w]);
            let mut machine = Machine::new(network, &program, places);
            machine.wanted.clone_from(&forking);
            machine.refusing = refusing(&solution.losses, class);
            wanted.push((w, machine, if *is_faint { SEEN } else { enough }));
        } else {
            all &= !asks(w, &meeting);
        }
    }
    let follow = |(w, machine, count): &mut (usize, Machine<'_>, f64)| {
        drawn(machine, &network.workloads[*w], *w, sample.first(), *count)
    };
    let drawn: Vec<_> = wanted.par_iter_mut().map(follow).collect();
    let mut too_much = vec![false; network.workloads.len()];
    let mut workloads = vec![None; network.workloads.len()];
    let mut runs: Vec<Vec<Seconds>> = vec![Vec::new(); network.operations.len() * network.classes];
    let mut met_again = Company::none(network);
    for ((w, mut machine, count), times) in wanted.into_iter().zip(drawn) {
        too_much[w] = (times.len() as f64) < count && !faint[w];
        if times.len() < FEWEST {
            all = false;
            continue;
        }
        met_again.count(&mut machine.places, w, solution.rates[w] / times.len().max(1) as f64);
        if faint[w] {
            continue;
        }
        workloads[w] = times::timed(times.into_iter().flatten().collect());
        for (operation, times) in machine.runs.into_iter().enumerate() {
            runs[operation * network.classes + network.workloads[w].class].extend(times);
        }
    }
    met_again.finish(network, &solution.flows);
    let company = all.then_some(met_again);
    Some(Followed { workloads, too_much, operations: runs.into_iter().map(times::timed).collect(), company })
}

/// What so many requests of a workload take from this one on, each operation having its share of however many; fewer where too much
/// comes of each.
fn drawn(machine: &mut Machine<'_>, workload: &Workload, w: usize, first: u64, count: f64) -> Vec<Option<Seconds>> {
    let mut times = Vec::with_capacity(count as usize);
    let mut came = vec![0.0; workload.mix.len()];
    while (times.len() as f64) < count && (machine.effort() as f64) < TIMED_EFFORT {
        let number = times.len() as f64 + 1.0;
        let missing = |i: &usize| workload.mix[*i].1 * number - came[*i];
        let Some(next) = (0..came.len()).max_by(|a, b| missing(a).total_cmp(&missing(b))) else { break };
        came[next] += 1.0;
        times.push(machine.request(workload.mix[next].0, &mut Stream::new(SEED, first + times.len() as u64, w as u64)));
        if times.len() == FIRST && machine.effort() as f64 / FIRST as f64 * FEWEST as f64 > TIMED_EFFORT {
            break;
        }
    }
    times
}

//! Requests followed one by one, for what those that do several things at once do to themselves.
//!
//! The branches of a request meet in the queues that they share, now or several calls further down: they wait for each other, and
//! what one finds there so does the next. Transforms take times as independent; so a few hundred requests are followed
//! through their programs, each alone with its own branches in queues where everybody else is a wait that is known:
//!
//! | symbol | meaning                                                                                | unit    |
//! |--------|----------------------------------------------------------------------------------------|---------|
//! | `V`    | what a visit waits for others' requests: drawn anew as fast as the queue forgets        | seconds |
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
//! which is what batches would add of which as many visits meet as many others; for branches that come at once both are exact.
//! So [`Companions`] counts whom visits meet, before waits are known, and [`timed`] times requests when they are. Every request
//! has random numbers of its own, which are the same for all models: figures change only with the model.

mod at_once;
mod batches;
mod frames;
mod machine;
mod places;
mod times;

use super::Solution;
use super::tails::Tail;
use crate::distribution::Law;
use crate::math::random::Stream;
use crate::network::flows::Flows;
use crate::network::program::Program;
use crate::network::{Network, OperationId, Step, VisitId};
use crate::unit::{PerSecond, Seconds};
use machine::Machine;
use places::Places;

/// Visits that are followed to learn whom they meet, and requests of an entry at least and at most.
const MEETING_VISITS: f64 = 16_000.0;
const MEETING: (f64, f64) = (60.0, 400.0);

/// Visits that are followed to learn how long requests take, and requests of a workload at least and at most.
const TIMED_VISITS: f64 = 100_000.0;
const TIMED: (f64, f64) = (1_000.0, 6_000.0);

/// What happens to all of them is followed no further than this effort.
const MEETING_EFFORT: f64 = 200_000.0;
const TIMED_EFFORT: u64 = 2_000_000;

/// Company is taken as it was where arrivals have changed by no more than this part.
const SAME: f64 = 0.02;

/// And it is learned no more often than this on the way to a fixed point.
const MOST_LEARNED: usize = 12;

/// Waits that company makes no longer than this are those of visits alone.
const ALONE: f64 = 1.01;

/// What was counted of requests that were followed is right to about this.
const SAMPLED: f64 = 0.1;

/// All random numbers come from this seed.
const SEED: u64 = 0x706c_696d;

/// What requests meet of themselves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Company {
    /// For each station, then for each pool, how many visits per second meet so many others of the same request in their queue.
    met: Vec<Vec<PerSecond>>,
    /// How many of these per second did not come at the same time, at stations.
    elsewhen: Vec<PerSecond>,
    /// What a visit waits for those, on average.
    pub waited: Vec<Seconds>,
    form: Vec<Form>,
    /// Batches that come to stations, then pools, in which as many visits would meet as many: rate and size.
    pub batches: Vec<Vec<(PerSecond, u32)>>,
}

/// How waits for the own request at a station differ from those of visits whose work is alike.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Form {
    /// What is waited, what would be if all work were alike, and the former weighted by the work of the one who waits.
    waited: Seconds,
    expected: Seconds,
    burden: Seconds,
    utilization: f64,
}

impl Company {
    /// What waits for the own request at a station are over those of visits whose work is alike.
    pub fn form(&self, station: usize) -> f64 {
        self.form[station].factor()
    }
}

/// Whom visits meet of their own request; `None` where no request does several things at once.
fn company(network: &Network, flows: &Flows, rates: &[PerSecond], arrivals: &[PerSecond]) -> Option<Company> {
    let forking = forking(network);
    let entries: Vec<(usize, OperationId, PerSecond)> =
        entries(network, rates).filter(|(_, o, _)| forking[*o]).collect();
    if entries.is_empty() {
        return None;
    }
    let program = Program::new(network);
    let mut machine = Machine::new(network, &program, Places::before(network, flows));
    let visits: f64 = flows.visits.iter().flatten().sum::<f64>() / rates.iter().sum::<f64>();
    let all: f64 = entries.iter().map(|(_, _, rate)| rate).sum();
    let mut company = Company::none(network.stations.len(), network.pools.len());
    for (w, operation, rate) in entries {
        let part = rate / all;
        let wanted = (MEETING_VISITS / visits.max(1.0) * part).clamp(MEETING.0, MEETING.1) as u64;
        let enough = machine.effort() + (MEETING_EFFORT * part) as u64;
        let mut count = 0;
        while count < wanted && (machine.effort() < enough || count == 0) {
            machine.request(operation, &mut Stream::new(SEED, count, w as u64));
            count += 1;
        }
        machine.places.count(rate / count as f64, &mut company);
    }
    company.averaged(arrivals);
    company.batches = company.met.iter().map(|met| batches::batches(met)).collect();
    // Where all come at once, from one fork, nothing is left to chance.
    for (station, known) in at_once::at_once(network, flows).into_iter().enumerate() {
        let met: f64 = company.met[station].iter().zip(0..).map(|(rate, met)| rate * f64::from(met)).sum();
        let pairs: f64 = known.iter().map(|(rate, size)| 0.5 * rate * f64::from(size * (size - 1))).sum();
        if company.elsewhen[station] == 0.0 && (met - pairs).abs() <= SAMPLED * met {
            (company.batches[station], company.form[station]) = (known, Form::default());
        }
    }
    Some(company)
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

/// The operations that do several things at once, or ask one that does.
pub(super) fn forking(network: &Network) -> Vec<bool> {
    let mut forking = vec![false; network.operations.len()];
    if network.parallels > 0 {
        for &operation in network.order.iter().rev() {
            forking[operation] = forks(&network.operations[operation].steps, &forking);
        }
    }
    forking
}

fn forks(steps: &[Step], forking: &[bool]) -> bool {
    steps.iter().any(|step| match step {
        Step::Parallel { branches, .. } => branches.len() > 1,
        Step::Call(call) => forking[call.target],
        Step::Send(target) => forking[*target],
        step => {
            let mut any = false;
            step.inner(|steps| any |= forks(steps, forking));
            any
        }
    })
}

/// What is known of the company of visits, at which arrival rates of stations.
#[derive(Debug, Clone, Default)]
pub(super) struct Companions {
    at: Vec<PerSecond>,
    company: Option<Company>,
    learned: usize,
}

impl Companions {
    /// Whom visits meet at these flows: what was known before where they are much the same.
    pub fn at(&mut self, network: &Network, flows: &Flows, rates: &[PerSecond]) -> Option<&Company> {
        let mut arrivals = vec![0.0; network.stations.len()];
        for (visit, rates) in network.visits.iter().zip(flows.visits.iter()) {
            arrivals[visit.station] += rates.iter().sum::<f64>();
        }
        arrivals.extend(flows.pools.iter().map(|rates| rates.iter().sum::<f64>()));
        let same = |(now, then): (&f64, &f64)| (now - then).abs() <= SAME * then;
        if self.at.len() != arrivals.len() || self.learned < MOST_LEARNED && !arrivals.iter().zip(&self.at).all(same) {
            (self.company, self.at) = (company(network, flows, rates, &arrivals), arrivals);
            self.learned += 1;
        }
        self.company.as_ref()
    }
}

/// Whether requests of a workload come to a station or pool where some wait for others of the same request.
fn meets_company(solution: &Solution<'_>, company: &Company, w: usize) -> bool {
    let Solution { network, flows, stations, .. } = solution;
    let mut visits = network.visits.iter().zip(flows.visits.iter());
    let mut pools = company.waited.iter().skip(network.stations.len()).zip(flows.pools.iter());
    visits.any(|(visit, rates)| rates[w] > 0.0 && stations[visit.station].company > ALONE)
        || pools.any(|(waited, rates)| rates[w] > 0.0 && *waited > 0.0)
}

/// A mean time and its tail; `None` where too few were timed.
pub(super) type Timed = Option<(Seconds, Tail)>;

/// What was timed of requests that fork.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    /// Requests of each workload; `None` where they do not fork.
    pub workloads: Vec<Timed>,
    /// Runs of operations that fork: `[operation × classes + class]`.
    pub operations: Vec<Timed>,
}

/// Times requests that fork, and the operations in them that do; `met` is the law of the service of a visit of a class. `None` where
/// nobody forks, or a queue grows without end.
pub(super) fn timed(solution: &Solution<'_>, met: &dyn Fn(VisitId, usize) -> Option<Law>) -> Option<Followed> {
    let network = solution.network;
    let company = solution.company.as_ref()?;
    let forking = forking(network);
    let program = Program::new(network);
    let mut workloads = vec![None; network.workloads.len()];
    let mut runs: Vec<Vec<Seconds>> = vec![Vec::new(); network.operations.len() * network.classes];
    let visits: f64 = solution.flows.visits.iter().flatten().sum::<f64>() / solution.rates.iter().sum::<f64>();
    let count = (TIMED_VISITS / visits.max(1.0)).clamp(TIMED.0, TIMED.1).round();
    for (w, workload) in network.workloads.iter().enumerate() {
        let class = workload.class;
        if solution.rates[w] <= 0.0 || !meets_company(solution, company, w) {
            continue;
        }
        let places = Places::settled(solution, company, class, &program.visits, &|visit| met(visit, class))?;
        let mut machine = Machine::new(network, &program, places);
        machine.wanted.clone_from(&forking);
        let (mut until, mut times) = (0.0, Vec::with_capacity(count as usize));
        for (operation, share) in &workload.mix {
            until += share * count;
            let first = times.len() as u64;
            let requests = first..until.round() as u64;
            times.extend(requests.map(|number| machine.request(*operation, &mut Stream::new(SEED, number, w as u64))));
            if machine.effort() > TIMED_EFFORT {
                // Too much comes of each for enough of them to be timed.
                return None;
            }
        }
        workloads[w] = times::tail(times.into_iter().flatten().collect());
        for (operation, times) in machine.runs.into_iter().enumerate() {
            runs[operation * network.classes + class].extend(times);
        }
    }
    Some(Followed { workloads, operations: runs.into_iter().map(times::tail).collect() })
}

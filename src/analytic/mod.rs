//! Predicts the steady state of a network, and its way through time, by analysis: response-time distributions through the call graph.
//!
//! In the order of the data: `prepared` makes everything that is held a pool and draws out `circles`; `profile` takes load that
//! changes with time apart, whose queues `unsteady` follows, and `bursts` their phases; `regimes` puts them together. For given rates `memory` says how long each
//! queue remembers, `traffic` how variable the arrivals at each station are, `stations` what each class of requests meets there,
//! `layers` what they wait for that others hold and how users bound it; `closed` does all that exactly for users, and others beside
//! them, in a network of product form. `compose` puts the response-time distributions of operations together, `follow` those of
//! requests whose branches meet again, from which `feedback` learns what becomes of calls that are given up or made again, until
//! both agree. `saturation`, `crowd`, `breakdown`, `metastable` and `explain` explain the result, and `trust` says how far it can be
//! relied on.

mod accompanied;
mod breakdown;
mod bursts;
mod circles;
mod closed;
mod compose;
mod crowd;
mod explain;
mod feedback;
mod follow;
mod layers;
mod memory;
mod metastable;
mod prepared;
mod profile;
mod refined;
mod regimes;
mod results;
mod saturation;
mod stations;
mod tails;
mod traffic;
mod trust;
mod unreached;
mod unsteady;
mod waits;

pub use explain::parts;

use crate::math::fixed_point::{self, Steps};
use crate::math::rows::Rows;
use crate::network::flows::{Clear, Flows, Losses, flows};
use crate::network::{Network, Workload};
use crate::prediction::{Prediction, laws};
use crate::system::Load;
use bursts::Phase;
use closed::Users;
use compose::{Composed, Extent};
use feedback::{Beyond, Feedback};
use follow::{Companions, Company, Sample};
use layers::Gate;
use memory::Memory;
use prepared::prepared;
use rayon::prelude::*;
use regimes::Regime;
use stations::{Solved, StationState};

/// Rounds of the fixed point over refusals and overload. Flows settle one station after the other along a path, so a
/// few rounds more than the longest chain of overloaded or limited stations is enough; most models need one.
const MAX_ROUNDS: usize = 200;

/// Rounds of it in all on the way to what becomes of guarded calls and users: most models need tens.
const ALL_ROUNDS: usize = 1_000;

/// How closely this engine computes: what its figures owe to arithmetic, beside what they owe to the theory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerances {
    /// Refusal probabilities that move less than this have settled.
    pub flows: f64,
    /// Relative error of a percentile that is read between two times of a tail.
    pub percentiles: f64,
}

/// The tolerances of every prediction.
pub const TOLERANCES: Tolerances = Tolerances { flows: 1e-10, percentiles: 5e-4 };

/// A network in steady state.
#[derive(Clone)]
struct Solution<'n> {
    network: &'n Network,
    /// Arrival rate of each workload.
    rates: Vec<f64>,
    flows: Flows,
    /// What does not get through, and what becomes of guarded calls.
    losses: Losses,
    /// For each workload how much longer requests of users take than the part of the network that they pass.
    beyond: Vec<Beyond>,
    /// What the queue of each station remembers.
    memories: Vec<Memory>,
    /// Whom visits meet of their own request, where requests do several things at once.
    company: Option<Company>,
    stations: Vec<StationState>,
    /// One for each pool.
    gates: Vec<Gate>,
    /// Those who wait for their answers, where all do.
    users: Option<Users<'n>>,
    /// How far flows are from where the last round led.
    apart: f64,
}

impl Solution<'_> {
    /// Whether no queue grows without end.
    fn is_stable(&self) -> bool {
        is_stable(&self.stations, &self.gates)
    }

    /// What is refused; what is stuck in a queue that grows without end is neither answer nor error.
    fn refusals(&self) -> Losses {
        refusals(self.network, &self.stations, &self.gates, &self.losses)
    }
}

fn refusals(network: &Network, stations: &[StationState], gates: &[Gate], losses: &Losses) -> Losses {
    let mut tries = losses.tries.clone();
    tries.cells_mut().iter_mut().for_each(|tries| tries.through = 1.0);
    let stations = Rows::from_fn(stations.len(), network.classes, |id, class| stations[id].classes[class].refused);
    Losses { stations, pools: gates.iter().map(|gate| gate.refused).collect(), tries, clear: None }
}

/// Whether no queue grows without end.
fn is_stable(stations: &[StationState], gates: &[Gate]) -> bool {
    stations.iter().all(|state| state.classes.iter().all(|class| class.wait.is_some()))
        && gates.iter().all(|gate| gate.wait.is_some())
}

/// From so many operations on a network is solved on several threads; the figures are the same.
const MANY: usize = 250;

/// Something for each item, in order, on several threads in large networks.
fn each<I: Sync, T: Send>(network: &Network, items: &[I], f: impl Fn(&I) -> T + Send + Sync) -> Vec<T> {
    if network.operations.len() < MANY { items.iter().map(f).collect() } else { items.par_iter().map(f).collect() }
}

/// The same with a workplace that each thread sets up once.
fn each_in<I: Sync, W, T: Send>(
    network: &Network,
    items: &[I],
    workplace: impl Fn() -> W + Send + Sync,
    f: impl Fn(&mut W, &I) -> T + Send + Sync,
) -> Vec<T> {
    if network.operations.len() < MANY {
        let mut own = workplace();
        items.iter().map(|item| f(&mut own, item)).collect()
    } else {
        items.par_iter().map_init(workplace, f).collect()
    }
}

/// Predicts what a network does: in steady state, or over all of its time where its load changes.
pub fn solve(network: &Network) -> Prediction {
    let network = prepared(network);
    let apart = closed::told_apart(&network);
    let prediction = match Users::of(apart.as_ref().unwrap_or(&network)) {
        Some(users) => {
            let solution = users.steady_state();
            results::predict(&solution, &Composed::new(&solution, Extent::Whole))
        }
        None if traffic::tells_apart(&network) => profile::predict(&closed::each_apart(&network)),
        None => profile::predict(&network),
    };
    debug_assert!(laws::broken(&prediction, 1e-6).is_empty(), "{:?}", laws::broken(&prediction, 1e-6));
    prediction
}

/// The solution where workloads come at these mean rates, and the prediction, in bursts or not.
fn at_rates(network: &Network, rates: Vec<f64>, sample: Sample) -> (Solution<'_>, Prediction) {
    let phased = bursts::come(network, &rates);
    let (solution, prediction) = settled(network, rates, Setting { within: None, sample, phased });
    if !phased || !prediction.stable {
        return (solution, prediction);
    }
    let regimes = bursts::regimes(&solution);
    let count = regimes.len();
    let parts: Vec<(f64, Prediction)> = regimes
        .into_par_iter()
        .enumerate()
        .map(|(number, Regime { share, rates, phase })| {
            let within = phase.as_ref().map(|phase| (phase, &solution));
            let setting = Setting { within, sample: sample.part(number, count), phased: false };
            (share, settled(network, rates, setting).1)
        })
        .collect();
    (solution, regimes::mixed(prediction, &parts))
}

/// The rate of a workload to begin with: that of users is found later.
fn begun(workload: &Workload) -> f64 {
    match &workload.load {
        Load::Closed { users, think } => f64::from(*users) / (think.mean() + 1.0) * 1e-6,
        _ => workload.rate(),
    }
}

/// A phase of bursts, and the solution at mean rates.
type Within<'w> = Option<(&'w Phase, &'w Solution<'w>)>;

/// In what a network is solved.
#[derive(Clone, Copy)]
struct Setting<'w> {
    within: Within<'w>,
    sample: Sample,
    /// Whether it is solved for its phases, of which times are put together afterwards: its own need no more than means.
    phased: bool,
}

impl Setting<'_> {
    const PLAIN: Setting<'static> = Setting { within: None, sample: Sample::WHOLE, phased: false };
}

/// The settled solution and its prediction.
fn settled<'n>(network: &'n Network, rates: Vec<f64>, setting: Setting<'_>) -> (Solution<'n>, Prediction) {
    settle(network, rates, setting, |solution, composed, apart| {
        let mut prediction = results::predict(solution, composed);
        let apart = apart.max(trust::beyond_users(network, &prediction));
        trust::unsettled(&mut prediction, apart);
        if prediction.stable {
            prediction.metastable = metastable::find(solution, composed);
        }
        prediction
    })
}

/// From this load on waits are long enough to keep branches apart.
const LONG: f64 = 0.6;

/// The fixed point over what becomes of guarded calls, which depends on how long they take, and what is made of it and of how far
/// from it that still is.
fn settle<'n, T>(
    network: &'n Network,
    mut rates: Vec<f64>,
    Setting { within, sample, phased }: Setting<'_>,
    made: impl Fn(&Solution<'_>, &Composed<'_>, f64) -> T,
) -> (Solution<'n>, T) {
    let near = within.map(|(_, base)| base).filter(|base| base.is_stable());
    let mut feedback = Feedback::of(network, near);
    let mut before = Before { companions: Companions::of(network), stations: Solved::default() };
    // What is given up or copied after a while is met far more often by who waits longer.
    let mut met = within.is_some() || feedback.is_timed();
    let mut left = ALL_ROUNDS;
    loop {
        let solution = steady_state(network, rates.clone(), &feedback, &mut before, within, &mut left);
        // What is about to settle is composed whole at once.
        let wanted = if phased && solution.is_stable() { Extent::Chances } else { Extent::Whole };
        let extent = if feedback.settles_next() { wanted } else { Extent::Chances };
        let looked = feedback.is_open().then(|| Composed::new(&solution, extent));
        let settled = looked.as_ref().is_none_or(|composed| feedback.is_settled(&solution, composed)) || left == 0;
        // Whom requests meet need not wait for the last digits of how often calls are made.
        let enough = feedback.is_near() || settled && before.companions.is_unknown();
        if left > 0 && within.is_none() && enough && before.companions.is_outdated(&solution) {
            feedback.restart();
        } else if settled {
            let looked = looked.filter(|_| extent == wanted);
            let mut composed = looked.unwrap_or_else(|| Composed::new(&solution, wanted));
            composed.follow(sample);
            let longer = left > 0 && feedback.apart() == 0.0 && feedback.is_longer(&composed);
            let long = |station: &StationState| station.company > 1.0 && station.load > LONG;
            let learns = left > 0 && !met && !longer && solution.stations.iter().any(long);
            let seen = composed.company.take().filter(|_| learns);
            if !longer && seen.is_none() {
                let made = made(&solution, &composed, solution.apart.max(feedback.apart()));
                drop(composed);
                return (solution, made);
            }
            if let Some(company) = seen {
                // Whom branches meet depends on how long they wait, which is known now.
                met = true;
                before.companions.meet(company);
            }
            feedback.restart();
        }
        rates.clone_from(&solution.rates);
    }
}

/// What was found in earlier rounds, and holds where nothing has changed since.
struct Before {
    companions: Companions,
    stations: Solved,
}

/// The fixed point of flows, variability, stations and pools, given what becomes of guarded calls; `left` rounds are left.
fn steady_state<'n>(
    network: &'n Network,
    mut rates: Vec<f64>,
    feedback: &Feedback<'_>,
    before: &mut Before,
    within: Within<'_>,
    left: &mut usize,
) -> Solution<'n> {
    let mut losses = feedback.losses();
    let tolerance = feedback.tolerance();
    let mut steps = Steps::default();
    let mut rounds = 0;
    loop {
        let mut flows = flows(network, &rates, &losses);
        let memories = memory::memories(network, &flows, &rates);
        // Phases come and go faster than company is learned: what holds on average holds in each.
        let company = match within {
            Some((_, base)) => base.company.as_ref(),
            None => before.companions.known(network, &flows, &losses, &memories, &rates),
        };
        let variability = traffic::variability(network, &rates, &flows, &memories, &losses.stations, company);
        let mut stations = stations::solve(network, &flows, &variability, &mut before.stations);
        let (mut gates, users) =
            layers::solve(network, &rates, (feedback.beyond(), company), &flows, &losses, &variability, &mut stations);
        if let Some((phase, base)) = within {
            phase.apply(network, base, &mut stations, &mut gates);
        }
        // What does not get through stations and pools, and how often users come.
        let mut taken: Vec<f64> = losses.stations.cells().iter().chain(&losses.pools).copied().collect();
        let classes = 0..network.classes;
        let mut led: Vec<f64> =
            stations.iter().flat_map(|state| classes.clone().map(|class| state.held(class))).collect();
        led.extend(gates.iter().map(Gate::held));
        for (rate, came) in rates.iter().zip(&users) {
            let Some(came) = came else { continue };
            taken.push(rate.ln());
            led.push(came.ln());
        }
        let apart = fixed_point::apart(&taken, &led);
        rounds += 1;
        *left = left.saturating_sub(1);
        if apart < tolerance || rounds == MAX_ROUNDS || *left == 0 {
            layers::find_dead(network, &flows, &losses, &mut gates);
            if gates.iter().any(|gate| gate.dead) {
                flows = stopped(network, &rates, &losses, &gates);
                stations = stations::solve(network, &flows, &variability, &mut before.stations);
            }
            let (company, beyond) = (company.cloned(), feedback.beyond().to_vec());
            return Solution {
                network,
                rates,
                flows,
                losses,
                beyond,
                memories,
                company,
                stations,
                gates,
                users: None,
                apart,
            };
        }
        let grows = !is_stable(&stations, &gates);
        losses.clear = grows.then(|| Box::new(Clear::of(network, refusals(network, &stations, &gates, &losses))));
        let mut next = steps.next(&taken, &led).into_iter();
        let held = losses.stations.cells_mut().iter_mut().chain(&mut losses.pools);
        held.zip(&mut next).for_each(|(held, next)| *held = next.clamp(0.0, 1.0));
        let of_users = rates.iter_mut().zip(users).filter(|(_, came)| came.is_some());
        of_users.zip(next).for_each(|((rate, _), next)| *rate = next.exp());
    }
}

/// Flows where sooner or later nothing gets further than what is deadlocked.
fn stopped(network: &Network, rates: &[f64], losses: &Losses, gates: &[Gate]) -> Flows {
    let mut losses = losses.clone();
    losses.pools.iter_mut().zip(gates).filter(|(_, gate)| gate.dead).for_each(|(held, _)| *held = 1.0);
    flows(network, rates, &losses)
}

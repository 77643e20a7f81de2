//! The analytic engine: flows, then stations, then whole response-time distributions through the call graph.
//!
//! In the order of the data: `support` says what this engine cannot solve; `memory` how long each queue remembers;
//! `traffic` how variable the arrivals at each station are; `stations` what each class of requests meets there, or `closed`
//! where users wait for their answers;
//! `compose` puts the response-time distributions of operations together; `saturation` and `breakdown` explain the result.

mod breakdown;
mod closed;
mod compose;
mod memory;
mod results;
mod saturation;
mod stations;
mod support;
mod tails;
mod traffic;
mod trust;

pub use closed::unsolved_users;
pub use support::{circle, unsupported, waiting_users};

use crate::math::rows::Rows;
use crate::network::flows::{Flows, flows};
use crate::network::{Network, StationId};
use crate::prediction::{Prediction, laws};
use closed::Users;
use memory::Memory;
use rayon::prelude::*;
use stations::StationState;

/// Rounds of the fixed point over refusals and overload. Flows settle one station after the other along a path, so a
/// few rounds more than the longest chain of overloaded or limited stations is enough; most models need one.
const MAX_ROUNDS: usize = 200;

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
struct Solution<'n> {
    network: &'n Network,
    /// Arrival rate of each workload.
    rates: Vec<f64>,
    flows: Flows,
    /// What the queue of each station remembers.
    memories: Vec<Memory>,
    stations: Vec<StationState>,
    /// Those who wait for their answers, where all do.
    users: Option<Users<'n>>,
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

/// Predicts the steady state of a network in which nothing stands that [`unsupported`], [`circle`] or [`unsolved_users`] name.
pub fn solve(network: &Network) -> Prediction {
    let solution = match Users::of(network) {
        Some(users) => users.steady_state(),
        None => steady_state(network, network.workloads.iter().map(|workload| workload.rate()).collect()),
    };
    let prediction = results::predict(&solution);
    debug_assert!(laws::broken(&prediction, 1e-6).is_empty(), "{:?}", laws::broken(&prediction, 1e-6));
    prediction
}

/// The fixed point of flows, variability and stations.
fn steady_state(network: &Network, rates: Vec<f64>) -> Solution<'_> {
    // The part of the requests of each class that a station does not let through: refused, or stuck for ever.
    let mut held = Rows::of(0.0, network.stations.len(), network.classes);
    // The last correction of each, and how much of the next is made: less after each one that went too far.
    let mut steps = Rows::of((0.0f64, 1.0f64), network.stations.len(), network.classes);
    let mut rounds = 0;
    loop {
        let stop = |station: StationId, class: usize| held[station][class];
        let flows = flows(network, &rates, &stop);
        let memories = memory::memories(network, &flows, &rates);
        let variability = traffic::variability(network, &flows, &memories, &held);
        let stations = stations::solve(network, &flows, &variability);
        let mut moved = 0.0f64;
        for (station, state) in stations.iter().enumerate() {
            for (class, (held, (last, part))) in held[station].iter_mut().zip(&mut steps[station]).enumerate() {
                let correction = state.held(class) - *held;
                if correction * *last < 0.0 {
                    *part *= 0.5;
                }
                moved = moved.max(correction.abs());
                *held += *part * correction;
                *last = correction;
            }
        }
        rounds += 1;
        if moved < TOLERANCES.flows || rounds == MAX_ROUNDS {
            return Solution { network, rates, flows, memories, stations, users: None };
        }
    }
}

//! Attempts that are made in vain: what had no room for one often has none for the next.
//!
//! | symbol | meaning                                                                     | unit    |
//! |--------|-----------------------------------------------------------------------------|---------|
//! | `f`    | chance that an attempt fails that is made at any time                       | 1       |
//! | `r(t)` | chance that it is refused, and that what refuses it is still full after `t` | 1       |
//! | `t_k`  | time from an attempt that is refused to the `k`-th retry                    | seconds |
//!
//! ```text
//! in vain  v_k = r(t_k) / f,   fails  v_k + (1 - v_k) f
//! ```
//!
//! What an operation meets is refused by the queues on its way with their chances, and each stays full as its chain says; another
//! attempt meets the same one again as often as it takes the same way. Those that are not in vain meet what anyone meets who comes at
//! any time, and only they are arrivals of the queue, so that without a pause retries change nothing: whoever comes again at once
//! finds no room.
//!
//! Source: this project's, with its errors in docs/methods.md.

use super::Composed;
use crate::analytic::Solution;
use crate::math::lasting::Lasting;
use crate::network::flows::{all_of, at_least, geometric_sum};
use crate::network::{Guarded, Network, OperationId, StationId, Step};
use crate::unit::Seconds;

/// What becomes of some steps: the chance that they succeed, and by what they are refused for how long.
#[derive(Debug, Clone, Copy)]
struct Refused {
    passed: f64,
    lasting: Lasting,
}

impl Refused {
    const NEVER: Refused = Refused { passed: 1.0, lasting: Lasting::NONE };

    fn then(self, next: Refused) -> Refused {
        Refused { passed: self.passed * next.passed, lasting: self.lasting.plus(next.lasting, self.passed) }
    }

    /// These with a chance, which another attempt must have as well to meet the same.
    fn by_chance(self, chance: f64) -> Refused {
        Refused { passed: 1.0 - chance * (1.0 - self.passed), lasting: self.lasting.times(chance * chance) }
    }

    fn in_a_row(self, times: u32) -> Refused {
        let lasting = self.lasting.times(geometric_sum(self.passed, times));
        Refused { passed: all_of(self.passed, times), lasting }
    }
}

/// What refuses runs of each operation: `[operation × classes + class]`.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    stations: Vec<Lasting>,
    operations: Vec<Refused>,
}

impl Refusals {
    /// Nothing where nobody tries again, or nothing is refused.
    pub fn of(solution: &Solution<'_>) -> Refusals {
        let refuses = |station: StationId| solution.stations[station].classes.iter().any(|class| class.refused > 0.0);
        let anything =
            || (0..solution.stations.len()).any(refuses) || solution.gates.iter().any(|gate| !gate.lasting.is_none());
        if solution.network.guards == 0 || !anything() {
            return Refusals::default();
        }
        let network = solution.network;
        let brought = solution.flows.brought(network);
        let of_station = |station: StationId| {
            let lasting = if refuses(station) { full(network, station, brought[station]) } else { Lasting::NONE };
            lasting.times(solution.memories[station].same)
        };
        let mut refusals = Refusals {
            stations: (0..network.stations.len()).map(of_station).collect(),
            operations: vec![Refused::NEVER; network.operations.len() * network.classes],
        };
        for &operation in network.order.iter().rev() {
            for class in 0..network.classes {
                refusals.operations[operation * network.classes + class] =
                    refusals.in_steps(solution, &network.operations[operation].steps, class);
            }
        }
        refusals
    }

    fn in_steps(&self, solution: &Solution<'_>, steps: &[Step], class: usize) -> Refused {
        steps.iter().fold(Refused::NEVER, |sum, step| sum.then(self.in_step(solution, step, class)))
    }

    fn in_step(&self, solution: &Solution<'_>, step: &Step, class: usize) -> Refused {
        let inside = |steps: &[Step]| self.in_steps(solution, steps, class);
        let target = |operation: OperationId| self.operations[operation * solution.network.classes + class];
        match step {
            Step::Visit(visit) => {
                let station = solution.network.visits[*visit].station;
                let refused = solution.stations[station].classes[class].refused;
                Refused { passed: 1.0 - refused, lasting: self.stations[station].times(refused) }
            }
            Step::Hold { pool, steps } => {
                let gate = &solution.gates[*pool];
                let door = Refused { passed: 1.0 - gate.refused, lasting: gate.lasting.times(gate.refused) };
                door.then(inside(steps))
            }
            Step::Call(call) => target(call.target).in_a_row(call.times).by_chance(call.probability),
            Step::Guarded(guarded) => {
                // Of one that has failed to the end the last attempt counts.
                let tries = &solution.losses.tries[guarded.id][class];
                let last = inside(&guarded.attempt).lasting.times(all_of(tries.again, guarded.call.retries));
                let call = Refused { passed: tries.success, lasting: last };
                call.in_a_row(guarded.call.times).by_chance(guarded.call.probability)
            }
            Step::Repeat { times, steps } => inside(steps).in_a_row(*times),
            Step::Choose { ways, .. } => {
                ways.iter().fold(Refused { passed: 0.0, lasting: Lasting::NONE }, |sum, (weight, steps)| {
                    let way = inside(steps);
                    let lasting = sum.lasting.plus(way.lasting, weight * weight);
                    Refused { passed: sum.passed + weight * way.passed, lasting }
                })
            }
            Step::Parallel { branches, needed, .. } if *needed == branches.len() => {
                branches.iter().fold(Refused::NEVER, |sum, steps| sum.then(inside(steps)))
            }
            Step::Parallel { branches, needed, .. } => {
                let each: Vec<f64> = branches.iter().map(|steps| inside(steps).passed).collect();
                Refused { passed: at_least(&each, *needed), lasting: Lasting::NONE }
            }
            Step::Fail(chance) => Refused { passed: 1.0 - chance, lasting: Lasting::NONE },
            Step::Delay(_) | Step::Send(_) => Refused::NEVER,
        }
    }
}

/// How long a station stays full to which so many come per second, with so much work, as if that were memoryless.
fn full(network: &Network, station: StationId, (rate, work): (f64, f64)) -> Lasting {
    let station = &network.stations[station];
    let queues = if station.balancer.fills_all(station.instances) { 1 } else { station.instances };
    let of_one = |each: u32| each.saturating_mul(station.instances / queues);
    let (servers, places) = (of_one(station.servers), of_one(station.queue.unwrap_or(0)));
    let (up, each) = (rate / f64::from(queues), rate / work);
    if !(each > 0.0 && each.is_finite()) {
        return Lasting::NONE;
    }
    let room = servers.saturating_add(places) as usize;
    Lasting::of_full(room, up, |n| each * n.min(servers as usize) as f64)
}

impl Composed<'_> {
    /// The chances that an attempt fails when the one before has failed, and that it does so in vain, where one that is made at any time
    /// fails with the chance `failing`, after a time `until`; on average over as many retries.
    pub(super) fn tried_again(&self, guarded: &Guarded, class: usize, failing: f64, until: Seconds) -> (f64, f64) {
        let retries = guarded.call.retries;
        if self.tried.operations.is_empty() || retries == 0 || failing <= 0.0 || failing >= 1.0 {
            return (failing, 0.0);
        }
        let lasting = self.tried.in_steps(self.solution, &guarded.attempt, class).lasting;
        let fails = |retry: u32| {
            let vain = (lasting.kept(until + pause(guarded, retry)) / failing).min(1.0);
            vain + (1.0 - vain) * failing
        };
        let all: f64 = (1..=retries).map(|retry| fails(retry).ln()).sum();
        let again = (all / f64::from(retries)).exp();
        (again, ((again - failing) / (1.0 - failing)).clamp(0.0, 1.0))
    }

    /// The chance that an attempt is refused of which more follow, and that what refused it has changed until the first of them: which
    /// is known without a pause, and soon less with one.
    pub(in crate::analytic) fn forgotten(&self, guarded: &Guarded, class: usize) -> f64 {
        if self.tried.operations.is_empty() || guarded.call.retries == 0 {
            return 0.0;
        }
        let lasting = self.tried.in_steps(self.solution, &guarded.attempt, class).lasting;
        let until = self.rough_steps(&guarded.attempt, class).map_or(0.0, |rough| rough.failure.mean);
        lasting.kept(0.0) - lasting.kept(until + pause(guarded, 1))
    }
}

/// The mean pause before a retry.
fn pause(guarded: &Guarded, retry: u32) -> Seconds {
    guarded.call.backoff.map_or(0.0, |backoff| backoff.mean(retry))
}

//! What becomes of calls that are given up, tried again or made twice depends on how long they take, and that on how many
//! are made: a fixed point.

use super::Solution;
use super::compose::Composed;
use crate::math::rows::Rows;
use crate::network::flows::Losses;
use crate::network::{Guarded, Network, Step as Program};

/// Chances that move less than this have settled.
const SETTLED: f64 = 1e-6;

/// Rounds after which it is given up.
const MOST_ROUNDS: usize = 60;

/// How far towards a new value one goes: less after each time it was too far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    last: f64,
    part: f64,
}

impl Step {
    pub const WHOLE: Step = Step { last: 0.0, part: 1.0 };

    /// Moves a value towards another one; returns how far they are apart.
    pub fn towards(&mut self, value: &mut f64, wanted: f64) -> f64 {
        let correction = wanted - *value;
        if correction * self.last < 0.0 {
            self.part *= 0.5;
        }
        *value += self.part * correction;
        self.last = correction;
        correction.abs()
    }
}

/// Guarded calls on their way to the fixed point.
pub(super) struct Feedback<'n> {
    guarded: Vec<&'n Guarded>,
    losses: Losses,
    /// Of the chances that an attempt succeeds, is late, is copied, and fails again: `[guard][class]`.
    steps: Rows<[Step; 4]>,
    rounds: usize,
}

impl<'n> Feedback<'n> {
    /// Before anything is known every call succeeds at once.
    pub fn of(network: &'n Network) -> Feedback<'n> {
        let mut guarded = Vec::with_capacity(network.guards);
        network.operations.iter().for_each(|operation| find(&operation.steps, &mut guarded));
        let steps = Rows::of([Step::WHOLE; 4], network.guards, network.classes);
        Feedback { guarded, losses: Losses::none(network), steps, rounds: 0 }
    }

    /// What is lost, as far as it is known.
    pub fn losses(&self) -> Losses {
        self.losses.clone()
    }

    /// Whether guarded calls go as the solution took them to; else they are taken as they go now.
    pub fn is_settled(&mut self, solution: &Solution<'_>, composed: &Composed<'_>) -> bool {
        self.losses.stations = solution.losses.stations.clone();
        self.losses.pools.clone_from(&solution.losses.pools);
        let mut moved = 0.0f64;
        for guarded in &self.guarded {
            for class in 0..solution.network.classes {
                let next = composed.tries(guarded, class);
                let mut tries = self.losses.tries[guarded.id][class];
                let steps = &mut self.steps[guarded.id][class];
                let chances = [
                    (&mut tries.attempt, next.attempt),
                    (&mut tries.late, next.late),
                    (&mut tries.copied, next.copied),
                    (&mut tries.again, next.again),
                ];
                for (step, (own, wanted)) in steps.iter_mut().zip(chances) {
                    moved = moved.max(step.towards(own, wanted));
                }
                tries.time = next.time;
                self.losses.tries[guarded.id][class] = tries.retried(tries.again, guarded.call.retries);
            }
        }
        self.rounds += 1;
        moved < SETTLED || self.rounds == MOST_ROUNDS
    }
}

fn find<'n>(steps: &'n [Program], guarded: &mut Vec<&'n Guarded>) {
    for step in steps {
        if let Program::Guarded(found) = step {
            guarded.push(found);
        }
        step.inner(|steps| find(steps, guarded));
    }
}

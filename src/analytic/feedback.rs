//! What becomes of calls that are given up, tried again or made twice depends on how long they take, and that on how many
//! are made: a fixed point.

use super::Solution;
use super::compose::Composed;
use crate::math::rows::Rows;
use crate::network::flows::Losses;
use crate::network::{Guarded, Network, Step, Workload};
use crate::system::Load;
use crate::unit::Seconds;

/// Chances that move less than this have settled.
const SETTLED: f64 = 1e-6;

/// And cycles of users whose requests are followed.
const TIMED: f64 = 2e-3;

/// Rounds in which they are.
const FOLLOWED: usize = 6;

/// Rounds after which it is given up.
const MOST_ROUNDS: usize = 60;

/// Steps of a value towards new ones, each as long as the last two say that it should be (the secant of the correction), and less
/// far after each that went too far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Damped {
    /// The last correction, and the part of it that was made.
    last: f64,
    part: f64,
    /// No step is longer than this part.
    most: f64,
}

/// No step is a shorter part of a correction, or at first a longer one, whatever the secant says.
const LEAST_PART: f64 = 0.1;
const MOST_PART: f64 = 1.5;

/// What the longest part shrinks by after a step that went too far.
const SHRINKS: f64 = 0.8;

impl Damped {
    pub const WHOLE: Damped = Damped { last: 0.0, part: 1.0, most: MOST_PART };

    /// Moves a value towards another one; returns how far they are apart.
    pub fn towards(&mut self, value: &mut f64, wanted: f64) -> f64 {
        let correction = wanted - *value;
        if correction * self.last < 0.0 {
            self.most *= SHRINKS;
        }
        if self.last != 0.0 {
            let slope = (self.last - correction) / (self.part * self.last);
            self.part = if slope > 0.0 { (1.0 / slope).clamp(LEAST_PART, MOST_PART) } else { 1.0 }.min(self.most);
        }
        *value += self.part * correction;
        self.last = correction;
        correction.abs()
    }
}

/// How much longer requests take than the part of the network that they pass: by what is waited out on the way, or less where they
/// do more at once than it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beyond {
    difference: Seconds,
    /// About what they take: what less is measured by.
    response: Seconds,
    step: Damped,
}

impl Beyond {
    /// What is waited out, in seconds.
    pub fn added(&self) -> Seconds {
        self.difference.max(0.0)
    }

    /// The part of the time that is taken.
    pub fn part(&self) -> f64 {
        if self.difference < 0.0 { self.response / (self.response - self.difference) } else { 1.0 }
    }

    /// Moves to where requests take this response time, which are taken to be so long now; returns how far that is.
    fn towards(&mut self, response: Seconds, taken: Seconds) -> Seconds {
        if self.response == 0.0 {
            self.response = response;
        }
        let part = self.part() * response / taken.max(f64::MIN_POSITIVE);
        let wanted = if self.difference <= 0.0 && part < 1.0 {
            self.response - self.response / part
        } else {
            response - (taken - self.added()) / self.part()
        };
        self.step.towards(&mut self.difference, wanted)
    }
}

/// Guarded calls on their way to the fixed point.
pub(super) struct Feedback<'n> {
    network: &'n Network,
    guarded: Vec<&'n Guarded>,
    losses: Losses,
    /// Of the chances that an attempt succeeds, is late, is copied, and fails again: `[guard][class]`.
    steps: Rows<[Damped; 4]>,
    /// For each workload of users how much longer its requests take than the part of the network that they pass.
    beyond: Vec<Beyond>,
    /// How much longer requests took when they were followed last.
    longer: Vec<f64>,
    rounds: usize,
}

impl<'n> Feedback<'n> {
    /// Before anything is known every call succeeds at once.
    pub fn of(network: &'n Network) -> Feedback<'n> {
        let guarded = guarded_calls(network);
        let steps = Rows::of([Damped::WHOLE; 4], network.guards, network.classes);
        let workloads = network.workloads.len();
        Feedback {
            network,
            guarded,
            losses: Losses::none(network),
            steps,
            beyond: vec![Beyond { difference: 0.0, response: 0.0, step: Damped::WHOLE }; workloads],
            longer: vec![1.0; workloads],
            rounds: 0,
        }
    }

    /// Whether what becomes of some call depends on how long it takes.
    pub fn is_timed(&self) -> bool {
        self.guarded.iter().any(|guarded| guarded.is_decided_by_time())
    }

    /// Begins again from what is known, since something else has changed.
    pub fn restart(&mut self) {
        self.steps = Rows::of([Damped::WHOLE; 4], self.network.guards, self.network.classes);
        self.beyond.iter_mut().for_each(|beyond| beyond.step = Damped::WHOLE);
        self.rounds = 0;
    }

    /// Whether requests are to be followed now: those of users, whose time decides how often they come, until it is known how much
    /// longer they take.
    pub fn follows(&self, network: &Network) -> bool {
        let closed = |workload: &Workload| matches!(workload.load, Load::Closed { .. });
        self.rounds < FOLLOWED && network.workloads.iter().any(closed)
    }

    /// For each workload how much longer requests of users take than the part of the network that they pass.
    pub fn beyond(&self) -> &[Beyond] {
        &self.beyond
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
        for (w, workload) in solution.network.workloads.iter().enumerate() {
            let Load::Closed { users, think } = &workload.load else { continue };
            if let Some(longer) = composed.longer(w) {
                self.longer[w] = longer;
            }
            let followed = composed.followed(w).map(|(mean, _)| *mean);
            let composed = || composed.request(w).map(|mean| self.longer[w] * mean);
            let Some(response) = followed.or_else(composed).filter(|response| response.is_finite()) else { continue };
            let cycle = f64::from(*users) / solution.rates[w];
            let apart = self.beyond[w].towards(response, cycle - think.mean()) / cycle;
            // What was timed changes by steps.
            let enough = followed.is_some() && apart < TIMED;
            moved = moved.max(if enough { 0.0 } else { apart });
        }
        self.rounds += 1;
        moved < SETTLED || self.rounds == MOST_ROUNDS
    }
}

/// Every guarded call of a network.
pub(super) fn guarded_calls(network: &Network) -> Vec<&Guarded> {
    let mut guarded = Vec::with_capacity(network.guards);
    network.operations.iter().for_each(|operation| find(&operation.steps, &mut guarded));
    guarded
}

fn find<'n>(steps: &'n [Step], guarded: &mut Vec<&'n Guarded>) {
    for step in steps {
        if let Step::Guarded(found) = step {
            guarded.push(found);
        }
        step.inner(|steps| find(steps, guarded));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_to_the_fixed_point_from_either_side() {
        for slope in [-3.0, -1.0, -0.5, 0.0, 0.3] {
            let (mut value, mut step) = (0.0, Damped::WHOLE);
            // The fixed point of a line is one.
            let rounds = (0..30).take_while(|_| {
                let wanted = 1.0 + slope * (value - 1.0);
                step.towards(&mut value, wanted) > 1e-9
            });
            let rounds = rounds.count();
            assert!(rounds < 12, "{slope} {rounds}");
        }
    }
}

//! Requests that arrive at a station together, or nearly so, because a parallel step sends them.
//!
//! What comes with some time between counts as far as the work of one is still there when the next one comes: of exponential
//! work `S` and a time `d` between them the part `S / (S + d)`.

use crate::distribution::{Distribution, Law};
use crate::network::flows::Flows;
use crate::network::{Network, OperationId, StationId, Step};
use crate::unit::{PerSecond, Seconds};

/// Calls nest no deeper where batches are looked for.
const DEEPEST: usize = 32;

/// Visits that are followed of a parallel step.
const MOST: usize = 200;

/// Requests that meet as often come together.
const WHOLE: f64 = 0.98;

/// Requests that meet less often than this do not count.
const FAINT: f64 = 0.02;

/// The batches of two and more that each station gets, rate and size; and whether some of them only nearly come together.
pub(super) fn batches(network: &Network, flows: &Flows) -> Vec<(Vec<(PerSecond, u32)>, bool)> {
    let stations = network.stations.len();
    let mut finder = Finder { network, batches: vec![Vec::new(); stations], spread: vec![false; stations] };
    if network.parallels > 0 {
        for &operation in &network.order {
            let rate: f64 = flows.operations[operation].iter().sum();
            if rate > 0.0 {
                finder.steps(&network.operations[operation].steps, rate);
            }
        }
    }
    let mut arrivals = vec![0.0; network.stations.len()];
    for (visit, rates) in network.visits.iter().zip(flows.visits.iter()) {
        arrivals[visit.station] += rates.iter().sum::<f64>();
    }
    let found = finder.batches.into_iter().zip(finder.spread).zip(arrivals);
    found.map(|((batches, spread), arrivals)| (within(batches, arrivals), spread)).collect()
}

/// Batches of no more requests than arrive. A parallel step at the beginning of a branch of another one is found twice: in
/// the larger batch, and by itself.
fn within(mut batches: Vec<(PerSecond, u32)>, arrivals: PerSecond) -> Vec<(PerSecond, u32)> {
    batches.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let mut left = arrivals;
    for (rate, size) in &mut batches {
        *rate = rate.min(left / f64::from(*size));
        left -= *rate * f64::from(*size);
    }
    batches.retain(|(rate, _)| *rate > 1e-9 * arrivals);
    batches
}

struct Finder<'a> {
    network: &'a Network,
    batches: Vec<Vec<(PerSecond, u32)>>,
    spread: Vec<bool>,
}

impl Finder<'_> {
    fn steps(&mut self, steps: &[Step], rate: PerSecond) {
        for step in steps {
            match step {
                Step::Choose { ways, .. } => ways.iter().for_each(|(weight, steps)| self.steps(steps, rate * weight)),
                Step::Hold { steps, .. } => self.steps(steps, rate),
                Step::Repeat { times, steps } => self.steps(steps, rate * f64::from(*times)),
                Step::Parallel { branches, .. } => {
                    self.parallel(branches, rate);
                    branches.iter().for_each(|steps| self.steps(steps, rate));
                }
                Step::Visit(_) | Step::Delay(_) | Step::Call(_) | Step::Guarded(_) | Step::Send(_) | Step::Fail(_) => {}
            }
        }
    }

    fn parallel(&mut self, branches: &[Vec<Step>], rate: PerSecond) {
        let mut found: Vec<Coming> = Vec::new();
        for (branch, steps) in branches.iter().enumerate() {
            let mut follower = Follower {
                network: self.network,
                branch,
                left: MOST / branches.len().max(1),
                passed: Vec::new(),
                found: &mut found,
            };
            follower.steps(steps, Passing { chance: 1.0, mean: 0.0, variance: 0.0 }, 0);
        }
        found.sort_by_key(|coming| (coming.station, coming.turn));
        for cluster in found.chunk_by(|a, b| (a.station, a.turn) == (b.station, b.turn)) {
            let count: f64 = cluster.iter().map(|coming| coming.at.chance).sum();
            let size = count.round();
            if count < 1.5 {
                continue;
            }
            // Of all pairs those that meet.
            let mut meeting = 0.0;
            for (i, a) in cluster.iter().enumerate() {
                for b in cluster[..i].iter().filter(|b| b.branch != a.branch) {
                    meeting += a.at.chance * b.at.chance * a.meets(b);
                }
            }
            let part = (meeting / (0.5 * size * (size - 1.0))).min(1.0);
            if part > FAINT {
                self.spread[cluster[0].station] |= part < WHOLE;
                self.batches[cluster[0].station].push((rate * count / size * part, size as u32));
            }
        }
    }
}

/// A request on its way from a fork: its chance to be there, and the moments of the time since.
#[derive(Debug, Clone, Copy)]
struct Passing {
    chance: f64,
    mean: Seconds,
    variance: f64,
}

impl Passing {
    /// After a time.
    fn after(self, law: &Law) -> Passing {
        let mean = law.mean();
        let variance = (law.moment(2) - mean * mean).clamp(0.0, 1e3 * mean * mean);
        Passing { mean: self.mean + mean, variance: self.variance + variance, ..self }
    }

    /// With a chance.
    fn chance(self, chance: f64) -> Passing {
        Passing { chance: self.chance * chance, ..self }
    }

    /// Either of two.
    fn or(self, other: Passing) -> Passing {
        let chance = self.chance + other.chance;
        if chance <= 0.0 {
            return Passing { chance: 0.0, ..self };
        }
        let (p, q) = (self.chance / chance, other.chance / chance);
        let mean = p * self.mean + q * other.mean;
        let second = p * (self.variance + self.mean * self.mean) + q * (other.variance + other.mean * other.mean);
        Passing { chance, mean, variance: (second - mean * mean).max(0.0) }
    }
}

/// A request of a branch that comes to a station, after so many visits to it on its way.
#[derive(Debug, Clone, Copy)]
struct Coming {
    station: StationId,
    turn: usize,
    branch: usize,
    at: Passing,
    work: Seconds,
}

impl Coming {
    /// The part of the other one's work that is still there, on average: all of it if both come at once.
    fn meets(&self, other: &Coming) -> f64 {
        let apart = self.at.mean - other.at.mean;
        let between = (0.5 * (self.at.variance + other.at.variance) + apart * apart).sqrt();
        let work = 0.5 * (self.work + other.work);
        if work > 0.0 { work / (work + between) } else { 0.0 }
    }
}

/// Follows one branch.
struct Follower<'a> {
    network: &'a Network,
    branch: usize,
    /// Visits that may still be noted.
    left: usize,
    /// Stations that it has passed on its way.
    passed: Vec<StationId>,
    found: &'a mut Vec<Coming>,
}

impl Follower<'_> {
    fn steps(&mut self, steps: &[Step], mut at: Passing, depth: usize) -> Passing {
        for step in steps {
            if at.chance <= 1e-3 || self.left == 0 {
                return Passing { chance: 0.0, ..at };
            }
            at = self.step(step, at, depth);
        }
        at
    }

    fn step(&mut self, step: &Step, at: Passing, depth: usize) -> Passing {
        match step {
            Step::Visit(visit) => {
                let visit = &self.network.visits[*visit];
                let turn = self.passed.iter().filter(|station| **station == visit.station).count();
                self.passed.push(visit.station);
                self.found.push(Coming {
                    station: visit.station,
                    turn,
                    branch: self.branch,
                    at,
                    work: visit.time.mean(),
                });
                self.left -= 1;
                at.after(&visit.time)
            }
            Step::Delay(law) => at.after(law),
            Step::Fail(failure) => at.chance(1.0 - failure),
            Step::Send(_) => at,
            Step::Call(call) if call.times == 0 => at,
            Step::Call(call) => {
                let mut made = at.chance(call.probability);
                if let Some(network) = &call.network {
                    // Half of it is the way back.
                    made = made.after(&network.scaled(0.5));
                }
                let past = self.asked(call.target, made, depth);
                at.chance(1.0 - call.probability).or(past)
            }
            Step::Guarded(guarded) => {
                let past = self.steps(&guarded.attempt, at.chance(guarded.call.probability), depth);
                at.chance(1.0 - guarded.call.probability).or(past)
            }
            Step::Choose { ways, .. } => {
                let none = at.chance(0.0);
                ways.iter().fold(none, |sum, (weight, steps)| sum.or(self.apart(steps, at.chance(*weight), depth)))
            }
            Step::Repeat { times: 0, .. } => at,
            Step::Repeat { steps, .. } | Step::Hold { steps, .. } => self.steps(steps, at, depth),
            Step::Parallel { branches, .. } => {
                let ends: Vec<Passing> = branches.iter().map(|steps| self.apart(steps, at, depth)).collect();
                ends.into_iter().max_by(|a, b| a.mean.total_cmp(&b.mean)).unwrap_or(at)
            }
        }
    }

    /// Steps that others stand beside.
    fn apart(&mut self, steps: &[Step], at: Passing, depth: usize) -> Passing {
        let before = self.passed.len();
        let after = self.steps(steps, at, depth);
        self.passed.truncate(before);
        after
    }

    fn asked(&mut self, target: OperationId, at: Passing, depth: usize) -> Passing {
        if depth == DEEPEST {
            return at.chance(0.0);
        }
        self.steps(&self.network.operations[target].steps, at, depth + 1)
    }
}

//! Requests that arrive at a station together, because a parallel step sends them.

use crate::network::flows::Flows;
use crate::network::{Network, OperationId, StationId, Step};
use crate::unit::PerSecond;

/// Calls nest no deeper where batches are looked for.
const DEEPEST: usize = 32;

/// The batches of two and more that each station gets: rate and size.
pub(super) fn batches(network: &Network, flows: &Flows) -> Vec<Vec<(PerSecond, u32)>> {
    let mut finder = Finder { network, batches: vec![Vec::new(); network.stations.len()] };
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
    finder.batches.into_iter().zip(arrivals).map(|(batches, arrivals)| within(batches, arrivals)).collect()
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
                Step::Visit(_) | Step::Delay(_) | Step::Call(_) | Step::Send(_) | Step::Fail(_) => {}
            }
        }
    }

    fn parallel(&mut self, branches: &[Vec<Step>], rate: PerSecond) {
        let mut together: Vec<(StationId, f64)> = Vec::new();
        branches.iter().for_each(|steps| {
            self.first_of(steps, 1.0, 0, &mut together);
        });
        for (station, count) in together.into_iter().filter(|(_, count)| *count >= 1.5) {
            let size = count.round();
            self.batches[station].push((rate * count / size, size as u32));
        }
    }

    /// Adds the stations that some steps visit before any time has passed, with the chance of each; returns the chance
    /// that no time passes at all.
    fn first_of(&self, steps: &[Step], mut chance: f64, depth: usize, found: &mut Vec<(StationId, f64)>) -> f64 {
        for step in steps {
            chance = match step {
                Step::Visit(visit) => {
                    let station = self.network.visits[*visit].station;
                    match found.iter_mut().find(|(known, _)| *known == station) {
                        Some((_, sum)) => *sum += chance,
                        None => found.push((station, chance)),
                    }
                    0.0
                }
                Step::Delay(_) => 0.0,
                Step::Fail(failure) => chance * (1.0 - failure),
                Step::Send(_) => chance,
                Step::Call(call) if call.times == 0 => chance,
                Step::Call(call) => {
                    let made = chance * call.probability;
                    let past = if call.network.is_some() { 0.0 } else { self.first(call.target, made, depth, found) };
                    chance - made + past
                }
                Step::Choose { ways, .. } => {
                    ways.iter().map(|(weight, steps)| self.first_of(steps, chance * weight, depth, found)).sum()
                }
                Step::Repeat { times: 0, .. } => chance,
                Step::Repeat { steps, .. } | Step::Hold { steps, .. } => self.first_of(steps, chance, depth, found),
                Step::Parallel { branches, .. } => {
                    branches.iter().map(|steps| self.first_of(steps, chance, depth, found)).fold(chance, f64::min)
                }
            };
            if chance <= 1e-9 {
                return 0.0;
            }
        }
        chance
    }

    fn first(&self, operation: OperationId, chance: f64, depth: usize, found: &mut Vec<(StationId, f64)>) -> f64 {
        if depth == DEEPEST || chance <= 1e-9 {
            return 0.0;
        }
        self.first_of(&self.network.operations[operation].steps, chance, depth + 1, found)
    }
}

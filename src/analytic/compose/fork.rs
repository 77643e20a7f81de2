//! How much the branches of a parallel step depend on each other because they queue at the same time.
//!
//! | symbol | meaning                                                              | unit |
//! |--------|----------------------------------------------------------------------|------|
//! | `n`    | branches that queue                                                  | 1    |
//! | `ρ`    | share of a branch's time that is queueing among simultaneous arrivals; the utilization of an M/M/1 | 1 |
//! | `w`    | weight of all branches being as late as each other                   | 1    |
//!
//! Requests that arrive at several queues at once leave longer queues at all of them together. The joint law of the
//! branches is taken as independent with weight `1 - w` and as equally late with weight `w`, with the `w` that gives
//! the mean of the last of `n` equal M/M/1:
//!
//! ```text
//! E max = [H_n / H_2 + 4/11 (1 - H_n / H_2) ρ] (12 - ρ) / 8 × E T,   H_n = 1 + 1/2 + … + 1/n
//! w = (H_n - E max / E T) / (H_n - 1)
//! ```
//!
//! Branches that begin at the same queue find it the same: there `w = 1 - √(1 - v)`, `v` being the share of a branch's
//! variance that comes from what its batch finds, so that a spread of the branches' own parts alone is left to the last
//! of them.
//!
//! Source: exact for two: Flatto and Hahn (1984); more: Nelson and Tantawi, Approximate analysis of fork/join
//! synchronization in parallel queues, IEEE Transactions on Computers 37 (1988).

use super::Composed;
use crate::network::flows::Flows;
use crate::network::{Network, Step, VisitId};

impl Composed<'_> {
    /// The weight of all branches of a parallel step being equally late.
    pub(super) fn together(&self, branches: &[impl AsRef<[Step]>], class: usize) -> f64 {
        let share = |steps: &[Step]| self.mean_of(steps, class).map_or(0.0, |mean| mean.forked / mean.all.max(1e-300));
        let shares: Vec<f64> = branches.iter().map(|steps| share(steps.as_ref())).collect();
        let apart = together(&shares);
        // Of all pairs of branches some begin at the same queue.
        let firsts: Vec<Option<VisitId>> = branches.iter().map(|steps| self.first(steps.as_ref(), 0)).collect();
        let station = |visit: &VisitId| self.solution.network.visits[*visit].station;
        let (mut same, mut weight) = (0.0, 0.0);
        for (steps, first) in branches.iter().zip(&firsts) {
            let Some(first) = first else { continue };
            let others = firsts.iter().flatten().filter(|other| station(other) == station(first)).count() as f64 - 1.0;
            if others > 0.0 {
                same += others;
                weight += others * self.common(*first, others + 1.0, steps.as_ref(), class).unwrap_or(0.0);
            }
        }
        let n = branches.len() as f64;
        if same > 0.0 { (weight + (n * (n - 1.0) - same) * apart) / (n * (n - 1.0)) } else { apart }
    }

    /// The visit that some steps certainly begin with, before any time has passed.
    pub(super) fn first(&self, steps: &[Step], depth: usize) -> Option<VisitId> {
        match steps.iter().find(|step| !matches!(step, Step::Send(_) | Step::Fail(_)))? {
            Step::Visit(visit) => Some(*visit),
            Step::Repeat { steps, .. } | Step::Hold { steps, .. } => self.first(steps, depth),
            Step::Guarded(guarded) if guarded.call.probability == 1.0 => self.first(&guarded.attempt, depth),
            Step::Call(call) if call.probability == 1.0 && call.network.is_none() && depth < 32 => {
                self.first(&self.solution.network.operations[call.target].steps, depth + 1)
            }
            _ => None,
        }
    }

    /// How much `n` branches are alike because they wait in the same queue: what they find there is common to them.
    pub(super) fn common(&self, visit: VisitId, n: f64, steps: &[Step], class: usize) -> Option<f64> {
        let (wait, law) = self.met(visit, class)?;
        let memory = &self.solution.memories[self.solution.network.visits[visit].station];
        let variance = self.rough_steps(steps, class)?.variance;
        let places = wait.probability() * (n * n - 1.0) / 12.0 * (law.mean() / memory.servers).powi(2);
        let common = (wait.second_moment() - wait.mean() * wait.mean() - places).max(0.0);
        let own = (1.0 - common / variance).max(0.0);
        own.is_finite().then(|| memory.same * (1.0 - own.sqrt()))
    }
}

/// The weight of all branches being equally late, from the queueing share of each branch's time.
fn together(shares: &[f64]) -> f64 {
    let queueing: Vec<f64> = shares.iter().copied().filter(|share| *share > 0.0).collect();
    let n = queueing.len();
    if n < 2 {
        return 0.0;
    }
    let rho = queueing.iter().sum::<f64>() / n as f64;
    let harmonic: f64 = (1..=n).map(|k| 1.0 / k as f64).sum();
    let ratio = harmonic / 1.5;
    let last = (ratio + 4.0 / 11.0 * (1.0 - ratio) * rho) * (12.0 - rho) / 8.0;
    ((harmonic - last) / (harmonic - 1.0)).clamp(0.0, 1.0)
}

/// For each station the share of its requests that arrive at the same time as others of the same request elsewhere.
pub(super) fn simultaneous(network: &Network, flows: &Flows) -> Vec<f64> {
    let mut walk = Walk {
        network,
        operations: vec![(0.0, 0.0); network.operations.len()],
        stations: vec![(0.0, 0.0); network.stations.len()],
    };
    for workload in &network.workloads {
        for (operation, _) in &workload.mix {
            walk.operations[*operation].1 += flows.operations[*operation].iter().sum::<f64>();
        }
    }
    for &operation in &network.order {
        let rate: f64 = flows.operations[operation].iter().sum();
        if rate > 0.0 {
            let share = share(walk.operations[operation]);
            walk.steps(&network.operations[operation].steps, rate, share);
        }
    }
    walk.stations.into_iter().map(share).collect()
}

fn share((forked, all): (f64, f64)) -> f64 {
    if all > 0.0 { (forked / all).min(1.0) } else { 0.0 }
}

/// Rates of simultaneous and of all arrivals.
struct Walk<'a> {
    network: &'a Network,
    operations: Vec<(f64, f64)>,
    stations: Vec<(f64, f64)>,
}

impl Walk<'_> {
    fn steps(&mut self, steps: &[Step], rate: f64, share: f64) {
        for step in steps {
            match step {
                Step::Visit(visit) => {
                    let sum = &mut self.stations[self.network.visits[*visit].station];
                    *sum = (sum.0 + rate * share, sum.1 + rate);
                }
                Step::Call(call) => {
                    let made = rate * call.probability * f64::from(call.times);
                    let sum = &mut self.operations[call.target];
                    *sum = (sum.0 + made * share, sum.1 + made);
                }
                Step::Guarded(guarded) => {
                    let made = rate * guarded.call.probability * f64::from(guarded.call.times);
                    let sum = &mut self.operations[guarded.call.target];
                    *sum = (sum.0 + made * share, sum.1 + made);
                }
                // What is sent goes its own way.
                Step::Send(target) => self.operations[*target].1 += rate,
                Step::Choose { ways, .. } => {
                    ways.iter().for_each(|(weight, steps)| self.steps(steps, rate * weight, share))
                }
                Step::Hold { steps, .. } => self.steps(steps, rate, share),
                Step::Repeat { times, steps } => self.steps(steps, rate * f64::from(*times), share),
                Step::Parallel { branches, .. } => {
                    let share = if branches.len() > 1 { 1.0 } else { share };
                    branches.iter().for_each(|steps| self.steps(steps, rate, share));
                }
                Step::Delay(_) | Step::Fail(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_equal_queues_have_the_mean_of_flatto_and_hahn() {
        for rho in [0.2, 0.5, 0.9] {
            let w = together(&[rho, rho]);
            let last = (1.0 - w) * 1.5 + w;
            assert!((last - (12.0 - rho) / 8.0).abs() < 1e-12);
        }
        assert_eq!(together(&[0.5, 0.0]), 0.0);
    }
}

//! The time that requests spend in the queues of a service.

use super::Solution;
use super::compose::Composed;
use super::tails::{Tail, is_formula, mixed_times};
use crate::discipline::Delay;
use crate::distribution::Law;
use crate::network::{Pool, PoolKind, ServiceId, Step};
use crate::prediction::Times;

/// Time in the queues of a service, by each of its runs.
pub(super) fn waits(
    solution: &Solution<'_>,
    composed: &Composed<'_>,
    id: ServiceId,
    runs: &[(f64, usize, usize)],
) -> Times {
    let own = Own { solution, composed, id };
    let mut parts: Vec<(f64, Option<Tail>, f64)> = Vec::new();
    for (rate, operation, class) in runs {
        let mut waits = Vec::new();
        if own.collect(&solution.network.operations[*operation].steps, *class, 1.0, &mut waits).is_none() {
            return Times::default();
        }
        let (tail, mean) = wait_of(composed, &waits);
        parts.push((*rate, tail, mean));
    }
    let total: f64 = parts.iter().map(|(rate, _, _)| rate).sum();
    if total <= 0.0 {
        return Times::default();
    }
    let mean = parts.iter().map(|(rate, _, mean)| rate * mean).sum::<f64>() / total;
    if mean <= 0.0 {
        return Times::zero();
    }
    let none = Tail::Single { wait: Delay::None, law: Law::constant(0.0) };
    let tails: Vec<(f64, &Tail)> =
        parts.iter().map(|(rate, tail, _)| (*rate, tail.as_ref().unwrap_or(&none))).collect();
    mixed_times(&tails, mean)
}

/// The queues of one service.
struct Own<'a> {
    solution: &'a Solution<'a>,
    composed: &'a Composed<'a>,
    id: ServiceId,
}

/// A wait that a run meets with some weight: how often, its law, and its mean with all time beyond the work.
type Met<'a> = (f64, &'a Delay, f64);

impl<'a> Own<'a> {
    /// The waits that some steps meet in queues of the service; `None` when one grows without end.
    fn collect(&self, steps: &[Step], class: usize, weight: f64, found: &mut Vec<Met<'a>>) -> Option<()> {
        steps.iter().try_for_each(|step| self.step(step, class, weight, found))
    }

    fn step(&self, step: &Step, class: usize, weight: f64, found: &mut Vec<Met<'a>>) -> Option<()> {
        let network = self.solution.network;
        match step {
            Step::Visit(visit) => {
                if network.stations[network.visits[*visit].station].service == self.id {
                    let (wait, _) = self.composed.met(*visit, class)?;
                    found.push((weight, wait, self.composed.queueing(*visit, class)?));
                }
                Some(())
            }
            Step::Hold { pool, steps } => {
                let Pool { kind, per, .. } = &network.pools[*pool];
                if matches!(kind, PoolKind::Workers { .. }) && *per == Some(self.id) {
                    let wait = self.solution.gates[*pool].wait.as_ref()?;
                    found.push((weight, wait, wait.mean()));
                }
                self.collect(steps, class, weight, found)
            }
            Step::Repeat { times, steps } => self.collect(steps, class, weight * f64::from(*times), found),
            Step::Choose { ways, .. } => {
                ways.iter().try_for_each(|(share, steps)| self.collect(steps, class, weight * share, found))
            }
            Step::Parallel { branches, .. } => {
                branches.iter().try_for_each(|steps| self.collect(steps, class, weight, found))
            }
            Step::Delay(_) | Step::Call(_) | Step::Guarded(_) | Step::Send(_) | Step::Fail(_) => Some(()),
        }
    }
}

/// The total of several waits: exact for one; otherwise a gamma with the right mean and variance, waits taken as independent.
fn wait_of(composed: &Composed<'_>, waits: &[Met<'_>]) -> (Option<Tail>, f64) {
    let some: Vec<&Met<'_>> =
        waits.iter().filter(|(_, wait, own)| *own > 0.0 || !matches!(wait, Delay::None)).collect();
    if let [(weight, wait, own)] = some.as_slice()
        && *weight == 1.0
        && *own <= wait.mean()
    {
        let law = Law::constant(0.0);
        let tail = if is_formula(wait, &law) {
            Tail::Single { wait: (*wait).clone(), law }
        } else {
            Tail::on_ladder(wait, &law, composed.ladder())
        };
        return (Some(tail), wait.mean());
    }
    let (mut mean, mut variance, mut none) = (0.0, 0.0, 1.0);
    for (weight, wait, own) in waits {
        let extra = own - wait.mean();
        mean += weight * own;
        let second = wait.second_moment().min(1e4 * own * own) + 2.0 * extra * own;
        // A visit made by chance waits by chance: its second moment counts by its weight.
        variance +=
            if *weight <= 1.0 { weight * second - weight * weight * own * own } else { weight * (second - own * own) };
        let busy = if extra > 0.0 { 1.0 } else { wait.probability() };
        none *= if *weight <= 1.0 { 1.0 - weight * busy } else { (1.0 - busy).powf(*weight) };
    }
    if mean <= 0.0 {
        return (None, 0.0);
    }
    let wait = Delay::with_moments((1.0 - none).max(1e-12), mean, variance + mean * mean);
    (Some(Tail::Single { wait, law: Law::constant(0.0) }), mean)
}

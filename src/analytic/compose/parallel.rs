//! Parallel steps: from the tails of their branches to a law of their own.

use super::again::Link;
use super::climb::Rungs;
use super::rough::{self, Rough};
use super::{Composed, Mean, OrderStatistic, Tail};
use crate::distribution::Law;
use crate::math::ladder::Ladder;
use crate::network::{Guarded, Step};

/// The law of one parallel step for one class.
pub(super) struct ParallelLaw {
    /// Time beyond the shift, of the successful ones.
    pub law: Law,
    pub success: f64,
    pub mean: Mean,
    /// The contribution of each branch to the mean, over the branch's own mean.
    pub critical: Vec<f64>,
}

/// A branch of a parallel step.
pub(super) struct Branch<'s> {
    pub steps: &'s [Step],
    pub class: usize,
    pub rough: Rough,
    /// Its waits that depend on each other.
    pub links: Vec<Link>,
    /// Where its tail is read; none when it has a formula.
    pub rungs: Rungs,
    owner: Owner<'s>,
}

/// Whose branch it is.
#[derive(Debug, Clone, Copy)]
enum Owner<'s> {
    Parallel {
        id: usize,
        needed: usize,
    },
    /// The only one of a guarded call.
    Guard(&'s Guarded),
}

impl Owner<'_> {
    /// The parallel step, or the guarded call.
    fn number(&self) -> (Option<usize>, Option<usize>) {
        match self {
            Owner::Parallel { id, .. } => (Some(*id), None),
            Owner::Guard(guarded) => (None, Some(guarded.id)),
        }
    }
}

impl<'s> Composed<'s> {
    /// Branches of parallel steps whose content is known at this level and not before.
    pub(super) fn branches_of(&self, level: usize) -> Vec<Branch<'s>> {
        let mut found = Vec::new();
        for (operation, program) in self.solution.network.operations.iter().enumerate() {
            for class in 0..self.classes {
                if self.live[self.slot(operation, class)] {
                    self.collect_branches(&program.steps, class, level, &mut found);
                }
            }
        }
        found
    }

    fn collect_branches(&self, steps: &'s [Step], class: usize, level: usize, found: &mut Vec<Branch<'s>>) {
        for step in steps {
            match step {
                Step::Choose { ways, .. } => {
                    ways.iter().for_each(|(_, steps)| self.collect_branches(steps, class, level, found));
                }
                Step::Repeat { steps, .. } | Step::Hold { steps, .. } => {
                    self.collect_branches(steps, class, level, found)
                }
                Step::Parallel { branches, needed, id } => {
                    branches.iter().for_each(|steps| self.collect_branches(steps, class, level, found));
                    let alone: Option<Vec<_>> = branches.iter().map(|steps| self.alone(steps, class)).collect();
                    let Some(alone) = alone else { continue };
                    if alone.iter().map(|(rough, _)| rough.level).max().unwrap_or(0) != level {
                        continue;
                    }
                    for (steps, (rough, links)) in branches.iter().zip(alone) {
                        let rungs = self.rungs_of(steps, class, &rough);
                        let owner = Owner::Parallel { id: *id, needed: *needed };
                        found.push(Branch { steps, class, rough, links, rungs, owner });
                    }
                }
                Step::Guarded(guarded) if guarded.is_decided_by_time() => {
                    let Some((rough, links)) = self.alone(&guarded.attempt, class) else { continue };
                    if rough.level == level {
                        let rungs = self.rungs_of(&guarded.attempt, class, &rough);
                        let owner = Owner::Guard(guarded);
                        found.push(Branch { steps: &guarded.attempt, class, rough, links, rungs, owner });
                    }
                }
                Step::Visit(_) | Step::Delay(_) | Step::Call(_) | Step::Guarded(_) | Step::Send(_) | Step::Fail(_) => {}
            }
        }
    }

    /// The laws of the parallel steps that these branches, with these tails, belong to.
    pub(super) fn finish_parallels(&mut self, branches: &[Branch<'_>], tails: Vec<Tail>) {
        let mut tails = tails.into_iter();
        for branches in branches.chunk_by(|a, b| (a.owner.number(), a.class) == (b.owner.number(), b.class)) {
            let Branch { class, owner, .. } = branches[0];
            let (parallel, needed) = match owner {
                Owner::Parallel { id, needed } => (id, needed),
                Owner::Guard(guarded) => {
                    if let Some(tail) = tails.next() {
                        let law = self.guard_law(guarded, class, &branches[0].rough, &tail);
                        self.guards[guarded.id * self.classes + class] = Some(law);
                    }
                    continue;
                }
            };
            let parts: Vec<(f64, Tail)> = branches.iter().map(|b| b.rough.success).zip(tails.by_ref()).collect();
            let mean =
                |b: &Branch<'_>| self.mean_of(b.steps, class).unwrap_or(Mean { all: b.rough.mean, ..Mean::default() });
            let means: Vec<Mean> = branches.iter().map(mean).collect();
            let steps: Vec<&[Step]> = branches.iter().map(|b| b.steps).collect();
            let together = self.together(&steps, class);
            let roughs: Vec<Rough> = branches.iter().map(|b| b.rough).collect();
            let law = parallel_law(&OrderStatistic { parts, needed, together }, &means, &roughs, &self.ladder);
            self.parallels[parallel * self.classes + class] = Some(law);
        }
    }
}

/// The law of a parallel step from the tails of its branches.
fn parallel_law(statistic: &OrderStatistic, means: &[Mean], roughs: &[Rough], ladder: &Ladder) -> ParallelLaw {
    let rough = rough::parallel(roughs, statistic.needed);
    let success = rough.success;
    let about = rough.mean.max(means.iter().map(|mean| mean.all).fold(0.0, f64::max)) - rough.shift;
    let (law, beyond) = if about > 1e-12 * rough.mean && about.is_finite() {
        let reading = statistic.read(rough.shift, about, ladder);
        let beyond = reading.mean();
        (Law::Table(reading.law(beyond)), beyond)
    } else {
        (Law::constant(0.0), about.max(0.0))
    };
    let mean = rough.shift + beyond;
    let chances = statistic.decisive(mean);
    let critical: Vec<f64> = chances
        .iter()
        .zip(means)
        .map(|(chance, own)| if own.all > 0.0 { chance * mean / own.all } else { 0.0 })
        .collect();
    let within = critical.iter().zip(means).fold(Mean::default(), |sum, (weight, own)| sum.and(*own, *weight));
    ParallelLaw { law, success, mean: Mean { all: mean, ..within }, critical }
}

//! Tails of operations and branches on the rungs of a ladder of times.
//!
//! Parallel steps need the tails of their branches before anything above them has a transform: the ladder is climbed
//! once for each level of parallel steps.

use super::parallel::Branch;
use super::rough::Rough;
use super::sheet::Sheet;
use super::{Composed, Extent, Tail};
use crate::analytic::{each, each_in};
use crate::math::ladder::{EULER, Ladder, NODES, STEPS_PER_RUNG};
use crate::network::Step;
use num_complex::Complex64;

/// First and last rung, empty when the first is above the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rungs {
    first: i32,
    last: i32,
}

impl Rungs {
    pub const NONE: Rungs = Rungs { first: i32::MAX, last: i32::MIN };

    /// The rungs on which the tail of something with these moments is to be read.
    pub fn of(rough: &Rough, ladder: &Ladder) -> Rungs {
        let mean = rough.mean - rough.shift;
        if mean <= 1e-12 * rough.mean || mean <= 0.0 {
            return Rungs::NONE;
        }
        let scv = rough.variance / (mean * mean);
        let low = ladder.position(0.3 * mean / (1.0 + scv));
        let high = ladder.position(mean + 7.0 * rough.variance.sqrt().max(0.1 * mean));
        Rungs { first: low.floor() as i32, last: high.ceil() as i32 }
    }

    fn join(&mut self, other: Rungs) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    /// The next ones below.
    fn below(self) -> Rungs {
        Rungs { first: self.first - LOWER, last: self.first - 1 }
    }

    fn is_empty(&self) -> bool {
        self.first > self.last
    }

    fn contains(&self, rung: i32) -> bool {
        (self.first..=self.last).contains(&rung)
    }
}

/// Of fewer successes than this nothing can be read from a transform.
const HARDLY_ANY: f64 = 1e-9;

/// What a tail must reach at its lowest point, a little more than its median.
const SEEN: f64 = 0.55;

/// Rungs that are added at once below those at which too little is seen, and how often.
const LOWER: i32 = 4;
const MOST_ROUNDS: usize = 16;

/// Where the logarithm of a tail falls from one rung to the next by so much more or less than its slopes there say, and by so much of it,
/// something begins or ends in between: it is looked at on each point of the lattice, unless it is far below what people ask for.
const UNLIKE: f64 = 0.03;
const UNLIKE_PART: f64 = 0.15;
const LEAST: f64 = 1e-4;

/// A point of a tail: time, probability to exceed it, density there.
pub(super) type Point = (f64, f64, f64);

/// The points of all tails at one time, where they are wanted.
type Look = Vec<Option<Point>>;

impl<'s> Composed<'s> {
    /// Every operation and branch on the rungs it is needed on, level by level.
    pub(super) fn climb(&mut self) {
        let slots: Vec<usize> = (0..self.rough.len()).collect();
        // Tails with a formula need no rungs.
        let formulas =
            |slot: &usize| self.rough[*slot].and_then(|_| self.closed_tail(self.steps_of(*slot), slot % self.classes));
        let own: Vec<Rungs> = match self.extent {
            Extent::Whole => {
                self.tails = each(self.solution.network, &slots, formulas);
                slots.iter().map(|slot| self.own_rungs(*slot)).collect()
            }
            Extent::Chances => vec![Rungs::NONE; slots.len()],
        };
        let deepest = self.rough.iter().flatten().map(|rough| rough.level).max().unwrap_or(0);
        for level in 0..=deepest {
            self.climb_level(level, &own);
        }
    }

    /// The rungs on which each operation's transform is needed to read the tails of a level: for itself, for these branches, and for all that
    /// call it.
    fn needed_rungs(&self, own: &[Rungs], level: usize, branches: &[Branch<'_>]) -> Vec<Rungs> {
        let network = self.solution.network;
        let mut needed = vec![Rungs::NONE; self.rough.len()];
        branches.iter().for_each(|branch| self.mark(branch.steps, branch.class, branch.rungs, &mut needed));
        for &operation in &network.order {
            for class in 0..self.classes {
                let slot = self.slot(operation, class);
                if self.rough[slot].is_some_and(|rough| rough.level == level) {
                    needed[slot].join(own[slot]);
                }
                self.mark(&network.operations[operation].steps, class, needed[slot], &mut needed);
            }
        }
        needed
    }

    /// The rungs on which the tail of an operation is read; none when it has a formula.
    fn own_rungs(&self, slot: usize) -> Rungs {
        match &self.rough[slot] {
            Some(rough) if self.tails[slot].is_none() => {
                Rungs::of(&self.widened(*rough, &self.linked[slot], slot % self.classes), &self.ladder)
            }
            _ => Rungs::NONE,
        }
    }

    fn mark(&self, steps: &[Step], class: usize, rungs: Rungs, needed: &mut [Rungs]) {
        for step in steps {
            match step {
                Step::Call(call) => needed[self.slot(call.target, class)].join(rungs),
                Step::Guarded(guarded) => self.mark(&guarded.attempt, class, rungs, needed),
                Step::Choose { ways, .. } => ways.iter().for_each(|(_, steps)| self.mark(steps, class, rungs, needed)),
                Step::Repeat { steps, .. } | Step::Hold { steps, .. } => self.mark(steps, class, rungs, needed),
                // Its law is made of what its branches are by themselves.
                Step::Parallel { .. } => {}
                Step::Visit(_) | Step::Delay(_) | Step::Send(_) | Step::Fail(_) => {}
            }
        }
    }

    /// The rungs on which the tail of a branch is read; none when it has a formula.
    pub(super) fn rungs_of(&self, steps: &[Step], class: usize, rough: &Rough) -> Rungs {
        if self.single_formula(steps, class).is_some() { Rungs::NONE } else { Rungs::of(rough, &self.ladder) }
    }

    /// Reads the tails of all operations and branches of a level, and with them the parallel steps above.
    fn climb_level(&mut self, level: usize, own: &[Rungs]) {
        let branches = self.branches_of(level);
        let needed = self.needed_rungs(own, level, &branches);
        let of_level = |slot: &usize| self.rough[*slot].is_some_and(|rough| rough.level == level);
        let slots: Vec<usize> = self.slots_callees_first().filter(of_level).collect();
        // All slots, then the branches.
        let roughs: Vec<Option<Rough>> =
            slots.iter().map(|slot| self.rough[*slot]).chain(branches.iter().map(|b| Some(b.rough))).collect();
        // At a point of the lattice what is wanted there.
        let look = |sheet: &mut Sheet, step: i32, wanted: &dyn Fn(usize) -> bool, needed: &dyn Fn(usize) -> bool| {
            let t = self.ladder.point(step);
            self.fill(sheet, EULER.line(t, 0.0), level, needed);
            let of_branches: Vec<Option<Point>> = branches
                .iter()
                .enumerate()
                .map(|(i, branch)| {
                    wanted(slots.len() + i).then(|| {
                        let mut values = sheet.take();
                        self.multiply(branch.steps, branch.class, &self.chances, sheet, &mut values);
                        self.link(&branch.links, branch.class, sheet, &mut values);
                        let point = point(t, branch.rough.success, &values);
                        sheet.give(values);
                        point
                    })
                })
                .collect();
            // Last, because they leave no row as callers want it.
            let of_slots = slots.iter().enumerate().map(|(i, slot)| {
                let success = self.rough[*slot].map(|rough| rough.success).filter(|_| wanted(i))?;
                Some(point(t, success, self.linked_row(*slot, sheet)?))
            });
            of_slots.chain(of_branches).collect()
        };
        let wanted: Vec<Rungs> = slots.iter().map(|slot| own[*slot]).chain(branches.iter().map(|b| b.rungs)).collect();
        let looks = |steps: &[i32],
                     wanted: &(dyn Fn(usize, i32) -> bool + Sync),
                     needed: &(dyn Fn(usize, i32) -> bool + Sync)| {
            let sheet = || Sheet::new(self.rough.len(), NODES);
            each_in(self.solution.network, steps, sheet, |sheet, step| {
                look(sheet, *step, &|i| wanted(i, *step), &|slot| needed(slot, *step))
            })
        };
        let asked = |slot: usize, _: i32| !needed[slot].is_empty();
        let mut points = climb_down(&roughs, wanted, |rounds, rungs, wanted| {
            let steps: Vec<i32> = rungs.iter().map(|rung| STEPS_PER_RUNG * rung).collect();
            let wanted = |i: usize, step: i32| wanted[i].contains(step / STEPS_PER_RUNG);
            let expected = |slot: usize, step: i32| needed[slot].contains(step / STEPS_PER_RUNG);
            // What is looked at once more was not expected there.
            if rounds == 0 { looks(&steps, &wanted, &expected) } else { looks(&steps, &wanted, &asked) }
        });
        let between: Vec<Vec<i32>> = points.iter().map(|points| between(points, &self.ladder)).collect();
        let mut steps = between.concat();
        steps.sort_unstable();
        steps.dedup();
        for look in looks(&steps, &|i, step| between[i].contains(&step), &asked) {
            points.iter_mut().zip(look).for_each(|(points, point)| points.extend(point));
        }
        points.iter_mut().for_each(|points| points.sort_by(|a, b| a.0.total_cmp(&b.0)));
        for slot in &slots {
            self.means[*slot] = self.mean_of(self.steps_of(*slot), slot % self.classes);
        }
        if self.has_tails() {
            let numbered: Vec<(usize, usize)> =
                slots.iter().copied().enumerate().filter(|(_, slot)| self.tails[*slot].is_none()).collect();
            let curve = |(i, slot): &(usize, usize)| Some(self.rough[*slot]?.tail(&points[*i]));
            let tails = each(self.solution.network, &numbered, curve);
            numbered.iter().zip(tails).for_each(|((_, slot), tail)| self.tails[*slot] = tail);
        }
        let tails =
            branches.iter().enumerate().map(|(i, branch)| self.branch_tail(branch, &points[slots.len() + i])).collect();
        self.finish_parallels(&branches, tails);
    }

    fn steps_of(&self, slot: usize) -> &'s [Step] {
        &self.solution.network.operations[slot / self.classes].steps
    }

    fn slots_callees_first(&self) -> impl Iterator<Item = usize> + use<'s> {
        let (classes, order) = (self.classes, &self.solution.network.order);
        order.iter().rev().flat_map(move |operation| (0..classes).map(move |class| operation * classes + class))
    }

    fn branch_tail(&self, branch: &Branch<'_>, points: &[Point]) -> Tail {
        self.single_formula(branch.steps, branch.class).unwrap_or_else(|| branch.rough.tail(points))
    }
}

/// The points of several tails on the rungs that are wanted of each, and on as many below as it takes to see most of it.
/// `look` gives those of a round: for each rung one for each tail, where it is wanted.
fn climb_down(
    roughs: &[Option<Rough>],
    mut wanted: Vec<Rungs>,
    look: impl Fn(usize, &[i32], &[Rungs]) -> Vec<Look>,
) -> Vec<Vec<Point>> {
    let mut points: Vec<Vec<Point>> = vec![Vec::new(); wanted.len()];
    for round in 0..MOST_ROUNDS {
        let mut all = Rungs::NONE;
        wanted.iter().for_each(|rungs| all.join(*rungs));
        let rungs: Vec<i32> = (all.first..=all.last).collect();
        if rungs.is_empty() {
            break;
        }
        let looks = look(round, &rungs, &wanted);
        for (i, (points, wanted)) in points.iter_mut().zip(&mut wanted).enumerate() {
            points.splice(..0, looks.iter().filter_map(|look| look[i]));
            *wanted = if is_late(roughs[i], points.first()) { wanted.below() } else { Rungs::NONE };
        }
    }
    points
}

/// The points of the lattice between the rungs of a tail where it is no smooth curve.
fn between(points: &[Point], ladder: &Ladder) -> Vec<i32> {
    let slope = |(t, tail, density): Point| t * density / tail;
    let mut steps = Vec::new();
    for pair in points.windows(2).filter(|pair| pair[1].1 > LEAST) {
        let [(first, before, _), (second, after, _)] = [pair[0], pair[1]];
        let (length, fall) = ((second / first).ln(), (before / after).ln());
        // Of a smooth curve the slopes at both ends say how far it falls in between.
        let said = 0.5 * length * (slope(pair[0]) + slope(pair[1]));
        if (said - fall).abs() > UNLIKE.max(UNLIKE_PART * said) {
            let rung = ladder.position(first).round() as i32;
            steps.extend((1..STEPS_PER_RUNG).map(|step| STEPS_PER_RUNG * rung + step));
        }
    }
    steps
}

/// Whether half of all, or nearly all that take any time, lie below the lowest point of a tail: a long way that some take
/// moves the mean far from what most meet.
fn is_late(rough: Option<Rough>, lowest: Option<&Point>) -> bool {
    rough.zip(lowest).is_some_and(|(rough, (_, tail, _))| *tail < SEEN.min(0.9 * (1.0 - rough.atom)))
}

/// The tail and density at `t` of a time with this transform, among the successful.
fn point(t: f64, success: f64, values: &[Complex64]) -> Point {
    if success <= HARDLY_ANY {
        return (t, 0.0, 0.0);
    }
    let (tail, density) = EULER.upright_tail_and_density(t, success, values);
    (t, (tail / success).max(0.0), (density / success).max(0.0))
}

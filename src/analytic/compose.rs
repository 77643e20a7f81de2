//! Response-time distributions composed along the programs.
//!
//! A sequence multiplies transforms, a choice mixes them, a loop raises them to a power; `parallel` works on
//! distribution functions. All transforms are evaluated on shared lines, one for each rung of a ladder of times: one
//! bottom-up pass over the programs gives the tails of every operation at that time. What is constant in a program is
//! kept apart as a shift, because inverting a jump costs accuracy.

use super::Solution;
use super::stations::{Treatment, fast};
use super::tails::{OrderStatistic, Tail};
use crate::discipline::{Delay, ps};
use crate::distribution::{Distribution, Law, Table};
use crate::math::curve::Curve;
use crate::math::inversion::{Euler, Line};
use crate::network::{Call, OperationId, Step, VisitId};
use num_complex::Complex64;
use std::sync::LazyLock;

/// Ratio of neighbouring rungs.
const RUNG: f64 = 1.3;

/// 21 nodes: tails to about 1e-6, enough to read percentiles to 0.1%.
static LADDER: LazyLock<Euler> = LazyLock::new(|| Euler::of_order(10));

/// What is known of a sequence of steps before any transform: enough to choose the times to look at.
#[derive(Debug, Clone, Copy, Default)]
struct Rough {
    /// Constant part, passed for certain.
    shift: f64,
    mean: f64,
    variance: f64,
    /// Chance of success.
    success: f64,
    /// How many parallel steps must be known before it.
    level: usize,
}

/// First and last rung, empty when the first is above the last.
#[derive(Debug, Clone, Copy)]
struct Rungs {
    first: i32,
    last: i32,
}

impl Rungs {
    const NONE: Rungs = Rungs { first: i32::MAX, last: i32::MIN };

    fn join(&mut self, other: Rungs) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    fn contains(&self, rung: i32) -> bool {
        (self.first..=self.last).contains(&rung)
    }
}

/// The response-time laws of all operations, per class.
pub(super) struct Composed<'s> {
    solution: &'s Solution<'s>,
    classes: usize,
    /// Law of the service of each visit after its wait: `[visit][class]`; `None` where the station is overloaded.
    served: Vec<Vec<Option<Law>>>,
    rough: Vec<Option<Rough>>,
    parallels: Vec<Option<ParallelLaw>>,
    /// `[operation × classes + class]`, as everything below; `None` when overloaded.
    means: Vec<Option<f64>>,
    tails: Vec<Option<Tail>>,
    base: f64,
}

/// The law of one parallel step for one class.
struct ParallelLaw {
    /// Time beyond the shift, of the successful ones.
    law: Law,
    success: f64,
    mean: f64,
    /// The contribution of each branch to the mean, over the branch's own mean.
    critical: Vec<f64>,
}

impl<'s> Composed<'s> {
    pub(super) fn new(solution: &'s Solution<'s>) -> Composed<'s> {
        let network = solution.network;
        let slots = network.operations.len() * network.classes;
        let mut composed = Composed {
            solution,
            classes: network.classes,
            served: served_laws(solution),
            rough: vec![None; slots],
            parallels: (0..network.parallels * network.classes).map(|_| None).collect(),
            means: vec![None; slots],
            tails: vec![None; slots],
            base: 1.0,
        };
        composed.look_ahead();
        composed.climb();
        composed
    }

    /// Mean response time of an operation's successful runs; `None` when overloaded.
    pub(super) fn mean(&self, operation: OperationId, class: usize) -> Option<f64> {
        self.means[self.slot(operation, class)]
    }

    /// Tail of an operation's response time; `None` when overloaded.
    pub(super) fn tail(&self, operation: OperationId, class: usize) -> Option<&Tail> {
        self.tails[self.slot(operation, class)].as_ref()
    }

    /// What each branch of a parallel step contributes to its mean, over the branch's own mean.
    pub(super) fn critical(&self, parallel: usize, class: usize) -> Option<&[f64]> {
        self.parallels[parallel * self.classes + class].as_ref().map(|law| law.critical.as_slice())
    }

    /// The mean time of a visit once its service has begun; `None` when overloaded.
    pub(super) fn served_mean(&self, visit: VisitId, class: usize) -> Option<f64> {
        self.served[visit][class].as_ref().map(Law::mean)
    }

    fn slot(&self, operation: OperationId, class: usize) -> usize {
        operation * self.classes + class
    }

    fn wait(&self, visit: VisitId, class: usize) -> Option<&Delay> {
        let station = self.solution.network.visits[visit].station;
        self.solution.stations[station].classes[class].wait.as_ref()
    }

    fn refusal(&self, visit: VisitId, class: usize) -> f64 {
        let station = self.solution.network.visits[visit].station;
        self.solution.stations[station].classes[class].refused
    }

    // ---- before any transform ----

    /// Rough moments of every operation, callees first.
    fn look_ahead(&mut self) {
        let network = self.solution.network;
        for &operation in network.order.iter().rev() {
            for class in 0..self.classes {
                let slot = self.slot(operation, class);
                self.rough[slot] = self.rough_steps(&network.operations[operation].steps, class);
            }
        }
        let scales = self.rough.iter().flatten().map(|rough| rough.mean - rough.shift).filter(|mean| *mean > 0.0);
        let base = scales.fold(f64::INFINITY, f64::min);
        self.base = if base.is_finite() { base } else { 1.0 };
    }

    fn rough_steps(&self, steps: &[Step], class: usize) -> Option<Rough> {
        let mut sum = Rough { success: 1.0, ..Rough::default() };
        for step in steps {
            let next = self.rough_step(step, class)?;
            sum.shift += next.shift;
            sum.mean += next.mean;
            sum.variance += next.variance;
            sum.success *= next.success;
            sum.level = sum.level.max(next.level);
        }
        Some(sum)
    }

    fn rough_step(&self, step: &Step, class: usize) -> Option<Rough> {
        let one = |law: &Law| {
            let (mean, second) = (law.mean(), law.moment(2));
            let shift = if law.is_constant() { mean } else { 0.0 };
            // Infinite variance says nothing of where the percentiles lie.
            Rough {
                shift,
                mean,
                variance: (second - mean * mean).clamp(0.0, 100.0 * mean * mean),
                success: 1.0,
                level: 0,
            }
        };
        match step {
            Step::Visit(visit) => {
                let (wait, law) = (self.wait(*visit, class)?, self.served[*visit][class].as_ref()?);
                let mut rough = one(law);
                let mean = wait.mean();
                rough.mean += mean;
                rough.variance += (wait.second_moment() - mean * mean).clamp(0.0, 100.0 * mean * mean);
                rough.success = 1.0 - self.refusal(*visit, class);
                Some(rough)
            }
            Step::Delay(law) => Some(one(law)),
            Step::Send(_) => Some(Rough { success: 1.0, ..Rough::default() }),
            Step::Fail(chance) => Some(Rough { success: 1.0 - chance, ..Rough::default() }),
            Step::Call(call) if call.times == 0 || call.probability == 0.0 => {
                Some(Rough { success: 1.0, ..Rough::default() })
            }
            Step::Call(call) => {
                let mut inner = self.rough[self.slot(call.target, class)]?;
                if let Some(network) = &call.network {
                    let network = one(network);
                    inner.shift += network.shift;
                    inner.mean += network.mean;
                    inner.variance += network.variance;
                }
                Some(mixed(&[(call.probability, times(inner, call.times)), (1.0 - call.probability, NOTHING)]))
            }
            Step::Repeat { times: n, steps } => Some(times(self.rough_steps(steps, class)?, *n)),
            Step::Choose(ways) => {
                let mut parts = Vec::with_capacity(ways.len());
                for (weight, steps) in ways.iter().filter(|(weight, _)| *weight > 0.0) {
                    parts.push((*weight, self.rough_steps(steps, class)?));
                }
                Some(mixed(&parts))
            }
            Step::Parallel { branches, needed, .. } => {
                let mut parts = Vec::with_capacity(branches.len());
                for steps in branches {
                    parts.push(self.rough_steps(steps, class)?);
                }
                Some(parallel_rough(&parts, *needed))
            }
        }
    }

    /// The rungs on which the tail of something with these moments is to be read.
    fn rungs(&self, rough: &Rough) -> Rungs {
        let mean = rough.mean - rough.shift;
        if mean <= 1e-12 * rough.mean || mean <= 0.0 {
            return Rungs::NONE;
        }
        let scv = rough.variance / (mean * mean);
        let rung = |t: f64| (t / self.base).ln() / RUNG.ln();
        let low = 0.25 * mean / (1.0 + scv);
        let high = mean + 9.0 * rough.variance.sqrt().max(0.1 * mean);
        Rungs { first: rung(low).floor() as i32, last: rung(high).ceil() as i32 }
    }

    fn time(&self, rung: i32) -> f64 {
        self.base * RUNG.powi(rung)
    }

    // ---- up the ladder ----

    /// Every operation and branch on the rungs it is needed on, level by level: parallel steps need the tails of their
    /// branches before anything above them has a transform.
    fn climb(&mut self) {
        let needed = self.needed_rungs();
        let deepest = self.rough.iter().flatten().map(|rough| rough.level).max().unwrap_or(0);
        for level in 0..=deepest {
            self.stage(level, &needed);
        }
    }

    /// The rungs on which each operation's transform is needed: for itself and for all that call it.
    fn needed_rungs(&self) -> Vec<Rungs> {
        let network = self.solution.network;
        let mut needed = vec![Rungs::NONE; self.rough.len()];
        for &operation in &network.order {
            for class in 0..self.classes {
                let slot = self.slot(operation, class);
                let Some(rough) = &self.rough[slot] else { continue };
                let mut rungs = needed[slot];
                if !self.is_closed(&network.operations[operation].steps, class) {
                    rungs.join(self.rungs(rough));
                }
                needed[slot] = rungs;
                self.mark(&network.operations[operation].steps, class, rungs, &mut needed);
            }
        }
        needed
    }

    fn mark(&self, steps: &[Step], class: usize, rungs: Rungs, needed: &mut [Rungs]) {
        for step in steps {
            match step {
                Step::Call(call) => needed[self.slot(call.target, class)].join(rungs),
                Step::Choose(ways) => ways.iter().for_each(|(_, steps)| self.mark(steps, class, rungs, needed)),
                Step::Repeat { steps, .. } => self.mark(steps, class, rungs, needed),
                Step::Parallel { branches, .. } => {
                    for steps in branches {
                        if let Some(rough) = self.rough_steps(steps, class)
                            && !self.is_closed(steps, class)
                        {
                            self.mark(steps, class, self.rungs(&rough), needed);
                        }
                    }
                }
                Step::Visit(_) | Step::Delay(_) | Step::Send(_) | Step::Fail(_) => {}
            }
        }
    }

    /// Reads the tails of all operations and branches of a level, and with them the parallel steps above.
    fn stage(&mut self, level: usize, needed: &[Rungs]) {
        let network = self.solution.network;
        let branches = self.branches_of(level);
        let mut branch_points: Vec<Vec<(f64, f64)>> = vec![Vec::new(); branches.len()];
        let mut points: Vec<Vec<(f64, f64)>> = vec![Vec::new(); self.rough.len()];
        let own: Vec<Rungs> = (0..self.rough.len())
            .map(|slot| match &self.rough[slot] {
                Some(rough) if rough.level == level => {
                    let closed = self.is_closed(&network.operations[slot / self.classes].steps, slot % self.classes);
                    if closed { Rungs::NONE } else { self.rungs(rough) }
                }
                _ => Rungs::NONE,
            })
            .collect();
        let mut all = Rungs::NONE;
        own.iter().chain(branches.iter().map(|b| &b.rungs)).for_each(|rungs| all.join(*rungs));
        if all.first <= all.last {
            for rung in all.first..=all.last {
                let wanted = |slot: usize| needed[slot].contains(rung);
                let t = self.time(rung);
                let line = LADDER.line(t, 0.0);
                let sheet = self.sheet(line, LADDER.weights.len(), level, &wanted);
                for (slot, values) in sheet.iter().enumerate() {
                    if own[slot].contains(rung)
                        && let (Some(values), Some(rough)) = (values, &self.rough[slot])
                    {
                        points[slot].push((t, tail_at(&LADDER, line, t, rough.success, values)));
                    }
                }
                for (branch, points) in branches.iter().zip(&mut branch_points) {
                    if branch.rungs.contains(rung) {
                        let mut values = vec![Complex64::ONE; LADDER.weights.len()];
                        self.multiply(branch.steps, branch.class, line, &sheet, &mut values);
                        points.push((t, tail_at(&LADDER, line, t, branch.rough.success, &values)));
                    }
                }
            }
        }
        for &operation in network.order.iter().rev() {
            for class in 0..self.classes {
                let slot = self.slot(operation, class);
                if self.rough[slot].is_some_and(|rough| rough.level == level) {
                    self.finish(slot, std::mem::take(&mut points[slot]));
                }
            }
        }
        let curves: Vec<Tail> =
            branches.iter().zip(branch_points).map(|(branch, points)| self.branch_tail(branch, points)).collect();
        self.finish_parallels(level, &branches, curves);
    }

    /// Transforms of all operations up to a level on one line, callees first.
    fn sheet(
        &self,
        line: Line,
        nodes: usize,
        level: usize,
        wanted: &dyn Fn(usize) -> bool,
    ) -> Vec<Option<Vec<Complex64>>> {
        let network = self.solution.network;
        let mut sheet: Vec<Option<Vec<Complex64>>> = vec![None; self.rough.len()];
        for &operation in network.order.iter().rev() {
            for class in 0..self.classes {
                let slot = self.slot(operation, class);
                if self.rough[slot].is_none_or(|rough| rough.level > level) || !wanted(slot) {
                    continue;
                }
                let mut values = vec![Complex64::ONE; nodes];
                self.multiply(&network.operations[operation].steps, class, line, &sheet, &mut values);
                sheet[slot] = Some(values);
            }
        }
        sheet
    }

    /// Multiplies the transform of some steps, beyond their shift, into `out`.
    fn multiply(
        &self,
        steps: &[Step],
        class: usize,
        line: Line,
        sheet: &[Option<Vec<Complex64>>],
        out: &mut [Complex64],
    ) {
        let mut scratch = vec![Complex64::ONE; out.len()];
        for step in steps {
            match step {
                Step::Visit(visit) => {
                    let (Some(wait), Some(law)) = (self.wait(*visit, class), self.served[*visit][class].as_ref())
                    else {
                        continue;
                    };
                    let admitted = 1.0 - self.refusal(*visit, class);
                    if !matches!(wait, Delay::None) {
                        wait.transform(line, &mut scratch);
                        out.iter_mut().zip(&scratch).for_each(|(value, factor)| *value *= admitted * factor);
                    }
                    multiply_law(law, line, &mut scratch, out);
                }
                Step::Delay(law) => multiply_law(law, line, &mut scratch, out),
                Step::Fail(chance) => out.iter_mut().for_each(|value| *value *= 1.0 - chance),
                Step::Send(_) => {}
                Step::Call(call) => self.multiply_call(call, class, line, sheet, out),
                Step::Repeat { times, steps } => {
                    let mut inner = vec![Complex64::ONE; out.len()];
                    self.multiply(steps, class, line, sheet, &mut inner);
                    out.iter_mut().zip(&inner).for_each(|(value, factor)| *value *= factor.powu(*times));
                }
                Step::Choose(ways) => self.multiply_ways(ways, class, line, sheet, out),
                Step::Parallel { id, .. } => {
                    if let Some(parallel) = &self.parallels[id * self.classes + class] {
                        parallel.law.transform(line, &mut scratch);
                        out.iter_mut().zip(&scratch).for_each(|(value, factor)| *value *= parallel.success * factor);
                    }
                }
            }
        }
    }

    fn multiply_call(
        &self,
        call: &Call,
        class: usize,
        line: Line,
        sheet: &[Option<Vec<Complex64>>],
        out: &mut [Complex64],
    ) {
        if call.times == 0 || call.probability == 0.0 {
            return;
        }
        let slot = self.slot(call.target, class);
        let Some(callee) = &sheet[slot] else { return };
        let mut made = callee.clone();
        let mut shift = self.rough[slot].map_or(0.0, |rough| rough.shift);
        if let Some(network) = &call.network {
            let mut scratch = vec![Complex64::ONE; out.len()];
            multiply_law(network, line, &mut scratch, &mut made);
            shift += if network.is_constant() { network.mean() } else { 0.0 };
        }
        let (p, q) = (call.probability, 1.0 - call.probability);
        for (k, (value, factor)) in out.iter_mut().zip(&made).enumerate() {
            let factor = if call.times == 1 { *factor } else { factor.powu(call.times) };
            // A call that may not be made has no shift of its own: its constant part is passed by chance only.
            *value *=
                if q == 0.0 { factor } else { q + p * factor * (-line.point(k) * shift * f64::from(call.times)).exp() };
        }
    }

    fn multiply_ways(
        &self,
        ways: &[(f64, Vec<Step>)],
        class: usize,
        line: Line,
        sheet: &[Option<Vec<Complex64>>],
        out: &mut [Complex64],
    ) {
        let parts: Vec<(f64, f64, &Vec<Step>)> = ways
            .iter()
            .filter(|(weight, _)| *weight > 0.0)
            .map(|(weight, steps)| (*weight, self.rough_steps(steps, class).map_or(0.0, |r| r.shift), steps))
            .collect();
        let least = parts.iter().map(|(_, shift, _)| *shift).fold(f64::INFINITY, f64::min);
        let mut sum = vec![Complex64::ZERO; out.len()];
        for (weight, shift, steps) in parts {
            let mut way = vec![Complex64::from(weight); out.len()];
            self.multiply(steps, class, line, sheet, &mut way);
            for (k, (sum, value)) in sum.iter_mut().zip(&way).enumerate() {
                *sum += if shift > least { value * (-line.point(k) * (shift - least)).exp() } else { *value };
            }
        }
        out.iter_mut().zip(&sum).for_each(|(value, factor)| *value *= factor);
    }

    // ---- results of a level ----

    /// Mean and tail of an operation whose points are all read.
    fn finish(&mut self, slot: usize, points: Vec<(f64, f64)>) {
        let (operation, class) = (slot / self.classes, slot % self.classes);
        let steps = &self.solution.network.operations[operation].steps;
        let Some(rough) = self.rough[slot] else { return };
        self.means[slot] = self.mean_of(steps, class);
        let tail = match self.closed_tail(steps, class) {
            Some(tail) => tail,
            None => Tail::Curve { shift: rough.shift, curve: Curve::new(points) },
        };
        self.tails[slot] = Some(tail);
    }

    /// Exact mean of successful runs, from the means of what is below.
    fn mean_of(&self, steps: &[Step], class: usize) -> Option<f64> {
        let mut sum = 0.0;
        for step in steps {
            sum += match step {
                Step::Visit(visit) => self.wait(*visit, class)?.mean() + self.served[*visit][class].as_ref()?.mean(),
                Step::Delay(law) => law.mean(),
                Step::Send(_) | Step::Fail(_) => 0.0,
                Step::Call(call) if call.times == 0 || call.probability == 0.0 => 0.0,
                Step::Call(call) => {
                    let slot = self.slot(call.target, class);
                    let network = call.network.as_ref().map_or(0.0, Law::mean);
                    let success = self.rough[slot]?.success.powf(f64::from(call.times));
                    let made = call.probability * success;
                    let mean = f64::from(call.times) * (self.means[slot]? + network);
                    if made > 0.0 { mean * made / (made + 1.0 - call.probability) } else { 0.0 }
                }
                Step::Repeat { times, steps } => f64::from(*times) * self.mean_of(steps, class)?,
                Step::Choose(ways) => {
                    let (mut total, mut weighted) = (0.0, 0.0);
                    for (weight, steps) in ways.iter().filter(|(weight, _)| *weight > 0.0) {
                        let chance = weight * self.sequence_success(steps, class);
                        total += chance;
                        weighted += chance * self.mean_of(steps, class)?;
                    }
                    if total > 0.0 { weighted / total } else { 0.0 }
                }
                Step::Parallel { id, .. } => self.parallels[id * self.classes + class].as_ref()?.mean,
            };
        }
        Some(sum)
    }

    /// Chance that an operation succeeds, as far as it ends at all.
    pub(super) fn success(&self, operation: OperationId, class: usize) -> f64 {
        self.rough[self.slot(operation, class)].map_or(0.0, |rough| rough.success)
    }

    /// Chance that all of some steps succeed, as far as they end at all.
    pub(super) fn sequence_success(&self, steps: &[Step], class: usize) -> f64 {
        self.rough_steps(steps, class).map_or(0.0, |rough| rough.success)
    }

    /// A visit or delay that is all that happens: its wait and service.
    fn single<'a>(&'a self, steps: &'a [Step], class: usize, depth: usize) -> Option<(&'a Delay, &'a Law)> {
        let mut kept = steps.iter().filter(|step| !matches!(step, Step::Send(_)));
        let (Some(step), None) = (kept.next(), kept.next()) else { return None };
        match step {
            Step::Visit(visit) => Some((self.wait(*visit, class)?, self.served[*visit][class].as_ref()?)),
            Step::Delay(law) => Some((&Delay::None, law)),
            Step::Repeat { times: 1, steps } => self.single(steps, class, depth + 1),
            Step::Call(call) if call.times == 1 && call.probability == 1.0 && call.network.is_none() && depth < 32 => {
                self.single(&self.solution.network.operations[call.target].steps, class, depth + 1)
            }
            _ => None,
        }
    }

    /// Whether a tail is known without inverting a composed transform.
    fn is_closed(&self, steps: &[Step], class: usize) -> bool {
        self.single(steps, class, 0).is_some() || self.single_parallel(steps, class).is_some()
    }

    /// A parallel step of single visits that is all that happens.
    fn single_parallel<'a>(&'a self, steps: &'a [Step], class: usize) -> Option<(&'a [Vec<Step>], usize)> {
        match steps {
            [Step::Parallel { branches, needed, .. }]
                if branches.iter().all(|steps| self.single(steps, class, 0).is_some()) =>
            {
                Some((branches, *needed))
            }
            _ => None,
        }
    }

    fn closed_tail(&self, steps: &[Step], class: usize) -> Option<Tail> {
        if let Some((wait, law)) = self.single(steps, class, 0) {
            return Some(Tail::Single { wait: wait.clone(), law: law.clone() });
        }
        let (branches, needed) = self.single_parallel(steps, class)?;
        let mut parts = Vec::with_capacity(branches.len());
        for steps in branches {
            let (wait, law) = self.single(steps, class, 0)?;
            parts.push((self.sequence_success(steps, class), Tail::Single { wait: wait.clone(), law: law.clone() }));
        }
        Some(Tail::Parallel(OrderStatistic { parts, needed }))
    }

    /// Branches of parallel steps whose content is known at this level and not before.
    fn branches_of(&self, level: usize) -> Vec<Branch<'s>> {
        let mut found = Vec::new();
        for operation in &self.solution.network.operations {
            for class in 0..self.classes {
                self.collect_branches(&operation.steps, class, level, &mut found);
            }
        }
        found
    }

    fn collect_branches(&self, steps: &'s [Step], class: usize, level: usize, found: &mut Vec<Branch<'s>>) {
        for step in steps {
            match step {
                Step::Choose(ways) => {
                    ways.iter().for_each(|(_, steps)| self.collect_branches(steps, class, level, found));
                }
                Step::Repeat { steps, .. } => self.collect_branches(steps, class, level, found),
                Step::Parallel { branches, needed, id } => {
                    branches.iter().for_each(|steps| self.collect_branches(steps, class, level, found));
                    let roughs: Vec<Rough> =
                        branches.iter().filter_map(|steps| self.rough_steps(steps, class)).collect();
                    let at = roughs.iter().map(|rough| rough.level).max().unwrap_or(0);
                    if at != level || roughs.len() != branches.len() {
                        continue;
                    }
                    for (steps, rough) in branches.iter().zip(roughs) {
                        let closed = self.single(steps, class, 0).is_some();
                        let rungs = if closed { Rungs::NONE } else { self.rungs(&rough) };
                        found.push(Branch { steps, class, rough, rungs, parallel: *id, needed: *needed });
                    }
                }
                _ => {}
            }
        }
    }

    fn branch_tail(&self, branch: &Branch<'_>, points: Vec<(f64, f64)>) -> Tail {
        match self.single(branch.steps, branch.class, 0) {
            Some((wait, law)) => Tail::Single { wait: wait.clone(), law: law.clone() },
            None => Tail::Curve { shift: branch.rough.shift, curve: Curve::new(points) },
        }
    }

    fn finish_parallels(&mut self, level: usize, branches: &[Branch<'_>], tails: Vec<Tail>) {
        debug_assert!(branches.iter().all(|b| b.rough.level <= level));
        let mut tails = tails.into_iter();
        let mut from = 0;
        while from < branches.len() {
            let (id, class, needed) = (branches[from].parallel, branches[from].class, branches[from].needed);
            let to = from + branches[from..].iter().take_while(|b| (b.parallel, b.class) == (id, class)).count();
            let parts: Vec<(f64, Tail)> =
                branches[from..to].iter().map(|b| b.rough.success).zip(tails.by_ref()).collect();
            let means: Vec<f64> =
                branches[from..to].iter().map(|b| self.mean_of(b.steps, class).unwrap_or(b.rough.mean)).collect();
            let roughs: Vec<Rough> = branches[from..to].iter().map(|b| b.rough).collect();
            let statistic = OrderStatistic { parts, needed };
            self.parallels[id * self.classes + class] = Some(parallel_law(&statistic, &means, &roughs));
            from = to;
        }
    }

    // ---- precisely, at one time ----

    /// The probability that an operation's successful run exceeds `t`, inverted with all the digits there are.
    pub(super) fn exceeding_precisely(&self, operation: OperationId, class: usize, t: f64) -> Option<f64> {
        use crate::math::inversion::PRECISE;
        let slot = self.slot(operation, class);
        let rough = self.rough[slot]?;
        let beyond = t - rough.shift;
        if beyond <= 0.0 {
            return Some(1.0);
        }
        let mut reachable = vec![false; self.rough.len()];
        self.reach(slot, &mut reachable);
        let tilt = (0.9 * self.decay_rate(&reachable)).min(20.0 / beyond);
        let line = PRECISE.line(beyond, tilt);
        let sheet = self.sheet(line, PRECISE.weights.len(), usize::MAX, &|slot| reachable[slot]);
        let values = sheet[slot].as_ref()?;
        Some(tail_at(&PRECISE, line, beyond, rough.success, values) * (-tilt * beyond).exp())
    }

    /// Whether some law on the way is a table: then its own error is that of the ladder, and refining wins nothing.
    pub(super) fn is_tabulated(&self, operation: OperationId, class: usize) -> bool {
        let mut reachable = vec![false; self.rough.len()];
        self.reach(self.slot(operation, class), &mut reachable);
        let mut slots = reachable.iter().enumerate().filter(|(_, reachable)| **reachable).map(|(slot, _)| slot);
        slots.any(|slot| {
            let mut visits = Vec::new();
            collect_visits(&self.solution.network.operations[slot / self.classes].steps, &mut visits);
            visits.iter().any(|visit| matches!(self.served[*visit][slot % self.classes], Some(Law::Table(_))))
        })
    }

    /// A rate below that at which the tail of anything reachable falls; zero where something has a heavy tail, or
    /// where loops may make the sum of many parts fall more slowly than each.
    fn decay_rate(&self, reachable: &[bool]) -> f64 {
        let mut rate = f64::INFINITY;
        for (slot, _) in reachable.iter().enumerate().filter(|(_, reachable)| **reachable) {
            let class = slot % self.classes;
            let mut stack: Vec<&Step> = self.solution.network.operations[slot / self.classes].steps.iter().collect();
            while let Some(step) = stack.pop() {
                match step {
                    Step::Visit(visit) => {
                        let wait = self.wait(*visit, class).map_or(0.0, Delay::decay_rate);
                        let law = self.served[*visit][class].as_ref().map_or(0.0, Law::decay_rate);
                        rate = rate.min(wait).min(law);
                    }
                    Step::Delay(law) => rate = rate.min(law.decay_rate()),
                    Step::Call(call) => rate = rate.min(call.network.as_ref().map_or(f64::INFINITY, Law::decay_rate)),
                    Step::Choose(ways) => ways.iter().for_each(|(_, steps)| stack.extend(steps)),
                    Step::Repeat { steps, .. } => stack.extend(steps),
                    Step::Parallel { .. } => return 0.0,
                    Step::Send(_) | Step::Fail(_) => {}
                }
            }
        }
        if rate.is_finite() { rate } else { 0.0 }
    }

    /// Every operation that runs for this one, itself included.
    pub(super) fn reach(&self, slot: usize, reachable: &mut [bool]) {
        let mut open = vec![slot];
        while let Some(slot) = open.pop() {
            if std::mem::replace(&mut reachable[slot], true) {
                continue;
            }
            let class = slot % self.classes;
            let mut stack: Vec<&Step> = self.solution.network.operations[slot / self.classes].steps.iter().collect();
            while let Some(step) = stack.pop() {
                match step {
                    Step::Call(call) => open.push(self.slot(call.target, class)),
                    Step::Choose(ways) => ways.iter().for_each(|(_, steps)| stack.extend(steps)),
                    Step::Repeat { steps, .. } => stack.extend(steps),
                    Step::Parallel { branches, .. } => branches.iter().for_each(|steps| stack.extend(steps)),
                    Step::Visit(_) | Step::Delay(_) | Step::Send(_) | Step::Fail(_) => {}
                }
            }
        }
    }
}

/// A branch of a parallel step.
struct Branch<'s> {
    steps: &'s [Step],
    class: usize,
    rough: Rough,
    rungs: Rungs,
    parallel: usize,
    needed: usize,
}

const NOTHING: Rough = Rough { shift: 0.0, mean: 0.0, variance: 0.0, success: 1.0, level: 0 };

fn times(rough: Rough, n: u32) -> Rough {
    let n = f64::from(n);
    Rough {
        shift: rough.shift * n,
        mean: rough.mean * n,
        variance: rough.variance * n,
        success: rough.success.powf(n),
        level: rough.level,
    }
}

fn mixed(parts: &[(f64, Rough)]) -> Rough {
    let certain = parts.iter().filter(|(weight, _)| *weight > 0.0);
    let success: f64 = certain.clone().map(|(weight, rough)| weight * rough.success).sum();
    let share = |weight: f64, rough: &Rough| if success > 0.0 { weight * rough.success / success } else { 0.0 };
    let mean: f64 = certain.clone().map(|(weight, rough)| share(*weight, rough) * rough.mean).sum();
    let second: f64 =
        certain.clone().map(|(weight, rough)| share(*weight, rough) * (rough.variance + rough.mean * rough.mean)).sum();
    Rough {
        shift: certain.clone().map(|(_, rough)| rough.shift).fold(f64::INFINITY, f64::min),
        mean,
        variance: (second - mean * mean).max(0.0),
        success,
        level: certain.map(|(_, rough)| rough.level).max().unwrap_or(0),
    }
}

/// A guess at the order statistic's moments: where to look, not what is found.
fn parallel_rough(parts: &[Rough], needed: usize) -> Rough {
    let success: Vec<f64> = parts.iter().map(|part| part.success).collect();
    let mut shifts: Vec<f64> = parts.iter().map(|part| part.shift).collect();
    shifts.sort_by(f64::total_cmp);
    let mut means: Vec<f64> = parts.iter().map(|part| part.mean).collect();
    means.sort_by(f64::total_cmp);
    let n = parts.len() as f64;
    let share = needed as f64 / (n + 1.0);
    let mean = means.get(needed.saturating_sub(1)).copied().unwrap_or(0.0) * (1.0 - (1.0 - share).ln()) * 0.6;
    let variance = parts.iter().map(|part| part.variance).fold(0.0, f64::max);
    let shift = shifts.get(needed.saturating_sub(1)).copied().unwrap_or(0.0);
    Rough {
        shift,
        mean: mean.max(shift),
        variance,
        success: crate::network::flows::at_least(&success, needed),
        level: parts.iter().map(|part| part.level).max().unwrap_or(0) + 1,
    }
}

/// The law of a parallel step from the tails of its branches.
fn parallel_law(statistic: &OrderStatistic, means: &[f64], roughs: &[Rough]) -> ParallelLaw {
    let rough = parallel_rough(roughs, statistic.needed);
    let success = rough.success;
    let mean = statistic.mean(rough.mean.max(means.iter().copied().fold(0.0, f64::max)));
    let beyond = mean - rough.shift;
    let law = if beyond <= 1e-12 * mean {
        Law::constant(0.0)
    } else {
        let knots = statistic.knots(rough.shift, beyond);
        let table = Table::new(knots);
        let factor = beyond / table.moment(1);
        Law::Table(table.scaled(factor))
    };
    let chances = statistic.decisive();
    let critical =
        chances.iter().zip(means).map(|(chance, own)| if *own > 0.0 { chance * mean / own } else { 0.0 }).collect();
    ParallelLaw { law, success, mean, critical }
}

/// The tail at `t` of a time with this transform, among the successful.
fn tail_at(euler: &Euler, line: Line, t: f64, success: f64, values: &[Complex64]) -> f64 {
    if success <= 0.0 {
        return 0.0;
    }
    let quotients: Vec<Complex64> =
        values.iter().enumerate().map(|(k, value)| (success - value) / line.point(k)).collect();
    (euler.sum(t, &quotients) / success).max(0.0)
}

/// Every visit that some steps make themselves.
fn collect_visits(steps: &[Step], found: &mut Vec<VisitId>) {
    for step in steps {
        match step {
            Step::Visit(visit) => found.push(*visit),
            Step::Repeat { steps, .. } => collect_visits(steps, found),
            Step::Choose(ways) => ways.iter().for_each(|(_, steps)| collect_visits(steps, found)),
            Step::Parallel { branches, .. } => branches.iter().for_each(|steps| collect_visits(steps, found)),
            Step::Delay(_) | Step::Call(_) | Step::Send(_) | Step::Fail(_) => {}
        }
    }
}

/// Multiplies the transform of a law into `out`; a constant is in the shift already.
fn multiply_law(law: &Law, line: Line, scratch: &mut [Complex64], out: &mut [Complex64]) {
    if law.is_constant() {
        return;
    }
    law.transform(line, scratch);
    out.iter_mut().zip(scratch.iter()).for_each(|(value, factor)| *value *= factor);
}

/// The law of each visit's service once begun, per class.
fn served_laws(solution: &Solution<'_>) -> Vec<Vec<Option<Law>>> {
    let network = solution.network;
    network
        .visits
        .iter()
        .map(|visit| {
            let classes = &solution.stations[visit.station].classes;
            classes
                .iter()
                .map(|class| match &class.treatment {
                    _ if class.wait.is_none() => None,
                    Treatment::Plain => Some(fast(visit.time.clone())),
                    Treatment::Stretched(factor) => Some(fast(visit.time.scaled(*factor))),
                    Treatment::Shared(queue) => ps::response(queue, &visit.time).map(|(law, _)| law),
                })
                .collect()
        })
        .collect()
}

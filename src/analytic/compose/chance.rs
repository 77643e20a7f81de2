//! Visits made by chance, and those around them at the same queue.
//!
//! | symbol    | meaning                                                                              | unit |
//! |-----------|--------------------------------------------------------------------------------------|------|
//! | `L(n, P)` | transform of `n` waits with as many linked pairs, see `again`                        | 1    |
//! | `o`       | what is expected around a step: all before it, and what comes after it for certain   | 1    |
//! | `c`       | what the step visits for certain when it is made                                     | 1    |
//!
//! The transform of a step that is made by chance is that of independent waits but for what is linked within it. Where the
//! step stands it is multiplied by
//!
//! ```text
//! L(o and c) / (L(o) L(c))
//! ```
//!
//! so that two steps by chance are linked once, where the later one stands. Of so many runs in a row each has half of the
//! others before it. What stands by chance within a call is linked to what is around the call by going through the callee
//! again, as if it stood in the caller. What adds little to the variance of the whole is left apart.

use super::Composed;
use super::again::{Blocks, FAINT, Link, VANISHED};
use super::course::{Course, Passed, Visits};
use super::rough::Rough;
use super::sheet::Sheet;
use crate::network::{Call, Step, VisitId};
use hashbrown::HashMap;
use num_complex::Complex64;
use std::cell::Cell;

/// What adds less to the variance of an operation's time is left apart.
const SMALL: f64 = 1e-3;

/// Calls within calls that are gone through again.
const DEEPEST: u32 = 8;

/// Calls that are gone through again for one operation.
const MOST: u32 = 16;

/// A call or way, known by where it stands in memory, for one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Chance {
    Call(usize, usize),
    Way(usize, usize),
}

impl Chance {
    fn call(call: &Call, class: usize) -> Chance {
        Chance::Call(std::ptr::from_ref(call).addr(), class)
    }

    fn way(steps: &[Step], class: usize) -> Chance {
        Chance::Way(steps.as_ptr().addr(), class)
    }
}

/// On what calls and ways depend.
pub(super) type Notes = HashMap<Chance, Dependence>;

/// Waits of a step at a queue at which others of the same request wait too.
#[derive(Debug, Clone, Copy)]
struct Echo {
    visit: VisitId,
    others: Blocks,
    own: Blocks,
    all: Blocks,
}

/// How the waits of a step depend on each other, and on those around it.
#[derive(Debug, Clone, Default)]
pub(super) struct Dependence {
    links: Vec<Link>,
    echoes: Vec<Echo>,
    /// What stands by chance in the callee, where it is linked to what is around the call.
    inside: Option<Box<Notes>>,
    /// What depending on what is around it adds to the variance of all, when it is made.
    added: f64,
}

/// What may come before and after some steps, how often they are expected to be made, and how deep within calls.
#[derive(Clone, Copy)]
struct Around<'a> {
    before: &'a Course,
    after: &'a Course,
    runs: f64,
    depth: u32,
}

/// Visits before and after a step, and how they fade: over all of it, and from its last visit to its end.
#[derive(Debug, Clone, Copy)]
struct Others {
    earlier: Visits,
    later: Visits,
    over: f64,
    out: f64,
}

impl Others {
    /// These and the step's own.
    fn and(&self, own: &Visits) -> Visits {
        let Others { earlier, later, .. } = self;
        Visits {
            count: earlier.count + own.count + later.count,
            pairs: earlier.pairs
                + own.pairs
                + later.pairs
                + 2.0 * earlier.echo * self.over * later.fore
                + self.shared(own),
            ..Visits::default()
        }
    }

    /// Pairs of one of these and one of the step's own.
    fn shared(&self, own: &Visits) -> f64 {
        2.0 * (self.earlier.echo * own.fore + own.echo * self.out * self.later.fore)
    }
}

/// Goes through the steps of one operation and notes on what they depend.
struct Noting<'c, 's> {
    composed: &'c Composed<'s>,
    class: usize,
    /// The least variance that counts.
    least: f64,
    /// Calls that may still be gone through again.
    left: Cell<u32>,
}

impl Noting<'_, '_> {
    /// Notes on some steps, and what depending on each other adds to the variance of all of them.
    fn steps(&self, steps: &[Step], around: Around<'_>, notes: &mut Notes) -> f64 {
        if steps.iter().all(|step| matches!(step, Step::Visit(_) | Step::Delay(_) | Step::Send(_) | Step::Fail(_))) {
            return 0.0;
        }
        let Noting { composed, class, .. } = *self;
        let memories = &composed.solution.memories;
        // What comes after each step, from the last on. Where nobody comes twice, nothing is around.
        let mut later = vec![around.after.clone()];
        for step in steps.iter().rev().filter(|_| composed.repeats) {
            let mut course = Course::default();
            composed.pass(step, class, &mut course);
            course.follow(&later[later.len() - 1], memories);
            later.push(course);
        }
        let mut before = around.before.clone();
        let mut added = 0.0;
        for (i, step) in steps.iter().enumerate() {
            let after = later.get(steps.len() - 1 - i).unwrap_or(around.after);
            added += self.step(step, Around { before: &before, after, ..around }, notes);
            if composed.repeats {
                composed.pass(step, class, &mut before);
            }
        }
        added
    }

    fn alone(&self, steps: &[Step], notes: &mut Notes) -> f64 {
        let nothing = Course::default();
        self.steps(steps, Around { before: &nothing, after: &nothing, runs: 1.0, depth: 0 }, notes)
    }

    fn step(&self, step: &Step, around: Around<'_>, notes: &mut Notes) -> f64 {
        match step {
            Step::Call(call) if call.times == 0 || call.probability == 0.0 => 0.0,
            Step::Call(call) => {
                let around = Around { runs: around.runs * call.probability, ..around };
                call.probability * self.call(call, around, notes)
            }
            Step::Choose { ways, .. } => ways
                .iter()
                .filter(|(weight, _)| *weight > 0.0)
                .map(|(weight, steps)| {
                    let around = Around { runs: around.runs * weight, ..around };
                    let made = self.composed.course(steps, self.class);
                    let (echoes, added) = self.echoes(&made, around);
                    let links = self.composed.links(&made, self.class);
                    note(Chance::way(steps, self.class), Dependence { links, echoes, inside: None, added }, notes);
                    weight * (added + self.steps(steps, around, notes))
                })
                .sum(),
            Step::Hold { steps, .. } => self.steps(steps, around, notes),
            Step::Repeat { times, steps } => {
                let once = self.composed.course(steps, self.class);
                self.among_runs(&once, *times, around, |around| f64::from(*times) * self.steps(steps, around, notes))
            }
            // What is tried again is left apart.
            Step::Guarded(guarded) => {
                self.alone(&guarded.attempt, notes);
                0.0
            }
            // Branches are linked by `fork`.
            Step::Parallel { branches, .. } => {
                branches.iter().for_each(|steps| {
                    self.alone(steps, notes);
                });
                0.0
            }
            Step::Visit(_) | Step::Delay(_) | Step::Send(_) | Step::Fail(_) => 0.0,
        }
    }

    /// What one of some runs in a row has around it: half of the others on each side.
    fn among_runs<T>(&self, once: &Course, times: u32, around: Around<'_>, f: impl FnOnce(Around<'_>) -> T) -> T {
        let around = Around { runs: around.runs * f64::from(times), ..around };
        if times <= 1 {
            return f(around);
        }
        let memories = &self.composed.solution.memories;
        let mut half = once.clone().repeated((times - 1) / 2, memories);
        if times & 1 == 0 {
            half.follow(&Course::one_of(&[(0.5, once)], memories), memories);
        }
        let (mut before, mut after) = (around.before.clone(), half.clone());
        before.follow(&half, memories);
        after.follow(around.after, memories);
        f(Around { before: &before, after: &after, ..around })
    }

    /// Notes on a call, and what it adds to the variance of all when it is made.
    fn call(&self, call: &Call, around: Around<'_>, notes: &mut Notes) -> f64 {
        let Noting { composed, class, .. } = *self;
        let once = &composed.courses[composed.slot(call.target, class)];
        let made = composed.course_of_call(call, class);
        let mut dependence = Dependence::default();
        if call.probability < 1.0 {
            (dependence.echoes, dependence.added) = self.echoes(&made, around);
            dependence.links = composed.links(&made, class);
        }
        self.among_runs(once, call.times, around, |around| {
            if !self.is_worth(once, around) || around.depth == DEEPEST || self.left.get() == 0 {
                return;
            }
            self.left.set(self.left.get() - 1);
            let mut inside = Notes::new();
            let around = Around { depth: around.depth + 1, ..around };
            let steps = &composed.solution.network.operations[call.target].steps;
            dependence.added += f64::from(call.times) * self.steps(steps, around, &mut inside);
            dependence.inside = Some(Box::new(inside));
        });
        let added = dependence.added;
        note(Chance::call(call, class), dependence, notes);
        added
    }

    /// Whether what a callee visits by chance depends enough on what is around the call.
    fn is_worth(&self, once: &Course, around: Around<'_>) -> bool {
        let by_chance = |passed: &&Passed| passed.all.count > passed.certain.count * (1.0 + FAINT);
        let added = once.passed.iter().filter(by_chance).map(|passed| {
            let (all, certain) = (passed.all, passed.certain);
            let chance = Visits { fore: all.fore - certain.fore, echo: all.echo - certain.echo, ..all };
            self.added(passed, self.others(passed, once, around).shared(&chance)).1
        });
        around.runs * added.sum::<f64>() > self.least
    }

    /// How alike the waits of some visits are, and what so many pairs of them add to the variance.
    fn added(&self, passed: &Passed, pairs: f64) -> (f64, f64) {
        let alike = self.composed.alikeness(passed.visit, self.class).filter(|_| pairs > 0.0).unwrap_or(0.0);
        let added = if alike > 0.0 { alike * pairs * self.composed.variance(passed.visit, self.class) } else { 0.0 };
        if added.is_finite() { (alike, added) } else { (0.0, 0.0) }
    }

    /// How the certain visits of a step that is made depend on what is around it, and what that adds to the variance of
    /// all.
    fn echoes(&self, made: &Course, around: Around<'_>) -> (Vec<Echo>, f64) {
        let mut added = 0.0;
        let mut echoes = Vec::new();
        for passed in made.passed.iter().filter(|passed| passed.certain.count > 0.0) {
            let others = self.others(passed, made, around);
            let (alike, more) = self.added(passed, others.shared(&passed.certain));
            if around.runs * more > self.least {
                let blocks = |visits: Visits| Blocks::of(visits.count, visits.pairs, alike);
                let (visit, own) = (passed.visit, blocks(passed.certain));
                let others_alone = blocks(others.and(&Visits::default()));
                echoes.push(Echo { visit, others: others_alone, own, all: blocks(others.and(&passed.certain)) });
                added += more;
            }
        }
        (echoes, added)
    }

    /// The visits around a step to the station that it passes there, as they fade towards it.
    fn others(&self, passed: &Passed, made: &Course, around: Around<'_>) -> Others {
        let memory = &self.composed.solution.memories[passed.station];
        let earlier = around.before.like(passed).map_or(Visits::default(), |earlier| {
            let faded = memory.kept(around.before.duration - earlier.last);
            Visits { echo: earlier.all.echo * faded, ..earlier.all }
        });
        let later = around.after.like(passed).map_or(Visits::default(), |later| later.certain);
        Others { earlier, later, over: memory.kept(made.duration), out: memory.kept(made.duration - passed.last) }
    }
}

impl Composed<'_> {
    /// Notes on what the steps of an operation depend.
    pub(super) fn notes(&self, steps: &[Step], class: usize) -> Notes {
        let mut notes = Notes::new();
        if let Some(rough) = self.rough_steps(steps, class) {
            let least = SMALL * rough.variance;
            Noting { composed: self, class, least, left: Cell::new(MOST) }.alone(steps, &mut notes);
        }
        notes
    }

    /// The moments of a call or way with its links, and what it adds to the variance of all by depending on the others.
    pub(super) fn dependent(&self, rough: Rough, on: Option<&Dependence>, class: usize) -> (Rough, f64) {
        on.map_or((rough, 0.0), |on| (self.widened(rough, &on.links, class), on.added))
    }

    /// A rate below that at which the tail of the dependent waits falls.
    pub(super) fn dependent_decay(&self, on: Option<&Dependence>, class: usize) -> f64 {
        let Some(Dependence { links, echoes, inside, .. }) = on else { return f64::INFINITY };
        let echo = |echo: &Echo| {
            let each = [echo.others, echo.own, echo.all].map(|blocks| self.decay_in_blocks(echo.visit, blocks, class));
            each.into_iter().fold(f64::INFINITY, f64::min)
        };
        let inside = inside.iter().flat_map(|notes| notes.values()).map(|on| self.dependent_decay(Some(on), class));
        echoes.iter().map(echo).chain(inside).fold(self.linked_decay(links, class), f64::min)
    }

    /// Turns independent waits in the transform of a call or way into dependent ones.
    pub(super) fn depend(&self, on: &Dependence, class: usize, sheet: &mut Sheet, values: &mut [Complex64]) {
        self.link(&on.links, class, sheet, values);
        for echo in &on.echoes {
            let Some(alike) = self.alike(echo.visit, class) else { continue };
            let mut rows = [echo.all, echo.others, echo.own].map(|blocks| (blocks, sheet.take()));
            rows.iter_mut().for_each(|(blocks, row)| alike.in_blocks(*blocks, sheet, row));
            for (k, value) in values.iter_mut().enumerate() {
                let [all, others, own] = rows.each_ref().map(|(_, row)| row[k]);
                let apart = others * own;
                // Where the independent waits have vanished so has everything else.
                if apart.norm() > VANISHED {
                    *value *= all / apart;
                }
            }
            rows.into_iter().for_each(|(_, row)| sheet.give(row));
        }
    }
}

impl Dependence {
    /// On what the callee's own steps depend, where it is gone through again.
    pub(super) fn inside(&self) -> Option<&Notes> {
        self.inside.as_deref()
    }
}

/// On what a call depends, by these notes.
pub(super) fn of_call<'n>(notes: &'n Notes, call: &Call, class: usize) -> Option<&'n Dependence> {
    notes.get(&Chance::call(call, class))
}

/// On what a way depends, by these notes.
pub(super) fn of_way<'n>(notes: &'n Notes, steps: &[Step], class: usize) -> Option<&'n Dependence> {
    notes.get(&Chance::way(steps, class))
}

/// Keeps what matters.
fn note(chance: Chance, on: Dependence, notes: &mut Notes) {
    if !on.links.is_empty() || !on.echoes.is_empty() || on.inside.as_ref().is_some_and(|inside| !inside.is_empty()) {
        notes.insert(chance, on);
    }
}

//! Visits made by chance, and those around them at the same queue.
//!
//! | symbol    | meaning                                                                              | unit |
//! |-----------|--------------------------------------------------------------------------------------|------|
//! | `L(n, P)` | transform of `n` waits with as many linked pairs, see `again`                        | 1    |
//! | `o`       | what is expected around a step: all before it, and what comes after it for certain   | 1    |
//! | `c`       | what the step itself visits, when it is made                                         | 1    |
//!
//! The transform of a step that is made by chance, or holds what is, is that of independent waits but for what is linked
//! within each of its runs. Where the step stands it is multiplied by
//!
//! ```text
//! L(o and c) / (L(o) L(c within each run))                                                       made by chance
//! L(o and c) L(certain part of c within each run) / (L(o and certain part of c) L(c within each run))   certain
//! ```
//!
//! so that any two steps are linked once: by chance where the later one stands, for certain where `again` does. Of so many
//! runs in a row each has half of the others before it. The numbers are expectations; where they are certain the law is
//! the one that `again` gives.

use super::Composed;
use super::again::{Blocks, FAINT, Link, VANISHED};
use super::course::{Course, Passed, Visits};
use super::rough::Rough;
use super::sheet::Sheet;
use crate::network::{Call, Step, VisitId};
use num_complex::Complex64;

/// A step or way that something depends on, known by where it stands in memory, for one class.
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

/// Waits of a step at a queue at which others of the same request wait too.
#[derive(Debug, Clone)]
struct Echo {
    visit: VisitId,
    /// How they go together, and how they are taken so far.
    together: Vec<Blocks>,
    so_far: Vec<Blocks>,
    /// What the others add to the variance of all, over the variance of a wait.
    shared: f64,
}

/// Visits of a step to a station.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    visits: Visits,
    /// The pairs of them that are linked within the runs of the step.
    within: f64,
}

/// How the waits of a step depend on each other, and on those around it.
#[derive(Debug, Clone, Default)]
pub(super) struct Dependence {
    links: Vec<Link>,
    echoes: Vec<Echo>,
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
        let Others { earlier, later, over, out } = self;
        let pairs = earlier.echo * over * later.fore + earlier.echo * own.fore + own.echo * out * later.fore;
        Visits {
            count: earlier.count + own.count + later.count,
            pairs: earlier.pairs + own.pairs + later.pairs + 2.0 * pairs,
            ..Visits::default()
        }
    }
}

/// What may come before and after some steps.
#[derive(Clone, Copy)]
struct Around<'a> {
    before: &'a Course,
    after: &'a Course,
}

/// What every step that is made by chance, or holds what is, depends on.
type Found = Vec<(Chance, Dependence)>;

impl Composed<'_> {
    /// On what the steps of an operation depend.
    pub(super) fn dependences(&self, steps: &[Step], class: usize) -> Vec<(Chance, Dependence)> {
        let mut found = Vec::new();
        self.note_alone(steps, class, &mut found);
        found
    }

    fn note_alone(&self, steps: &[Step], class: usize, found: &mut Found) {
        let nothing = Course::default();
        self.note_steps(steps, class, Around { before: &nothing, after: &nothing }, found);
    }

    fn note_steps(&self, steps: &[Step], class: usize, around: Around<'_>, found: &mut Found) {
        if steps.iter().all(|step| matches!(step, Step::Visit(_) | Step::Delay(_) | Step::Send(_) | Step::Fail(_))) {
            return;
        }
        let memories = &self.solution.memories;
        // What comes after each step, from the last on. Where nobody comes twice, nothing is around.
        let mut later = vec![around.after.clone()];
        for step in steps.iter().rev().filter(|_| self.repeats) {
            let mut course = Course::default();
            self.pass(step, class, &mut course);
            course.follow(&later[later.len() - 1], memories);
            later.push(course);
        }
        let mut before = around.before.clone();
        for (i, step) in steps.iter().enumerate() {
            let after = later.get(steps.len() - 1 - i).unwrap_or(around.after);
            self.note_step(step, class, Around { before: &before, after }, found);
            if self.repeats {
                self.pass(step, class, &mut before);
            }
        }
    }

    fn note_step(&self, step: &Step, class: usize, around: Around<'_>, found: &mut Found) {
        match step {
            Step::Call(call) if call.times == 0 || call.probability == 0.0 => {}
            Step::Call(call) => self.note_call(call, class, around, found),
            Step::Choose(ways) => {
                for (_, steps) in ways.iter().filter(|(weight, _)| *weight > 0.0) {
                    let made = self.course(steps, class);
                    // What stands by chance within a way has its own note.
                    let certain = |passed: &Passed| Part { visits: passed.certain, within: passed.certain.pairs };
                    let echoes = self.echoes(&made, class, around, |passed| (certain(passed), Part::default()));
                    note(Chance::way(steps, class), self.links(&made, class), echoes, found);
                    self.note_steps(steps, class, around, found);
                }
            }
            Step::Repeat { times, steps } => {
                let memories = &self.solution.memories;
                let once = self.course(steps, class);
                // Half of the others.
                let mut half = once.clone().repeated(times.saturating_sub(1) / 2, memories);
                if times % 2 == 0 {
                    half.follow(&Course::one_of(&[(0.5, &once)], memories), memories);
                }
                let (mut before, mut after) = (around.before.clone(), half.clone());
                before.follow(&half, memories);
                after.follow(around.after, memories);
                self.note_steps(steps, class, Around { before: &before, after: &after }, found);
            }
            // Branches are linked by `fork`.
            Step::Parallel { branches, .. } => {
                branches.iter().for_each(|steps| self.note_alone(steps, class, found));
            }
            Step::Visit(_) | Step::Delay(_) | Step::Send(_) | Step::Fail(_) => {}
        }
    }

    fn note_call(&self, call: &Call, class: usize, around: Around<'_>, found: &mut Found) {
        let once = &self.courses[self.slot(call.target, class)];
        let made = self.course_of_call(call, class);
        let certain = call.probability == 1.0;
        let runs = f64::from(call.times);
        let echoes = self.echoes(&made, class, around, |passed| {
            let single = once.at(passed.station).copied().unwrap_or(*passed);
            let (all, linked) = (runs * single.all.pairs, runs * single.certain.pairs);
            if certain {
                let known = Part { visits: passed.certain, within: linked };
                (Part { visits: passed.all, within: all }, known)
            } else {
                // Its runs are linked with each other already in what is certain.
                (Part { visits: passed.all, within: all + passed.certain.pairs - linked }, Part::default())
            }
        });
        let links = if certain { Vec::new() } else { self.links(&made, class) };
        note(Chance::call(call, class), links, echoes, found);
    }

    /// How the visits of a step depend on what is around it: `parts` of those of its course, and such among them as are
    /// linked to what is around it already.
    fn echoes(
        &self,
        made: &Course,
        class: usize,
        around: Around<'_>,
        parts: impl Fn(&Passed) -> (Part, Part),
    ) -> Vec<Echo> {
        let mut echoes = Vec::new();
        for passed in made.passed.iter().filter(|passed| self.solution.memories[passed.station].is_repeated()) {
            let (own, known) = parts(passed);
            let new = own.visits.count - known.visits.count;
            let Some(alike) = self.alikeness(passed.visit, class).filter(|_| new > FAINT) else { continue };
            let others = self.others(passed, made, around);
            let (all, before) = (others.and(&own.visits), others.and(&known.visits));
            let pairs = all.pairs - before.pairs - (own.within - known.within);
            if alike * pairs > FAINT * new {
                let blocks = |count: f64, pairs: f64| Blocks::of(count, pairs, alike);
                let within = |part: &Part| blocks(part.visits.count, part.within);
                let full = |visits: &Visits| blocks(visits.count, visits.pairs);
                let some = |blocks: [Blocks; 2]| blocks.into_iter().filter(|blocks| blocks.count > 0.0).collect();
                echoes.push(Echo {
                    visit: passed.visit,
                    together: some([full(&all), within(&known)]),
                    so_far: some([full(&before), within(&own)]),
                    shared: alike * pairs,
                });
            }
        }
        echoes
    }

    /// The visits around a step to the station that it passes there, as they fade towards it.
    fn others(&self, passed: &Passed, made: &Course, around: Around<'_>) -> Others {
        let memory = &self.solution.memories[passed.station];
        let earlier = around.before.at(passed.station).map_or(Visits::default(), |earlier| {
            let faded = memory.kept(around.before.duration - earlier.last);
            Visits { echo: earlier.all.echo * faded, ..earlier.all }
        });
        let later = around.after.at(passed.station).map_or(Visits::default(), |later| later.certain);
        Others { earlier, later, over: memory.kept(made.duration), out: memory.kept(made.duration - passed.last) }
    }

    /// On what a call depends.
    pub(super) fn dependence_of_call(&self, call: &Call, class: usize) -> Option<&Dependence> {
        self.chances.get(&Chance::call(call, class))
    }

    /// On what a way depends, when it is gone.
    pub(super) fn dependence_of_way(&self, steps: &[Step], class: usize) -> Option<&Dependence> {
        self.chances.get(&Chance::way(steps, class))
    }

    /// The moments of a step with its links, and what it adds to the variance of all by depending on the others.
    pub(super) fn dependent(&self, rough: Rough, dependence: Option<&Dependence>, class: usize) -> (Rough, f64) {
        let Some(Dependence { links, echoes }) = dependence else { return (rough, 0.0) };
        let shared = echoes.iter().map(|echo| echo.shared * self.variance(echo.visit, class));
        (self.widened(rough, links, class), shared.filter(|variance| variance.is_finite()).sum())
    }

    /// A rate below that at which the tail of the dependent waits falls.
    pub(super) fn dependent_decay(&self, dependence: Option<&Dependence>, class: usize) -> f64 {
        let Some(Dependence { links, echoes }) = dependence else { return f64::INFINITY };
        let echo = |echo: &Echo| {
            let sizes = echo.together.iter().chain(&echo.so_far).map(|blocks| blocks.size);
            self.decay_in_blocks(echo.visit, sizes.fold(1.0, f64::max), class)
        };
        echoes.iter().map(echo).fold(self.linked_decay(links, class), f64::min)
    }

    /// Turns independent waits in the transform of a step into dependent ones.
    pub(super) fn depend(&self, on: &Dependence, class: usize, sheet: &mut Sheet, values: &mut [Complex64]) {
        self.link(&on.links, class, sheet, values);
        for echo in &on.echoes {
            let Some(alike) = self.alike(echo.visit, class) else { continue };
            let (mut together, mut so_far, mut row) = (sheet.take(), sheet.take(), sheet.take());
            for (list, out) in [(&echo.together, &mut together), (&echo.so_far, &mut so_far)] {
                for blocks in list {
                    alike.transform(sheet.line().stretched(blocks.size), &mut row);
                    let power = blocks.count / blocks.size;
                    out.iter_mut().zip(&row).for_each(|(value, block)| *value *= block.powf(power));
                }
            }
            for ((value, together), so_far) in values.iter_mut().zip(&together).zip(&so_far) {
                // Where the independent waits have vanished so has everything else.
                if so_far.norm() > VANISHED {
                    *value *= together / so_far;
                }
            }
            [together, so_far, row].into_iter().for_each(|row| sheet.give(row));
        }
    }
}

/// Keeps what matters.
fn note(chance: Chance, links: Vec<Link>, echoes: Vec<Echo>, found: &mut Found) {
    if !links.is_empty() || !echoes.is_empty() {
        found.push((chance, Dependence { links, echoes }));
    }
}

//! Visits of one request to the same queue: a queue found long is still long a little later.
//!
//! | symbol | meaning                                                                | unit |
//! |--------|------------------------------------------------------------------------|------|
//! | `n, P` | visits of one request to a station, and the pairs of them that the queue remembers | 1 |
//! | `a`    | share of a wait's variance that comes from the number found there      | 1    |
//! | `b`    | waits in a row that are as good as one                                 | 1    |
//!
//! The correlation of two waits falls exponentially with the time between them. Their sum is taken as that of `n / b`
//! independent blocks of `b` equal waits, which gives it the variance it has:
//!
//! ```text
//! b = 1 + a P / n,   Σ W  ~  L(n, P) = W*(b s)^(n / b)
//! ```
//!
//! The wait of M/G/1 is divisible without end, so that the power is a law for any `b`. With many short visits in a row to
//! one server the variance is that of processor sharing, which round robin tends to.
//!
//! Visits that are made for certain are linked so where they stand. What is called by chance is linked within itself,
//! and, when it is made, to the visits before and after it: `L(all) / (L(others) L(own))` takes the place of 1, with
//! the numbers expected then. What stands by chance within a certain call is not linked to what is around the call.
//!
//! Source: the limit of many visits: Ott, The sojourn-time distribution in the M/G/1 queue with processor sharing,
//! Journal of Applied Probability 21 (1984); the rest is this project's, with its errors in docs/methods.md.

use super::Composed;
use super::course::{Course, Passed, Visits};
use super::rough::Rough;
use super::sheet::Sheet;
use crate::analytic::stations::Treatment;
use crate::discipline::Delay;
use crate::distribution::{Distribution, Law};
use crate::math::inversion::Line;
use crate::network::{Call, Step, VisitId};
use num_complex::Complex64;

/// Waits whose correlation is less are left apart.
const FAINT: f64 = 1e-3;

/// Below this a transform is nothing.
const VANISHED: f64 = 1e-280;

/// Visits in blocks: so many, of which so many are as good as one.
#[derive(Debug, Clone, Copy)]
struct Blocks {
    count: f64,
    size: f64,
}

impl Blocks {
    fn of(visits: &Visits, alike: f64) -> Blocks {
        Blocks { count: visits.count, size: 1.0 + alike * visits.pairs / visits.count.max(1e-300) }
    }
}

/// Waits of one request that depend on each other, made for certain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    visit: VisitId,
    count: u32,
    size: f64,
}

/// What is made by chance and waits where others do.
#[derive(Debug, Clone, Copy)]
struct Echo {
    visit: VisitId,
    others: Blocks,
    own: Blocks,
    all: Blocks,
    /// Pairs of one of its own waits and another, over the variance of a wait.
    shared: f64,
}

/// How the waits of something that is made by chance depend on each other, and on those around it.
#[derive(Debug, Clone, Default)]
pub(super) struct Dependence {
    links: Vec<Link>,
    echoes: Vec<Echo>,
}

/// Something made by chance, known by where it stands in memory, for one class.
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

/// What is alike at each visit: the wait, or the whole stay where all present share the servers.
enum Alike<'a> {
    Wait(&'a Delay),
    Stay(&'a Law),
}

impl Alike<'_> {
    fn transform(&self, line: Line, out: &mut [Complex64]) {
        match self {
            Alike::Wait(wait) => wait.transform(line, out),
            Alike::Stay(law) => law.transform(line, out),
        }
    }

    fn variance(&self) -> f64 {
        let (mean, second) = match self {
            Alike::Wait(wait) => (wait.mean(), wait.second_moment()),
            Alike::Stay(law) => (law.mean(), law.moment(2)),
        };
        (second - mean * mean).max(0.0)
    }

    fn decay_rate(&self) -> f64 {
        match self {
            Alike::Wait(wait) => wait.decay_rate(),
            Alike::Stay(law) => law.decay_rate(),
        }
    }
}

impl Composed<'_> {
    /// The waits of a course that depend on each other for certain.
    pub(super) fn links(&self, course: &Course, class: usize) -> Vec<Link> {
        let again = course.passed.iter().filter(|passed| passed.certain.count > 1.0);
        let link = |passed: &Passed| {
            let Blocks { count, size } = Blocks::of(&passed.certain, self.alikeness(passed.visit, class)?);
            let linked = size > 1.0 + FAINT * (count - 1.0);
            linked.then_some(Link { visit: passed.visit, count: count as u32, size })
        };
        again.filter_map(link).collect()
    }

    /// Notes for everything that some steps make by chance on what it depends, given what comes before and after them.
    pub(super) fn note_chances(
        &self,
        steps: &[Step],
        class: usize,
        (before, after): (&Course, &Course),
        found: &mut Vec<(Chance, Dependence)>,
    ) {
        if steps.iter().all(|step| matches!(step, Step::Visit(_) | Step::Delay(_) | Step::Send(_) | Step::Fail(_))) {
            return;
        }
        let memories = &self.solution.memories;
        // What comes after each step, from the last on.
        let mut later = vec![after.clone()];
        for step in steps.iter().rev().filter(|_| self.repeats) {
            let mut course = Course::default();
            self.pass(step, class, &mut course);
            course.follow(&later[later.len() - 1], 1.0, memories);
            later.push(course);
        }
        let mut so_far = before.clone();
        for (i, step) in steps.iter().enumerate() {
            let around = (&so_far, later.get(steps.len() - 1 - i).unwrap_or(after));
            let mut note = |chance: Chance, made: &Course| {
                let (links, echoes) = (self.links(made, class), self.echoes(made, class, around));
                if !links.is_empty() || !echoes.is_empty() {
                    found.push((chance, Dependence { links, echoes }));
                }
            };
            match step {
                Step::Call(call) if call.probability > 0.0 && call.probability < 1.0 && call.times > 0 => {
                    note(Chance::call(call, class), &self.course_of_call(call, class));
                }
                Step::Choose(ways) => {
                    for (_, steps) in ways.iter().filter(|(weight, _)| *weight > 0.0) {
                        note(Chance::way(steps, class), &self.course(steps, class));
                    }
                    for (_, steps) in ways {
                        self.note_chances(steps, class, around, found);
                    }
                }
                // What repeats or runs beside others has its surroundings in itself.
                Step::Repeat { steps, .. } => {
                    self.note_chances(steps, class, (&Course::default(), &Course::default()), found);
                }
                Step::Parallel { branches, .. } => branches.iter().for_each(|steps| {
                    self.note_chances(steps, class, (&Course::default(), &Course::default()), found);
                }),
                Step::Visit(_) | Step::Delay(_) | Step::Call(_) | Step::Send(_) | Step::Fail(_) => {}
            }
            if self.repeats {
                self.pass(step, class, &mut so_far);
            }
        }
    }

    /// How what is made by chance depends on what comes before it and, for certain, after it.
    fn echoes(&self, made: &Course, class: usize, (before, after): (&Course, &Course)) -> Vec<Echo> {
        let mut echoes = Vec::new();
        for passed in &made.passed {
            let memory = &self.solution.memories[passed.station];
            let earlier = before.at(passed.station).map_or(Visits::default(), |earlier| {
                let faded = memory.kept(before.duration - earlier.last);
                Visits { echo: earlier.all.echo * faded, ..earlier.all }
            });
            let later = after.at(passed.station).map_or(Visits::default(), |later| later.certain);
            let count = earlier.count + later.count;
            if count <= 0.0 {
                continue;
            }
            let Some(alike) = self.alikeness(passed.visit, class) else { continue };
            let (own, faded) = (passed.all, memory.kept(made.duration - passed.last));
            let shared = 2.0 * (earlier.echo * own.fore + own.echo * faded * later.fore);
            if alike * shared < FAINT * own.count {
                continue;
            }
            let around = 2.0 * earlier.echo * memory.kept(made.duration) * later.fore;
            let others = Visits { count, pairs: earlier.pairs + later.pairs + around, ..Visits::default() };
            let all =
                Visits { count: count + own.count, pairs: others.pairs + own.pairs + shared, ..Visits::default() };
            echoes.push(Echo {
                visit: passed.visit,
                others: Blocks::of(&others, alike),
                own: Blocks::of(&own, alike),
                all: Blocks::of(&all, alike),
                shared: alike * shared,
            });
        }
        echoes
    }

    /// On what a call by chance depends, when it is made.
    pub(super) fn dependence_of_call(&self, call: &Call, class: usize) -> Option<&Dependence> {
        self.chances.get(&Chance::call(call, class))
    }

    /// On what a way depends, when it is gone.
    pub(super) fn dependence_of_way(&self, steps: &[Step], class: usize) -> Option<&Dependence> {
        self.chances.get(&Chance::way(steps, class))
    }

    /// Share of the variance of a wait that the next wait there has in common with it, if it follows at once.
    fn alikeness(&self, visit: VisitId, class: usize) -> Option<f64> {
        let memory = &self.solution.memories[self.solution.network.visits[visit].station];
        let rho = memory.utilization;
        let found = match self.alike(visit, class)? {
            Alike::Wait(wait) => {
                let spread = 1.0 + rho - wait.probability();
                spread / (spread + memory.service_scv * (1.0 - rho))
            }
            Alike::Stay(law) => {
                let (work, variance) = (&self.solution.network.visits[visit].time, Alike::Stay(law).variance());
                let slowdown = law.mean() / work.mean();
                let own = (work.moment(2) - work.mean() * work.mean()) * slowdown * slowdown;
                if variance > 0.0 { (1.0 - own / variance).max(0.0) } else { 0.0 }
            }
        };
        let alike = memory.same * found;
        alike.is_finite().then_some(alike.clamp(0.0, 1.0))
    }

    /// What is alike at the visits of a link; `None` when there is nothing, or no end to it.
    fn alike(&self, visit: VisitId, class: usize) -> Option<Alike<'_>> {
        let (wait, law) = self.met(visit, class)?;
        let station = self.solution.network.visits[visit].station;
        let shared = matches!(self.solution.stations[station].classes[class].treatment, Treatment::Shared(_));
        match wait {
            Delay::None if shared => Some(Alike::Stay(law)),
            Delay::None => None,
            wait => Some(Alike::Wait(wait)),
        }
    }

    /// Variance that the links add to the sum of independent waits.
    pub(super) fn linked_variance(&self, links: &[Link], class: usize) -> f64 {
        let own = |link: &Link| f64::from(link.count) * (link.size - 1.0) * self.variance(link.visit, class);
        links.iter().map(own).filter(|variance| variance.is_finite()).sum()
    }

    fn variance(&self, visit: VisitId, class: usize) -> f64 {
        self.alike(visit, class).map_or(0.0, |alike| alike.variance())
    }

    /// The moments of something made by chance with its links; and what it adds, when it is made, to the variance of all
    /// by depending on the others.
    pub(super) fn dependent(&self, rough: Rough, dependence: Option<&Dependence>, class: usize) -> (Rough, f64) {
        let Some(Dependence { links, echoes }) = dependence else { return (rough, 0.0) };
        let shared = echoes.iter().map(|echo| echo.shared * self.variance(echo.visit, class));
        (self.widened(rough, links, class), shared.filter(|variance| variance.is_finite()).sum())
    }

    /// A rate below that at which the tail of the linked waits falls.
    pub(super) fn linked_decay(&self, links: &[Link], class: usize) -> f64 {
        links.iter().map(|link| self.decay_in_blocks(link.visit, link.size, class)).fold(f64::INFINITY, f64::min)
    }

    /// The same for what is made by chance.
    pub(super) fn dependent_decay(&self, dependence: Option<&Dependence>, class: usize) -> f64 {
        let Some(Dependence { links, echoes }) = dependence else { return f64::INFINITY };
        let echo = |echo: &Echo| {
            let largest = [echo.others, echo.own, echo.all].iter().map(|blocks| blocks.size).fold(1.0, f64::max);
            self.decay_in_blocks(echo.visit, largest, class)
        };
        echoes.iter().map(echo).fold(self.linked_decay(links, class), f64::min)
    }

    fn decay_in_blocks(&self, visit: VisitId, size: f64, class: usize) -> f64 {
        self.alike(visit, class).map_or(f64::INFINITY, |alike| alike.decay_rate() / size)
    }

    /// Turns independent waits in a transform into linked ones.
    pub(super) fn link(&self, links: &[Link], class: usize, sheet: &mut Sheet, values: &mut [Complex64]) {
        for link in links {
            let Some(alike) = self.alike(link.visit, class) else { continue };
            let (mut each, mut block) = (sheet.take(), sheet.take());
            alike.transform(sheet.line(), &mut each);
            alike.transform(sheet.line().stretched(link.size), &mut block);
            let blocks = f64::from(link.count) / link.size;
            for ((value, each), block) in values.iter_mut().zip(&each).zip(&block) {
                let independent = each.powu(link.count);
                // Where the independent waits have vanished so has everything else.
                if independent.norm() > VANISHED {
                    *value *= block.powf(blocks) / independent;
                }
            }
            sheet.give(each);
            sheet.give(block);
        }
    }

    /// The same for the waits of something made by chance, and for those around it.
    pub(super) fn depend(&self, on: &Dependence, class: usize, sheet: &mut Sheet, values: &mut [Complex64]) {
        self.link(&on.links, class, sheet, values);
        for echo in &on.echoes {
            let Some(alike) = self.alike(echo.visit, class) else { continue };
            let mut rows = [echo.all, echo.others, echo.own].map(|blocks| (blocks, sheet.take()));
            let line = sheet.line();
            rows.iter_mut().for_each(|(blocks, row)| alike.transform(line.stretched(blocks.size), row));
            for (k, value) in values.iter_mut().enumerate() {
                let [all, others, own] = rows.each_ref().map(|(blocks, row)| row[k].powf(blocks.count / blocks.size));
                let apart = others * own;
                if apart.norm() > VANISHED {
                    *value *= all / apart;
                }
            }
            rows.into_iter().for_each(|(_, row)| sheet.give(row));
        }
    }
}

//! What some steps visit and how far apart: certain visits, and those made by chance.
//!
//! | symbol | meaning                                                             | unit    |
//! |--------|---------------------------------------------------------------------|---------|
//! | `T`    | time in which the queue of a station forgets                        | seconds |
//! | `n`    | expected visits to the station                                      | 1       |
//! | `P`    | expected ordered pairs of visits, each times `exp(-lag / T)`        | 1       |
//! | `f, e` | the sum of `exp(-t / T)` over visits, `t` from the beginning to the visit, and from it to the end | 1 |
//!
//! One course after the other, `d` being the first one's duration and `g` that of the second:
//!
//! ```text
//! n = n₁ + n₂,   P = P₁ + P₂ + 2 e₁ f₂,   f = f₁ + exp(-d / T) f₂,   e = exp(-g / T) e₁ + e₂
//! ```

use super::Composed;
use crate::analytic::memory::Memory;
use crate::analytic::stations::Treatment;
use crate::discipline::Delay;
use crate::distribution::Law;
use crate::network::{Call, StationId, Step, VisitId};
use std::borrow::Cow;

/// Stations followed in one course; of more, those with the longest waits.
const MOST: usize = 16;

/// Visits of one kind to a station.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Visits {
    pub count: f64,
    pub pairs: f64,
    pub fore: f64,
    /// To the beginning of the last visit.
    pub echo: f64,
}

impl Visits {
    const ONE: Visits = Visits { count: 1.0, pairs: 0.0, fore: 1.0, echo: 1.0 };

    fn by_chance(self, chance: f64) -> Visits {
        let Visits { count, pairs, fore, echo } = self;
        Visits { count: chance * count, pairs: chance * pairs, fore: chance * fore, echo: chance * echo }
    }

    /// These, and others that begin when they have faded to `gap`, of which the first visits have faded to `reach` and
    /// the last ones of these to `span` when the others end.
    fn then(self, next: Visits, gap: f64, reach: f64, span: f64) -> Visits {
        let echo = self.echo * gap;
        Visits {
            count: self.count + next.count,
            pairs: self.pairs + next.pairs + 2.0 * echo * next.fore,
            fore: self.fore + reach * next.fore,
            echo: echo * span + next.echo,
        }
    }
}

/// The visits of a course to one station that are alike there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    pub station: StationId,
    /// Mean work of each, where all present share the servers: the more work, the longer the queue is felt. Zero
    /// elsewhere, where all wait alike.
    pub work: f64,
    /// One of them.
    pub visit: VisitId,
    /// What is visited for certain.
    pub certain: Visits,
    /// The same and what is visited by chance.
    pub all: Visits,
    /// When the last one begins, on average.
    pub last: f64,
}

impl Passed {
    fn is_like(&self, other: &Passed) -> bool {
        self.station == other.station && self.work == other.work
    }
}

/// What some steps visit, and how long they take.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    pub passed: Vec<Passed>,
    pub duration: f64,
}

impl Course {
    /// The visits that are like these.
    pub fn like(&self, those: &Passed) -> Option<&Passed> {
        self.passed.iter().find(|passed| passed.is_like(those))
    }

    /// Adds what follows.
    pub fn follow(&mut self, next: &Course, memories: &[Memory]) {
        next.passed.iter().for_each(|passed| self.add(*passed, &memories[passed.station]));
        self.duration += next.duration;
    }

    /// Adds the visits to one station of what follows.
    fn add(&mut self, next: Passed, memory: &Memory) {
        let start = self.duration;
        let (reach, last) = (memory.kept(start), start + next.last);
        match self.passed.iter_mut().find(|known| known.is_like(&next)) {
            Some(known) => {
                let (gap, span) = (memory.kept(start - known.last), memory.kept(next.last));
                known.certain = known.certain.then(next.certain, gap, reach, span);
                known.all = known.all.then(next.all, gap, reach, span);
                known.last = last;
            }
            None => {
                let later = |visits: Visits| Visits { fore: reach * visits.fore, ..visits };
                self.passed.push(Passed { certain: later(next.certain), all: later(next.all), last, ..next });
            }
        }
    }

    /// So many times in a row.
    pub fn repeated(mut self, times: u32, memories: &[Memory]) -> Course {
        if times == 0 {
            return Course::default();
        }
        if times == 1 {
            return self;
        }
        let n = f64::from(times);
        for passed in &mut self.passed {
            let memory = &memories[passed.station];
            let x = if memory.time > 0.0 { self.duration / memory.time } else { f64::INFINITY };
            let (row, pairs) =
                (geometric(n, x), 2.0 * memory.kept(self.duration - passed.last) * geometric_pairs(n, x));
            let again = |visits: Visits| Visits {
                count: n * visits.count,
                pairs: n * visits.pairs + visits.echo * visits.fore * pairs,
                fore: row * visits.fore,
                echo: row * visits.echo,
            };
            (passed.certain, passed.all) = (again(passed.certain), again(passed.all));
            passed.last += (n - 1.0) * self.duration;
        }
        self.duration *= n;
        self
    }

    /// One of several at most, each with its chance.
    pub fn one_of(ways: &[(f64, &Course)], memories: &[Memory]) -> Course {
        let mut either = Course { passed: Vec::new(), duration: ways.iter().map(|(p, way)| p * way.duration).sum() };
        for (chance, way) in ways {
            for passed in way.passed.iter().filter(|passed| memories[passed.station].repeated) {
                let own = passed.all.by_chance(*chance);
                let own = Visits { echo: own.echo * memories[passed.station].kept(way.duration - passed.last), ..own };
                match either.passed.iter_mut().find(|known| known.is_like(passed)) {
                    Some(Passed { all, .. }) => {
                        all.count += own.count;
                        all.pairs += own.pairs;
                        all.fore += own.fore;
                        all.echo += own.echo;
                    }
                    None => {
                        let last = either.duration;
                        either.passed.push(Passed { certain: Visits::default(), all: own, last, ..*passed });
                    }
                }
            }
        }
        either
    }
}

impl Composed<'_> {
    /// The course of some steps, those of the callees being known.
    pub(super) fn course(&self, steps: &[Step], class: usize) -> Course {
        let mut course = Course::default();
        for step in steps {
            self.pass(step, class, &mut course);
        }
        if course.passed.len() > MOST {
            let time = |p: &Passed| p.all.count * self.queueing(p.visit, class).unwrap_or(0.0);
            course.passed.sort_by(|a, b| time(b).total_cmp(&time(a)));
            course.passed.truncate(MOST);
        }
        course
    }

    /// Adds a step to a course.
    pub(super) fn pass(&self, step: &Step, class: usize, course: &mut Course) {
        let memories = &self.solution.memories;
        match step {
            Step::Visit(visit) => {
                let Some((wait, law)) = self.met(*visit, class) else { return };
                let station = self.solution.network.visits[*visit].station;
                let treatment = &self.solution.stations[station].classes[class].treatment;
                let shared = matches!(treatment, Treatment::Shared(_));
                let work = if shared { self.solution.network.visits[*visit].time.mean() } else { 0.0 };
                let passed = Passed { station, work, visit: *visit, certain: Visits::ONE, all: Visits::ONE, last: 0.0 };
                course.add(passed, &memories[station]);
                course.duration += wait.mean() + law.mean();
            }
            Step::Delay(law) => course.duration += law.mean(),
            Step::Call(call) => self.pass_call(call, class, course),
            // Tried again or not, the first attempt meets what is around it.
            Step::Guarded(guarded) if !guarded.is_decided_by_time() => self.pass_call(&guarded.call, class, course),
            Step::Hold { pool, steps } => {
                let wait = self.solution.gates[*pool].wait.as_ref();
                course.duration += wait.map_or(0.0, Delay::mean);
                course.follow(&self.course(steps, class), memories);
            }
            Step::Repeat { times, steps } => {
                course.follow(&self.course(steps, class).repeated(*times, memories), memories);
            }
            Step::Choose { ways, .. } => {
                let courses: Vec<Course> = ways.iter().map(|(_, steps)| self.course(steps, class)).collect();
                let ways: Vec<_> = ways.iter().map(|(weight, _)| *weight).zip(&courses).collect();
                course.follow(&Course::one_of(&ways, memories), memories);
            }
            Step::Parallel { .. } | Step::Guarded(_) => {
                course.duration += self.rough_steps(std::slice::from_ref(step), class).map_or(0.0, |rough| rough.mean);
            }
            Step::Send(_) | Step::Fail(_) => {}
        }
    }

    fn pass_call(&self, call: &Call, class: usize, course: &mut Course) {
        let memories = &self.solution.memories;
        let made = self.course_of_call(call, class);
        if call.probability == 1.0 {
            course.follow(&made, memories);
        } else {
            course.follow(&Course::one_of(&[(call.probability, &made)], memories), memories);
        }
    }

    /// The course of a call that is made, all its runs together.
    pub(super) fn course_of_call(&self, call: &Call, class: usize) -> Cow<'_, Course> {
        let once = &self.courses[self.slot(call.target, class)];
        if call.times == 1 && call.network.is_none() {
            return Cow::Borrowed(once);
        }
        let mut course = once.clone();
        course.duration += call.network.as_ref().map_or(0.0, Law::mean);
        Cow::Owned(course.repeated(call.times, &self.solution.memories))
    }
}

/// `Σ_{k<n} exp(-k x)`.
fn geometric(n: f64, x: f64) -> f64 {
    if n * x < 1e-4 { n * (1.0 - 0.5 * (n - 1.0) * x) } else { (-n * x).exp_m1() / (-x).exp_m1() }
}

/// `Σ_{0<k<n} (n - k) exp(-(k - 1) x)`: the pairs of `n` in a row, neighbours counting fully.
fn geometric_pairs(n: f64, x: f64) -> f64 {
    if n * x < 1e-4 {
        return 0.5 * n * (n - 1.0) * (1.0 - x * (n - 2.0) / 3.0);
    }
    let gap = -(-x).exp_m1();
    (n * gap - 1.0 + (-n * x).exp()) / (gap * gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f64 = 0.7;

    fn memories() -> Vec<Memory> {
        vec![Memory { time: DAY, repeated: true, ..Memory::default() }]
    }

    fn visit(duration: f64) -> Course {
        let passed = Passed { station: 0, work: 0.0, visit: 0, certain: Visits::ONE, all: Visits::ONE, last: 0.0 };
        Course { passed: vec![passed], duration }
    }

    #[test]
    fn pairs_are_those_of_all_visits() {
        for (n, duration) in [(2u32, 0.3), (7, 0.05), (40, 1.2), (5, 1e-6), (3, 30.0)] {
            let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (-duration * f64::from(i - j) / DAY).exp()));
            let pairs = 2.0 * pairs.sum::<f64>();
            let row = visit(duration).repeated(n, &memories());
            let mut one_by_one = Course::default();
            (0..n).for_each(|_| one_by_one.follow(&visit(duration), &memories()));
            for course in [row, one_by_one] {
                let passed = course.passed[0];
                assert!((passed.all.pairs / pairs - 1.0).abs() < 1e-6, "{n} {duration}: {} {pairs}", passed.all.pairs);
                assert!((passed.certain.count - f64::from(n)).abs() < 1e-12);
                assert!((course.duration / (f64::from(n) * duration) - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_visit_by_chance_makes_a_pair_as_often() {
        let mut course = visit(0.4);
        course.follow(&Course::one_of(&[(0.3, &visit(0.4))], &memories()), &memories());
        let (passed, pair) = (course.passed[0], 2.0 * (-0.4f64 / DAY).exp());
        assert!((passed.all.count - 1.3).abs() < 1e-15 && passed.certain.count == 1.0);
        assert!((passed.all.pairs - 0.3 * pair).abs() < 1e-15 && passed.certain.pairs == 0.0);
        // Of two ways only one is gone.
        let either = Course::one_of(&[(0.3, &visit(0.4)), (0.7, &visit(0.4))], &memories());
        assert!(either.passed[0].all.pairs == 0.0 && either.passed[0].all.count == 1.0);
    }
}

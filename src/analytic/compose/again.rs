//! Visits of one request to the same queue: a queue found long is still long a little later.
//!
//! | symbol | meaning                                                                | unit |
//! |--------|------------------------------------------------------------------------|------|
//! | `n`    | visits of one request to a station                                     | 1    |
//! | `x`    | time between two of them, over the time in which the queue forgets     | 1    |
//! | `a`    | share of a wait's variance that comes from the number found there      | 1    |
//! | `w`    | mean correlation of two of the waits                                   | 1    |
//! | `b`    | waits in a row that are as good as one                                 | 1    |
//!
//! The correlation of two waits falls exponentially with the time between them. Their sum is taken as that of `n / b`
//! independent blocks of `b` equal waits, which gives it the variance it has:
//!
//! ```text
//! w = a × 2 / (n (n - 1)) Σ_k (n - k) exp(-k x)
//! b = 1 + (n - 1) w,   Σ W  ~  W*(b s)^(n / b)
//! ```
//!
//! The wait of M/G/1 is divisible without end, so that the power is a law for any `b`. With many short visits in a row to
//! one server the variance is that of processor sharing, which round robin tends to. Only visits that are made for certain
//! are linked: what is called by chance is linked within itself.
//!
//! Source: the limit of many visits: Ott, The sojourn-time distribution in the M/G/1 queue with processor sharing,
//! Journal of Applied Probability 21 (1984); the rest is this project's, with its errors in docs/methods.md.

use super::Composed;
use super::sheet::Sheet;
use crate::analytic::stations::Treatment;
use crate::discipline::Delay;
use crate::distribution::{Distribution, Law};
use crate::math::inversion::Line;
use crate::network::{Call, StationId, Step, VisitId};
use num_complex::Complex64;

/// Stations followed in one course; of more, those with the longest waits.
const MOST: usize = 16;

/// Links of less weight are left out.
const FAINT: f64 = 1e-3;

/// Visits that some steps make to one station for certain, and when, on average, after they began.
#[derive(Debug, Clone, Copy)]
struct Passed {
    station: StationId,
    /// One of them.
    visit: VisitId,
    count: u32,
    first: f64,
    last: f64,
}

/// What some steps do for certain, and how long they take.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    passed: Vec<Passed>,
    duration: f64,
}

/// Waits of one request that depend on each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    visit: VisitId,
    count: u32,
    weight: f64,
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

impl Course {
    /// Adds what follows, so many times in a row.
    fn follow(&mut self, next: &Course, times: u32) {
        let start = self.duration;
        self.duration += f64::from(times) * next.duration;
        if times == 0 {
            return;
        }
        let again = f64::from(times - 1) * next.duration;
        for passed in &next.passed {
            self.pass(Passed {
                count: passed.count.saturating_mul(times),
                first: start + passed.first,
                last: start + again + passed.last,
                ..*passed
            });
        }
    }

    fn pass(&mut self, passed: Passed) {
        match self.passed.iter_mut().find(|known| known.station == passed.station) {
            Some(known) => {
                known.count = known.count.saturating_add(passed.count);
                known.last = passed.last;
            }
            None => self.passed.push(passed),
        }
    }

    fn wait(&mut self, time: f64) {
        self.duration += time;
    }
}

impl Composed<'_> {
    /// The course of some steps, those of the callees being known.
    pub(super) fn course(&self, steps: &[Step], class: usize) -> Course {
        let mut course = Course::default();
        for step in steps {
            match step {
                Step::Visit(visit) => self.course_of_visit(*visit, class, &mut course),
                Step::Delay(law) => course.wait(law.mean()),
                Step::Call(call) if call.probability == 1.0 => {
                    let mut next = self.courses[self.slot(call.target, class)].clone();
                    next.wait(call.network.as_ref().map_or(0.0, Law::mean));
                    course.follow(&next, call.times);
                }
                Step::Repeat { times, steps } => course.follow(&self.course(steps, class), *times),
                Step::Call(_) | Step::Choose(_) | Step::Parallel { .. } => {
                    course.wait(self.rough_steps(std::slice::from_ref(step), class).map_or(0.0, |rough| rough.mean));
                }
                Step::Send(_) | Step::Fail(_) => {}
            }
        }
        if course.passed.len() > MOST {
            let time = |p: &Passed| f64::from(p.count) * self.queueing(p.visit, class).unwrap_or(0.0);
            course.passed.sort_by(|a, b| time(b).total_cmp(&time(a)));
            course.passed.truncate(MOST);
        }
        course
    }

    fn course_of_visit(&self, visit: VisitId, class: usize, course: &mut Course) {
        let Some((wait, law)) = self.met(visit, class) else { return };
        let station = self.solution.network.visits[visit].station;
        let now = course.duration;
        course.pass(Passed { station, visit, count: 1, first: now, last: now });
        course.wait(wait.mean() + law.mean());
    }

    /// The waits of a course that depend on each other.
    pub(super) fn links(&self, course: &Course, class: usize) -> Vec<Link> {
        let again = course.passed.iter().filter(|passed| passed.count > 1);
        let link = |passed: &Passed| Link {
            visit: passed.visit,
            count: passed.count,
            weight: self.weight(passed, class).unwrap_or(0.0),
        };
        again.map(link).filter(|link| link.weight > FAINT).collect()
    }

    /// The waits within all the runs of a call that depend on each other.
    pub(super) fn links_of_call(&self, call: &Call, class: usize) -> Vec<Link> {
        let called = &self.courses[self.slot(call.target, class)];
        if call.times == 1 {
            return self.links(called, class);
        }
        let mut course = Course::default();
        course.follow(called, call.times);
        self.links(&course, class)
    }

    fn weight(&self, passed: &Passed, class: usize) -> Option<f64> {
        let memory = &self.solution.memories[passed.station];
        let rho = memory.utilization;
        let found = match self.alike(passed.visit, class)? {
            Alike::Wait(wait) => {
                let spread = 1.0 + rho - wait.probability();
                spread / (spread + memory.service_scv * (1.0 - rho))
            }
            Alike::Stay(law) => {
                let (work, variance) = (&self.solution.network.visits[passed.visit].time, Alike::Stay(law).variance());
                let slowdown = law.mean() / work.mean();
                let own = (work.moment(2) - work.mean() * work.mean()) * slowdown * slowdown;
                if variance > 0.0 { (1.0 - own / variance).max(0.0) } else { 0.0 }
            }
        };
        let n = f64::from(passed.count);
        let x = (passed.last - passed.first) / (n - 1.0) / memory.time;
        let weight = memory.same * found * mean_correlation(n, x);
        weight.is_finite().then_some(weight.clamp(0.0, 1.0))
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
        let variance = |link: &Link| {
            let n = f64::from(link.count);
            let own = self.alike(link.visit, class).map_or(0.0, |alike| alike.variance());
            n * (n - 1.0) * link.weight * own
        };
        links.iter().map(variance).filter(|variance| variance.is_finite()).sum()
    }

    /// A rate below that at which the tail of the linked waits falls.
    pub(super) fn linked_decay(&self, links: &[Link], class: usize) -> f64 {
        let rate = |link: &Link| {
            self.alike(link.visit, class).map_or(f64::INFINITY, |alike| alike.decay_rate() / f64::from(link.count))
        };
        links.iter().map(rate).fold(f64::INFINITY, f64::min)
    }

    /// Turns independent waits in a transform into linked ones.
    pub(super) fn link(&self, links: &[Link], class: usize, sheet: &mut Sheet, values: &mut [Complex64]) {
        for link in links {
            let Some(alike) = self.alike(link.visit, class) else { continue };
            let n = f64::from(link.count);
            let (mut each, mut block) = (sheet.take(), sheet.take());
            let line = sheet.line();
            let b = 1.0 + (n - 1.0) * link.weight;
            alike.transform(line, &mut each);
            alike.transform(Line { real: b * line.real, step: b * line.step }, &mut block);
            for ((value, each), block) in values.iter_mut().zip(&each).zip(&block) {
                let independent = each.powu(link.count);
                // Where the independent waits have vanished so has everything else.
                if independent.norm() > 1e-280 {
                    *value *= block.powf(n / b) / independent;
                }
            }
            sheet.give(each);
            sheet.give(block);
        }
    }
}

/// Mean correlation of `n` things in a row when that of neighbours is `exp(-x)` and falls geometrically.
fn mean_correlation(n: f64, x: f64) -> f64 {
    if x * n < 1e-4 {
        return 1.0 - x * (n + 1.0) / 3.0;
    }
    let (q, gap) = ((-x).exp(), -(-x).exp_m1());
    let sum = q * (n * gap - 1.0 + (-n * x).exp()) / (gap * gap);
    2.0 * sum / (n * (n - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_correlation_is_that_of_all_pairs() {
        for (n, x) in [(2, 0.3), (7, 0.05), (40, 1.2), (5, 1e-6), (3, 30.0)] {
            let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (-x * f64::from(i - j)).exp()));
            let mean = pairs.sum::<f64>() / (f64::from(n * (n - 1)) / 2.0);
            assert!((mean_correlation(f64::from(n), x) - mean).abs() < 1e-6, "{n} {x}");
        }
    }
}

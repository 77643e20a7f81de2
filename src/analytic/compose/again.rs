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
//! Visits that are made for certain are linked so where they stand; those made by chance are the matter of `chance`.
//!
//! Source: the limit of many visits: Ott, The sojourn-time distribution in the M/G/1 queue with processor sharing,
//! Journal of Applied Probability 21 (1984); the rest is this project's, with its errors in docs/methods.md.

use super::Composed;
use super::course::{Course, Passed, Visits};
use super::sheet::Sheet;
use crate::analytic::stations::Treatment;
use crate::discipline::Delay;
use crate::distribution::{Distribution, Law};
use crate::network::VisitId;
use num_complex::Complex64;

/// Waits whose correlation is less are left apart.
pub(super) const FAINT: f64 = 1e-3;

/// Below this a transform is nothing.
pub(super) const VANISHED: f64 = 1e-280;

/// Visits in blocks: so many, of which so many are as good as one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    pub count: f64,
    pub size: f64,
}

impl Blocks {
    pub fn of(count: f64, pairs: f64, alike: f64) -> Blocks {
        Blocks { count, size: 1.0 + alike * pairs / count.max(1e-300) }
    }

    fn number(&self) -> f64 {
        self.count / self.size
    }

    /// The largest that there may be, where only whole ones are.
    fn largest(&self) -> f64 {
        self.size.max(self.count / self.number().floor().max(1.0))
    }
}

/// Waits of one request that depend on each other, made for certain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    visit: VisitId,
    count: u32,
    size: f64,
}

impl Link {
    fn blocks(&self) -> Blocks {
        Blocks { count: f64::from(self.count), size: self.size }
    }
}

/// What is alike at each visit: the wait, or the whole stay where all present share the servers.
pub(super) enum Alike<'a> {
    Wait(&'a Delay),
    Stay(&'a Law),
}

impl Alike<'_> {
    /// The transform at so many times the points of the line.
    pub fn transform(&self, factor: f64, sheet: &mut Sheet, out: &mut [Complex64]) {
        match self {
            Alike::Wait(wait) => sheet.transform_wait(wait, factor, out),
            Alike::Stay(law) => sheet.transform(law, factor, out),
        }
    }

    /// The transform of all of some blocks together.
    pub fn in_blocks(&self, blocks: Blocks, sheet: &mut Sheet, out: &mut [Complex64]) {
        let number = blocks.number();
        let whole = number.floor();
        if self.is_divisible() || number - whole < 1e-9 {
            self.transform(blocks.size, sheet, out);
            out.iter_mut().for_each(|value| *value = value.powf(number));
            return;
        }
        if whole < 1.0 {
            // By chance one, or none.
            self.transform(blocks.size, sheet, out);
            out.iter_mut().for_each(|value| *value = 1.0 - number + number * *value);
            return;
        }
        // As many as there are whole ones or one more, so that the variance is right.
        let (few, many) = (1.0 / whole, 1.0 / (whole + 1.0));
        let share = (1.0 / number - many) / (few - many);
        self.transform(blocks.count * few, sheet, out);
        let mut smaller = sheet.take();
        self.transform(blocks.count * many, sheet, &mut smaller);
        for (value, smaller) in out.iter_mut().zip(&smaller) {
            *value = share * value.powf(whole) + (1.0 - share) * smaller.powf(whole + 1.0);
        }
        sheet.give(smaller);
    }

    /// Whether any power of the transform is that of a law: as of the wait of M/G/1, and of mixtures of exponentials.
    fn is_divisible(&self) -> bool {
        !matches!(self, Alike::Wait(Delay::Of { .. } | Delay::Erlangs { .. } | Delay::Periodic(_)))
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
            let Visits { count, pairs, .. } = passed.certain;
            let Blocks { count, size } = Blocks::of(count, pairs, self.alikeness(passed.visit, class)?);
            let linked = size > 1.0 + FAINT * (count - 1.0);
            linked.then_some(Link { visit: passed.visit, count: count as u32, size })
        };
        again.filter_map(link).collect()
    }

    /// Share of the variance of a wait that the next wait there has in common with it, if it follows at once.
    pub(super) fn alikeness(&self, visit: VisitId, class: usize) -> Option<f64> {
        let memory = &self.solution.memories[self.solution.network.visits[visit].station];
        let rho = memory.utilization;
        let found = match self.alike(visit, class)? {
            Alike::Wait(_) => {
                let scv = memory.service_scv;
                1.0 - (1.0 - rho) * (0.6 + 0.4 * scv / (1.0 + scv))
            }
            Alike::Stay(law) => {
                let (work, variance) = (&self.solution.network.visits[visit].time, Alike::Stay(law).variance());
                let slowdown = law.mean() / work.mean();
                let own = (work.moment(2) - work.mean() * work.mean()) * slowdown * slowdown;
                if variance > 0.0 { (1.0 - own / variance).max(0.0) } else { 0.0 }
            }
        };
        let lasting = self.solution.stations[self.solution.network.visits[visit].station].lasting;
        let alike = memory.same * lasting * found;
        alike.is_finite().then_some(alike.clamp(0.0, 1.0))
    }

    /// What is alike at the visits of a link; `None` when there is nothing, or no end to it.
    pub(super) fn alike(&self, visit: VisitId, class: usize) -> Option<Alike<'_>> {
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

    pub(super) fn variance(&self, visit: VisitId, class: usize) -> f64 {
        self.alike(visit, class).map_or(0.0, |alike| alike.variance())
    }

    /// A rate below that at which the tail of the linked waits falls.
    pub(super) fn linked_decay(&self, links: &[Link], class: usize) -> f64 {
        links.iter().map(|link| self.decay_in_blocks(link.visit, link.blocks(), class)).fold(f64::INFINITY, f64::min)
    }

    pub(super) fn decay_in_blocks(&self, visit: VisitId, blocks: Blocks, class: usize) -> f64 {
        self.alike(visit, class).map_or(f64::INFINITY, |alike| {
            alike.decay_rate() / if alike.is_divisible() { blocks.size } else { blocks.largest() }
        })
    }

    /// Turns independent waits in a transform into linked ones.
    pub(super) fn link(&self, links: &[Link], class: usize, sheet: &mut Sheet, values: &mut [Complex64]) {
        for link in links {
            let Some(alike) = self.alike(link.visit, class) else { continue };
            let (mut each, mut block) = (sheet.take(), sheet.take());
            alike.transform(1.0, sheet, &mut each);
            alike.in_blocks(link.blocks(), sheet, &mut block);
            for ((value, each), block) in values.iter_mut().zip(&each).zip(&block) {
                let independent = each.powu(link.count);
                // Where the independent waits have vanished so has everything else.
                if independent.norm() > VANISHED {
                    *value *= block / independent;
                }
            }
            sheet.give(each);
            sheet.give(block);
        }
    }
}

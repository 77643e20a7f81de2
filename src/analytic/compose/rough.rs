//! What is known of a sequence of steps before any transform: enough to choose the times to look at.

use super::again::Link;
use super::chance;
use super::climb::Point;
use super::{Composed, Tail};
use crate::discipline::Delay;
use crate::distribution::{Distribution, Law};
use crate::math::curve::Curve;
use crate::network::{Call, Step};

/// Moments of the successful runs of some steps, good enough to know where their percentiles lie.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rough {
    /// Constant part, passed for certain.
    pub shift: f64,
    pub mean: f64,
    pub variance: f64,
    /// Chance of success: this one is exact.
    pub success: f64,
    /// Chance that there is nothing beyond the constant part, among the successful; zero where that is not known.
    pub atom: f64,
    /// How many parallel steps must be known before it.
    pub level: usize,
    /// Those that fail.
    pub failure: Failure,
}

/// How long the runs take that fail.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Failure {
    pub mean: f64,
    pub second: f64,
    /// Share of them that fail before any time has passed.
    pub at_once: f64,
}

impl Failure {
    const AT_ONCE: Failure = Failure { mean: 0.0, second: 0.0, at_once: 1.0 };
}

impl Rough {
    /// A wait besides.
    fn wait(&mut self, wait: &Delay) {
        if !matches!(wait, Delay::None) {
            let mean = wait.mean();
            self.mean += mean;
            self.variance += bounded_variance(mean, wait.second_moment());
            self.atom *= 1.0 - wait.probability();
        }
    }

    /// The tail through these points beyond the constant part.
    pub fn tail(&self, points: &[Point]) -> Tail {
        Tail::Curve { shift: self.shift, curve: Curve::with_density(1.0 - self.atom, points) }
    }
}

const NOTHING: Rough =
    Rough { shift: 0.0, mean: 0.0, variance: 0.0, success: 1.0, atom: 1.0, level: 0, failure: Failure::AT_ONCE };

impl Composed<'_> {
    /// Rough moments of every operation, callees first.
    pub(super) fn look_ahead(&mut self) {
        let network = self.solution.network;
        for &operation in network.order.iter().rev() {
            for class in 0..self.classes {
                let slot = self.slot(operation, class);
                if self.live[slot] {
                    let steps = &network.operations[operation].steps;
                    self.chances.extend(self.notes(steps, class));
                    self.rough[slot] = self.rough_steps(steps, class);
                    self.courses[slot] = self.course(steps, class);
                    self.linked[slot] = self.links(&self.courses[slot], class);
                }
            }
        }
    }

    /// Some steps that nothing is known of before or after them: their moments, and the waits that depend on each other.
    pub(super) fn alone(&self, steps: &[Step], class: usize) -> Option<(Rough, Vec<Link>)> {
        let links = self.links(&self.course(steps, class), class);
        Some((self.widened(self.rough_steps(steps, class)?, &links, class), links))
    }

    /// The moments when these waits depend on each other.
    pub(super) fn widened(&self, rough: Rough, links: &[Link], class: usize) -> Rough {
        Rough { variance: rough.variance + self.linked_variance(links, class), ..rough }
    }

    /// `None` when a queue on the way grows without end.
    pub(super) fn rough_steps(&self, steps: &[Step], class: usize) -> Option<Rough> {
        in_turn(steps.iter().map(|step| self.rough_step(step, class)))
    }

    fn rough_step(&self, step: &Step, class: usize) -> Option<Rough> {
        match step {
            Step::Visit(visit) => {
                let (wait, law) = self.met(*visit, class)?;
                let mut rough = of_law(law);
                rough.wait(wait);
                rough.success = 1.0 - self.refusal(*visit, class);
                Some(rough)
            }
            Step::Delay(law) => Some(of_law(law)),
            Step::Send(_) => Some(NOTHING),
            Step::Fail(chance) => Some(Rough { success: 1.0 - chance, ..NOTHING }),
            Step::Call(call) => self.rough_call(call, class),
            Step::Hold { pool, steps } => {
                let gate = &self.solution.gates[*pool];
                let mut rough = NOTHING;
                rough.wait(gate.wait.as_ref()?);
                rough.success = 1.0 - gate.refused;
                in_turn([Some(rough), self.rough_steps(steps, class)].into_iter())
            }
            Step::Guarded(guarded) => self.rough_guarded(guarded, class),
            Step::Repeat { times: n, steps } => Some(times(self.rough_steps(steps, class)?, *n)),
            Step::Choose { ways, .. } => {
                let mut parts = Vec::with_capacity(ways.len());
                let mut shared = 0.0;
                for (weight, steps) in ways.iter().filter(|(weight, _)| *weight > 0.0) {
                    let on = chance::of_way(&self.chances, steps, class);
                    let (rough, added) = self.dependent(self.rough_steps(steps, class)?, on, class);
                    shared += weight * added;
                    parts.push((*weight, rough));
                }
                let rough = mixed(&parts);
                Some(Rough { variance: rough.variance + shared, ..rough })
            }
            Step::Parallel { branches, needed, .. } => {
                let mut parts = Vec::with_capacity(branches.len());
                for steps in branches {
                    parts.push(self.rough_steps(steps, class)?);
                }
                Some(parallel(&parts, *needed))
            }
        }
    }

    fn rough_call(&self, call: &Call, class: usize) -> Option<Rough> {
        if call.times == 0 || call.probability == 0.0 {
            return Some(NOTHING);
        }
        let mut inner = self.rough[self.slot(call.target, class)]?;
        if let Some(network) = &call.network {
            let network = of_law(network);
            inner.shift += network.shift;
            inner.mean += network.mean;
            inner.variance += network.variance;
            inner.atom *= network.atom;
            // The answer that it has failed is on its way as long.
            let Failure { mean, second, .. } = inner.failure;
            let both = network.variance + network.mean * network.mean;
            inner.failure =
                Failure { mean: mean + network.mean, second: second + 2.0 * mean * network.mean + both, at_once: 0.0 };
        }
        let made = times(inner, call.times);
        let (made, shared) = self.dependent(made, chance::of_call(&self.chances, call, class), class);
        let rough = if call.probability == 1.0 {
            made
        } else {
            mixed(&[(call.probability, made), (1.0 - call.probability, NOTHING)])
        };
        Some(Rough { variance: rough.variance + call.probability * shared, ..rough })
    }
}

/// Sums over the ways to fail, by their chance.
#[derive(Default)]
struct Failures {
    chance: f64,
    mean: f64,
    second: f64,
    at_once: f64,
}

impl Failures {
    /// A failure that comes with this chance after what has gone well before.
    fn add(&mut self, chance: f64, before: &Rough, failure: Failure) {
        if chance <= 0.0 {
            return;
        }
        let mean = before.mean + failure.mean;
        let variance = before.variance + (failure.second - failure.mean * failure.mean).max(0.0);
        self.chance += chance;
        self.mean += chance * mean;
        self.second += chance * (variance + mean * mean);
        self.at_once += if before.mean == 0.0 { chance * failure.at_once } else { 0.0 };
    }

    fn all(&self) -> Failure {
        if self.chance <= 0.0 {
            return Failure::AT_ONCE;
        }
        let share = |sum: f64| sum / self.chance;
        Failure { mean: share(self.mean), second: share(self.second), at_once: share(self.at_once) }
    }
}

/// One after the other; `None` as soon as one of them is.
fn in_turn(parts: impl Iterator<Item = Option<Rough>>) -> Option<Rough> {
    let mut sum = NOTHING;
    let mut failures = Failures::default();
    for next in parts {
        let next = next?;
        failures.add(sum.success * (1.0 - next.success), &sum, next.failure);
        sum.shift += next.shift;
        sum.mean += next.mean;
        sum.variance += next.variance;
        sum.success *= next.success;
        sum.atom *= next.atom;
        sum.level = sum.level.max(next.level);
    }
    sum.failure = failures.all();
    Some(sum)
}

/// So many calls in a row, made with this chance.
pub(super) fn called(one: Rough, runs: u32, probability: f64) -> Rough {
    if runs == 0 || probability == 0.0 {
        return NOTHING;
    }
    let made = times(one, runs);
    if probability == 1.0 { made } else { mixed(&[(probability, made), (1.0 - probability, NOTHING)]) }
}

fn of_law(law: &Law) -> Rough {
    let mean = law.mean();
    if law.is_constant() {
        return Rough { shift: mean, mean, ..NOTHING };
    }
    Rough { mean, variance: bounded_variance(mean, law.moment(2)), atom: 0.0, ..NOTHING }
}

/// Infinite variance says nothing of where the percentiles lie.
fn bounded_variance(mean: f64, second: f64) -> f64 {
    (second - mean * mean).max(0.0).min(1e4 * mean * mean)
}

fn times(rough: Rough, n: u32) -> Rough {
    if n == 1 {
        return rough;
    }
    let n = f64::from(n);
    Rough {
        shift: rough.shift * n,
        mean: rough.mean * n,
        variance: rough.variance * n,
        success: rough.success.powf(n),
        atom: rough.atom.powf(n),
        level: rough.level,
        failure: {
            // About half of the others have gone well before, the first ones more likely the less likely that is.
            let before = times_before(rough.success, n);
            let mut failures = Failures::default();
            let passed = Rough {
                mean: before * rough.mean,
                variance: before * rough.variance + before * (before + 2.0) / 3.0 * rough.mean * rough.mean,
                ..rough
            };
            failures.add(1.0, &passed, rough.failure);
            failures.all()
        },
    }
}

/// How many of `n` runs in a row go well before the first that fails, on average, when one fails.
fn times_before(success: f64, n: f64) -> f64 {
    let failure = 1.0 - success;
    if failure * n < 1e-4 {
        return 0.5 * (n - 1.0);
    }
    let all = success.powf(n);
    success / failure - n * all / (1.0 - all)
}

fn mixed(parts: &[(f64, Rough)]) -> Rough {
    let certain = parts.iter().filter(|(weight, _)| *weight > 0.0);
    let success: f64 = certain.clone().map(|(weight, rough)| weight * rough.success).sum();
    let share = |weight: f64, rough: &Rough| if success > 0.0 { weight * rough.success / success } else { 0.0 };
    let mean: f64 = certain.clone().map(|(weight, rough)| share(*weight, rough) * rough.mean).sum();
    let second: f64 =
        certain.clone().map(|(weight, rough)| share(*weight, rough) * (rough.variance + rough.mean * rough.mean)).sum();
    let shift = certain.clone().map(|(_, rough)| rough.shift).fold(f64::INFINITY, f64::min);
    let least = certain.clone().filter(|(_, rough)| rough.shift == shift);
    Rough {
        shift,
        mean,
        variance: (second - mean * mean).max(0.0),
        success,
        atom: least.map(|(weight, rough)| share(*weight, rough) * rough.atom).sum(),
        level: certain.clone().map(|(_, rough)| rough.level).max().unwrap_or(0),
        failure: {
            let mut failures = Failures::default();
            certain.for_each(|(weight, rough)| failures.add(weight * (1.0 - rough.success), &NOTHING, rough.failure));
            failures.all()
        },
    }
}

/// A guess at the order statistic's moments: where to look, not what is found.
pub(super) fn parallel(parts: &[Rough], needed: usize) -> Rough {
    let success: Vec<f64> = parts.iter().map(|part| part.success).collect();
    let nth = |of: &dyn Fn(&Rough) -> f64| {
        let mut sorted: Vec<f64> = parts.iter().map(of).collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(needed.saturating_sub(1)).copied().unwrap_or(0.0)
    };
    let share = needed as f64 / (parts.len() as f64 + 1.0);
    let mean = nth(&|part| part.mean) * (1.0 - (1.0 - share).ln()) * 0.6;
    let shift = nth(&|part| part.shift);
    Rough {
        shift,
        mean: mean.max(shift),
        variance: parts.iter().map(|part| part.variance).fold(0.0, f64::max),
        success: crate::network::flows::at_least(&success, needed),
        atom: 0.0,
        level: parts.iter().map(|part| part.level).max().unwrap_or(0) + 1,
        failure: {
            let mut failures = Failures::default();
            parts.iter().for_each(|part| failures.add(1.0 - part.success, &NOTHING, part.failure));
            failures.all()
        },
    }
}

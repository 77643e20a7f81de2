//! Tails at single times with all the digits there are, for the percentiles of small models.

use super::rough::Rough;
use super::sheet::Sheet;
use super::{Composed, chance};
use crate::discipline::{Delay, Sojourn};
use crate::distribution::{Distribution, Law};
use crate::math::inversion::PRECISE;
use crate::network::{OperationId, Step};

/// Squared coefficient of variation below which a time goes by between two rungs.
const NARROW: f64 = 0.09;

impl Composed<'_> {
    /// The probability that an operation's successful run exceeds `t`, and the density there where it is known.
    pub(in crate::analytic) fn exceeding_precisely(
        &self,
        operation: OperationId,
        class: usize,
        t: f64,
    ) -> Option<(f64, Option<f64>)> {
        let slot = self.slot(operation, class);
        let rough = self.rough[slot]?;
        let beyond = t - rough.shift;
        if beyond <= 0.0 {
            return Some((1.0, Some(0.0)));
        }
        // Jumps of a density are dealt with where wait and service are known apart.
        if let Some((wait, service)) = self.jumping(operation, class) {
            return Some((Sojourn { wait, service }.exceeding(t), None));
        }
        let reachable = self.reachable(slot);
        let decay_rate = self.decay_rate(&reachable).min(self.linked_decay(&self.linked[slot], class));
        let tilt = (0.9 * decay_rate).min(20.0 / beyond);
        let line = PRECISE.line(beyond, tilt);
        let mut sheet = Sheet::new(self.rough.len(), PRECISE.weights.len());
        self.fill(&mut sheet, line, usize::MAX, &|slot| reachable[slot]);
        let (tail, density) = PRECISE.tail_and_density(beyond, line, rough.success, self.linked_row(slot, &mut sheet)?);
        let back = (-tilt * beyond).exp() / rough.success;
        Some((tail * back, Some(density * back)))
    }

    /// The wait and the service of a single visit, whose density jumps.
    fn jumping(&self, operation: OperationId, class: usize) -> Option<(&Delay, &Law)> {
        let steps = &self.solution.network.operations[operation].steps;
        self.single(steps, class, 0).filter(|(_, service)| !service.jumps().is_empty())
    }

    /// Whether an operation is a single visit whose density jumps.
    pub(in crate::analytic) fn jumps(&self, operation: OperationId, class: usize) -> bool {
        self.jumping(operation, class).is_some()
    }

    /// Whether some law on the way has no closed transform: off the rungs it costs too much.
    pub(in crate::analytic) fn is_tabulated(&self, operation: OperationId, class: usize) -> bool {
        let tabulated = |law: &Law| !law.has_closed_transform();
        self.any_step(&self.reachable(self.slot(operation, class)), |step, class| match step {
            Step::Visit(visit) => self.met(*visit, class).is_some_and(|(_, law)| tabulated(law)),
            Step::Delay(law) => tabulated(law),
            Step::Call(call) => call.network.as_ref().is_some_and(tabulated),
            _ => false,
        })
    }

    /// Whether the time of an operation varies so little that rungs say next to nothing of it.
    pub(in crate::analytic) fn is_narrow(&self, operation: OperationId, class: usize) -> bool {
        let slot = self.slot(operation, class);
        self.rough[slot].is_some_and(|rough| {
            let Rough { shift, mean, variance, .. } = self.widened(rough, &self.linked[slot], class);
            variance < NARROW * (mean - shift).powi(2)
        })
    }

    /// A rate below that at which the tail of anything reachable falls; zero where something has a heavy tail, or
    /// where parallel steps leave it open.
    fn decay_rate(&self, reachable: &[bool]) -> f64 {
        let rate = std::cell::Cell::new(f64::INFINITY);
        self.any_step(reachable, |step, class| {
            let here = match step {
                Step::Visit(visit) => {
                    self.met(*visit, class).map_or(0.0, |(wait, law)| wait.decay_rate().min(law.decay_rate()))
                }
                Step::Delay(law) => law.decay_rate(),
                Step::Call(call) => {
                    let network = call.network.as_ref().map_or(f64::INFINITY, Law::decay_rate);
                    let linked = self.linked_decay(&self.linked[self.slot(call.target, class)], class);
                    network.min(linked).min(self.dependent_decay(chance::of_call(&self.chances, call, class), class))
                }
                Step::Choose { ways, .. } => ways
                    .iter()
                    .map(|(_, steps)| self.dependent_decay(chance::of_way(&self.chances, steps, class), class))
                    .fold(f64::INFINITY, f64::min),
                Step::Parallel { .. } | Step::Guarded(_) => 0.0,
                Step::Hold { pool, .. } => self.solution.gates[*pool].wait.as_ref().map_or(0.0, Delay::decay_rate),
                _ => f64::INFINITY,
            };
            rate.set(rate.get().min(here));
            here == 0.0
        });
        if rate.get().is_finite() { rate.get() } else { 0.0 }
    }

    /// Whether any step that reachable operations make meets a condition on the step and its class.
    fn any_step(&self, reachable: &[bool], mut meets: impl FnMut(&Step, usize) -> bool) -> bool {
        let mut slots = reachable.iter().enumerate().filter(|(_, reachable)| **reachable).map(|(slot, _)| slot);
        slots.any(|slot| {
            let mut stack: Vec<&Step> = self.solution.network.operations[slot / self.classes].steps.iter().collect();
            while let Some(step) = stack.pop() {
                if meets(step, slot % self.classes) {
                    return true;
                }
                step.inner(|steps| stack.extend(steps));
            }
            false
        })
    }

    /// Every operation that runs for this one, itself included.
    fn reachable(&self, slot: usize) -> Vec<bool> {
        let mut reachable = vec![false; self.rough.len()];
        super::reach(self.solution.network, slot, self.classes, false, &mut reachable);
        reachable
    }
}

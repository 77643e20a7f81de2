//! Waits for others' requests, as laws to draw from.

use crate::discipline::fcfs::Queue;
use crate::discipline::{Delay, ps};
use crate::distribution::{Distribution, Gamma, Law, Sampler};
use crate::math::random::Stream;
use crate::unit::Seconds;

/// More others than this are not told apart.
const MANY: f64 = 20.0;

/// Waits that vary so much are about those of a queue where others come one by one.
const PLAIN: std::ops::Range<f64> = 0.5..2.0;

/// A wait for others: none, or one of a law.
#[derive(Debug, Clone)]
pub(super) struct Wait {
    pub chance: f64,
    pub mean: Seconds,
    /// Whether it is about exponential where there is one.
    pub is_plain: bool,
    law: Sampler,
}

impl Wait {
    /// With this chance a time of this mean and this squared coefficient of variation.
    pub fn new(chance: f64, mean: Seconds, scv: f64) -> Wait {
        let exponential = (scv - 1.0).abs() < 1e-3;
        let law =
            if exponential { Law::exponential(mean) } else { Law::Gamma(Gamma { mean, cv: scv.max(1e-6).sqrt() }) };
        let chance = if mean > 0.0 { chance } else { 0.0 };
        Wait { chance, mean: chance * mean, is_plain: PLAIN.contains(&scv), law: law.sampler() }
    }

    /// One like this, `less` of it on average being left out.
    pub fn like(delay: &Delay, less: Seconds, chance: f64) -> Wait {
        let (mean, probability) = (delay.mean(), delay.probability().min(1.0));
        if mean <= 0.0 || probability <= 0.0 {
            return Wait::new(0.0, 0.0, 1.0);
        }
        let met = mean / probability;
        let scv = (delay.second_moment() / probability / (met * met) - 1.0).max(0.0);
        if less > 0.0 {
            return Wait::new(chance, (mean - less).max(0.0) / chance.max(1e-9), scv);
        }
        Wait::new(probability, met, scv)
    }

    pub fn draw(&self, stream: &mut Stream) -> Seconds {
        if self.chance > 0.0 && stream.chance(self.chance) { self.law.draw(stream) } else { 0.0 }
    }
}

/// What others bring who are expected to come so often, and to bring so much in all: each an exponential part of it.
pub(super) fn brought(often: f64, all: Seconds, stream: &mut Stream) -> Seconds {
    if often <= 0.0 || all <= 0.0 {
        return all.max(0.0);
    }
    if often > MANY {
        // The sum of many varies as a normal number.
        return (all * (1.0 + stream.normal() * (2.0 / often).sqrt())).max(0.0);
    }
    let (mut left, mut sum) = (often - stream.exponential(), 0.0);
    while left > 0.0 {
        sum += stream.exponential();
        left -= stream.exponential();
    }
    sum * all / often
}

/// How much longer work takes at a shared station for others' requests, if a visit takes so much longer for its own: as variable as
/// makes response times as variable as they are.
pub(super) fn slowness(queue: &Queue, own: Seconds) -> Option<Wait> {
    let ps::Visit { wait, law, .. } = ps::own_visit(queue)?;
    let work = queue.service.mean();
    let (time, square) =
        (wait.mean() + law.mean(), law.moment(2) + 2.0 * law.mean() * wait.mean() + wait.second_moment());
    let scv = square / (time * time) / (1.0 + queue.service.scv()) - 1.0;
    Some(Wait::new(1.0, ((time - own) / work).max(1.0), scv.max(0.0)))
}

//! How long things take without any waits.

use crate::distribution::{Distribution, Law};
use crate::network::flows::Losses;
use crate::network::{Call, Guarded, Network, Step};

/// Mean and mean square of a time, which may be infinite.
pub(super) fn moments(time: &Law) -> (f64, f64) {
    let mean = time.mean();
    (mean, time.moment(2).min(1e6 * mean * mean))
}

/// A time without any waits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bare {
    pub mean: f64,
    pub variance: f64,
}

impl Bare {
    fn of(law: &Law) -> Bare {
        let (mean, second) = moments(law);
        Bare { mean, variance: second - mean * mean }
    }

    fn then(self, next: Bare) -> Bare {
        self.times(1.0, next)
    }

    /// And another one so many times.
    fn times(self, times: f64, next: Bare) -> Bare {
        Bare { mean: self.mean + times * next.mean, variance: self.variance + times * next.variance }
    }

    /// Taken with this chance only.
    fn by_chance(self, chance: f64) -> Bare {
        let apart = chance * (1.0 - chance) * self.mean * self.mean;
        Bare { mean: chance * self.mean, variance: chance * self.variance + apart }
    }
}

/// Time of each operation without any waits.
pub(super) fn bare(network: &Network, losses: &Losses) -> Vec<Bare> {
    let mut bare = vec![Bare::default(); network.operations.len()];
    for &operation in network.order.iter().rev() {
        bare[operation] = time_of(network, &network.operations[operation].steps, &bare, losses);
    }
    bare
}

pub(super) fn time_of(network: &Network, steps: &[Step], bare: &[Bare], losses: &Losses) -> Bare {
    let inner = |steps: &[Step]| time_of(network, steps, bare, losses);
    let called = |call: &Call| {
        let one = call.network.as_ref().map_or(bare[call.target], |law| bare[call.target].then(Bare::of(law)));
        Bare::default().times(f64::from(call.times), one.by_chance(call.probability))
    };
    steps.iter().fold(Bare::default(), |sum, step| match step {
        Step::Visit(visit) => sum.then(Bare::of(&network.visits[*visit].time)),
        Step::Delay(law) => sum.then(Bare::of(law)),
        Step::Call(call) => sum.then(called(call)),
        Step::Guarded(guarded) => {
            let Guarded { call, id, .. } = &**guarded;
            let most = call.probability * f64::from(call.times) * call.timeout.unwrap_or(f64::INFINITY);
            let one = called(call);
            let part = if one.mean > most { most / one.mean } else { 1.0 };
            let one = Bare { mean: part * one.mean, variance: part * part * one.variance };
            sum.times(losses.tries[*id][0].attempts, one)
        }
        Step::Choose { ways, .. } => {
            let ways: Vec<(f64, Bare)> = ways.iter().map(|(weight, steps)| (*weight, inner(steps))).collect();
            let mean: f64 = ways.iter().map(|(weight, way)| weight * way.mean).sum();
            let second: f64 = ways.iter().map(|(weight, way)| weight * (way.variance + way.mean * way.mean)).sum();
            sum.then(Bare { mean, variance: (second - mean * mean).max(0.0) })
        }
        Step::Hold { steps, .. } => sum.then(inner(steps)),
        Step::Repeat { times, steps } => sum.times(f64::from(*times), inner(steps)),
        Step::Parallel { branches, needed, .. } => {
            sum.then(kth(&branches.iter().map(|steps| inner(steps)).collect::<Vec<_>>(), *needed))
        }
        Step::Send(_) | Step::Fail(_) => sum,
    })
}

/// About the k-th of several times: right where all are constant, or exponential and alike; between these by how variable they are.
pub(super) fn kth(times: &[Bare], needed: usize) -> Bare {
    let mut means: Vec<f64> = times.iter().map(|time| time.mean).collect();
    means.sort_by(f64::total_cmp);
    let missing = times.len().saturating_sub(needed);
    let (Some(constant), Some(largest)) = (means.iter().rev().nth(missing), means.last()) else {
        return Bare::default();
    };
    let squares: f64 = means.iter().map(|mean| mean * mean).sum();
    let variance: f64 = times.iter().map(|time| time.variance).sum();
    if squares <= 0.0 {
        return Bare::default();
    }
    let cv = (variance / squares).sqrt();
    let mean = constant + cv * (kth_exponential(&means, *largest, missing) - constant);
    // The last of all is never later than the end of all one after the other.
    Bare { mean: mean.clamp(0.0, means.iter().sum()), variance: variance * largest * largest / squares }
}

/// The same where all are exponential: by their harmonic numbers.
fn kth_exponential(means: &[f64], largest: f64, missing: usize) -> f64 {
    let n = means.iter().filter(|mean| **mean > 1e-3 * largest).count();
    if n < 2 {
        return largest;
    }
    let harmonic = |n: usize| (1..=n).map(|k| 1.0 / k as f64).sum::<f64>();
    let all = harmonic(n);
    let power = (n as f64).ln() / all.ln();
    let last = means.iter().map(|mean| (mean / largest).powf(power)).sum::<f64>().powf(1.0 / power) * largest;
    last * (all - harmonic(missing.min(n))) / all
}

//! Phases with the first moments of a law.

use super::states::count;
use super::{LARGEST, Phases};
use crate::discipline::fcfs::{Arrivals, Queue};
use crate::distribution::{Distribution, Erlang, Hyperexponential, Law};
use crate::math::quadrature;

/// How much of a law's third moment its two phases take on, against that of balanced means, on a logarithmic scale.
///
/// With several servers a very long service holds one of them and lets the others go on, so two phases with the whole
/// third moment of a lognormal law wait too little: by 13% at four servers, cv 2 and utilization 0.6. With three tenths
/// of it the mean wait is right to 2% and its 95th percentile to 3%, from 2 to 16 servers (see docs/accuracy.md).
const THIRD_MOMENT_SHARE: f64 = 0.3;

/// A service longer than so many times the time in which a queue forgets, `c S / (1 - ρ)`, counts as one of that length.
const HORIZON: f64 = 2.0;

/// Phases like the service times of a queue, mixed by weight.
pub(super) fn fitted_service(queue: &Queue) -> Option<Vec<(f64, Phases)>> {
    let law = &queue.service;
    if queue.servers == 1 || law.moment(3).is_finite() {
        return fitted(law, queue.servers);
    }
    // At several servers the rare huge services of a heavy tail each hold one server, while the others go on: beyond the
    // time in which the queue forgets, how long they take makes no difference.
    let mean = law.mean();
    let end = HORIZON * f64::from(queue.servers) * mean / (1.0 - queue.utilization()).max(0.05);
    let second = 2.0 * panels(end, |t| t * law.exceeding(t));
    phases_of(of_two_moments(mean, (second / (mean * mean) - 1.0).max(0.0), queue.servers)?)
}

/// The integral from zero to `end` of something that changes on the logarithm of time.
fn panels(end: f64, f: impl Fn(f64) -> f64) -> f64 {
    let cut = |i: u32| if i == 0 { 0.0 } else { end * 0.8f64.powi(40 - i as i32) };
    (0..40).flat_map(|i| quadrature::panel(cut(i), cut(i + 1))).map(|(t, weight)| weight * f(t)).sum()
}

/// Phases like a law, mixed by weight: its own, or with its first two moments and a share of its third. `copies` of them
/// run at once.
fn fitted(law: &Law, copies: u32) -> Option<Vec<(f64, Phases)>> {
    if let Some(phases) = Phases::of(law).filter(|phases| phases.count() <= most_stages(copies)) {
        return Some(vec![(1.0, phases)]);
    }
    let (mean, scv) = (law.mean(), law.scv());
    if scv > 1.0 + 1e-6 && scv < 1e4 {
        let balanced = Hyperexponential::new(mean, scv.sqrt()).moment(3);
        let third = (balanced.ln() + THIRD_MOMENT_SHARE * (law.moment(3).min(1e3 * balanced) / balanced).ln()).exp();
        if let Some(two) = Hyperexponential::of_moments(mean, law.moment(2), third) {
            return phases_of(vec![(1.0, Law::Hyperexponential(two))]);
        }
    }
    phases_of(of_two_moments(mean, scv, copies)?)
}

/// Phases like the interarrival times of a queue, mixed by weight.
pub(super) fn fitted_arrivals(queue: &Queue) -> Option<Vec<(f64, Phases)>> {
    match &queue.arrivals {
        Arrivals::Poisson => Some(vec![(1.0, Phases::OneOf(vec![(1.0, queue.arrival_rate)]))]),
        Arrivals::Renewal(law) => fitted(law, 1),
        Arrivals::Scv(scv) => phases_of(of_two_moments(1.0 / queue.arrival_rate, *scv, 1)?),
    }
}

fn phases_of(laws: Vec<(f64, Law)>) -> Option<Vec<(f64, Phases)>> {
    laws.iter().map(|(weight, law)| Some((*weight, Phases::of(law)?))).collect()
}

/// Laws of phases with this mean and variability, mixed by weight: parallel ones above one, stages in a row below.
/// `None` when so many stages take too many states.
pub(super) fn of_two_moments(mean: f64, scv: f64, copies: u32) -> Option<Vec<(f64, Law)>> {
    if (scv - 1.0).abs() <= 1e-9 {
        return Some(vec![(1.0, Law::exponential(mean))]);
    }
    if scv > 1.0 {
        return Some(vec![(1.0, Law::Hyperexponential(Hyperexponential::new(mean, scv.sqrt())))]);
    }
    let in_a_row = |stages: u32| Law::Erlang(Erlang { mean, stages });
    let most = most_stages(copies) as u32;
    let fewer = (1.0 / scv.max(1e-9) + 1e-9).floor().min(f64::from(most)) as u32;
    if fewer == most || fewer == 0 {
        // Fewer stages than the law asks for: near enough from five on, which leave a variability of 0.2.
        let near = most >= 5 || (scv - 1.0 / f64::from(most)).abs() < 1e-9;
        return near.then(|| vec![(1.0, in_a_row(most))]);
    }
    // The wait is nearly straight in the variability of service.
    let (low, high) = (1.0 / f64::from(fewer + 1), 1.0 / f64::from(fewer));
    let share = ((scv - low) / (high - low)).clamp(0.0, 1.0);
    let parts = [(share, in_a_row(fewer)), (1.0 - share, in_a_row(fewer + 1))];
    Some(parts.into_iter().filter(|(weight, _)| *weight > 1e-9).collect())
}

/// The least variability of service that phases can have where as many run at once.
pub(super) fn least_scv(copies: u32) -> f64 {
    1.0 / most_stages(copies) as f64
}

/// Stages that as many servers can each run through without too many states.
fn most_stages(copies: u32) -> usize {
    let fits = |stages: &usize| count(copies as usize, *stages) <= LARGEST / 2;
    (1..=20).take_while(fits).last().unwrap_or(1)
}

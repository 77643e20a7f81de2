//! G/G/c by two moments: Whitt's approximations for the mean wait and the chance to wait, and a tail that falls at
//! the rate large-deviation theory gives.
//!
//! | symbol     | meaning                                         |
//! |------------|-------------------------------------------------|
//! | `ca², cs²` | squared coefficients of variation of arrivals and service |
//! | `m, ρ`     | servers, utilization                            |
//!
//! Source: Whitt, Approximations for the GI/G/m queue, Production and Operations Management 2 (1993). One server:
//! Kraemer and Langenbach-Belz (1976).

use super::{Arrivals, Queue, Waiting, hardly_waits, phase};
use crate::discipline::{Delay, Knowledge, Term};
use crate::distribution::{Distribution, Gamma, Law};
use crate::math::{erlang, roots, special};

/// Mean waits that are a smaller part of the work are none: numbers end where regular arrivals hardly ever meet.
const NO_WAIT: f64 = 1e-15;

/// The wait of a stable G/G/c.
pub(super) fn solve(queue: &Queue) -> Waiting {
    // Of a stream known by its variability alone two moments do not say everything, the less the further from Poisson.
    let by_moments =
        if let Arrivals::Scv(scv) = queue.arrivals { 0.05 + 0.15 * (scv - 1.0).abs().min(3.0) } else { 0.0 };
    let phases = if hardly_waits(queue) { None } else { phase::approximate(queue) };
    if let Some(delay) = phases {
        let knowledge = Knowledge::Approximate { p95_error: 0.03 + by_moments };
        return Waiting { delay: with_true_tail(delay.condensed(), queue), knowledge };
    }
    let (ca2, cs2) = (queue.arrivals.scv(), queue.service.scv().min(1e6));
    let rho = queue.utilization();
    let memoryless = erlang::erlang_c(queue.servers, queue.offered_load()).unwrap_or(1.0);
    let drain = f64::from(queue.servers) / queue.service.mean();
    let mean_memoryless = memoryless / (drain * (1.0 - rho));
    let mean = mean_wait_factor(rho, ca2, cs2, queue.servers) * 0.5 * (ca2 + cs2) * mean_memoryless;
    let probability = wait_probability(rho, ca2, cs2, queue.servers, memoryless).clamp(1e-300, 1.0);
    let knowledge = Knowledge::Approximate { p95_error: 0.05 + by_moments };
    if mean <= NO_WAIT * queue.service.mean() {
        return Waiting { delay: Delay::None, knowledge };
    }
    Waiting { delay: conditional_wait(queue, probability, mean / probability, drain), knowledge }
}

/// What multiplies `(ca² + cs²) / 2` times the wait of M/M/m.
fn mean_wait_factor(rho: f64, ca2: f64, cs2: f64, servers: u32) -> f64 {
    let m = f64::from(servers);
    if servers == 1 {
        return if ca2 < 1.0 {
            (-2.0 * (1.0 - rho) / (3.0 * rho) * (1.0 - ca2) * (1.0 - ca2) / (ca2 + cs2).max(1e-12)).exp()
        } else {
            (-(1.0 - rho) * (ca2 - 1.0) / (ca2 + 4.0 * cs2)).exp()
        };
    }
    let gamma = f64::min(0.24, (1.0 - rho) * (m - 1.0) * ((4.0 + 5.0 * m).sqrt() - 2.0) / (16.0 * m * rho));
    let phi1 = 1.0 + gamma;
    let phi3 = (1.0 - 4.0 * gamma) * (-2.0 * (1.0 - rho) / (3.0 * rho)).exp();
    let phi4 = f64::min(1.0, 0.5 * (phi1 + phi3));
    let both = 0.5 * (ca2 + cs2);
    let psi = if both >= 1.0 { 1.0 } else { phi4.powf(2.0 * (1.0 - both)) };
    if ca2 + cs2 <= 0.0 {
        0.0
    } else if ca2 >= cs2 {
        (4.0 * (ca2 - cs2) * phi1 + cs2 * psi) / (4.0 * ca2 - 3.0 * cs2)
    } else {
        ((cs2 - ca2) * phi3 + (cs2 + 3.0 * ca2) * psi) / (2.0 * (ca2 + cs2))
    }
}

/// Probability to wait, from that of M/M/m and normal approximations.
fn wait_probability(rho: f64, ca2: f64, cs2: f64, servers: u32, memoryless: f64) -> f64 {
    if ca2 == 1.0 {
        return memoryless;
    }
    let m = f64::from(servers);
    let z = (ca2 + cs2) / (1.0 + cs2);
    let slack = (1.0 - rho) * m.sqrt();
    let relative =
        |factor: f64| f64::min(1.0, memoryless * special::normal_upper(factor * slack) / special::normal_upper(slack));
    let pi4 = relative(1.0 / z.max(1e-9));
    let pi5 = relative(2.0 / (1.0 + ca2));
    let pi1 = rho * rho * pi4 + (1.0 - rho * rho) * pi5;
    if ca2 >= 1.0 || servers <= 6 {
        return pi1;
    }
    let gamma = (m - m * rho - 0.5) / (m * rho * z).sqrt();
    let pi2 = ca2 * pi1 + (1.0 - ca2) * special::normal_upper(gamma);
    let share = (2.0 * (1.0 - ca2) * (gamma - 0.5)).clamp(0.0, 1.0);
    if gamma >= 1.0 { pi2 } else { share * pi2 + (1.0 - share) * pi1 }
}

/// The wait of those who wait, with this mean: a short part at the rate the servers free up, and the long tail.
fn conditional_wait(queue: &Queue, probability: f64, mean: f64, drain: f64) -> Delay {
    let tail = decay_rate(queue, drain).filter(|rate| *rate > 0.0).unwrap_or(1.0 / mean);
    let short = drain.max(1.0 / mean);
    let share = if short > tail * (1.0 + 1e-9) { (mean - 1.0 / short) / (1.0 / tail - 1.0 / short) } else { 1.0 };
    if !(0.0..=1.0).contains(&share) {
        return Delay::exponential(probability, 1.0 / mean);
    }
    Delay::Exponentials(vec![
        Term { weight: (probability * share).into(), rate: tail.into() },
        Term { weight: (probability * (1.0 - share)).into(), rate: short.into() },
    ])
}

/// Makes the tail fall at the rate of the true laws, where they have one. Where the law of the arrivals is known, the
/// whole wait is stretched: what phases of the same moments get wrong of the tail they get wrong of all of it. Elsewhere
/// the mean is kept, which follows from the moments, and the tail alone changes.
fn with_true_tail(delay: Delay, queue: &Queue) -> Delay {
    let drain = f64::from(queue.servers) / queue.service.mean();
    let Delay::Exponentials(mut terms) = delay else { return delay };
    let by_rate = |a: &&mut Term, b: &&mut Term| a.rate.re.total_cmp(&b.rate.re);
    let (Some(rate), Some(slowest)) = (decay_rate(queue, drain), terms.iter_mut().min_by(by_rate)) else {
        return Delay::Exponentials(terms);
    };
    if rate > 0.0 && slowest.rate.re > 0.0 {
        let factor = (rate / slowest.rate.re).clamp(0.25, 4.0);
        if matches!(queue.arrivals, Arrivals::Renewal(_)) {
            terms.iter_mut().for_each(|term| term.rate *= factor);
        } else if slowest.rate.im == 0.0 {
            (slowest.rate, slowest.weight) = (slowest.rate * factor, slowest.weight * factor);
        }
    }
    Delay::Exponentials(terms)
}

/// The rate at which the wait's tail falls: the root of `A(η) B(-η / m) = 1`. `None` for heavy-tailed service.
fn decay_rate(queue: &Queue, drain: f64) -> Option<f64> {
    let m = f64::from(queue.servers);
    let limit = queue.service.decay_rate() * m;
    if limit == 0.0 {
        return None;
    }
    let interarrival = match &queue.arrivals {
        Arrivals::Poisson => Law::exponential(1.0 / queue.arrival_rate),
        Arrivals::Renewal(law) => law.clone(),
        Arrivals::Scv(scv) if *scv <= 1e-3 => Law::constant(1.0 / queue.arrival_rate),
        Arrivals::Scv(scv) => Law::Gamma(Gamma { mean: 1.0 / queue.arrival_rate, cv: scv.sqrt() }),
    };
    let excess = |eta: f64| interarrival.transform_at(eta).ln() + queue.service.transform_at(-eta / m).ln();
    let both = queue.arrivals.scv() + queue.service.scv();
    let mut high = drain * (1.0 - queue.utilization()) / both.max(1e-6);
    let mut low = 0.0;
    for _ in 0..100 {
        if high >= limit {
            high = limit * (1.0 - 1e-9);
            break;
        }
        if excess(high) > 0.0 {
            break;
        }
        (low, high) = (high, 1.5 * high);
    }
    let at_end = excess(high);
    if at_end.is_nan() || at_end <= 0.0 {
        Some(high)
    } else {
        Some(roots::bracketed(low.max(high * 1e-6), high, 1e-7, excess))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::inversion::Line;
    use num_complex::Complex64;

    #[test]
    fn who_comes_regularly_and_rarely_waits_for_no_time_at_all() {
        for rate in [1e-3, 0.05, 0.2, 1.0, 20.0] {
            for scv in [0.05, 0.2, 0.5] {
                let service = Law::Gamma(Gamma { mean: 3e-3, cv: 0.7 });
                let queue = Queue { arrival_rate: rate, arrivals: Arrivals::Scv(scv), service, servers: 1 };
                let wait = solve(&queue).delay;
                let mut values = [Complex64::default(); 3];
                wait.transform(Line { real: 40.0, step: 700.0 }, &mut values);
                assert!(values.iter().all(|value| value.is_finite()), "{rate} {scv} {wait:?}");
                assert!(wait.mean() < 1e-3 && wait.probability() <= 1.0);
            }
        }
    }
}

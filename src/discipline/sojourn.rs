//! A whole visit to a station: the wait and the service after it.

use super::Delay;
use super::delay::{Term, kinked, later_residuals};
use crate::distribution::{Distribution, Law};
use crate::math::{inversion, inversion::Line, quadrature, roots, special};
use crate::unit::Seconds;
use num_complex::Complex64;

/// The response time of one visit: a wait, then an independent service.
#[derive(Debug, Clone, PartialEq)]
pub struct Sojourn<'a> {
    /// Time before service.
    pub wait: &'a Delay,
    /// Time in service.
    pub service: &'a Law,
}

impl Sojourn<'_> {
    /// Mean, in seconds.
    pub fn mean(&self) -> Seconds {
        self.wait.mean() + self.service.mean()
    }

    /// Probability to take longer than `t`, in closed form where there is one, by inversion otherwise.
    pub fn exceeding(&self, t: Seconds) -> f64 {
        if t < 0.0 {
            return 1.0;
        }
        match (self.wait, self.service) {
            (Delay::None, service) => service.exceeding(t),
            (wait, Law::Constant(service)) if t >= service.value => wait.exceeding(t - service.value),
            (_, Law::Constant(_)) => 1.0,
            // Any other service takes some time.
            _ if t == 0.0 => 1.0,
            (Delay::Exponentials(_), Law::Exponential(law)) => self.exponential_parts(t, &[(1.0, law.mean)]),
            (Delay::Exponentials(_), Law::Hyperexponential(law)) => {
                let parts = [(law.weights[0], law.means[0]), (law.weights[1], law.means[1])];
                self.exponential_parts(t, &parts)
            }
            (Delay::Erlangs { weights, rate }, Law::Exponential(law)) if law.mean > 0.0 => {
                stages_then_service(weights, *rate, 1.0 / law.mean, t)
            }
            (Delay::Pollaczek { arrival_rate, .. }, service) if !service.jumps().is_empty() => {
                jumping_service(arrival_rate * service.mean(), service, t)
            }
            (Delay::Exponentials(terms), service) if !service.jumps().is_empty() => before_jumps(terms, service, t),
            (_, service) if !service.jumps().is_empty() => {
                kinked(service).exceeding(t, 0.0, 1.0, |line, out| self.transform(line, out)).clamp(0.0, 1.0)
            }
            _ => {
                let tilt = 0.9 * self.wait.decay_rate().min(self.service.decay_rate());
                inversion::PRECISE.exceeding(t, tilt, 1.0, |line, out| self.transform(line, out))
            }
        }
    }

    /// The smallest time that is not exceeded with probability `p`.
    pub fn quantile(&self, p: f64) -> Seconds {
        roots::falling_to(1.0 - p, self.mean(), |t| self.exceeding(t))
    }

    /// The mean of `exp(-sT)` along a line.
    pub fn transform(&self, line: Line, out: &mut [Complex64]) {
        let mut service = vec![Complex64::ZERO; out.len()];
        self.wait.transform(line, out);
        self.service.transform(line, &mut service);
        out.iter_mut().zip(&service).for_each(|(wait, service)| *wait *= service);
    }

    /// A sum of exponentials followed by a mixture of exponentials, `(probability, mean)` each.
    fn exponential_parts(&self, t: Seconds, parts: &[(f64, Seconds)]) -> f64 {
        let Delay::Exponentials(terms) = self.wait else { return 0.0 };
        parts
            .iter()
            .map(|&(p, mean)| {
                if mean == 0.0 {
                    return p * self.wait.exceeding(t);
                }
                let mu = 1.0 / mean;
                let alone = (-mu * t).exp();
                let behind: f64 = terms.iter().map(|x| (x.weight * two_stages(mu, x.rate, t, alone)).re).sum();
                p * (alone + behind)
            })
            .sum()
    }
}

/// How far before the end of an exponential it is looked at more closely, in its mean times.
const CLOSER: [f64; 6] = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// A wait of exponentials before a service whose density jumps: who waits so long still has the rest of the time to be served in.
fn before_jumps(terms: &[Term], service: &Law, t: f64) -> f64 {
    let over = |value: &dyn Fn(&Term) -> Complex64| terms.iter().map(|term| value(term).re).sum::<f64>();
    let density = |u: f64| over(&|term| term.weight * term.rate * (-term.rate * u).exp());
    let close = terms.iter().flat_map(|term| CLOSER.map(|times| t - times / term.rate.re));
    let mut ends: Vec<f64> = service.jumps().into_iter().chain(close).chain([0.0, t]).collect();
    ends.retain(|end| (0.0..=t).contains(end));
    ends.sort_by(f64::total_cmp);
    let panels = ends.windows(2).flat_map(|pair| {
        let step = (pair[1] - pair[0]) / 8.0;
        (0..8).map(move |i| (pair[0] + step * f64::from(i), pair[0] + step * f64::from(i + 1)))
    });
    let points = panels.flat_map(|(from, to)| quadrature::panel(from, to));
    let during: f64 = points.map(|(u, weight)| weight * service.exceeding(u) * density(t - u)).sum();
    let at_once = 1.0 - over(&|term| term.weight);
    at_once * service.exceeding(t) + over(&|term| term.weight * (-term.rate * t).exp()) + during
}

/// The response of M/G/1 when the density of service jumps: no residual service before it, one, and more apart, so that
/// inversion meets none of the jumps.
fn jumping_service(rho: f64, service: &Law, t: f64) -> f64 {
    let mut ends: Vec<f64> = service.jumps().into_iter().flat_map(|jump| [jump, t - jump]).chain([0.0, t]).collect();
    ends.retain(|end| (0.0..=t).contains(end));
    ends.sort_by(f64::total_cmp);
    let density = |u: f64| service.exceeding(u) / service.mean();
    let during: f64 = ends
        .windows(2)
        .flat_map(|pair| {
            // Short pieces, because a power tail bends sharply right after its start.
            let step = (pair[1] - pair[0]) / 64.0;
            (0..64).map(move |i| (pair[0] + step * f64::from(i), pair[0] + step * f64::from(i + 1)))
        })
        .flat_map(|(from, to)| quadrature::panel(from, to))
        .map(|(u, weight)| weight * density(u) * service.exceeding(t - u))
        .sum();
    let one = service.residual_exceeding(t) + during;
    let more = kinked(service).exceeding(t, 0.0, rho * rho, |line, out| {
        let mut own = vec![Complex64::ZERO; out.len()];
        later_residuals(rho, service, line, out);
        service.transform(line, &mut own);
        out.iter_mut().zip(&own).for_each(|(value, factor)| *value *= factor);
    });
    (1.0 - rho) * service.exceeding(t) + (1.0 - rho) * rho * one + more
}

/// Stages of rate `r`, as many as `weights` says, and then a service of rate `mu ≤ r`:
///
/// ```text
/// P(S_k + E > t) = P(S_k > t) + (r / (r - μ))^k exp(-μt) P(S'_k ≤ t),   S'_k of rate r - μ
/// ```
fn stages_then_service(weights: &[f64], r: f64, mu: f64, t: f64) -> f64 {
    let none = 1.0 - weights.iter().sum::<f64>();
    let waiting = Delay::Erlangs { weights: weights.to_vec(), rate: r }.exceeding(t);
    let gap = r - mu;
    let serving: f64 = weights
        .iter()
        .enumerate()
        .map(|(i, weight)| {
            let k = (i + 1) as f64;
            if gap <= 1e-9 * r {
                // With one server the service is one stage more.
                return weight * special::ln_poisson(k, r * t).exp();
            }
            let below = special::gamma_lower(k, gap * t);
            if below > 0.0 { weight * (k * (r / gap).ln() - mu * t + below.ln()).exp() } else { 0.0 }
        })
        .sum();
    none * (-mu * t).exp() + waiting + serving
}

/// What a wait that falls at rate `eta` adds to the tail of an exponential of rate `mu` after it:
/// `∫ exp(-η u) μ exp(-μ (t - u)) du = μ (exp(-μt) - exp(-ηt)) / (η - μ)`, without loss where both rates meet.
/// `alone` is `exp(-μt)`, which all terms share.
fn two_stages(mu: f64, eta: Complex64, t: f64, alone: f64) -> Complex64 {
    let x = (eta - mu) * t;
    if x.norm_sqr() > 1.0 {
        // As it stands: neither exponential overflows.
        let behind = if eta.im == 0.0 { Complex64::from((-eta.re * t).exp()) } else { (-eta * t).exp() };
        return mu * (alone - behind) / (eta - mu);
    }
    let shared = if x.norm_sqr() < 1e-6 {
        1.0 - x * (0.5 - x * (1.0 / 6.0 - x / 24.0))
    } else if x.im == 0.0 {
        Complex64::from(-(-x.re).exp_m1() / x.re)
    } else {
        (1.0 - (-x).exp()) / x
    };
    mu * t * alone * shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_of_a_single_memoryless_server_is_exponential() {
        let wait = Delay::exponential(0.8, 2.0);
        let service = Law::exponential(0.1);
        let visit = Sojourn { wait: &wait, service: &service };
        for p in [0.01, 0.5, 0.95, 0.999] {
            assert!((visit.quantile(p) / (-(1.0f64 - p).ln() / 2.0) - 1.0).abs() < 1e-12, "{p}");
        }
    }

    #[test]
    fn equal_rates_of_wait_and_service_lose_no_digits() {
        let service = Law::exponential(0.5);
        for eta in [2.0, 2.0 + 1e-9, 2.0 - 1e-5] {
            let wait = Delay::exponential(1.0, eta);
            let got = Sojourn { wait: &wait, service: &service }.exceeding(1.0);
            assert!((got - 3.0 * (-2.0f64).exp()).abs() < 2e-5, "{eta} {got}");
        }
    }

    #[test]
    fn a_wait_before_a_density_that_jumps_is_exact() {
        let wait = Delay::exponential(0.5, 2.0);
        let service = Law::Uniform(crate::distribution::Uniform { min: 0.0, max: 1.0 });
        let right = 0.5 * 0.3 + 0.5 * (0.3 + 0.5 * (1.0 - (-1.4f64).exp()));
        let got = Sojourn { wait: &wait, service: &service }.exceeding(0.7);
        assert!((got - right).abs() < 1e-12, "{got} {right}");
    }

    #[test]
    fn far_out_the_tail_vanishes() {
        let wait = Delay::exponential(0.9, 6.5);
        let service = Law::exponential(0.001);
        let visit = Sojourn { wait: &wait, service: &service };
        let far = visit.exceeding(20.0);
        assert!(far > 0.0 && far < 1e-50, "{far}");
    }

    #[test]
    fn closed_form_and_inversion_agree() {
        let wait = Delay::exponential(0.4, 3.0);
        let mixed = Law::Hyperexponential(crate::distribution::Hyperexponential::new(0.2, 1.5));
        let closed = Sojourn { wait: &wait, service: &mixed };
        for t in [0.1, 1.0, 3.0] {
            let inverted = inversion::PRECISE.exceeding(t, 1.0, 1.0, |line, out| closed.transform(line, out));
            assert!((closed.exceeding(t) - inverted).abs() < 1e-9);
        }
    }
}

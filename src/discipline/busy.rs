//! Busy periods: what a time becomes when more urgent work interrupts it.
//!
//! | symbol | meaning                                                      | unit       |
//! |--------|--------------------------------------------------------------|------------|
//! | `λ, B` | arrival rate and service transform of the interrupting work  | per second |
//! | `θ(s)` | root of `θ = s + λ - λ B(θ)`                                 | per second |
//!
//! A time `X` that such work interrupts lasts, with all interruptions and what arrives during them, `Y` with
//! `E exp(-sY) = E exp(-θ(s) X)`.
//!
//! Source: Takács (1962), chapter 1; Conway, Maxwell and Miller, Theory of Scheduling (1967), section 8.

use crate::distribution::{Distribution, Law, Transformed};
use crate::math::inversion::Line;
use crate::math::roots;
use crate::unit::{PerSecond, Seconds};
use num_complex::Complex64;

/// Work that comes first.
#[derive(Debug, Clone, PartialEq)]
pub struct Interruptions {
    /// Arrival rate, per second; zero when nothing comes first.
    pub arrival_rate: PerSecond,
    /// Its service time.
    pub service: Law,
}

impl Interruptions {
    /// Share of the time they take; below one.
    pub fn load(&self) -> f64 {
        if self.arrival_rate > 0.0 { self.arrival_rate * self.service.mean() } else { 0.0 }
    }

    /// `θ(s)`, for `s` in the right half plane.
    pub fn exponent(&self, s: Complex64) -> Complex64 {
        if self.arrival_rate <= 0.0 {
            return s;
        }
        let rate = self.arrival_rate;
        let next = |theta: Complex64| s + rate - rate * self.service.value(theta);
        // Begun where two moments lead; from anywhere in the half plane the iteration converges.
        let (free, spread) = (1.0 - self.load(), rate * self.service.moment(2));
        let begun = 2.0 * s / (free + (free * free + 2.0 * spread * s).sqrt());
        roots::fixed_point(begun, |theta| theta.re >= s.re, next)
    }

    /// First two moments of an interrupted time from its own.
    pub fn moments(&self, first: f64, second: f64) -> (f64, f64) {
        let free = 1.0 - self.load();
        let square = if self.arrival_rate > 0.0 { self.service.moment(2) } else { 0.0 };
        let spread = self.arrival_rate * square / (free * free * free);
        (first / free, second / (free * free) + first * spread)
    }
}

/// A service from its start to its end, interruptions included.
#[derive(Debug, Clone)]
pub struct Interrupted {
    /// The service alone; its transform is in closed form.
    pub service: Law,
    /// What interrupts it.
    pub interruptions: Interruptions,
}

impl Transformed for Interrupted {
    fn mean(&self) -> Seconds {
        self.interruptions.moments(self.service.mean(), self.service.moment(2)).0
    }

    fn second_moment(&self) -> f64 {
        self.interruptions.moments(self.service.mean(), self.service.moment(2)).1
    }

    fn is_formula(&self) -> bool {
        true
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        line.fill(out, |s| self.service.value(self.interruptions.exponent(s)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Hyperexponential;

    #[test]
    fn the_busy_period_of_memoryless_work_is_the_root_of_a_quadratic() {
        let (rate, mu) = (0.9, 1.0);
        let above = Interruptions { arrival_rate: rate, service: Law::exponential(1.0 / mu) };
        for s in [Complex64::new(1e-4, 0.0), Complex64::new(0.01, 0.3), Complex64::new(2.0, 40.0)] {
            // Γ = μ / (μ + θ) with θ = s + λ - λ Γ.
            let sum = rate + mu + s;
            let busy = (sum - (sum * sum - 4.0 * rate * mu).sqrt()) / (2.0 * rate);
            let exact = s + rate * (1.0 - busy);
            let got = above.exponent(s);
            assert!((got - exact).norm() < 1e-11 * exact.norm(), "{s}: {got} {exact}");
        }
    }

    #[test]
    fn the_root_is_found_close_to_saturation_and_far_out() {
        for service in
            [Law::constant(1.0), Law::exponential(1.0), Law::Hyperexponential(Hyperexponential::new(1.0, 3.0))]
        {
            for load in [1e-6, 0.5, 0.95, 0.999, 0.999_99] {
                let above = Interruptions { arrival_rate: load, service: service.clone() };
                for s in [1e-9, 1e-4, 0.01, 1.0, 100.0].map(|part| Complex64::new(part, 3.0 * part)) {
                    let theta = above.exponent(s);
                    let left = theta - (s + load - load * service.value(theta));
                    assert!(
                        theta.re >= s.re && left.norm() < 1e-14 * (load + theta.norm()),
                        "{service:?} {load} {s}: {theta} {left}"
                    );
                }
            }
        }
    }
}

//! Last come, first served, without interrupting.
//!
//! | symbol | meaning                                                                    | unit       |
//! |--------|----------------------------------------------------------------------------|------------|
//! | `R(s)` | transform of the time until the first server is free                       | 1          |
//! | `θ(s)` | exponent of a time that later arrivals interrupt, see [`super::busy`]      | per second |
//!
//! Who finds all servers busy waits until one is free, and for all who come meanwhile: `W(s) = R(θ(s))` for those who
//! wait. Exact for one server and Poisson arrivals (Wishart, 1960; Takács, 1963), and for equal exponential services at
//! several. The mean is that of first come, first served.

use super::busy::Interruptions;
use super::fcfs::{Arrivals, Queue, Waiting};
use super::{Delay, Knowledge};
use crate::distribution::{Derived, Distribution, Law, Transformed};
use crate::math::inversion::Line;
use crate::unit::Seconds;
use num_complex::Complex64;

/// The wait when the order of service is turned round, from that of first come, first served.
pub fn reversed(queue: &Queue, fcfs: &Waiting) -> Waiting {
    let probability = fcfs.delay.probability();
    let closed = queue.servers == 1 && queue.service.has_closed_transform() || queue.service.is_exponential();
    let exact = queue.arrivals == Arrivals::Poisson && closed;
    let knowledge = if exact { Knowledge::Exact } else { Knowledge::Approximate { p95_error: 0.1 } };
    if probability <= 0.0 || queue.arrival_rate <= 0.0 {
        return Waiting { delay: Delay::None, knowledge };
    }
    // Several servers as one that is as fast as all.
    let service = queue.service.stand_in().scaled(1.0 / f64::from(queue.servers));
    let law = LaterFirst { later: Interruptions { arrival_rate: queue.arrival_rate, service } };
    let factor = fcfs.delay.mean() / probability / law.mean();
    let factor = if exact || !factor.is_finite() { 1.0 } else { factor };
    let delay = Delay::Of { probability, law: Law::Derived(Derived::new(law).scaled(factor)) };
    Waiting { delay, knowledge }
}

/// The wait of those who wait, at one server.
#[derive(Debug, Clone)]
struct LaterFirst {
    later: Interruptions,
}

impl LaterFirst {
    /// Moments of it, from those of a residual service.
    fn moments(&self) -> (f64, f64) {
        let service = &self.later.service;
        let mean = service.mean();
        self.later.moments(service.moment(2) / (2.0 * mean), service.moment(3) / (3.0 * mean))
    }
}

impl Transformed for LaterFirst {
    fn mean(&self) -> Seconds {
        self.moments().0
    }

    fn second_moment(&self) -> f64 {
        self.moments().1
    }

    fn is_formula(&self) -> bool {
        true
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        let mean = self.later.service.mean();
        line.fill(out, |s| {
            let theta = self.later.exponent(s);
            (1.0 - self.later.service.value(theta)) / (theta * mean)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discipline::fcfs;

    #[test]
    fn the_mean_is_kept_and_the_second_moment_is_larger_by_the_idle_share() {
        // Takács: E W² of first come, first served over 1 - ρ.
        for servers in [1u32, 4] {
            let queue = Queue {
                arrival_rate: 0.7 * f64::from(servers),
                arrivals: Arrivals::Poisson,
                service: Law::exponential(1.0),
                servers,
            };
            let plain = fcfs::solve(&queue).unwrap();
            let turned = reversed(&queue, &plain).delay;
            assert!((turned.mean() / plain.delay.mean() - 1.0).abs() < 1e-12);
            assert!((turned.second_moment() * 0.3 / plain.delay.second_moment() - 1.0).abs() < 1e-12);
        }
    }
}

//! Last come, first served, without interrupting: the mean wait of first come, first served, with a longer tail.
//!
//! Source: Kleinrock, Queueing Systems II (1976), section 3.5: `E[W²]` is that of first come, first served divided by
//! `1 - ρ`.

use super::{Delay, Knowledge};
use crate::distribution::{Gamma, Law};

/// The wait when the order is reversed, from the wait of first come, first served at utilization `rho`.
pub fn reversed(fcfs: &Delay, rho: f64) -> (Delay, Knowledge) {
    let (probability, mean) = (fcfs.probability(), fcfs.mean());
    let knowledge = Knowledge::Approximate { p95_error: 0.05 };
    if probability <= 0.0 || mean <= 0.0 {
        return (Delay::None, knowledge);
    }
    let conditional = mean / probability;
    let second = fcfs.second_moment() / (1.0 - rho) / probability;
    let scv = (second / (conditional * conditional) - 1.0).clamp(1e-3, 1e3);
    let law = Law::Gamma(Gamma { mean: conditional, cv: scv.sqrt() });
    (Delay::Of { probability, law }, knowledge)
}

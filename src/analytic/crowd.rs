//! Bounds of what users get, and how many fill a system.
//!
//! | symbol | meaning                                                                   | unit       |
//! |--------|---------------------------------------------------------------------------|------------|
//! | `N, Z` | users, mean time they think                                               | 1, seconds |
//! | `R₁`   | mean response time of a request that never waits                          | seconds    |
//! | `X₁`   | rate at which the first resource saturates, the other workloads as they are | per second |
//!
//! ```text
//! X ≤ min(N / (R₁ + Z), X₁),   R ≥ max(R₁, N / X₁ - Z),   knee N* = X₁ (R₁ + Z)
//! ```
//!
//! Where users are alone in a network of product form there are lower bounds too: everybody waits for everybody else. With single
//! servers those of balanced jobs lie within.
//!
//! Source: Denning and Buzen, The operational analysis of queueing network models (1978); Zahorjan et al. (1982).

use super::Solution;
use super::saturation::Offered;
use crate::math::mva;
use crate::prediction::{Bounds, Crowd, Share};
use crate::system::Load;

/// The bounds of a workload of users whose response time is made up like this; `None` for other workloads.
pub(super) fn crowd(solution: &Solution<'_>, offered: &Offered, w: usize, shares: &[Share]) -> Option<Crowd> {
    let Load::Closed { users, think } = &solution.network.workloads[w].load else { return None };
    if shares.is_empty() {
        return None;
    }
    let (number, think) = (f64::from(*users), think.mean());
    let alone: f64 = shares.iter().map(|share| share.service_time).sum();
    let most = offered.alone(w).map(|factor| factor * solution.rates[w]);
    let fastest = Some(number / (alone + think)).filter(|rate| rate.is_finite());
    let asymptotic = Bounds {
        throughput: (None, most.into_iter().chain(fastest).min_by(f64::total_cmp)),
        response: (most.map_or(alone, |most| (number / most - think).max(alone)), None),
    };
    let exactly = solution.users.as_ref().and_then(|users| users.single_class());
    let (asymptotic, balanced) = match exactly {
        Some((away, demands, single)) => {
            let beyond = away - think;
            let crowded = beyond + number * demands.iter().sum::<f64>();
            let whole = Bounds {
                throughput: (Some(number / (think + crowded)), asymptotic.throughput.1),
                response: (asymptotic.response.0, Some(crowded)),
            };
            let (_, mva::Bounds { throughput, response }) = mva::bounds(*users, away, &demands);
            let balanced = Bounds {
                throughput: (Some(throughput.0), Some(throughput.1)),
                response: (response.0 + beyond, Some(response.1 + beyond)),
            };
            (whole, single.then_some(balanced))
        }
        None => (asymptotic, None),
    };
    let knee = most.map_or(f64::INFINITY, |most| most * (alone + think));
    Some(Crowd { users: *users, knee, asymptotic, balanced })
}

//! GI/M/c: any independent interarrival times, memoryless service.
//!
//! | symbol | meaning                                             | unit       |
//! |--------|-----------------------------------------------------|------------|
//! | `A(s)` | transform of the interarrival time                  | 1          |
//! | `μ, c` | service rate, servers                               | per second |
//! | `σ`    | root of `σ = A(cμ(1 - σ))` between 0 and 1          | 1          |
//!
//! Source: Takács, Introduction to the Theory of Queues (1962), chapter 2; Gross and Harris (1998), section 5.3.

use crate::discipline::Delay;
use crate::distribution::{Distribution, Law};
use crate::math::roots;
use crate::math::special::ln_gamma;

/// The wait of GI/M/c, exact: exponential with rate `cμ(1 - σ)` for those who wait. The queue must be stable.
pub fn renewal(interarrival: &Law, service_mean: f64, servers: u32) -> Delay {
    let c = f64::from(servers);
    let mu = 1.0 / service_mean;
    let free = free_share(interarrival, c * mu);
    Delay::exponential(wait_probability(interarrival, mu, servers, free), c * mu * free)
}

/// `1 - σ`, found directly because it is small near saturation.
fn free_share(interarrival: &Law, total_rate: f64) -> f64 {
    let excess = |free: f64| interarrival.transform_at(total_rate * free) - (1.0 - free);
    // `excess` is negative right above zero and positive at one; below the heavy-traffic value it has not yet turned.
    let rho = 1.0 / (interarrival.mean() * total_rate);
    let mut low = (1.0 - rho) / (1.0 + interarrival.scv());
    while excess(low) > 0.0 && low > 1e-14 {
        low *= 0.5;
    }
    roots::bracketed(low, 1.0, 1e-14, excess)
}

/// Probability that an arrival waits.
///
/// ```text
/// 1 / P = 1 + (1 - σ) Σ_{j=1..c} binomial(c, j) / (C_j (1 - A_j)) × (c (1 - A_j) - j) / (c (1 - σ) - j)
/// A_j = A(jμ),   C_j = Π_{i=1..j} A_i / (1 - A_i)
/// ```
///
/// Every term is positive: `A` is convex, so both differences change sign at the same `j`.
fn wait_probability(interarrival: &Law, mu: f64, servers: u32, free: f64) -> f64 {
    let c = f64::from(servers);
    let ratio = |j: f64| {
        let missing = 1.0 - interarrival.transform_at(j * mu);
        (c * missing - j) / (c * free - j)
    };
    let mut ln_product = 0.0;
    let mut sum = 0.0;
    for j in 1..=servers {
        let j = f64::from(j);
        let value = interarrival.transform_at(j * mu);
        ln_product += value.ln() - (-value).ln_1p();
        let ln_binomial = ln_gamma(c + 1.0) - ln_gamma(j + 1.0) - ln_gamma(c - j + 1.0);
        // Where the two zeros meet, the quotient is the mean of its neighbours.
        let quotient = if (c * free - j).abs() < 1e-5 { 0.5 * (ratio(j - 1e-3) + ratio(j + 1e-3)) } else { ratio(j) };
        sum += (ln_binomial - ln_product).exp() / (1.0 - value) * quotient;
    }
    1.0 / (1.0 + free * sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::erlang::erlang_c;

    #[test]
    fn exponential_interarrivals_give_back_erlang_c() {
        for (c, rho) in [(1, 0.7), (4, 0.9), (16, 0.8), (200, 0.95)] {
            let lambda = f64::from(c) * rho;
            let delay = renewal(&Law::exponential(1.0 / lambda), 1.0, c);
            let exact = erlang_c(c, lambda).unwrap();
            assert!((delay.probability() / exact - 1.0).abs() < 1e-9, "{c} {rho} {} {exact}", delay.probability());
            assert!((delay.decay_rate() / (f64::from(c) * (1.0 - rho)) - 1.0).abs() < 1e-9);
        }
    }
}

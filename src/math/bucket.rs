//! A token bucket: it fills at a steady rate up to what it holds; each arrival takes one token, or is refused.
//!
//! | symbol  | meaning                                                | unit       |
//! |---------|--------------------------------------------------------|------------|
//! | `λ, ca²`| arrival rate, squared coefficient of variation         | per second |
//! | `r, b`  | rate at which it fills, tokens it holds                | per second |
//!
//! What is missing in the bucket falls at rate `r` and rises by one with each token taken, if no more than `b - 1` is missing:
//! the work of an M/D/1 whose customers do not come when there is more than that, known from that of M/D/1 without a limit,
//! `P(V > x) = C exp(-η x)`. Other arrivals as a Brownian motion between two walls.
//!
//! ```text
//! ρ = λ / r,   ρ (exp(η) - 1) = η,   C = (1 - ρ) / (ρ exp(η) - 1)
//! Poisson: refused = 1 - (1 - P0) / ρ,   P0 = (1 - ρ) / (1 - ρ C exp(-η (b - 1)))
//! other:   refused = (1 - 1/ρ) / (1 - exp(-2 (1 - 1/ρ) b / ca²))
//! ```
//!
//! Source: de Kok and Tijms, A queueing system with impatient customers, Journal of Applied Probability 22 (1985); two walls:
//! Harrison, Brownian Motion and Stochastic Flow Systems (1985).

use crate::unit::PerSecond;

/// Loads nearer to one than this are taken as so far away: the formula has no value there, but a limit.
const NEAR: f64 = 1e-4;

/// The share of arrivals that find no token in a bucket that holds what it gets in a second.
pub fn refused(rate: PerSecond, scv: f64, limit: PerSecond) -> f64 {
    if rate <= 0.0 {
        return 0.0;
    }
    let load = rate / limit;
    let load = if (load - 1.0).abs() < NEAR { 1.0 + NEAR } else { load };
    if (scv - 1.0).abs() < 1e-9 {
        let decay = decay(load);
        let beyond = (1.0 - load) / (load * decay.exp() - 1.0) * (-decay * (limit - 1.0).max(0.0)).exp();
        let empty = (1.0 - load) / (1.0 - load * beyond);
        return (1.0 - (1.0 - empty) / load).clamp(0.0, 1.0);
    }
    let excess = 1.0 - 1.0 / load;
    (excess / -(-2.0 * excess * limit / scv.max(1e-6)).exp_m1()).clamp(0.0, 1.0)
}

/// The root other than zero of `ρ (exp(η) - 1) = η`, negative above a load of one.
fn decay(load: f64) -> f64 {
    // From the side on which the function is steep Newton's steps come to the root without passing it.
    let mut decay = if load > 1.0 { -load } else { 1.0 - 2.0 * load.ln() };
    for _ in 0..100 {
        let step = (load * decay.exp_m1() - decay) / (load * decay.exp() - 1.0);
        decay -= step;
        if step.abs() < 1e-13 * decay.abs() {
            break;
        }
    }
    decay
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Poisson arrivals against the state of the bucket in small steps of time.
    fn stepped(rate: f64, limit: f64) -> f64 {
        // Tokens in parts; the chance of each amount, followed until it rests.
        let parts = 50usize;
        let room = (limit * parts as f64) as usize;
        let mut chance = vec![0.0; room + 1];
        chance[room] = 1.0;
        let arrive = rate / (limit * parts as f64);
        for _ in 0..60_000 {
            let mut next = vec![0.0; room + 1];
            for (tokens, p) in chance.iter().enumerate() {
                let full = (tokens + 1).min(room);
                let after = if full >= parts { full - parts } else { full };
                next[after] += p * arrive;
                next[full] += p * (1.0 - arrive);
            }
            chance = next;
        }
        chance[..parts - 1].iter().sum()
    }

    #[test]
    fn refusals_are_those_of_the_bucket_followed_in_small_steps() {
        for (rate, limit) in [(8.0, 10.0), (10.0, 10.0), (14.0, 10.0)] {
            let (own, right) = (refused(rate, 1.0, limit), stepped(rate, limit));
            assert!((own - right).abs() < 0.1 * right, "{rate}: {own} {right}");
        }
        assert!(refused(100.0, 1.0, 200.0) < 1e-12);
        assert!((refused(400.0, 1.0, 100.0) - 0.75).abs() < 1e-9);
    }
}

//! Least-recently-used caches under independent requests: Che's approximation.
//!
//! | symbol  | meaning                                          | unit     |
//! |---------|--------------------------------------------------|----------|
//! | `q_k`   | share of requests for the k-th most popular object | 1      |
//! | `C`     | objects the cache holds                          | 1        |
//! | `T`     | characteristic time, in requests: how long an object stays without being asked for | requests |
//!
//! ```text
//! Σ_k (1 - exp(-q_k T)) = C,      hit ratio = Σ_k q_k (1 - exp(-q_k T))
//! ```
//!
//! Source: Che, Tung and Wang (2002); why it is so good: Fricker, Robert and Roberts (2012).

use super::{quadrature, roots};

/// Objects treated one by one; beyond them popularity changes by less than a thousandth from rank to rank.
const SINGLE: u64 = 1_000;

/// Hit ratio of an LRU cache of `size` places for `objects` objects of Zipf popularity with exponent `zipf`.
pub fn hit_ratio(size: u64, objects: u64, zipf: f64) -> f64 {
    characteristic(size, objects, zipf).1
}

/// The characteristic time in requests, and the hit ratio. Everything fits: infinite, 1.
pub fn characteristic(size: u64, objects: u64, zipf: f64) -> (f64, f64) {
    if size >= objects {
        return (f64::INFINITY, 1.0);
    }
    if size == 0 {
        return (0.0, 0.0);
    }
    let ranks = popularity(objects, zipf);
    let occupied = |time: f64| ranks.iter().map(|(weight, q)| weight * -(-q * time).exp_m1()).sum::<f64>();
    let size = size as f64;
    // Every object stays at least as long as it takes to ask for `size` different ones.
    let mut high = size.max(1.0);
    while occupied(high) < size && high < 1e300 {
        high *= 2.0;
    }
    let time = roots::bracketed(0.0, high, 1e-14, |t| occupied(t) - size);
    (time, ranks.iter().map(|(weight, q)| weight * q * -(-q * time).exp_m1()).sum())
}

/// Ranks to sum over, as (weight, share of requests): the first ones singly; the long tail by quadrature over ranks,
/// with the first correction of Euler and Maclaurin at both ends. Weights add up to the number of objects.
fn popularity(objects: u64, zipf: f64) -> Vec<(f64, f64)> {
    let mut ranks: Vec<(f64, f64)> = (1..=objects.min(SINGLE)).map(|k| (1.0, k as f64)).collect();
    if objects > SINGLE {
        let (start, end) = (SINGLE as f64 + 0.5, objects as f64 + 0.5);
        let panels = ((end / start).ln() / 0.25).ceil();
        let ratio = (end / start).powf(1.0 / panels);
        for i in 0..panels as i32 {
            let from = start * ratio.powi(i);
            ranks.extend(quadrature::panel(from, from * ratio).map(|(rank, weight)| (weight, rank)));
        }
        // Σ f = ∫ f - (f'(end) - f'(start)) / 24, with the slopes as differences over one rank.
        for (at, sign) in [(end, -1.0), (start, 1.0)] {
            ranks.push((sign / 24.0, at + 0.5));
            ranks.push((-sign / 24.0, at - 0.5));
        }
    }
    let mut shares: Vec<(f64, f64)> = ranks.into_iter().map(|(weight, rank)| (weight, rank.powf(-zipf))).collect();
    let total: f64 = shares.iter().map(|(weight, q)| weight * q).sum();
    shares.iter_mut().for_each(|(_, q)| *q /= total);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_popularity_hits_with_the_share_that_fits() {
        assert!((hit_ratio(250, 1000, 0.0) - 0.25).abs() < 1e-12);
        assert_eq!(hit_ratio(10, 10, 1.0), 1.0);
        assert_eq!(hit_ratio(0, 10, 1.0), 0.0);
    }

    #[test]
    fn the_integrated_tail_is_exact_to_rounding() {
        let exact: f64 = {
            let (size, objects, zipf) = (5_000u64, 60_000u64, 0.9f64);
            let weights: Vec<f64> = (1..=objects).map(|k| (k as f64).powf(-zipf)).collect();
            let total: f64 = weights.iter().sum();
            let occupied = |t: f64| weights.iter().map(|w| -(-w / total * t).exp_m1()).sum::<f64>() - size as f64;
            let time = roots::bracketed(0.0, 1e9, 1e-13, occupied);
            weights.iter().map(|w| w / total * -(-w / total * time).exp_m1()).sum()
        };
        assert!((hit_ratio(5_000, 60_000, 0.9) / exact - 1.0).abs() < 1e-11);
    }
}

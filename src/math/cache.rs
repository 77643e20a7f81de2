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

use super::roots;

/// Objects treated one by one; the long tail beyond is integrated in growing blocks of nearly equal popularity.
const SINGLE: u64 = 10_000;

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
    let blocks = popularity(objects, zipf);
    let occupied = |time: f64| blocks.iter().map(|(count, q)| count * -(-q * time).exp_m1()).sum::<f64>();
    let size = size as f64;
    // Every object stays at least as long as it takes to ask for `size` different ones.
    let mut high = size.max(1.0);
    while occupied(high) < size && high < 1e300 {
        high *= 2.0;
    }
    let time = roots::bracketed(0.0, high, 1e-14, |t| occupied(t) - size);
    (time, blocks.iter().map(|(count, q)| count * q * -(-q * time).exp_m1()).sum())
}

/// Blocks of objects with equal popularity, as (count, share of each); the shares of all add up to one.
fn popularity(objects: u64, zipf: f64) -> Vec<(f64, f64)> {
    let mut blocks: Vec<(f64, f64)> = (1..=objects.min(SINGLE)).map(|k| (1.0, (k as f64).powf(-zipf))).collect();
    let mut from = SINGLE + 1;
    while from <= objects {
        // Within a block of 0.1% of its rank the popularity is so nearly straight that its mean stands for all.
        let to = (from + from / 1000).min(objects);
        let count = (to - from + 1) as f64;
        let (a, b) = (from as f64 - 0.5, to as f64 + 0.5);
        let sum = if (zipf - 1.0).abs() < 1e-9 {
            (b / a).ln()
        } else {
            (b.powf(1.0 - zipf) - a.powf(1.0 - zipf)) / (1.0 - zipf)
        };
        blocks.push((count, sum / count));
        from = to + 1;
    }
    let total: f64 = blocks.iter().map(|(count, q)| count * q).sum();
    blocks.iter_mut().for_each(|(_, q)| *q /= total);
    blocks
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
    fn blocks_change_nothing_that_can_be_seen() {
        let exact: f64 = {
            let (size, objects, zipf) = (5_000u64, 60_000u64, 0.9f64);
            let weights: Vec<f64> = (1..=objects).map(|k| (k as f64).powf(-zipf)).collect();
            let total: f64 = weights.iter().sum();
            let occupied = |t: f64| weights.iter().map(|w| -(-w / total * t).exp_m1()).sum::<f64>() - size as f64;
            let time = roots::bracketed(0.0, 1e9, 1e-13, occupied);
            weights.iter().map(|w| w / total * -(-w / total * time).exp_m1()).sum()
        };
        assert!((hit_ratio(5_000, 60_000, 0.9) / exact - 1.0).abs() < 1e-6);
    }
}

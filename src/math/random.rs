//! Streams of random numbers that are the same wherever they are drawn.
//!
//! Every source of randomness of a simulation has a stream of its own, addressed by the seed, the number of the replication
//! and the number of the source. Two designs that share their sources share their random numbers, and a replication is
//! the same on any machine, thread and in any order.
//!
//! Source: Blackman and Vigna, Scrambled linear pseudorandom number generators, ACM Transactions on Mathematical
//! Software 47 (2021): xoshiro256++; streams are seeded by splitmix64 of Steele, Lea and Flood (2014).

use rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp1, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

/// One stream of random numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream of a source in a replication of a seed.
    pub fn new(seed: u64, replication: u64, source: u64) -> Stream {
        let address = [replication, source].iter().fold(mixed(seed), |state, part| mixed(state ^ mixed(*part)));
        Stream(Xoshiro256PlusPlus::seed_from_u64(address))
    }

    /// Uniform between 0 and 1, neither of them, in steps of `2^-53`.
    pub fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        Exp1.sample(&mut self.0)
    }

    /// Normal with mean 0 and variance 1.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// A number below `n`, each as likely; `n` is above zero.
    ///
    /// Source: Lemire, Fast random integer generation in an interval (2019).
    pub fn below(&mut self, n: u32) -> u32 {
        let product = |random: u32| u64::from(random) * u64::from(n);
        let mut wide = product(self.0.next_u32());
        if (wide as u32) < n {
            // How many of the lowest products would make the others more likely than their like.
            let excess = n.wrapping_neg() % n;
            while (wide as u32) < excess {
                wide = product(self.0.next_u32());
            }
        }
        (wide >> 32) as u32
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// The generator itself, for laws that draw from one.
    pub fn generator(&mut self) -> &mut impl Rng {
        &mut self.0
    }
}

/// The number of a source of randomness that has a name: the same in all models that use the name.
pub fn source(name: &str, number: u64) -> u64 {
    let named = name.as_bytes().chunks(8).fold(mixed(name.len() as u64), |state, chunk| {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        mixed(state ^ u64::from_le_bytes(bytes))
    });
    mixed(named ^ mixed(number))
}

/// The finaliser of splitmix64.
fn mixed(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_known_by_its_address() {
        let first = |seed, replication, source| Stream::new(seed, replication, source).uniform();
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        let all: Vec<f64> =
            [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (1, 3, 2)].map(|(s, r, k)| first(s, r, k)).to_vec();
        assert!(all.iter().enumerate().all(|(i, a)| all[..i].iter().all(|b| a != b)), "{all:?}");
        // These numbers are a promise: a run of this version can be made again.
        assert_eq!(Stream::new(1, 0, 0).0.next_u64(), 516_417_475_390_652_750);
    }

    #[test]
    fn streams_are_uniform_and_uncorrelated() {
        // Means over a million numbers: five standard deviations are a chance of 6e-7.
        let n = 1_000_000;
        let (mut a, mut b) = (Stream::new(7, 0, 0), Stream::new(7, 0, 1));
        let (mut mean, mut square, mut product) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let (x, y) = (a.uniform() - 0.5, b.uniform() - 0.5);
            (mean, square, product) = (mean + x, square + x * x, product + x * y);
        }
        let within = |sum: f64, variance: f64| sum.abs() < 5.0 * (f64::from(n) * variance).sqrt();
        assert!(within(mean, 1.0 / 12.0), "{mean}");
        assert!(within(square - f64::from(n) / 12.0, 1.0 / 180.0), "{square}");
        assert!(within(product, 1.0 / 144.0), "{product}");
    }

    #[test]
    fn numbers_below_are_equally_likely() {
        let mut stream = Stream::new(3, 1, 4);
        let mut counts = [0u32; 6];
        (0..600_000).for_each(|_| counts[stream.below(6) as usize] += 1);
        let spread: f64 = counts.iter().map(|count| (f64::from(*count) - 1e5).powi(2) / 1e5).sum();
        // Chi-squared with five degrees of freedom is above 36 once in a million.
        assert!(spread < 36.0, "{counts:?}");
        assert_eq!(stream.below(1), 0);
    }
}

//! Counts of times in buckets whose width is a fixed share of the time.
//!
//! A bucket holds the times that agree in their exponent and the first ten binary digits after it: 1024 buckets an octave,
//! each no wider than 0.1% of the times in it, from a picosecond to the largest number. A quantile is read on a straight
//! line through its bucket, so it is never off by more than that, and far less where times are spread evenly. Two
//! histograms merge by adding counts, in any order; memory grows with the octaves that were met, not with the counts.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Binary digits of a time within its octave that tell the buckets apart.
const DIGITS: u32 = 10;

/// Buckets of an octave.
const BUCKETS: usize = 1 << DIGITS;

/// Bits of a double below those that tell the buckets apart.
const BELOW: u32 = 52 - DIGITS;

/// The number of the bucket that begins at `2^-40` seconds, a picosecond; shorter times count as zero.
const FIRST: usize = (1023 - 40) * BUCKETS;

/// One more than the number of the last bucket of all doubles.
const END: usize = 2048 * BUCKETS;

/// How often times of each size were met.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Sparse", from = "Sparse")]
pub struct Histogram {
    count: u64,
    /// Times below a picosecond.
    zeros: u64,
    /// The shortest and the longest.
    least: f64,
    most: f64,
    /// Counts from the bucket of this number on.
    from: usize,
    counts: Vec<u16>,
    /// What they were full of before they began anew, by the number of the bucket: few are, so most need little memory.
    carried: BTreeMap<usize, u64>,
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Histogram) -> bool {
        let alone = |histogram: &Histogram| (histogram.zeros, histogram.least, histogram.most);
        alone(self) == alone(other) && self.filled().eq(other.filled())
    }
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            count: 0,
            zeros: 0,
            least: f64::INFINITY,
            most: 0.0,
            from: 0,
            counts: Vec::new(),
            carried: BTreeMap::new(),
        }
    }
}

/// A histogram as it is written: the buckets that hold something, by their numbers.
#[derive(Serialize, Deserialize)]
struct Sparse {
    zeros: u64,
    least: Option<f64>,
    most: f64,
    buckets: Vec<(usize, u64)>,
}

impl From<Histogram> for Sparse {
    fn from(histogram: Histogram) -> Sparse {
        Sparse {
            zeros: histogram.zeros,
            least: Some(histogram.least).filter(|least| least.is_finite()),
            most: histogram.most,
            buckets: histogram.filled().collect(),
        }
    }
}

impl From<Sparse> for Histogram {
    fn from(sparse: Sparse) -> Histogram {
        let least = sparse.least.unwrap_or(f64::INFINITY);
        let (count, zeros, most) = (sparse.zeros, sparse.zeros, sparse.most);
        let mut histogram = Histogram { count, zeros, least, most, ..Histogram::default() };
        let known = sparse.buckets.into_iter().filter(|(number, _)| (FIRST..END).contains(number));
        known.for_each(|(number, count)| histogram.add(number, count));
        histogram
    }
}

impl Histogram {
    /// Counts a time, in seconds. What is below zero or no number counts as zero.
    #[inline]
    pub fn record(&mut self, time: f64) {
        // Many waits are none at all.
        if time == 0.0 {
            return self.record_zero();
        }
        // The bits of numbers above zero rise with them; those of others are of no bucket here.
        let number = (time.to_bits() >> BELOW) as usize;
        if let Some(count) = self.counts.get_mut(number.wrapping_sub(self.from))
            && *count < u16::MAX
        {
            *count += 1;
            self.count += 1;
            self.least = self.least.min(time);
            self.most = self.most.max(time);
        } else {
            self.record_elsewhere(time, number);
        }
    }

    /// Counts a time that has no bucket yet, or a full one.
    #[cold]
    fn record_elsewhere(&mut self, time: f64, number: usize) {
        if time > 0.0 && number >= FIRST {
            self.add(number, 1);
            self.least = self.least.min(time);
            self.most = self.most.max(time);
        } else {
            self.record_zero();
        }
    }

    #[inline]
    fn record_zero(&mut self) {
        self.count += 1;
        self.zeros += 1;
        self.least = 0.0;
    }

    /// Adds to a bucket.
    fn add(&mut self, number: usize, count: u64) {
        self.count += count;
        let octave = number / BUCKETS * BUCKETS;
        if self.counts.is_empty() {
            self.from = octave;
        } else if octave < self.from {
            self.counts.splice(..0, std::iter::repeat_n(0, self.from - octave));
            self.from = octave;
        }
        let end = octave + BUCKETS - self.from;
        if end > self.counts.len() {
            self.counts.resize(end, 0);
        }
        let own = &mut self.counts[number - self.from];
        let all = u64::from(*own) + count;
        *own = u16::try_from(all).unwrap_or(0);
        if all > u64::from(u16::MAX) {
            *self.carried.entry(number).or_default() += all;
        }
    }

    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Histogram) {
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        self.zeros += other.zeros;
        self.count += other.zeros;
        other.filled().for_each(|(number, count)| self.add(number, count));
    }

    /// The time that a share `p` of all does not exceed, right to 0.1%; `None` when nothing was counted.
    pub fn quantile(&self, p: f64) -> Option<f64> {
        self.quantiles(&[p])[0]
    }

    /// Several quantiles, for rising `levels`: as [`Histogram::quantile`] gives each.
    pub fn quantiles<const N: usize>(&self, levels: &[f64; N]) -> [Option<f64>; N] {
        let mut found = [None; N];
        let all = self.count();
        if all == 0 {
            return found;
        }
        // The smallest time with at least so many not above it, and at least one.
        let ranks = levels.map(|level| ((level * all as f64).ceil() as u64).clamp(1, all));
        let mut next = 0;
        let mut seen = self.zeros;
        while next < N && seen >= ranks[next] {
            found[next] = Some(0.0);
            next += 1;
        }
        for (low, high, count) in self.buckets() {
            if next == N {
                break;
            }
            // As if its times were spread evenly, none of them at its edges.
            while next < N && seen + count >= ranks[next] {
                let within = ((ranks[next] - seen) as f64 - 0.5) / count as f64;
                found[next] = Some((low + (high - low) * within).clamp(self.least, self.most));
                next += 1;
            }
            seen += count;
        }
        found
    }

    /// The share of times above `t`, those of its own bucket in proportion; `None` when nothing was counted.
    pub fn exceeding(&self, t: f64) -> Option<f64> {
        let all = self.count();
        let above = |(low, high, count): (f64, f64, u64)| count as f64 * ((high - t) / (high - low)).clamp(0.0, 1.0);
        let sum: f64 = self.buckets().map(above).sum();
        let zeros = if t < 0.0 { self.zeros as f64 } else { 0.0 };
        (all > 0).then(|| (sum + zeros) / all as f64)
    }

    /// The times of zero, or less than a picosecond.
    pub fn zeros(&self) -> u64 {
        self.zeros
    }

    /// All buckets that hold something, from the shortest: from, to, how many.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, f64, u64)> + '_ {
        let edge = |number: usize| f64::from_bits((number as u64) << BELOW);
        self.filled().map(move |(number, count)| (edge(number), edge(number + 1), count))
    }

    /// The same by their numbers.
    fn filled(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let all = self.counts.iter().enumerate().map(|(i, count)| {
            let number = self.from + i;
            let carried = if self.carried.is_empty() { 0 } else { self.carried.get(&number).copied().unwrap_or(0) };
            (number, u64::from(*count) + carried)
        });
        all.filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Stream;

    #[test]
    fn quantiles_are_right_to_a_thousandth_at_any_scale() {
        for scale in [1e-9, 3e-4, 1.0, 86_400.0, 1e12] {
            let mut histogram = Histogram::default();
            let times: Vec<f64> = (1..=10_000).map(|i| scale * (f64::from(i) / 1_000.0).exp()).collect();
            times.iter().for_each(|t| histogram.record(*t));
            for p in [0.0001, 0.1, 0.5, 0.95, 0.999, 1.0] {
                let exact = times[(p * 1e4) as usize - 1];
                let got = histogram.quantile(p).unwrap();
                assert!((got / exact - 1.0).abs() <= 1e-3, "{scale} {p}: {got} {exact}");
            }
        }
    }

    #[test]
    fn merging_is_counting_together() {
        let mut stream = Stream::new(5, 0, 0);
        let (mut one, mut other, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for i in 0..20_000 {
            let t = if i % 10 == 0 { 0.0 } else { stream.exponential() * 1e-3 };
            (if i % 3 == 0 { &mut one } else { &mut other }).record(t);
            both.record(t);
        }
        one.merge(&other);
        assert_eq!(one, both);
        assert_eq!(both.quantile(0.09), Some(0.0));
        assert_eq!(both.buckets().map(|(_, _, count)| count).sum::<u64>() + both.zeros(), both.count());
        let tail = both.exceeding(1e-3).unwrap();
        // Nine of ten are exponential; five standard deviations of the share.
        assert!((tail - 0.9 * (-1.0f64).exp()).abs() < 5.0 * (0.33f64 * 0.67 / 2e4).sqrt(), "{tail}");
    }

    #[test]
    fn counts_have_no_end() {
        let mut histogram = Histogram::default();
        histogram.record(1.0);
        (0..4).for_each(|_| histogram.merge(&histogram.clone()));
        let number = (1.0f64.to_bits() >> BELOW) as usize;
        histogram.add(number, 10_000_000_000);
        histogram.record(1.0);
        assert_eq!(histogram.buckets().map(|(_, _, count)| count).collect::<Vec<_>>(), [10_000_000_017]);
        let written = serde_json::to_string(&histogram).unwrap();
        let read: Histogram = serde_json::from_str(&written).unwrap();
        assert_eq!(read.buckets().collect::<Vec<_>>(), histogram.buckets().collect::<Vec<_>>());
    }

    #[test]
    fn nothing_and_numbers_that_are_none_are_answered() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.5), histogram.exceeding(1.0)), (None, None));
        [f64::NAN, -1.0, 0.0, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY].iter().for_each(|t| histogram.record(*t));
        assert_eq!((histogram.count(), histogram.zeros()), (6, 4));
        assert_eq!(histogram.quantile(0.5), Some(0.0));
    }
}

//! Counts of times in buckets whose width is a fixed share of the time.
//!
//! A bucket holds the times whose binary logarithm agrees in the exponent and the first nine binary digits after it:
//! 512 buckets an octave. Its middle is within 0.1% of all times in it, from the smallest to the largest number. Two
//! histograms merge by adding counts, in any order; memory grows with the octaves that were met, not with the counts.

/// Binary digits of a time within its octave that tell the buckets apart.
const DIGITS: u32 = 9;

/// Buckets of an octave.
const BUCKETS: usize = 1 << DIGITS;

/// Bits of a double below those that tell the buckets apart.
const BELOW: u32 = 52 - DIGITS;

/// How often times of each size were met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    count: u64,
    /// Times of zero.
    zeros: u64,
    /// By the exponent of the time; as far as the largest that was met.
    octaves: Vec<Option<Box<[u64; BUCKETS]>>>,
}

impl Histogram {
    /// Counts a time, in seconds. What is below zero or no number counts as zero.
    pub fn record(&mut self, time: f64) {
        self.count += 1;
        if time > 0.0 {
            let key = (time.to_bits() >> BELOW) as usize;
            self.octave(key / BUCKETS)[key % BUCKETS] += 1;
        } else {
            self.zeros += 1;
        }
    }

    fn octave(&mut self, number: usize) -> &mut [u64; BUCKETS] {
        if number >= self.octaves.len() {
            self.octaves.resize(number + 1, None);
        }
        self.octaves[number].get_or_insert_with(|| Box::new([0; BUCKETS]))
    }

    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Histogram) {
        self.count += other.count;
        self.zeros += other.zeros;
        for (number, octave) in other.octaves.iter().enumerate() {
            if let Some(counts) = octave {
                self.octave(number).iter_mut().zip(counts.iter()).for_each(|(own, count)| *own += count);
            }
        }
    }

    /// The time that a share `p` of all does not exceed, right to 0.1%; `None` when nothing was counted.
    pub fn quantile(&self, p: f64) -> Option<f64> {
        // The smallest time with at least so many not above it, and at least one.
        let rank = ((p * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = self.zeros;
        if self.count == 0 || seen >= rank {
            return (self.count > 0).then_some(0.0);
        }
        self.buckets().find_map(|(low, high, count)| {
            seen += count;
            (seen >= rank).then_some(0.5 * (low + high))
        })
    }

    /// The share of times above `t`, those of its own bucket in proportion; `None` when nothing was counted.
    pub fn exceeding(&self, t: f64) -> Option<f64> {
        let above = |(low, high, count): (f64, f64, u64)| count as f64 * ((high - t) / (high - low)).clamp(0.0, 1.0);
        let sum: f64 = self.buckets().map(above).sum();
        let zeros = if t < 0.0 { self.zeros as f64 } else { 0.0 };
        (self.count > 0).then(|| (sum + zeros) / self.count as f64)
    }

    /// The times of zero.
    pub fn zeros(&self) -> u64 {
        self.zeros
    }

    /// All buckets that hold something, from the shortest: from, to, how many.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, f64, u64)> + '_ {
        let edge = |key: usize| f64::from_bits((key as u64) << BELOW);
        self.octaves.iter().enumerate().filter_map(|(number, octave)| Some((number, octave.as_ref()?))).flat_map(
            move |(number, counts)| {
                let filled = counts.iter().enumerate().filter(|(_, count)| **count > 0);
                filled.map(move |(i, count)| {
                    let key = number * BUCKETS + i;
                    (edge(key), edge(key + 1), *count)
                })
            },
        )
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
    fn nothing_and_numbers_that_are_none_are_answered() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.5), histogram.exceeding(1.0)), (None, None));
        [f64::NAN, -1.0, 0.0, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY].iter().for_each(|t| histogram.record(*t));
        assert_eq!((histogram.count(), histogram.zeros()), (6, 3));
        assert_eq!(histogram.quantile(0.5), Some(0.0));
    }
}

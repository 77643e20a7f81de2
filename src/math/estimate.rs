//! Means with the interval that holds the truth 95 times of 100.
//!
//! | symbol    | meaning                                       | unit |
//! |-----------|-----------------------------------------------|------|
//! | `n`       | independent values                            | 1    |
//! | `m, s²`   | their mean and variance                       | any  |
//! | `t_{n-1}` | quantile of Student's law, 97.5%              | 1    |
//!
//! ```text
//! m ± t_{n-1} s / √n
//! ```
//!
//! Source: Law, Simulation Modeling and Analysis (2015), section 4.5; merging: Chan, Golub and LeVeque (1983).

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Count, mean and spread of values, of which none is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    count: u64,
    mean: f64,
    /// Sum of squared distances from the mean.
    squares: f64,
}

/// A figure and how far the truth may lie from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean of the values.
    pub value: f64,
    /// Half the width of the 95% interval; infinite where one value says nothing of the others.
    pub half_width: f64,
}

impl Estimate {
    /// Whether the interval holds a value.
    pub fn covers(&self, value: f64) -> bool {
        (value - self.value).abs() <= self.half_width
    }

    /// Half the width over the value: how precise it is.
    pub fn relative(&self) -> f64 {
        if self.half_width == 0.0 { 0.0 } else { self.half_width / self.value.abs() }
    }
}

impl Moments {
    /// Counts a value.
    pub fn record(&mut self, value: f64) {
        self.count += 1;
        let off = value - self.mean;
        self.mean += off / self.count as f64;
        self.squares += off * (value - self.mean);
    }

    /// Adds the values of another.
    pub fn merge(&mut self, other: &Moments) {
        let (n, m) = (self.count as f64, other.count as f64);
        if m > 0.0 {
            let off = other.mean - self.mean;
            self.mean += off * m / (n + m);
            self.squares += other.squares + off * off * n * m / (n + m);
            self.count += other.count;
        }
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; `None` without any.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// Their variance, by one less than their number; `None` for less than two.
    pub fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| self.squares / (self.count - 1) as f64)
    }

    /// The mean with its interval, the values being independent; `None` without any.
    pub fn estimate(&self) -> Option<Estimate> {
        let half_width = self
            .variance()
            .map_or(f64::INFINITY, |variance| student(self.count - 1) * (variance / self.count as f64).sqrt());
        Some(Estimate { value: self.mean()?, half_width })
    }
}

/// Half the width of the 95% interval around a figure, given the same figure of independent runs; `None` for less than
/// two. The figure need not be their mean.
pub fn half_width(figure: f64, runs: &[f64]) -> Option<f64> {
    let n = runs.len();
    if n < 2 {
        return None;
    }
    let freedom = (n - 1) as f64;
    let squares: f64 = runs.iter().map(|run| (run - figure) * (run - figure)).sum();
    Some(student(n as u64 - 1) * (squares / (freedom * n as f64)).sqrt())
}

/// Whether one of some independent runs lies so far from their figure, and the others so near it, that their spread says
/// little: once in a hundred thousand times where they are normal.
///
/// Source: Grubbs, Sample criteria for testing outlying observations (1950).
pub fn rests_on_one(figure: f64, runs: &[f64]) -> bool {
    let n = runs.len() as f64;
    let squares = runs.iter().map(|run| (run - figure).powi(2));
    let (sum, most) = squares.fold((0.0, 0.0f64), |(sum, most), square| (sum + square, most.max(square)));
    let Ok(law) = StudentsT::new(0.0, 1.0, n - 2.0) else { return false };
    let t = law.inverse_cdf(1.0 - 0.5 * CHANCE / n);
    sum > 0.0 && most > (n - 1.0) / n * t * t / (n - 2.0 + t * t) * sum
}

/// How often runs are taken to rest on one of them that do not.
const CHANCE: f64 = 1e-5;

/// By how much values in a row change from the first to the last, over their mean, on the straight line through them;
/// `None` where that may be chance (99.9%) or they are too few.
///
/// Source: least squares; the slope over its standard error has Student's law with `n - 2` degrees of freedom.
pub fn drift(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    if values.len() < 5 {
        return None;
    }
    let (middle, mean) = ((n - 1.0) / 2.0, values.iter().sum::<f64>() / n);
    let off = |i: usize| i as f64 - middle;
    let spread: f64 = (0..values.len()).map(|i| off(i) * off(i)).sum();
    let slope = values.iter().enumerate().map(|(i, value)| off(i) * (value - mean)).sum::<f64>() / spread;
    let left = |(i, value): (usize, &f64)| (value - mean - slope * off(i)).powi(2);
    let error = (values.iter().enumerate().map(left).sum::<f64>() / ((n - 2.0) * spread)).sqrt();
    let law = StudentsT::new(0.0, 1.0, n - 2.0).ok()?;
    (slope.abs() > law.inverse_cdf(0.9995) * error && mean != 0.0).then(|| slope * (n - 1.0) / mean)
}

/// The 97.5% quantile of Student's law.
fn student(freedom: u64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom as f64).map_or(f64::INFINITY, |law| law.inverse_cdf(0.975))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Stream;

    #[test]
    fn intervals_hold_the_truth_95_times_of_100() {
        // Of 20,000 means of eight exponentials each; those are skewed, which costs a little.
        let mut stream = Stream::new(11, 0, 0);
        let mut covered = 0u32;
        for _ in 0..20_000 {
            let mut moments = Moments::default();
            (0..8).for_each(|_| moments.record(stream.normal() + 3.0));
            covered += u32::from(moments.estimate().unwrap().covers(3.0));
        }
        let share = f64::from(covered) / 2e4;
        assert!((share - 0.95).abs() < 5.0 * (0.95f64 * 0.05 / 2e4).sqrt(), "{share}");
    }

    #[test]
    fn what_happened_in_one_run_alone_is_found() {
        let mut stream = Stream::new(8, 0, 0);
        let (mut found, mut rare) = (0, vec![0.0; 16]);
        for _ in 0..20_000 {
            let runs: Vec<f64> = (0..16).map(|_| 5.0 + stream.normal()).collect();
            found += u32::from(rests_on_one(runs.iter().sum::<f64>() / 16.0, &runs));
        }
        // More than six of 20,000 at one in a hundred thousand: once in a hundred million.
        assert!(found <= 6, "{found}");
        rare[3] = 1e-9;
        assert!(rests_on_one(rare[3] / 16.0, &rare));
        rare[7] = 0.5e-9;
        assert!(!rests_on_one(1.5e-9 / 16.0, &rare));
        assert!(!rests_on_one(1.0, &[1.0; 16]) && !rests_on_one(1.0, &[1.0, 3.0]) && !rests_on_one(1.0, &[]));
    }

    #[test]
    fn a_drift_is_told_from_chance() {
        let mut stream = Stream::new(4, 0, 0);
        let still: Vec<f64> = (0..20).map(|_| 5.0 + 0.1 * stream.normal()).collect();
        assert_eq!(drift(&still), None);
        let rising: Vec<f64> = still.iter().enumerate().map(|(i, value)| value + 0.05 * i as f64).collect();
        let found = drift(&rising).unwrap();
        assert!((found - 0.95 / 5.475).abs() < 0.05, "{found}");
        assert_eq!(drift(&[1.0, 2.0, 3.0]), None);
    }

    #[test]
    fn merging_is_recording_together() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        let of = |values: &[f64]| {
            let mut moments = Moments::default();
            values.iter().for_each(|value| moments.record(*value));
            moments
        };
        let (mut merged, all) = (of(&values[..3]), of(&values));
        merged.merge(&of(&values[3..]));
        merged.merge(&Moments::default());
        assert!((merged.mean().unwrap() - all.mean().unwrap()).abs() < 1e-15);
        assert!((merged.variance().unwrap() - all.variance().unwrap()).abs() < 1e-14);
        // Student's quantile with seven degrees of freedom is 2.3646.
        let half = 2.364_624_251 * (all.variance().unwrap() / 8.0).sqrt();
        assert!((all.estimate().unwrap().half_width / half - 1.0).abs() < 1e-6);
        assert_eq!(of(&[2.0]).estimate().unwrap().half_width, f64::INFINITY);
        assert_eq!(of(&[]).estimate(), None);
    }
}

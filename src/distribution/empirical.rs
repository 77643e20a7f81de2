//! The measured values themselves, each as likely as the others.

use super::Distribution;
use crate::math::inversion::Line;
use crate::unit::Seconds;
use num_complex::Complex64;
use std::sync::Arc;

/// Measured times, sorted; shared, because a model may use one file in many places.
#[derive(Debug, Clone, PartialEq)]
pub struct Empirical {
    values: Arc<[Seconds]>,
    scale: f64,
}

impl Empirical {
    /// The law of these values, seconds in any order. `None` without values, or when one is negative or not a number.
    pub fn new(mut values: Vec<Seconds>) -> Option<Self> {
        if values.is_empty() || values.iter().any(|v| !v.is_finite() || *v < 0.0) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        Some(Empirical { values: values.into(), scale: 1.0 })
    }

    /// The values, rising, and what each is multiplied by.
    pub(super) fn values(&self) -> (&Arc<[Seconds]>, f64) {
        (&self.values, self.scale)
    }

    /// How many values there are.
    pub fn count(&self) -> usize {
        self.values.len()
    }
}

impl Distribution for Empirical {
    fn moment(&self, k: u8) -> f64 {
        let sum: f64 = self.values.iter().map(|v| (v * self.scale).powi(i32::from(k))).sum();
        sum / self.values.len() as f64
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        let above = self.values.len() - self.values.partition_point(|v| v * self.scale <= t);
        above as f64 / self.values.len() as f64
    }

    fn quantile(&self, p: f64) -> Seconds {
        let rank = (p * self.values.len() as f64).ceil().max(1.0) as usize;
        self.values[rank.min(self.values.len()) - 1] * self.scale
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        out.fill(Complex64::ZERO);
        let share = 1.0 / self.values.len() as f64;
        for value in self.values.iter().map(|v| v * self.scale) {
            let mut term = Complex64::new(share * (-line.real * value).exp(), 0.0);
            let turn = Complex64::cis(-line.step * value);
            for sum in out.iter_mut() {
                *sum += term;
                term *= turn;
            }
        }
    }

    fn decay_rate(&self) -> f64 {
        // Bounded, but its far end stands for a tail that may be heavy: no tilt is safe.
        0.0
    }

    fn scaled(&self, factor: f64) -> Self {
        Empirical { values: self.values.clone(), scale: self.scale * factor }
    }
}

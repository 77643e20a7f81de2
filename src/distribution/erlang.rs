//! The sum of `k` equal exponential stages.

use super::{Distribution, Gamma};
use crate::math::{inversion::Line, special};
use crate::unit::Seconds;
use num_complex::Complex64;

/// Erlang with `stages` stages and mean `mean`; its squared coefficient of variation is `1 / stages`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Erlang {
    /// Mean of the sum, in seconds.
    pub mean: Seconds,
    /// Number of stages, at least one.
    pub stages: u32,
}

impl Distribution for Erlang {
    fn moment(&self, k: u8) -> f64 {
        let stage = self.mean / f64::from(self.stages);
        (0..k).map(|j| (f64::from(self.stages) + f64::from(j)) * stage).product()
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        let stages = f64::from(self.stages);
        if self.mean == 0.0 { 0.0 } else { special::gamma_upper(stages, stages * t / self.mean) }
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        let stage = self.mean / f64::from(self.stages);
        line.fill(out, |s| (1.0 + s * stage).inv().powu(self.stages));
    }

    fn residual_exceeding(&self, t: Seconds) -> f64 {
        Gamma { mean: self.mean, cv: (1.0 / f64::from(self.stages)).sqrt() }.residual_exceeding(t)
    }

    fn decay_rate(&self) -> f64 {
        f64::from(self.stages) / self.mean
    }

    fn scaled(&self, factor: f64) -> Self {
        Erlang { mean: self.mean * factor, ..*self }
    }
}

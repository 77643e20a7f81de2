//! Times made of exponential phases.

use crate::distribution::Law;
use nalgebra::ComplexField;
use num_complex::Complex64;

/// Exponential phases a time is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Phases {
    /// One of up to two exponentials: `(probability, rate)` each.
    OneOf(Vec<(f64, f64)>),
    /// So many exponentials of this rate, one after the other.
    InARow(u32, f64),
}

impl Phases {
    /// The phases of a law, when it has at most two in parallel or some in a row.
    pub fn of(law: &Law) -> Option<Phases> {
        match law {
            Law::Exponential(law) if law.mean > 0.0 => Some(Phases::OneOf(vec![(1.0, 1.0 / law.mean)])),
            Law::Erlang(law) if law.mean > 0.0 => Some(Phases::InARow(law.stages, f64::from(law.stages) / law.mean)),
            Law::Hyperexponential(law) if law.means.iter().all(|m| *m > 0.0) => {
                let parts = law.weights.iter().zip(law.means).map(|(w, mean)| (*w, 1.0 / mean));
                Some(Phases::OneOf(parts.filter(|(w, _)| *w > 1e-14).collect()))
            }
            Law::Mixture(mixture) => {
                let mut parts: Vec<(f64, f64)> = Vec::new();
                for (weight, law) in mixture.parts() {
                    let Phases::OneOf(inner) = Phases::of(law)? else { return None };
                    parts.extend(inner.into_iter().map(|(p, rate)| (p * weight, rate)));
                }
                (parts.len() <= 2).then_some(Phases::OneOf(parts))
            }
            _ => None,
        }
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Phases::OneOf(parts) => parts.len(),
            Phases::InARow(stages, _) => *stages as usize,
        }
    }

    /// Probability to start in phase `i`.
    pub(super) fn start(&self, i: usize) -> f64 {
        match self {
            Phases::OneOf(parts) => parts[i].0,
            Phases::InARow(..) => f64::from(u8::from(i == 0)),
        }
    }

    /// Rate of leaving phase `i`.
    pub(super) fn rate(&self, i: usize) -> f64 {
        match self {
            Phases::OneOf(parts) => parts[i].1,
            Phases::InARow(_, rate) => *rate,
        }
    }

    /// The phase after phase `i`; `None` when the time is over.
    pub(super) fn next(&self, i: usize) -> Option<usize> {
        match self {
            Phases::OneOf(_) => None,
            Phases::InARow(stages, _) => (i + 1 < *stages as usize).then_some(i + 1),
        }
    }

    pub(super) fn transform(&self, s: Complex64) -> Complex64 {
        match self {
            Phases::OneOf(parts) => parts.iter().map(|(p, rate)| p * rate / (s + rate)).sum(),
            Phases::InARow(stages, rate) => (rate / (s + rate)).powu(*stages),
        }
    }

    /// Row vector `start × (s - T)^-1`: the left eigenvector of `T + z t α` at its eigenvalue `s`.
    pub(super) fn eigenvector<T: ComplexField<RealField = f64> + Copy>(&self, s: T) -> Vec<T> {
        let left = |rate: f64| T::one() / (s + T::from_real(rate));
        match self {
            Phases::OneOf(parts) => parts.iter().map(|(p, rate)| left(*rate) * T::from_real(*p)).collect(),
            Phases::InARow(stages, rate) => {
                let passed = left(*rate) * T::from_real(*rate);
                (0..*stages as i32).map(|i| passed.powi(i) * left(*rate)).collect()
            }
        }
    }

    /// The transform at a real point.
    pub(super) fn transform_at(&self, s: f64) -> f64 {
        match self {
            Phases::OneOf(parts) => parts.iter().map(|(p, rate)| p * rate / (s + rate)).sum(),
            Phases::InARow(stages, rate) => (rate / (s + rate)).powi(*stages as i32),
        }
    }

    /// `θ_j(z)` for real `z` between 0 and 1, the largest first; phases in parallel only, of which there are at most two.
    pub(super) fn real_eigenvalues(parts: &[(f64, f64)], z: f64) -> [f64; 2] {
        match parts {
            [(p, a), (q, b)] => {
                // (θ + a)(θ + b) = z (p a (θ + b) + q b (θ + a)), solved by the stable form of the quadratic formula.
                let sum = a + b - z * (p * a + q * b);
                let product = a * b * (1.0 - z * (p + q));
                let root = (sum * sum - 4.0 * product).max(0.0).sqrt();
                let low = -0.5 * (sum + root);
                [product / low, low]
            }
            parts => [parts.first().map_or(0.0, |(_, rate)| -rate * (1.0 - z)), 0.0],
        }
    }
}

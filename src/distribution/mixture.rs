//! One of several laws, drawn by weight: what a station sees when different requests meet there.

use super::{Distribution, Law};
use crate::math::inversion::Line;
use crate::unit::Seconds;
use num_complex::Complex64;

/// Laws with their probabilities, which add up to one.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    parts: Vec<(f64, Law)>,
}

impl Mixture {
    /// Laws with weights of any total; they are scaled to probabilities.
    pub fn new(parts: Vec<(f64, Law)>) -> Self {
        let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
        Mixture { parts: parts.into_iter().map(|(weight, law)| (weight / total, law)).collect() }
    }

    /// The laws with their probabilities.
    pub fn parts(&self) -> &[(f64, Law)] {
        &self.parts
    }

    fn sum(&self, f: impl Fn(&Law) -> f64) -> f64 {
        self.parts.iter().map(|(p, law)| p * f(law)).sum()
    }
}

impl Distribution for Mixture {
    fn moment(&self, k: u8) -> f64 {
        self.sum(|law| law.moment(k))
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        self.sum(|law| law.exceeding(t))
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        let mut part = vec![Complex64::ZERO; out.len()];
        out.fill(Complex64::ZERO);
        for (p, law) in &self.parts {
            law.transform(line, &mut part);
            out.iter_mut().zip(&part).for_each(|(sum, value)| *sum += *p * value);
        }
    }

    fn transform_at(&self, s: f64) -> f64 {
        self.sum(|law| law.transform_at(s))
    }

    fn value(&self, s: Complex64) -> Complex64 {
        self.parts.iter().map(|(p, law)| *p * law.value(s)).sum()
    }

    fn residual_exceeding(&self, t: Seconds) -> f64 {
        // Longer parts are met more often.
        let met = |law: &Law| if law.mean() > 0.0 { law.mean() * law.residual_exceeding(t) } else { 0.0 };
        self.sum(met) / self.moment(1)
    }

    fn decay_rate(&self) -> f64 {
        self.parts.iter().map(|(_, law)| law.decay_rate()).fold(f64::INFINITY, f64::min)
    }

    fn scaled(&self, factor: f64) -> Self {
        Mixture { parts: self.parts.iter().map(|(p, law)| (*p, law.scaled(factor))).collect() }
    }
}

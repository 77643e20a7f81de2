//! A law that analysis makes and knows by its transform: waits with priorities, shared services.

use super::Distribution;
use crate::math::inversion::{Line, PRECISE};
use crate::unit::Seconds;
use num_complex::Complex64;
use std::fmt::Debug;
use std::sync::Arc;

/// What such a law must know of itself. Its density must be smooth.
pub trait Transformed: Debug + Send + Sync {
    /// Mean, in seconds.
    fn mean(&self) -> Seconds;

    /// Mean of the square.
    fn second_moment(&self) -> f64;

    /// Whether the transform costs no more than a formula.
    fn is_formula(&self) -> bool;

    /// The Laplace-Stieltjes transform along a line in the right half plane.
    fn transform(&self, line: Line, out: &mut [Complex64]);
}

/// A law known by its transform.
#[derive(Debug, Clone)]
pub struct Derived {
    law: Arc<dyn Transformed>,
    scale: f64,
}

impl Derived {
    /// The law that knows this of itself.
    pub fn new(law: impl Transformed + 'static) -> Self {
        Derived { law: Arc::new(law), scale: 1.0 }
    }

    /// Whether the transform costs no more than a formula.
    pub fn is_formula(&self) -> bool {
        self.law.is_formula()
    }

    /// The same for laws that are clones of each other, while they live, and by what such a law is scaled.
    pub fn identity(&self) -> (usize, f64) {
        (Arc::as_ptr(&self.law).addr(), self.scale)
    }
}

impl PartialEq for Derived {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.law, &other.law) && self.scale == other.scale
    }
}

impl Distribution for Derived {
    /// The third moment is that of a gamma law with the first two.
    fn moment(&self, k: u8) -> f64 {
        let (first, second) = (self.law.mean() * self.scale, self.law.second_moment() * self.scale * self.scale);
        match k {
            1 => first,
            2 => second,
            _ => second * (2.0 * second / first - first),
        }
    }

    fn exceeding(&self, t: Seconds) -> f64 {
        if t <= 0.0 { 1.0 } else { PRECISE.exceeding(t, 0.0, 1.0, |line, out| self.transform(line, out)) }
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        self.law.transform(Line { real: line.real * self.scale, step: line.step * self.scale }, out);
    }

    /// Not known: no tilt is safe.
    fn decay_rate(&self) -> f64 {
        0.0
    }

    fn scaled(&self, factor: f64) -> Self {
        Derived { law: self.law.clone(), scale: self.scale * factor }
    }
}

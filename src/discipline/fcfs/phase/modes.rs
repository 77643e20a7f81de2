//! The modes in which the queue falls: one root of a scalar equation for each multiset of service eigenvalues.

use super::Phases;
use super::levels::Levels;
use crate::math::roots;
use nalgebra::ComplexField;
use num_complex::Complex64;

/// One root: how levels fall, how fast the wait falls, and the state in which.
pub(super) struct Mode<T> {
    pub z: T,
    pub eta: T,
    pub vector: Vec<T>,
}

impl Levels {
    /// One mode for each multiset of eigenvalues of phases in parallel.
    pub(super) fn real_modes(&self, parts: &[(f64, f64)]) -> Vec<Mode<f64>> {
        self.states.of(self.servers).map(|multiset| self.real_mode(parts, multiset)).collect()
    }

    /// One mode for each multiset of eigenvalues of stages in a row.
    pub(super) fn complex_modes(&self, stages: u32, rate: f64) -> Option<Vec<Mode<Complex64>>> {
        self.states.of(self.servers).map(|multiset| self.complex_mode(stages, rate, multiset)).collect()
    }

    fn real_mode(&self, parts: &[(f64, f64)], multiset: &[usize]) -> Mode<f64> {
        let eta_at = |z: f64| -> f64 {
            let theta = Phases::real_eigenvalues(parts, z);
            -multiset.iter().zip(&theta).map(|(n, theta)| *n as f64 * theta).sum::<f64>()
        };
        let excess = |z: f64| self.arrivals.transform_at(eta_at(z)) - z;
        let z = if multiset[0] == self.servers {
            // This one has the trivial root 1 beside the wanted one: start where the excess is below zero.
            let mut gap = 0.5;
            while excess(1.0 - gap) > 0.0 && gap > 1e-13 {
                gap *= 0.5;
            }
            roots::bracketed(0.0, 1.0 - gap, 1e-15, excess)
        } else {
            roots::bracketed(0.0, 1.0, 1e-15, excess)
        };
        let theta = Phases::real_eigenvalues(parts, z);
        let vectors: Vec<Vec<f64>> = theta.iter().take(parts.len()).map(|t| self.service.eigenvector(*t)).collect();
        Mode { z, eta: eta_at(z), vector: self.symmetric(&vectors, multiset) }
    }

    /// For stages in a row `θ_j = r (ω^j w - 1)` with `w^k = z`: one equation in `w` for each multiset.
    fn complex_mode(&self, stages: u32, rate: f64, multiset: &[usize]) -> Option<Mode<Complex64>> {
        let k = f64::from(stages);
        let omega = |j: usize| Complex64::cis(2.0 * std::f64::consts::PI * j as f64 / k);
        let sum: Complex64 = multiset.iter().enumerate().map(|(j, n)| *n as f64 * omega(j)).sum();
        let c = self.servers as f64;
        let image = |w: Complex64| self.arrivals.transform(rate * (c - w * sum)).powf(1.0 / k);
        let w = if multiset[0] == self.servers {
            let excess = |w: f64| image(w.into()).re - w;
            let mut gap = 0.5;
            while excess(1.0 - gap) > 0.0 && gap > 1e-13 {
                gap *= 0.5;
            }
            Complex64::from(roots::bracketed(0.0, 1.0 - gap, 1e-15, excess))
        } else {
            let inside = |w: Complex64| w.norm_sqr() <= 1.0;
            let w = roots::fixed_point(Complex64::ZERO, inside, image);
            (inside(w) && (image(w) - w).norm() < 1e-12).then_some(w)?
        };
        let z = w.powu(stages);
        let eta = rate * (c - w * sum);
        let vectors: Vec<Vec<Complex64>> =
            (0..stages as usize).map(|j| self.service.eigenvector(rate * (omega(j) * w - 1.0))).collect();
        Some(Mode { z, eta, vector: self.symmetric(&vectors, multiset) })
    }

    /// The product of the servers' eigenvectors, summed over which server has which: the coefficients of
    /// `Π_j (Σ_i x_i v_j(i))^{n_j}`.
    fn symmetric<T: ComplexField<RealField = f64> + Copy>(&self, vectors: &[Vec<T>], multiset: &[usize]) -> Vec<T> {
        let size = self.states.count(self.servers);
        let (mut level, mut next) = (Vec::with_capacity(size), Vec::with_capacity(size));
        level.push(T::one());
        let mut n = 0;
        for (vector, &times) in vectors.iter().zip(multiset) {
            // Scaled to the largest entry, so that powers neither overflow nor vanish.
            let scale = T::from_real(1.0 / vector.iter().map(|v| v.abs()).fold(0.0, f64::max));
            for _ in 0..times {
                next.clear();
                next.resize(self.states.count(n + 1), T::zero());
                for (s, value) in level.iter().enumerate() {
                    for (i, factor) in vector.iter().enumerate() {
                        next[self.states.raised(n, s, i)] += *value * *factor * scale;
                    }
                }
                std::mem::swap(&mut level, &mut next);
                n += 1;
            }
        }
        level
    }
}

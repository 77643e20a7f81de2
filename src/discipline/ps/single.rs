//! One shared server, Poisson arrivals: the law of the response time.
//!
//! | symbol   | meaning                                                       | unit       |
//! |----------|---------------------------------------------------------------|------------|
//! | `λ, B`   | arrival rate and transform of the work of all requests        | per second |
//! | `V(s;x)` | transform of the response time of a request with work `x`     | 1          |
//! | `q_i(s)` | roots of `q - λ + λ B(q) = s`                                 | per second |
//!
//! ```text
//! 1 / V(s; x) = Σ_i c_i exp(q_i x),   c_i = s² / ((1 - ρ) q_i² (1 + λ B'(q_i)))
//! ```
//!
//! which is the series of Zwart and Boxma summed by residues, for work made of exponential phases.
//!
//! Source: Coffman, Muntz and Trotter (1970); Ott (1984); Yashkov (1983); Zwart and Boxma, Sojourn time asymptotics in
//! the M/G/1 processor sharing queue, Queueing Systems 35 (2000), theorem 3.1.

use super::{FINELY, sizes};
use crate::distribution::{Distribution, Hyperexponential, Law, Transformed};
use crate::math::inversion::Line;
use crate::math::quadrature;
use crate::unit::{PerSecond, Seconds};
use num_complex::Complex64;

/// Stages of work that varies little: more would cost more than they tell.
const MOST_STAGES: u32 = 10;

/// Terms after which a geometric series with a ratio below 0.97 has ended.
const MOST_TERMS: usize = 1400;

/// The work of all requests.
#[derive(Debug, Clone, PartialEq)]
enum Work {
    /// Exponentials in parallel: `(probability, rate)`.
    Parallel(Vec<(f64, PerSecond)>),
    /// Stages in a row: number and rate.
    Row(u32, PerSecond),
    /// Always the same.
    Constant(Seconds),
}

impl Work {
    /// The work of a law, and whether it is that law exactly. Constant work stands for itself only among requests whose
    /// own work, `size`, is the same.
    fn of(law: &Law, size: &Law) -> (Work, bool) {
        if let Some(parts) = exponentials(law) {
            return (Work::Parallel(parts), true);
        }
        let (mean, scv) = (law.mean(), law.scv());
        match law {
            Law::Constant(_) if law == size => (Work::Constant(mean), true),
            Law::Erlang(inner) if inner.stages <= MOST_STAGES => {
                (Work::Row(inner.stages, f64::from(inner.stages) / mean), true)
            }
            _ if scv > 1.0 => {
                let two = Hyperexponential::of_moments(mean, law.moment(2), law.moment(3));
                let two = two.unwrap_or_else(|| Hyperexponential::new(mean, scv.min(1e4).sqrt()));
                (Work::Parallel(exponentials(&Law::Hyperexponential(two)).unwrap_or_default()), false)
            }
            _ => {
                let stages = (1.0 / scv.max(1e-3)).round().clamp(1.0, f64::from(MOST_STAGES)) as u32;
                (Work::Row(stages, f64::from(stages) / mean), false)
            }
        }
    }

    /// `q - λ + λ B(q) - s` times the denominator of `B`: a polynomial in `q` with leading coefficient one.
    fn polynomial(&self, rate: f64, s: Complex64, q: Complex64) -> Complex64 {
        let straight = q - rate - s;
        match self {
            Work::Parallel(parts) => {
                let all: Complex64 = parts.iter().map(|(_, mu)| q + mu).product();
                let over: Complex64 = parts.iter().map(|(p, mu)| p * mu / (q + mu)).sum();
                // At a pole of B the product of the other factors is what is left.
                if over.is_finite() { (straight + rate * over) * all } else { Complex64::from(1e-300) }
            }
            Work::Row(stages, mu) => straight * (q + mu).powu(*stages) + rate * mu.powi(*stages as i32),
            Work::Constant(_) => straight,
        }
    }

    fn degree(&self) -> usize {
        match self {
            Work::Parallel(parts) => parts.len() + 1,
            Work::Row(stages, _) => *stages as usize + 1,
            Work::Constant(_) => 1,
        }
    }

    /// `B'(q)`.
    fn slope(&self, q: Complex64) -> Complex64 {
        match self {
            Work::Parallel(parts) => parts.iter().map(|(p, mu)| -p * mu / ((q + mu) * (q + mu))).sum(),
            Work::Row(stages, mu) => -f64::from(*stages) * (mu / (q + mu)).powu(*stages) / (q + mu),
            Work::Constant(_) => Complex64::ZERO,
        }
    }
}

/// The exponentials in parallel that a law is made of.
pub(super) fn exponentials(law: &Law) -> Option<Vec<(f64, PerSecond)>> {
    match law {
        Law::Exponential(law) if law.mean > 0.0 => Some(vec![(1.0, 1.0 / law.mean)]),
        Law::Hyperexponential(law) if law.means.iter().all(|mean| *mean > 0.0) => {
            let parts = law.weights.iter().zip(law.means).map(|(p, mean)| (*p, 1.0 / mean));
            Some(merged(parts.filter(|(p, _)| *p > 0.0)))
        }
        Law::Mixture(mixture) => {
            let mut parts = Vec::new();
            for (weight, law) in mixture.parts() {
                parts.extend(exponentials(law)?.into_iter().map(|(p, rate)| (p * weight, rate)));
            }
            let parts = merged(parts.into_iter());
            (parts.len() <= 6).then_some(parts)
        }
        _ => None,
    }
}

/// Parts of equal rate together: equal roots would be found twice.
fn merged(parts: impl Iterator<Item = (f64, PerSecond)>) -> Vec<(f64, PerSecond)> {
    let mut kept: Vec<(f64, PerSecond)> = Vec::new();
    for (p, rate) in parts {
        match kept.iter_mut().find(|(_, known)| (*known - rate).abs() <= 1e-9 * rate) {
            Some((sum, _)) => *sum += p,
            None => kept.push((p, rate)),
        }
    }
    kept
}

/// The work of the requests looked at.
#[derive(Debug, Clone, PartialEq)]
enum Size {
    Parallel(Vec<(f64, PerSecond)>),
    /// Weights and sizes.
    Some(Vec<(f64, Seconds)>),
}

/// The response time at one shared server.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    arrival_rate: PerSecond,
    rho: f64,
    work: Work,
    size: Size,
    /// For constant work: what comes on top of it, by those who meet others.
    beyond: Option<Seconds>,
    moments: (f64, f64),
    exact: bool,
}

impl Shared {
    /// For requests with work of the law `size`, at a server that all requests with work of the law `work` share.
    pub fn new(arrival_rate: PerSecond, work: &Law, size: &Law) -> Shared {
        let (all, known) = Work::of(work, size);
        let rho = arrival_rate * work.mean();
        let parts = exponentials(size);
        let (size, exact) = match parts {
            Some(parts) => (Size::Parallel(parts), known),
            None => (Size::Some(sizes(size, &FINELY)), known && size.is_constant()),
        };
        Shared { arrival_rate, rho, work: all, size, beyond: None, moments: (0.0, 0.0), exact }
    }

    /// Whether it is exact, or made of phases with the moments of the work.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// With these first two moments.
    pub fn with_moments(self, mean: f64, second: f64) -> Shared {
        Shared { moments: (mean, second), ..self }
    }

    /// For constant work `x`: the chance to meet others, and the law of what comes on top of `x` for those who do, with
    /// these moments.
    pub fn on_top(self, x: Seconds, mean: f64, second: f64) -> (f64, Shared) {
        let met = 1.0 - self.alone(x);
        (met, Shared { beyond: Some(x), moments: (mean / met, second / met), ..self })
    }

    /// The chance that a request with work `x` is alone all the time.
    fn alone(&self, x: Seconds) -> f64 {
        (1.0 - self.rho) * (-self.arrival_rate * x).exp()
    }

    /// Roots of the polynomial in `q` by Weierstrass's iteration, from those of a neighbouring `s`.
    fn roots(&self, s: Complex64, roots: &mut Vec<Complex64>) {
        let rate = self.arrival_rate;
        if let Work::Parallel(parts) = &self.work
            && let [(_, mu)] = parts.as_slice()
        {
            // q² + (μ - λ - s) q - s μ = 0, by the form that does not cancel.
            let half = 0.5 * (mu - rate - s);
            let root = (half * half + s * *mu).sqrt();
            let far = if (half.conj() * root).re >= 0.0 { -half - root } else { -half + root };
            *roots = vec![-s * *mu / far, far];
            roots.sort_by(|a, b| b.re.total_cmp(&a.re));
            return;
        }
        let degree = self.work.degree();
        if roots.len() != degree {
            let radius = s.norm() + rate + 1.0 / self.mean_work();
            *roots = (0..degree)
                .map(|i| radius * Complex64::cis(0.4 + 2.0 * std::f64::consts::PI * i as f64 / degree as f64))
                .collect();
        }
        for _ in 0..200 {
            let mut moved = 0.0f64;
            for i in 0..degree {
                let apart: Complex64 = (0..degree).filter(|j| *j != i).map(|j| roots[i] - roots[j]).product();
                let step = self.work.polynomial(rate, s, roots[i]) / apart;
                if step.is_finite() {
                    roots[i] -= step;
                    moved = moved.max(step.norm() / roots[i].norm().max(1e-300));
                } else {
                    roots[i] *= Complex64::new(1.0 + 1e-6, 1e-6);
                    moved = 1.0;
                }
            }
            // It converges quadratically: what is left is the square of the last move.
            if moved < 1e-8 {
                break;
            }
        }
        roots.sort_by(|a, b| b.re.total_cmp(&a.re));
    }

    fn mean_work(&self) -> f64 {
        self.rho / self.arrival_rate
    }

    /// The coefficient `c_i` of a root.
    fn coefficient(&self, s: Complex64, q: Complex64) -> Complex64 {
        let ratio = s / q;
        ratio * ratio / ((1.0 - self.rho) * (1.0 + self.arrival_rate * self.work.slope(q)))
    }

    /// The transform at `s`, given room for the roots.
    fn value(&self, s: Complex64, roots: &mut Vec<Complex64>) -> Complex64 {
        if let Work::Constant(_) = self.work {
            return self.averaged(|x| self.below_all(s, x));
        }
        self.roots(s, roots);
        let terms: Vec<(Complex64, Complex64)> = roots.iter().map(|q| (*q, self.coefficient(s, *q))).collect();
        match (&self.size, terms.as_slice()) {
            (Size::Parallel(parts), [(q, c), (r, d)]) if d.norm() < 0.97 * c.norm() => geometric(parts, *q, *c, *r, *d),
            (Size::Parallel(parts), _) => integral(parts, &terms),
            (Size::Some(_), _) => self.averaged(|x| sum_inverse(&terms, x.into())),
        }
    }

    fn averaged(&self, f: impl Fn(f64) -> Complex64) -> Complex64 {
        match &self.size {
            Size::Some(sizes) => sizes.iter().map(|(weight, x)| *weight * f(*x)).sum(),
            // Only equal work is constant, so this is never asked.
            Size::Parallel(_) => Complex64::from(f64::NAN),
        }
    }

    /// With constant work of at least `x` nobody leaves before the request: residues at 0 and `λ + s` are all.
    fn below_all(&self, s: Complex64, x: f64) -> Complex64 {
        let a = self.arrival_rate + s;
        let inner = self.arrival_rate * x / a - s / (a * a) + s / (a * a) * (a * x).exp();
        let inverse = 1.0 + s / (1.0 - self.rho) * inner;
        if inverse.is_finite() { 1.0 / inverse } else { Complex64::ZERO }
    }
}

impl Transformed for Shared {
    fn mean(&self) -> Seconds {
        self.moments.0
    }

    fn second_moment(&self) -> f64 {
        self.moments.1
    }

    fn is_formula(&self) -> bool {
        matches!(self.size, Size::Parallel(_)) || self.beyond.is_some()
    }

    fn transform(&self, line: Line, out: &mut [Complex64]) {
        let mut roots = Vec::new();
        for (k, value) in out.iter_mut().enumerate() {
            let s = line.point(k);
            *value = self.value(s, &mut roots);
            if let Some(x) = self.beyond {
                let alone = self.alone(x);
                *value = (*value * (s * x).exp() - alone) / (1.0 - alone);
            }
        }
    }
}

/// `1 / Σ c_i exp(q_i x)`, the largest exponential taken out.
fn sum_inverse(terms: &[(Complex64, Complex64)], x: Complex64) -> Complex64 {
    let (first, _) = terms[0];
    let sum: Complex64 = terms.iter().map(|(q, c)| c * ((q - first) * x).exp()).sum();
    (-first * x).exp() / sum
}

/// The mean over exponential sizes with two roots: `1/(c e^{qx} + d e^{rx})` is a geometric series of exponentials.
fn geometric(parts: &[(f64, f64)], q: Complex64, c: Complex64, r: Complex64, d: Complex64) -> Complex64 {
    let ratio = -d / c;
    let mut weight = 1.0 / c;
    let mut sum = Complex64::ZERO;
    let mut exponent = q;
    for _ in 0..MOST_TERMS {
        sum += weight * parts.iter().map(|(p, mu)| p * mu / (mu + exponent)).sum::<Complex64>();
        weight *= ratio;
        exponent += q - r;
        if weight.norm() <= 1e-17 * sum.norm() {
            break;
        }
    }
    sum
}

/// The mean over exponential sizes, along the ray on which the first exponential falls without turning: between it and
/// the real line the sum has no zeros, because the first term outweighs the others.
fn integral(parts: &[(f64, f64)], terms: &[(Complex64, Complex64)]) -> Complex64 {
    let (first, _) = terms[0];
    let ray = first.conj() / first.norm();
    let spread = terms.iter().map(|(q, _)| (q - first).norm()).fold(first.norm(), f64::max);
    let fastest = parts.iter().map(|(_, mu)| *mu).fold(spread, f64::max);
    let end = 45.0 / first.norm();
    let mut from = 0.0;
    let mut sum = Complex64::ZERO;
    while from < end {
        // Short at first, where zeros may be near; what has died away further on bends nothing.
        let to = (from + f64::max(0.3 / fastest, 0.5 * from)).min(end);
        for (u, weight) in quadrature::panel(from, to) {
            let x = u * ray;
            let density: Complex64 = parts.iter().map(|(p, mu)| p * mu * (-mu * x).exp()).sum();
            sum += weight * density * sum_inverse(terms, x);
        }
        from = to;
    }
    sum * ray
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Erlang;

    fn at(shared: &Shared, s: Complex64) -> Complex64 {
        let mut out = [Complex64::ZERO; 2];
        shared.transform(Line { real: s.re, step: s.im }, &mut out);
        out[1]
    }

    #[test]
    fn the_derivative_at_zero_is_the_insensitive_mean() {
        let h = 1e-5;
        let two = Law::Hyperexponential(Hyperexponential::new(1.0, 2.0));
        let erlang = Law::Erlang(Erlang { mean: 1.0, stages: 3 });
        for work in [Law::exponential(1.0), two, erlang, Law::constant(1.0)] {
            let shared = Shared::new(0.6, &work, &work);
            let mean = (1.0 - at(&shared, Complex64::from(h)).re) / h;
            assert!((mean / 2.5 - 1.0).abs() < 1e-3, "{work:?} {mean}");
        }
    }

    #[test]
    fn series_and_integral_agree() {
        let work = Law::exponential(1.0);
        let shared = Shared::new(0.8, &work, &work);
        for s in [Complex64::new(0.3, 2.0), Complex64::new(2.0, 30.0)] {
            let mut roots = Vec::new();
            shared.roots(s, &mut roots);
            let terms: Vec<_> = roots.iter().map(|q| (*q, shared.coefficient(s, *q))).collect();
            let quadrature = integral(&[(1.0, 1.0)], &terms);
            let series = at(&shared, s);
            assert!((quadrature - series).norm() < 1e-10, "{s}: {quadrature} {series}");
        }
    }
}

//! Drawing times from laws.
//!
//! A [`Sampler`] is a law made ready: what a draw needs is computed once. Draws take one or a few numbers from the stream;
//! laws without a way of their own are drawn by their quantile.
//!
//! Source: ziggurat for exponentials and normals (Marsaglia and Tsang, 2000), gamma by Marsaglia and Tsang (2000), the
//! others by inversion.

use super::{Distribution, Law};
use crate::math::random::Stream;
use crate::unit::Seconds;
use std::sync::Arc;

/// Stages of an Erlang law that are drawn one by one; of more the sum is drawn as a gamma.
const MOST_STAGES: u32 = 12;

/// A law to draw from.
#[derive(Debug, Clone)]
pub struct Sampler(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Constant(Seconds),
    Exponential {
        mean: Seconds,
    },
    Erlang {
        stages: u32,
        mean: Seconds,
    },
    Gamma(rand_distr::Gamma<f64>),
    Hyperexponential {
        first: f64,
        means: [Seconds; 2],
    },
    Lognormal {
        mu: f64,
        sigma: f64,
    },
    Uniform {
        min: Seconds,
        width: Seconds,
    },
    Weibull {
        scale: Seconds,
        power: f64,
    },
    Pareto {
        least: Seconds,
        power: f64,
    },
    Lomax {
        scale: Seconds,
        power: f64,
    },
    Empirical {
        values: Arc<[Seconds]>,
        scale: f64,
    },
    /// Probabilities of this part or one before it.
    Mixture(Vec<(f64, Sampler)>),
    Quantile(Box<Law>),
}

impl Law {
    /// The law made ready for drawing.
    pub fn sampler(&self) -> Sampler {
        let mean = self.mean();
        Sampler(match self {
            _ if self.is_constant() => Kind::Constant(mean),
            Law::Exponential(_) => Kind::Exponential { mean },
            Law::Erlang(law) if law.stages <= MOST_STAGES => {
                Kind::Erlang { stages: law.stages, mean: mean / f64::from(law.stages) }
            }
            Law::Erlang(law) => self.gamma_kind(f64::from(law.stages)),
            Law::Gamma(law) => self.gamma_kind(1.0 / (law.cv * law.cv)),
            Law::Hyperexponential(law) => Kind::Hyperexponential { first: law.weights[0], means: law.means },
            Law::Lognormal(law) => Kind::Lognormal { mu: law.mu, sigma: law.sigma },
            Law::Uniform(law) => Kind::Uniform { min: law.min, width: law.max - law.min },
            Law::Weibull(law) => Kind::Weibull { scale: law.scale(), power: 1.0 / law.shape },
            Law::Pareto(law) => Kind::Pareto { least: law.least(), power: -1.0 / law.shape },
            Law::Lomax(law) => Kind::Lomax { scale: law.scale(), power: -1.0 / law.shape },
            Law::Empirical(law) => {
                let (values, scale) = law.values();
                Kind::Empirical { values: values.clone(), scale }
            }
            Law::Mixture(law) => {
                let mut sum = 0.0;
                let part = |(weight, law): &(f64, Law)| {
                    sum += weight;
                    (sum, law.sampler())
                };
                Kind::Mixture(law.parts().iter().map(part).collect())
            }
            Law::Lattice(law) => return law.law().sampler(),
            Law::Constant(_) | Law::Table(_) | Law::Derived(_) => Kind::Quantile(Box::new(self.clone())),
        })
    }

    fn gamma_kind(&self, shape: f64) -> Kind {
        // Only shapes that are no numbers are refused; such laws are drawn by their quantile, which says so.
        rand_distr::Gamma::new(shape, self.mean() / shape).map_or(Kind::Quantile(Box::new(self.clone())), Kind::Gamma)
    }
}

impl Sampler {
    /// Whether no single time has a probability of its own, as far as can be told.
    pub fn is_continuous(&self) -> bool {
        match &self.0 {
            Kind::Constant(_) | Kind::Empirical { .. } | Kind::Quantile(_) => false,
            Kind::Mixture(parts) => parts.iter().all(|(_, part)| part.is_continuous()),
            Kind::Exponential { .. }
            | Kind::Erlang { .. }
            | Kind::Gamma(_)
            | Kind::Hyperexponential { .. }
            | Kind::Lognormal { .. }
            | Kind::Uniform { .. }
            | Kind::Weibull { .. }
            | Kind::Pareto { .. }
            | Kind::Lomax { .. } => true,
        }
    }

    /// Whether no time is zero, as far as can be told.
    pub fn is_positive(&self) -> bool {
        matches!(self.0, Kind::Constant(time) if time > 0.0) || self.is_continuous()
    }

    /// A time, in seconds.
    pub fn draw(&self, stream: &mut Stream) -> Seconds {
        match &self.0 {
            Kind::Constant(value) => *value,
            Kind::Exponential { mean } => mean * stream.exponential(),
            Kind::Erlang { stages, mean } => mean * (0..*stages).map(|_| stream.exponential()).sum::<f64>(),
            Kind::Gamma(law) => rand_distr::Distribution::sample(law, stream.generator()),
            Kind::Hyperexponential { first, means } => {
                let phase = usize::from(!stream.chance(*first));
                means[phase] * stream.exponential()
            }
            Kind::Lognormal { mu, sigma } => (mu + sigma * stream.normal()).exp(),
            Kind::Uniform { min, width } => min + width * stream.uniform(),
            Kind::Weibull { scale, power } => scale * stream.exponential().powf(*power),
            Kind::Pareto { least, power } => least * stream.uniform().powf(*power),
            Kind::Lomax { scale, power } => scale * (power * stream.uniform().ln()).exp_m1(),
            Kind::Empirical { values, scale } => scale * values[stream.below(values.len() as u32) as usize],
            Kind::Mixture(parts) => {
                let u = stream.uniform();
                // Rounding may leave the last sum a little below one.
                let part = parts.iter().find(|(sum, _)| u < *sum).or(parts.last());
                part.map_or(0.0, |(_, part)| part.draw(stream))
            }
            Kind::Quantile(law) => law.quantile(stream.uniform()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    #[test]
    fn draws_follow_the_law() {
        let laws = [
            Law::exponential(0.3),
            Law::Erlang(Erlang { mean: 0.3, stages: 4 }),
            Law::Erlang(Erlang { mean: 0.3, stages: 40 }),
            Law::Gamma(Gamma { mean: 0.3, cv: 0.5 }),
            Law::Gamma(Gamma { mean: 0.3, cv: 2.5 }),
            Law::Hyperexponential(Hyperexponential::new(0.3, 3.0)),
            Law::lognormal(0.3, 1.7),
            Law::Uniform(Uniform { min: 0.1, max: 0.5 }),
            Law::Weibull(Weibull { mean: 0.3, shape: 0.6 }),
            Law::Pareto(Pareto { mean: 0.3, shape: 1.5 }),
            Law::Lomax(Lomax { mean: 0.3, shape: 2.5 }),
            Law::Mixture(Mixture::new(vec![(0.2, Law::exponential(1.0)), (0.8, Law::lognormal(0.1, 0.4))])),
            Law::Table(Table::new(vec![(0.0, 1.0), (0.2, 0.6), (0.7, 0.0)])),
            Lattice::new(&Law::lognormal(0.3, 1.0), 0.1).map_or(Law::constant(1.0), Law::Lattice),
        ];
        for (i, law) in laws.iter().enumerate() {
            let (sampler, mut stream) = (law.sampler(), Stream::new(17, 0, i as u64));
            let mut times: Vec<f64> = (0..20_000).map(|_| sampler.draw(&mut stream)).collect();
            times.sort_by(f64::total_cmp);
            let n = times.len() as f64;
            let off = times.iter().enumerate().map(|(k, t)| {
                let below = 1.0 - law.exceeding(*t);
                (below - k as f64 / n).abs().max((below - (k + 1) as f64 / n).abs())
            });
            // Kolmogorov and Smirnov: above 2.8 / √n three times in ten million.
            let worst = off.fold(0.0, f64::max);
            assert!(worst < 2.8 / n.sqrt(), "{law:?}: {worst}");
        }
    }

    #[test]
    fn measured_values_and_constants_are_drawn_as_they_are() {
        let mut stream = Stream::new(1, 1, 1);
        let values = Law::Empirical(Empirical::new(vec![1.0, 2.0, 4.0, 4.0]).unwrap()).scaled(0.5);
        let sampler = values.sampler();
        let mut counts = [0u32; 3];
        for _ in 0..40_000 {
            match sampler.draw(&mut stream) {
                0.5 => counts[0] += 1,
                1.0 => counts[1] += 1,
                2.0 => counts[2] += 1,
                other => panic!("{other}"),
            }
        }
        let spread: f64 =
            counts.iter().zip([1e4, 1e4, 2e4]).map(|(count, mean)| (f64::from(*count) - mean).powi(2) / mean).sum();
        // Chi-squared with two degrees of freedom is above 28 once in a million.
        assert!(spread < 28.0, "{counts:?}");
        assert_eq!(Law::constant(0.2).sampler().draw(&mut stream), 0.2);
        assert_eq!(Law::exponential(0.0).sampler().draw(&mut stream), 0.0);
    }
}

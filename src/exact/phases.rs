//! Laws that are made of memoryless phases.

use crate::distribution::Law;

/// A time that passes through phases, each exponential: where it begins, how fast each is left, and for which other one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Phases {
    /// Chance to begin with each; none at all where no time passes.
    pub begin: Vec<f64>,
    /// Rate at which each is left, per second.
    pub rates: Vec<f64>,
    /// What follows each; nothing after the last one.
    pub next: Vec<Option<usize>>,
}

impl Phases {
    /// The phases of a law; `None` where it is not made of any.
    pub fn of(law: &Law) -> Option<Phases> {
        let mut phases = Phases { begin: Vec::new(), rates: Vec::new(), next: Vec::new() };
        phases.add(law, 1.0).then_some(phases)
    }

    /// Adds a law that is drawn with this weight.
    fn add(&mut self, law: &Law, weight: f64) -> bool {
        match law {
            law if law.mean() == 0.0 && weight == 1.0 => true,
            Law::Exponential(law) => self.chain(weight, 1, law.mean),
            Law::Erlang(law) => self.chain(weight, law.stages as usize, law.mean),
            Law::Hyperexponential(law) => {
                law.weights.iter().zip(law.means).all(|(part, mean)| self.chain(weight * part, 1, mean))
            }
            Law::Mixture(law) => law.parts().iter().all(|(part, law)| self.add(law, weight * part)),
            _ => false,
        }
    }

    /// Adds as many equal phases one after the other.
    fn chain(&mut self, weight: f64, stages: usize, mean: f64) -> bool {
        for stage in 1..=stages {
            self.begin.push(if stage == 1 { weight } else { 0.0 });
            self.rates.push(stages as f64 / mean);
            self.next.push((stage < stages).then_some(self.rates.len()));
        }
        mean > 0.0
    }

    /// The same `factor` times as long.
    pub fn scaled(mut self, factor: f64) -> Phases {
        self.rates.iter_mut().for_each(|rate| *rate /= factor);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::{Distribution, Erlang, Hyperexponential};

    #[test]
    fn the_mean_of_the_phases_is_that_of_the_law() {
        let mean = |phases: &Phases| {
            let from = |begin: usize| {
                let steps = std::iter::successors(Some(begin), |phase| phases.next[*phase]);
                steps.map(|phase| 1.0 / phases.rates[phase]).sum::<f64>()
            };
            phases.begin.iter().enumerate().map(|(phase, chance)| chance * from(phase)).sum::<f64>()
        };
        for law in [
            Law::exponential(0.3),
            Law::Erlang(Erlang { mean: 0.2, stages: 3 }),
            Law::Hyperexponential(Hyperexponential::new(0.5, 2.0)),
        ] {
            assert!((mean(&Phases::of(&law).unwrap()) - law.moment(1)).abs() < 1e-12);
            assert!((mean(&Phases::of(&law).unwrap().scaled(2.0)) - 2.0 * law.moment(1)).abs() < 1e-12);
        }
        assert_eq!(Phases::of(&Law::constant(1.0)), None);
        assert_eq!(Phases::of(&Law::constant(0.0)).unwrap().rates.len(), 0);
    }
}

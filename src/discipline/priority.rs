//! Priorities without interruption (head of the line) and with it (preemptive resume).
//!
//! | symbol | meaning                                                     | unit       |
//! |--------|-------------------------------------------------------------|------------|
//! | `ρ_k`  | utilization by class k, 1 the most urgent                   | 1          |
//! | `σ_k`  | utilization by classes 1 to k                               | 1          |
//! | `W0`   | mean work in service that an arrival finds, per server      | seconds    |
//!
//! ```text
//! without interruption:  W_k = W0 / ((1 - σ_{k-1}) (1 - σ_k))
//! with interruption:     T_k = S_k / (1 - σ_{k-1}) + W0_k / ((1 - σ_{k-1}) (1 - σ_k)),  W0_k from classes 1 to k
//! ```
//!
//! Exact means for one server and Poisson arrivals: Cobham (1954), White and Christie (1958). Several servers: `W0` is
//! the first come, first served wait times `1 - ρ`, exact for equal exponential services (Davis, 1966; Bondi and
//! Buzen, 1984).

use super::fcfs::{self, Arrivals, Queue};
use super::{Delay, Knowledge};
use crate::distribution::{Gamma, Law, Mixture};
use crate::unit::PerSecond;

/// One class of requests at a station, the most urgent first.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    /// Arrival rate, per second.
    pub arrival_rate: PerSecond,
    /// Service time.
    pub service: Law,
}

/// What a class meets: a wait, and by how much interruptions stretch its service.
#[derive(Debug, Clone, PartialEq)]
pub struct Treatment {
    /// Time before service begins.
    pub wait: Delay,
    /// Time from the start of service to its end over the service itself, at least 1.
    pub stretch: f64,
    /// How it is known.
    pub knowledge: Knowledge,
}

/// The treatment of each class; `None` for classes whose queue grows without end.
pub fn solve(classes: &[Class], arrivals_scv: f64, servers: u32, preemptive: bool) -> Vec<Option<Treatment>> {
    let m = f64::from(servers);
    let load = |class: &Class| class.arrival_rate * class.service.mean() / m;
    let total: f64 = classes.iter().map(load).sum();
    let mut above = 0.0;
    let mut treatments = Vec::with_capacity(classes.len());
    for k in 0..classes.len() {
        let up_to = above + load(&classes[k]);
        if up_to >= 1.0 {
            treatments.push(None);
            continue;
        }
        // Interruption hides the classes below; without it their work in service is met too.
        let met = if preemptive { &classes[..=k] } else { classes };
        let met_load: f64 = if preemptive { up_to } else { total };
        let (work, probability) = residual_work(met, met_load, arrivals_scv, servers);
        let mean = work / ((1.0 - above) * (1.0 - up_to));
        let stretch = if preemptive { 1.0 / (1.0 - above) } else { 1.0 };
        let wait = conditional(probability, mean, above);
        treatments.push(Some(Treatment { wait, stretch, knowledge: Knowledge::Approximate { p95_error: 0.06 } }));
        above = up_to;
    }
    treatments
}

/// Mean work in service that an arrival finds, and the chance to find all servers busy.
fn residual_work(classes: &[Class], load: f64, arrivals_scv: f64, servers: u32) -> (f64, f64) {
    let parts = classes.iter().filter(|c| c.arrival_rate > 0.0).map(|c| (c.arrival_rate, c.service.clone())).collect();
    let rate: f64 = classes.iter().map(|c| c.arrival_rate).sum();
    if rate <= 0.0 {
        return (0.0, 0.0);
    }
    if load >= 1.0 {
        // The classes below saturate the servers: every arrival finds them busy with a service of the mixture.
        let second: f64 =
            classes.iter().map(|c| c.arrival_rate * crate::distribution::Distribution::moment(&c.service, 2)).sum();
        let first: f64 = classes.iter().map(|c| c.arrival_rate * c.service.mean()).sum();
        return (0.5 * second / first / f64::from(servers), 1.0);
    }
    let arrivals = if arrivals_scv == 1.0 { Arrivals::Poisson } else { Arrivals::Scv(arrivals_scv) };
    let queue = Queue { arrival_rate: rate, arrivals, service: Law::Mixture(Mixture::new(parts)), servers };
    match fcfs::solve(&queue) {
        Some(waiting) => (waiting.delay.mean() * (1.0 - load), waiting.delay.probability()),
        None => (0.0, 0.0),
    }
}

/// A wait with this chance and mean. The busy periods of the classes above make it more variable than exponential: by
/// `1 + 2σ/(1 - σ)` for memoryless service.
fn conditional(probability: f64, mean: f64, above: f64) -> Delay {
    if probability <= 0.0 || mean <= 0.0 {
        return Delay::None;
    }
    let scv = 1.0 + 2.0 * above / (1.0 - above);
    if scv == 1.0 {
        return Delay::exponential(probability, probability / mean);
    }
    Delay::Of { probability, law: Law::Gamma(Gamma { mean: mean / probability, cv: scv.sqrt() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> [Class; 2] {
        [
            Class { arrival_rate: 20.0, service: Law::exponential(0.01) },
            Class { arrival_rate: 30.0, service: Law::exponential(0.02) },
        ]
    }

    #[test]
    fn means_without_interruption_are_cobhams() {
        let got = solve(&two(), 1.0, 1, false);
        let mean = |k: usize| got[k].as_ref().unwrap().wait.mean() + two()[k].service.mean();
        assert!((mean(0) - 0.0275).abs() < 1e-12 && (mean(1) - 0.1075).abs() < 1e-12);
    }

    #[test]
    fn means_with_interruption_are_those_of_white_and_christie() {
        let got = solve(&two(), 1.0, 1, true);
        let mean = |k: usize| {
            let treatment = got[k].as_ref().unwrap();
            treatment.wait.mean() + treatment.stretch * two()[k].service.mean()
        };
        assert!((mean(0) - 0.0125).abs() < 1e-12 && (mean(1) - 0.1125).abs() < 1e-12, "{} {}", mean(0), mean(1));
    }

    #[test]
    fn a_saturated_class_does_not_hurt_the_ones_above() {
        let mut classes = two();
        classes[1].arrival_rate = 300.0;
        let got = solve(&classes, 1.0, 1, true);
        assert!(got[0].is_some() && got[1].is_none());
    }
}

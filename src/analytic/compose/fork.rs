//! How much the branches of a parallel step depend on each other because they queue at the same time.
//!
//! | symbol | meaning                                                                                 | unit |
//! |--------|-----------------------------------------------------------------------------------------|------|
//! | `n`    | branches whose times vary                                                               | 1    |
//! | `f`    | share of the requests at a queue that arrive at the same time elsewhere                 | 1    |
//! | `r`    | correlation of the work that arrives at two queues, `1 / √((1 + c₁²) (1 + c₂²))`        | 1    |
//! | `ρ`    | utilization                                                                             | 1    |
//! | `v`    | correlation of the times of two branches, over what it would be were both waits one     | 1    |
//! | `w`    | weight of all branches being as late as each other                                      | 1    |
//!
//! Requests that arrive at several queues at once leave longer queues at all of them together, the more so the less their works differ: where
//! these are constant all queues are one. The joint law of the branches is taken as independent with weight `1 - w` and as equally late
//! with weight `w`. For two of them
//!
//! ```text
//! v = √(f₁ f₂) r (1 - (1 - r²) (8 - 7 ρ) / (6 (2 - ρ))) σ(W₁) σ(W₂) / (σ_least^1.4 σ_most^0.6),   w = 1 - √(1 - v)
//! ```
//!
//! with the deviations of their waits, and of the branches' times. For two equal M/M/1 that is `w = ρ / 4`, with which the mean of the last is
//! exact; elsewhere it is fitted to simulations of two queues, to 0.03 where they are equal and to 0.08 where not. Of more branches
//! equal M/M/1 have the mean of the last of `n`
//!
//! ```text
//! E max = [H_n / H_2 + 4/11 (1 - H_n / H_2) ρ] (12 - ρ) / 8 × E T,   w = (H_n - E max / E T) / (H_n - 1),   H_n = 1 + 1/2 + … + 1/n
//! ```
//!
//! and others that of the `ρ` with which two of them are as alike; where none is, `1 - (1 - w₂)^x` goes on from there.
//!
//! Branches that begin at the same queue find it the same: there `v` is the share of a branch's variance that comes from what its batch
//! finds, so that a spread of the branches' own parts alone is left to the last of them.
//!
//! Source: exact for two: Flatto and Hahn (1984); more: Nelson and Tantawi, Approximate analysis of fork/join
//! synchronization in parallel queues, IEEE Transactions on Computers 37 (1988).

use super::Composed;
use crate::analytic::memory::Memory;
use crate::network::flows::Flows;
use crate::network::{Network, Step, VisitId};

impl Composed<'_> {
    /// The weight of all branches of a parallel step being equally late.
    pub(super) fn together(&self, branches: &[impl AsRef<[Step]>], class: usize) -> f64 {
        let branch = |steps: &[Step]| {
            let forked = self.mean_of(steps, class).map_or(Forked::default(), |mean| mean.forked);
            Branch { forked, variance: self.rough_steps(steps, class).map_or(0.0, |rough| rough.variance) }
        };
        let each: Vec<Branch> = branches.iter().map(|steps| branch(steps.as_ref())).collect();
        let apart = together(&each);
        // Of all pairs of branches some begin at the same queue.
        let firsts: Vec<Option<VisitId>> = branches.iter().map(|steps| self.first(steps.as_ref(), 0)).collect();
        let station = |visit: &VisitId| self.solution.network.visits[*visit].station;
        let (mut same, mut weight) = (0.0, 0.0);
        for (steps, first) in branches.iter().zip(&firsts) {
            let Some(first) = first else { continue };
            let others = firsts.iter().flatten().filter(|other| station(other) == station(first)).count() as f64 - 1.0;
            if others > 0.0 {
                same += others;
                weight += others * self.common(*first, others + 1.0, steps.as_ref(), class).unwrap_or(0.0);
            }
        }
        let n = branches.len() as f64;
        if same > 0.0 { (weight + (n * (n - 1.0) - same) * apart) / (n * (n - 1.0)) } else { apart }
    }

    /// The visit that some steps certainly begin with, before any time has passed.
    pub(super) fn first(&self, steps: &[Step], depth: usize) -> Option<VisitId> {
        match steps.iter().find(|step| !matches!(step, Step::Send(_) | Step::Fail(_)))? {
            Step::Visit(visit) => Some(*visit),
            Step::Repeat { steps, .. } | Step::Hold { steps, .. } => self.first(steps, depth),
            Step::Guarded(guarded) if guarded.call.probability == 1.0 => self.first(&guarded.attempt, depth),
            Step::Call(call) if call.probability == 1.0 && call.network.is_none() && depth < 32 => {
                self.first(&self.solution.network.operations[call.target].steps, depth + 1)
            }
            _ => None,
        }
    }

    /// How much `n` branches are alike because they wait in the same queue: what they find there is common to them.
    pub(super) fn common(&self, visit: VisitId, n: f64, steps: &[Step], class: usize) -> Option<f64> {
        let (wait, law) = self.met(visit, class)?;
        let memory = &self.solution.memories[self.solution.network.visits[visit].station];
        let variance = self.rough_steps(steps, class)?.variance;
        let places = wait.probability() * (n * n - 1.0) / 12.0 * (law.mean() / memory.servers).powi(2);
        let common = (wait.second_moment() - wait.mean() * wait.mean() - places).max(0.0);
        let own = (1.0 - common / variance).max(0.0);
        own.is_finite().then(|| memory.same * (1.0 - own.sqrt()))
    }
}

/// What of a time is waiting among requests that arrive at the same time elsewhere: its variance by their share, and of that what comes from
/// the times of arrivals and not from works, and the part for which servers are idle.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::analytic) struct Forked {
    variance: f64,
    arriving: f64,
    idle: f64,
}

impl Forked {
    /// The wait of a visit of this variance, where this share of requests arrives at the same time elsewhere.
    pub fn of(variance: f64, share: f64, memory: &Memory) -> Forked {
        if !variance.is_finite() {
            return Forked::default();
        }
        let variance = share * variance;
        let arriving = variance / (1.0 + memory.service_scv);
        Forked { variance, arriving, idle: variance * (1.0 - memory.utilization) }
    }

    /// This and so many times another.
    pub fn and(self, other: Forked, times: f64) -> Forked {
        Forked {
            variance: self.variance + times * other.variance,
            arriving: self.arriving + times * other.arriving,
            idle: self.idle + times * other.idle,
        }
    }
}

/// A branch: its waits among simultaneous arrivals, and the variance of its time.
#[derive(Debug, Clone, Copy)]
struct Branch {
    forked: Forked,
    variance: f64,
}

impl Branch {
    /// The weight of this and another being equally late.
    fn together(&self, other: &Branch) -> f64 {
        let (one, two) = (&self.forked, &other.forked);
        let both = |of: fn(&Forked) -> f64| (of(one) * of(two)).sqrt();
        let (waits, idle) = (both(|forked| forked.variance), both(|forked| forked.idle));
        let (least, most) = (self.variance.min(other.variance), self.variance.max(other.variance));
        if waits <= 0.0 || least <= 0.0 || !most.is_finite() {
            return 0.0;
        }
        let r = both(|forked| forked.arriving) / waits;
        let rho = 1.0 - idle / waits;
        let alike = r * (1.0 - (1.0 - r * r) * (8.0 - 7.0 * rho) / (6.0 * (2.0 - rho)));
        // Where branches fork again their waits may vary more than they do.
        let waits = (one.variance.min(self.variance) * two.variance.min(other.variance)).sqrt();
        let v = alike * waits / (least.powf(0.7) * most.powf(0.3));
        1.0 - (1.0 - v).max(0.0).sqrt()
    }
}

/// The weight of all branches being equally late.
fn together(branches: &[Branch]) -> f64 {
    let varied: Vec<&Branch> = branches.iter().filter(|branch| branch.variance > 0.0).collect();
    let n = varied.len();
    if n < 2 {
        return 0.0;
    }
    let pairs = varied.iter().enumerate().flat_map(|(i, one)| varied[..i].iter().map(|two| one.together(two)));
    let two = pairs.sum::<f64>() / (n * (n - 1) / 2) as f64;
    let harmonic: f64 = (1..=n).map(|k| 1.0 / k as f64).sum();
    let ratio = harmonic / 1.5;
    let of_all = |rho: f64| {
        let last = (ratio + 4.0 / 11.0 * (1.0 - ratio) * rho) * (12.0 - rho) / 8.0;
        (harmonic - last) / (harmonic - 1.0)
    };
    if two <= 0.25 { of_all(4.0 * two) } else { 1.0 - (1.0 - two).powf((1.0 - of_all(1.0)).ln() / 0.75f64.ln()) }
}

/// For each station the share of its requests that arrive at the same time as others of the same request elsewhere.
pub(super) fn simultaneous(network: &Network, flows: &Flows) -> Vec<f64> {
    let mut walk = Walk {
        network,
        operations: vec![(0.0, 0.0); network.operations.len()],
        stations: vec![(0.0, 0.0); network.stations.len()],
    };
    for workload in &network.workloads {
        for (operation, _) in &workload.mix {
            walk.operations[*operation].1 += flows.operations[*operation].iter().sum::<f64>();
        }
    }
    for &operation in &network.order {
        let rate: f64 = flows.operations[operation].iter().sum();
        if rate > 0.0 {
            let share = share(walk.operations[operation]);
            walk.steps(&network.operations[operation].steps, rate, share);
        }
    }
    walk.stations.into_iter().map(share).collect()
}

fn share((forked, all): (f64, f64)) -> f64 {
    if all > 0.0 { (forked / all).min(1.0) } else { 0.0 }
}

/// Rates of simultaneous and of all arrivals.
struct Walk<'a> {
    network: &'a Network,
    operations: Vec<(f64, f64)>,
    stations: Vec<(f64, f64)>,
}

impl Walk<'_> {
    fn steps(&mut self, steps: &[Step], rate: f64, share: f64) {
        for step in steps {
            match step {
                Step::Visit(visit) => {
                    let sum = &mut self.stations[self.network.visits[*visit].station];
                    *sum = (sum.0 + rate * share, sum.1 + rate);
                }
                Step::Call(call) => {
                    let made = rate * call.probability * f64::from(call.times);
                    let sum = &mut self.operations[call.target];
                    *sum = (sum.0 + made * share, sum.1 + made);
                }
                Step::Guarded(guarded) => {
                    let made = rate * guarded.call.probability * f64::from(guarded.call.times);
                    let sum = &mut self.operations[guarded.call.target];
                    *sum = (sum.0 + made * share, sum.1 + made);
                }
                // What is sent goes its own way.
                Step::Send(target) => self.operations[*target].1 += rate,
                Step::Choose { ways, .. } => {
                    ways.iter().for_each(|(weight, steps)| self.steps(steps, rate * weight, share))
                }
                Step::Hold { steps, .. } => self.steps(steps, rate, share),
                Step::Repeat { times, steps } => self.steps(steps, rate * f64::from(*times), share),
                Step::Parallel { branches, .. } => {
                    let share = if branches.len() > 1 { 1.0 } else { share };
                    branches.iter().for_each(|steps| self.steps(steps, rate, share));
                }
                Step::Delay(_) | Step::Fail(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A visit to M/G/1 with this utilization and this much varied work, all of whose arrivals go elsewhere too.
    fn visit(rho: f64, scv: f64, wait: f64) -> Branch {
        let memory = Memory { service_scv: scv, utilization: rho, ..Memory::default() };
        let work = scv * rho * rho;
        Branch { forked: Forked::of(wait, 1.0, &memory), variance: wait + work }
    }

    /// The same with exponential work of this mean, at rate one.
    fn exponential(rho: f64) -> Branch {
        visit(rho, 1.0, rho * (2.0 - rho) * (rho / (1.0 - rho)).powi(2))
    }

    #[test]
    fn two_equal_queues_have_the_mean_of_flatto_and_hahn() {
        for rho in [0.2, 0.3, 0.5, 0.6, 0.85, 0.95] {
            let w = together(&[exponential(rho), exponential(rho)]);
            assert!((w - rho / 4.0).abs() < 1e-12, "{rho}: {w}");
        }
        let alone = Branch { forked: Forked::default(), variance: 1.0 };
        assert_eq!(together(&[exponential(0.5), alone]), 0.0);
    }

    #[test]
    fn more_queues_have_the_mean_of_nelson_and_tantawi() {
        for n in [3, 5, 10] {
            let harmonic: f64 = (1..=n).map(|k| 1.0 / k as f64).sum();
            let ratio = harmonic / 1.5;
            let last = |rho: f64| (ratio + 4.0 / 11.0 * (1.0 - ratio) * rho) * (12.0 - rho) / 8.0;
            for rho in [0.3, 0.6, 0.85] {
                let w = together(&vec![exponential(rho); n]);
                let mean = harmonic - w * (harmonic - 1.0);
                assert!((mean / last(rho) - 1.0).abs() < 1e-12, "{n} {rho}: {mean} {}", last(rho));
            }
        }
    }

    #[test]
    fn constant_works_make_all_queues_one() {
        assert!((together(&[visit(0.6, 0.0, 1.0), visit(0.6, 0.0, 1.0)]) - 1.0).abs() < 1e-12);
        assert!((together(&[visit(0.6, 0.0, 1.0), visit(0.3, 0.0, 0.1)]) - 1.0).abs() < 1e-12);
    }

    /// Utilization, variability of the work, and variance of the wait of a queue.
    type Simulated = (f64, f64, f64);

    /// Two queues at which a request arrives in every unit of time; and the weight that gives the mean of the last. Simulated for 20
    /// million requests.
    const SIMULATED: [([Simulated; 2], f64); 20] = [
        ([(0.3, 1.0, 0.0938), (0.3, 1.0, 0.0938)], 0.074),
        ([(0.6, 1.0, 1.89), (0.6, 1.0, 1.89)], 0.149),
        ([(0.85, 1.0, 31.5), (0.85, 1.0, 31.5)], 0.211),
        ([(0.6, 0.5, 0.993), (0.6, 0.5, 0.993)], 0.231),
        ([(0.6, 1.0, 1.89), (0.6, 0.5, 0.993)], 0.224),
        ([(0.6, 0.25, 0.652), (0.6, 0.25, 0.652)], 0.339),
        ([(0.6, 0.1, 0.482), (0.6, 0.1, 0.482)], 0.502),
        ([(0.6, 4.0, 15.9), (0.6, 4.0, 15.9)], 0.050),
        ([(0.6, 4.0, 15.9), (0.6, 1.0, 1.89)], 0.125),
        ([(0.3, 4.0, 0.877), (0.3, 4.0, 0.877)], 0.032),
        ([(0.85, 4.0, 226.0), (0.85, 4.0, 226.0)], 0.071),
        ([(0.3, 0.25, 0.0304), (0.3, 0.25, 0.0304)], 0.176),
        ([(0.85, 0.25, 11.5), (0.85, 0.25, 11.5)], 0.453),
        ([(0.6, 1.0, 1.89), (0.3, 1.0, 0.0938)], 0.218),
        ([(0.85, 1.0, 31.5), (0.4, 1.0, 0.284)], 0.343),
        ([(0.6, 0.25, 0.652), (0.3, 0.25, 0.0304)], 0.527),
        ([(0.6, 4.0, 15.9), (0.3, 4.0, 0.877)], 0.091),
        ([(0.6, 4.0, 15.9), (0.3, 1.0, 0.0938)], 0.141),
        ([(0.3, 4.0, 0.877), (0.6, 1.0, 1.89)], 0.114),
        ([(0.85, 0.25, 11.5), (0.4, 1.0, 0.284)], 0.516),
    ];

    #[test]
    fn other_works_and_unequal_queues_are_as_simulated() {
        for ([one, two], w) in SIMULATED {
            let found = together(&[one, two].map(|(rho, scv, wait)| visit(rho, scv, wait)));
            assert!((found - w).abs() < if one == two { 0.03 } else { 0.08 }, "{one:?} {two:?}: {found} {w}");
        }
    }
}

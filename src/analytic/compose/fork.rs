//! How much the branches of a parallel step depend on each other because they queue at the same time.
//!
//! | symbol | meaning                                                              | unit |
//! |--------|----------------------------------------------------------------------|------|
//! | `n`    | branches that queue                                                  | 1    |
//! | `ρ`    | share of a branch's time that is queueing among simultaneous arrivals; the utilization of an M/M/1 | 1 |
//! | `w`    | weight of all branches being as late as each other                   | 1    |
//!
//! Requests that arrive at several queues at once leave longer queues at all of them together. The joint law of the
//! branches is taken as independent with weight `1 - w` and as equally late with weight `w`, with the `w` that gives
//! the mean of the last of `n` equal M/M/1:
//!
//! ```text
//! E max = [H_n / H_2 + 4/11 (1 - H_n / H_2) ρ] (12 - ρ) / 8 × E T,   H_n = 1 + 1/2 + … + 1/n
//! w = (H_n - E max / E T) / (H_n - 1)
//! ```
//!
//! Source: exact for two: Flatto and Hahn (1984); more: Nelson and Tantawi, Approximate analysis of fork/join
//! synchronization in parallel queues, IEEE Transactions on Computers 37 (1988).

use crate::network::flows::Flows;
use crate::network::{Network, Step};

/// The weight of all branches being equally late, from the queueing share of each branch's time.
pub(super) fn together(shares: &[f64]) -> f64 {
    let queueing: Vec<f64> = shares.iter().copied().filter(|share| *share > 0.0).collect();
    let n = queueing.len();
    if n < 2 {
        return 0.0;
    }
    let rho = queueing.iter().sum::<f64>() / n as f64;
    let harmonic: f64 = (1..=n).map(|k| 1.0 / k as f64).sum();
    let ratio = harmonic / 1.5;
    let last = (ratio + 4.0 / 11.0 * (1.0 - ratio) * rho) * (12.0 - rho) / 8.0;
    ((harmonic - last) / (harmonic - 1.0)).clamp(0.0, 1.0)
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
                // What is sent goes its own way.
                Step::Send(target) => self.operations[*target].1 += rate,
                Step::Choose(ways) => ways.iter().for_each(|(weight, steps)| self.steps(steps, rate * weight, share)),
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

    #[test]
    fn two_equal_queues_have_the_mean_of_flatto_and_hahn() {
        for rho in [0.2, 0.5, 0.9] {
            let w = together(&[rho, rho]);
            let last = (1.0 - w) * 1.5 + w;
            assert!((last - (12.0 - rho) / 8.0).abs() < 1e-12);
        }
        assert_eq!(together(&[0.5, 0.0]), 0.0);
    }
}

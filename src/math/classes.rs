//! Closed networks with several classes of users, exactly, with how many of all are where: convolution over populations.
//!
//! | symbol    | meaning                                                      | unit    |
//! |-----------|--------------------------------------------------------------|---------|
//! | `N_k`     | users of class k; `N` all of them as a vector                | 1       |
//! | `D_ik`    | demand of class k at station i: visits × service time        | seconds |
//! | `α_i(n)`  | servers that n of them have there: `min(n, m_i)` where nobody else comes | 1 |
//! | `G(n)`    | normalising constant with the population n                   | 1       |
//!
//! ```text
//! f_i(n) = |n|! Π_k D_ik^(n_k) / n_k!  /  Π_{j ≤ |n|} α_i(j),   G = Π_k Z_k^(n_k) / n_k!  *  f_1 * f_2 * …
//! X_k = G(N - e_k) / G(N),   P(n at i) = f_i(n) G_without_i(N - n) / G(N)
//! ```
//!
//! Only positive terms are added. Times of each class are measured in its own unit, so that nothing overflows.
//!
//! Source: Reiser and Kobayashi (1975); Baskett, Chandy, Muntz and Palacios (1975).

use super::mixed::servers_had;
use super::special::ln_gamma;

/// A station that several classes of users visit.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// Visits × service time per cycle of each class, in seconds.
    pub demands: Vec<f64>,
    /// Servers.
    pub servers: u32,
    /// What others than the users, who come as a Poisson process, ask of its servers: their offered load, less than the servers.
    pub others: f64,
}

/// A closed network with several classes in steady state.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    /// Cycles of each class per second.
    pub throughput: Vec<f64>,
    /// Jobs of each class at each station: `[station][class]`.
    pub jobs: Vec<Vec<f64>>,
    /// The chance of each number of jobs of all classes at each station: `[station][jobs]`.
    pub present: Vec<Vec<f64>>,
}

/// Populations up to that of all users, numbered in mixed radix.
struct Lattice {
    /// Of each population the users of each class.
    each: Vec<Vec<usize>>,
    /// What one user more of a class adds to the number.
    strides: Vec<usize>,
}

impl Lattice {
    fn new(users: &[u32]) -> Lattice {
        let mut strides = Vec::with_capacity(users.len());
        let mut count = 1;
        for users in users {
            strides.push(count);
            count *= *users as usize + 1;
        }
        let of = |number: usize| {
            strides.iter().zip(users).map(|(stride, users)| number / stride % (*users as usize + 1)).collect()
        };
        Lattice { each: (0..count).map(of).collect(), strides }
    }

    /// The weight of each population with these times, each measured in its unit, where so many jobs have so many servers; `None`
    /// is one for each.
    fn weights(&self, times: &[f64], units: &[f64], had: Option<&[f64]>) -> Vec<f64> {
        let orders: Option<Vec<f64>> = had.map(|had| {
            let mut orders = vec![0.0];
            had.iter().enumerate().skip(1).for_each(|(n, had)| orders.push(orders[n - 1] + (n as f64 / had).ln()));
            orders
        });
        let log = |n: &Vec<usize>| {
            let each = n.iter().zip(times).zip(units).map(|((n, time), unit)| {
                if *n == 0 { 0.0 } else { *n as f64 * (time / unit).ln() - ln_gamma(*n as f64 + 1.0) }
            });
            let all: usize = n.iter().sum();
            each.sum::<f64>() + orders.as_ref().map_or(0.0, |orders| orders[all])
        };
        let logs: Vec<f64> = self.each.iter().map(log).collect();
        let peak = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        logs.into_iter().map(|log| (log - peak).exp()).collect()
    }

    /// What two sequences over all populations make together, over its greatest value.
    fn convolve(&self, a: &[f64], b: &[f64]) -> Vec<f64> {
        scaled(self.convolve_raw(a, b))
    }

    fn convolve_raw(&self, a: &[f64], b: &[f64]) -> Vec<f64> {
        let last = self.each.len() - 1;
        let mut sum = vec![0.0; self.each.len()];
        for (i, a) in a.iter().enumerate().filter(|(_, a)| **a > 0.0) {
            let own = &self.each[i];
            for (j, b) in b[..=last - i].iter().enumerate() {
                // Numbers add up where no class overflows.
                if own.iter().zip(&self.each[j]).zip(&self.each[last]).all(|((a, b), most)| a + b <= *most) {
                    sum[i + j] += a * b;
                }
            }
        }
        sum
    }
}

/// A sequence over its greatest value: factors cancel in all that is asked of it, once they are the same above and below.
fn scaled(mut values: Vec<f64>) -> Vec<f64> {
    let peak = values.iter().copied().fold(0.0, f64::max);
    values.iter_mut().for_each(|value| *value /= peak);
    values
}

/// Work that an exact solution takes: pairs of populations, for each station.
pub fn work(users: &[u32], stations: usize) -> f64 {
    let populations: f64 = users.iter().map(|users| f64::from(*users) + 1.0).product();
    populations * populations * stations as f64
}

/// A closed network, its weights ready.
struct Network {
    lattice: Lattice,
    /// What times of each class are measured in.
    units: Vec<f64>,
    /// Of users that are away, and of those at each station.
    away: Vec<f64>,
    factors: Vec<Vec<f64>>,
}

impl Network {
    fn new(classes: &[(u32, f64)], stations: &[Shared]) -> Network {
        let users: Vec<u32> = classes.iter().map(|(users, _)| *users).collect();
        let lattice = Lattice::new(&users);
        // In the demand at its bottleneck weights stay near one, where they matter.
        let unit = |(k, (users, away)): (usize, &(u32, f64))| {
            let bottleneck =
                stations.iter().map(|s| s.demands[k] / (f64::from(s.servers) - s.others)).fold(0.0, f64::max);
            if bottleneck > 0.0 { bottleneck } else { away / f64::from((*users).max(1)) }
        };
        let units: Vec<f64> = classes.iter().enumerate().map(unit).collect();
        let away: Vec<f64> = classes.iter().map(|(_, away)| *away).collect();
        let away = lattice.weights(&away, &units, None);
        let everybody = users.iter().map(|users| *users as usize).sum();
        let had = |s: &Shared| servers_had(f64::from(s.servers), s.others, everybody);
        let factors = stations.iter().map(|s| lattice.weights(&s.demands, &units, Some(&had(s)))).collect();
        Network { lattice, units, away, factors }
    }

    fn last(&self) -> usize {
        self.lattice.each.len() - 1
    }

    /// For each station the chance of each population there. What stands before and after a station is known, so that each can
    /// be left out without dividing; and the constants of the whole network.
    fn marginals(&self) -> (Vec<Vec<f64>>, Vec<f64>) {
        let last = self.last();
        let mut before = vec![self.away.clone()];
        for factor in &self.factors {
            before.push(self.lattice.convolve(&before[before.len() - 1], factor));
        }
        let whole = before.pop().unwrap_or_default();
        let mut after = vec![0.0; last + 1];
        after[0] = 1.0;
        let mut all = Vec::with_capacity(self.factors.len());
        for (factor, before) in self.factors.iter().zip(&before).rev() {
            let others = self.lattice.convolve(before, &after);
            let mut chances: Vec<f64> = (0..=last).map(|n| factor[n] * others[last - n]).collect();
            let total: f64 = chances.iter().sum();
            chances.iter_mut().for_each(|chance| *chance /= total);
            all.push(chances);
            after = self.lattice.convolve(&after, factor);
        }
        all.reverse();
        (all, whole)
    }
}

/// Solves a closed network of classes of users, given as (users, time away): exact for shared servers with any service, and for
/// exponential service that is the same for all classes, first come, first served.
pub fn solve(classes: &[(u32, f64)], stations: &[Shared]) -> Classes {
    let network = Network::new(classes, stations);
    let Network { lattice, units, .. } = &network;
    let (marginals, whole) = network.marginals();
    let one_less = |k: usize| if classes[k].0 > 0 { whole[network.last() - lattice.strides[k]] } else { 0.0 };
    let everybody: usize = classes.iter().map(|(users, _)| *users as usize).sum();
    let (mut jobs, mut present) = (Vec::with_capacity(stations.len()), Vec::with_capacity(stations.len()));
    for chances in &marginals {
        let (mut own, mut numbers) = (vec![0.0; classes.len()], vec![0.0; everybody + 1]);
        for (chance, n) in chances.iter().zip(&lattice.each) {
            own.iter_mut().zip(n).for_each(|(sum, n)| *sum += chance * *n as f64);
            numbers[n.iter().sum::<usize>()] += chance;
        }
        jobs.push(own);
        present.push(numbers);
    }
    let throughput = (0..classes.len()).map(|k| one_less(k) / whole[network.last()] / units[k]).collect();
    Classes { throughput, jobs, present }
}

/// For a value of the number of jobs at each station (`values[station][jobs]`) the variance of its sum over all stations, and
/// its variance at each.
pub fn variances(classes: &[(u32, f64)], stations: &[Shared], values: &[Vec<f64>]) -> (f64, Vec<f64>) {
    let network = Network::new(classes, stations);
    let Network { lattice, .. } = &network;
    let last = network.last();
    let total: Vec<usize> = lattice.each.iter().map(|n| n.iter().sum()).collect();
    // Chances, and the mean and the second moment of the sum so far, for each population that is left for the others.
    let mut all = [network.away.clone(), vec![0.0; last + 1], vec![0.0; last + 1]];
    for (factor, values) in network.factors.iter().zip(values) {
        let times = |power: i32| {
            factor.iter().zip(&total).map(|(weight, n)| weight * values[*n].powi(power)).collect::<Vec<f64>>()
        };
        let (first, second) = (times(1), times(2));
        let raw = |a: &[f64], b: &[f64]| lattice.convolve_raw(a, b);
        let sum = |parts: &[(f64, Vec<f64>)]| {
            (0..=last).map(|n| parts.iter().map(|(times, part)| times * part[n]).sum()).collect::<Vec<f64>>()
        };
        let zeroth = raw(&all[0], factor);
        let mean = sum(&[(1.0, raw(&all[1], factor)), (1.0, raw(&all[0], &first))]);
        let square = sum(&[(1.0, raw(&all[2], factor)), (2.0, raw(&all[1], &first)), (1.0, raw(&all[0], &second))]);
        // One factor for all three.
        let peak = zeroth.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        all = [zeroth, mean, square].map(|values| values.into_iter().map(|value| value / peak).collect());
    }
    let moment = |k: usize| all[k][last] / all[0][last];
    let own = network.marginals().0.into_iter().zip(values).map(|(chances, values)| {
        let moment = |power| chances.iter().zip(&total).map(|(chance, n)| chance * values[*n].powi(power)).sum::<f64>();
        moment(2) - moment(1).powi(2)
    });
    (moment(2) - moment(1).powi(2), own.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::mva;

    #[test]
    fn it_is_mean_value_analysis_for_single_servers() {
        let classes = [(6, 0.1), (4, 0.05)];
        let demands = [vec![0.01, 0.02], vec![0.015, 0.005]];
        let stations: Vec<Shared> =
            demands.iter().map(|demands| Shared { demands: demands.clone(), servers: 1, others: 0.0 }).collect();
        let own = solve(&classes, &stations);
        let queues: Vec<mva::SharedStation> =
            demands.iter().map(|demands| mva::SharedStation { demands: demands.clone(), delay: false }).collect();
        for (k, right) in mva::solve_classes(&classes, &queues).iter().enumerate() {
            assert!((own.throughput[k] / right.throughput - 1.0).abs() < 1e-10);
            assert!((0..2).all(|i| (own.jobs[i][k] / right.jobs[i] - 1.0).abs() < 1e-10));
        }
    }

    #[test]
    fn classes_that_are_alike_are_one() {
        let one = |time: f64, servers| Shared { demands: vec![time; 2], servers, others: 0.0 };
        let stations = [one(0.01, 2), one(0.004, 1)];
        let own = solve(&[(7, 0.02), (5, 0.02)], &stations);
        let plain: Vec<mva::Station> = stations
            .iter()
            .map(|s| mva::Station { demand: s.demands[0], servers: Some(s.servers), others: 0.0 })
            .collect();
        let right = mva::solve(12, 0.02, &plain);
        assert!((own.throughput.iter().sum::<f64>() / right.throughput - 1.0).abs() < 1e-10);
        let present = mva::present(12, 0.02, &plain);
        for (own, right) in own.present.iter().zip(&present) {
            assert!(own.iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-10));
        }
    }
}

//! Closed networks, exactly: the convolution algorithm for one class of users, mean value analysis for several.
//!
//! | symbol    | meaning                                              | unit       |
//! |-----------|------------------------------------------------------|------------|
//! | `N, Z`    | users, think time                                    | 1, seconds |
//! | `D_i`     | demand at station i: visits × service time           | seconds    |
//! | `m_i`     | servers of station i                                 | 1          |
//! | `α_i(n)`  | servers that n users have there                      | 1          |
//! | `G(n)`    | normalising constant with n users                    | 1          |
//!
//! ```text
//! G = Z^n / n!  *  Π_i D_i^n / Π_{k ≤ n} α_i(k)      (* is convolution; α(n) = min(n, m) where nobody else comes)
//! X = G(N - 1) / G(N),   R = N / X - Z,   U_i = X D_i / m_i
//! ```
//!
//! Only positive terms are added, so nothing cancels: the load-dependent recursion of mean value analysis loses its
//! probabilities below zero where this does not.
//!
//! Source: Buzen (1973); mean value analysis gives the same figures: Reiser and Lavenberg (1980).

use super::mixed::servers_had;

/// A station of a closed network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Station {
    /// Visits × service time per cycle, in seconds.
    pub demand: f64,
    /// Servers; `None` is a delay, where nobody waits.
    pub servers: Option<u32>,
    /// What others than the users, who come as a Poisson process, ask of its servers: their offered load, less than the servers.
    pub others: f64,
}

/// A closed network in steady state.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// Cycles per second.
    pub throughput: f64,
    /// Time of a cycle without thinking, in seconds.
    pub response: f64,
    /// For each station: jobs present, and busy share of its servers (jobs present for a delay).
    pub stations: Vec<(f64, f64)>,
}

/// Sequence of positive numbers with a common factor `exp(ln_scale)`, so that nothing overflows.
#[derive(Clone)]
struct Scaled {
    values: Vec<f64>,
    ln_scale: f64,
}

impl Scaled {
    fn of_logs(logs: Vec<f64>) -> Scaled {
        let peak = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Scaled { values: logs.into_iter().map(|l| (l - peak).exp()).collect(), ln_scale: peak }
    }

    fn one(len: usize) -> Scaled {
        let mut values = vec![0.0; len];
        values[0] = 1.0;
        Scaled { values, ln_scale: 0.0 }
    }

    fn convolve(&self, other: &Scaled) -> Scaled {
        let len = self.values.len();
        let mut values = vec![0.0; len];
        for (i, a) in self.values.iter().enumerate().filter(|(_, a)| **a > 0.0) {
            for (sum, b) in values[i..].iter_mut().zip(&other.values) {
                *sum += a * b;
            }
        }
        let peak = values.iter().copied().fold(0.0, f64::max);
        if peak > 0.0 {
            values.iter_mut().for_each(|v| *v /= peak);
            Scaled { values, ln_scale: self.ln_scale + other.ln_scale + peak.ln() }
        } else {
            Scaled { values, ln_scale: 0.0 }
        }
    }

    /// This and so many times another.
    fn plus(&self, other: &Scaled, times: f64) -> Scaled {
        let ln_scale = self.ln_scale.max(other.ln_scale);
        let (own, others) = ((self.ln_scale - ln_scale).exp(), times * (other.ln_scale - ln_scale).exp());
        let values = self.values.iter().zip(&other.values).map(|(a, b)| own * a + others * b).collect();
        Scaled { values, ln_scale }
    }
}

/// Solves a closed network of `users` with exponential service (or processor sharing with any), exactly.
pub fn solve(users: u32, think: f64, stations: &[Station]) -> Closed {
    let Some(network) = Network::new(users, think, stations) else {
        return Closed { throughput: 0.0, response: 0.0, stations: vec![(0.0, 0.0); stations.len()] };
    };
    let throughput = network.throughput();
    let present = network.marginals().into_iter().zip(stations).map(|(chances, station)| {
        let jobs = chances.iter().zip(0..).map(|(chance, k)| f64::from(k) * chance).sum();
        (jobs, throughput * station.demand / f64::from(station.servers.unwrap_or(1)))
    });
    Closed { throughput, response: f64::from(users) / throughput - think, stations: present.collect() }
}

/// The chance of each number of jobs at each station of a closed network of `users`, from none on: `[station][jobs]`.
///
/// An arrival at a station finds as many as there are at any time with one user less (Lavenberg and Reiser, 1980; Sevcik
/// and Mitrani, 1981).
pub fn present(users: u32, think: f64, stations: &[Station]) -> Vec<Vec<f64>> {
    Network::new(users, think, stations).map_or_else(|| vec![vec![1.0]; stations.len()], |network| network.marginals())
}

/// For a value of the number of jobs at each station (`values[station][jobs]`) the variance of its sum over all stations, and
/// its variance at each.
pub fn variances(users: u32, think: f64, stations: &[Station], values: &[Vec<f64>]) -> (f64, Vec<f64>) {
    let Some(network) = Network::new(users, think, stations) else { return (0.0, vec![0.0; stations.len()]) };
    let n = users as usize;
    // Weights, then weights times the sum of the values and times its square, of all stations so far.
    let none = Scaled { values: vec![0.0; n + 1], ln_scale: 0.0 };
    let mut all = [network.thinking.clone(), none.clone(), none];
    for (factor, values) in network.factors.iter().zip(values) {
        let times = |power: i32| Scaled {
            values: factor.values.iter().zip(values).map(|(weight, value)| weight * value.powi(power)).collect(),
            ln_scale: factor.ln_scale,
        };
        let [zeroth, first, second] = [factor.clone(), times(1), times(2)];
        let mixed = all[1].convolve(&first);
        all = [
            all[0].convolve(&zeroth),
            all[1].convolve(&zeroth).plus(&all[0].convolve(&first), 1.0),
            all[2].convolve(&zeroth).plus(&mixed, 2.0).plus(&all[0].convolve(&second), 1.0),
        ];
    }
    let moment = |k: usize| (all[k].ln_scale - all[0].ln_scale).exp() * all[k].values[n] / all[0].values[n];
    let own = network.marginals().into_iter().zip(values).map(|(chances, values)| {
        let moment = |power| chances.iter().zip(values).map(|(chance, value)| chance * value.powi(power)).sum::<f64>();
        moment(2) - moment(1).powi(2)
    });
    (moment(2) - moment(1).powi(2), own.collect())
}

/// A closed network, its weights ready.
struct Network {
    users: usize,
    /// What times are measured in: in the bottleneck's demand its factors stay near one, where they matter.
    unit: f64,
    thinking: Scaled,
    factors: Vec<Scaled>,
    /// What stands before each station, and before none: all.
    before: Vec<Scaled>,
}

impl Network {
    /// `None` without users, or without any demand.
    fn new(users: u32, think: f64, stations: &[Station]) -> Option<Network> {
        let n = users as usize;
        let bottleneck =
            stations.iter().filter_map(|s| s.servers.map(|m| s.demand / (f64::from(m) - s.others))).fold(0.0, f64::max);
        let total = think + stations.iter().map(|s| s.demand).sum::<f64>();
        let unit = if bottleneck > 0.0 { bottleneck } else { total / f64::from(users.max(1)) };
        if n == 0 || unit == 0.0 {
            return None;
        }
        let factors: Vec<Scaled> = stations.iter().map(|s| weights(s.demand / unit, s.servers, s.others, n)).collect();
        let thinking = weights(think / unit, None, 0.0, n);
        let mut before = vec![thinking.clone()];
        for factor in &factors {
            before.push(before[before.len() - 1].convolve(factor));
        }
        Some(Network { users: n, unit, thinking, factors, before })
    }

    fn throughput(&self) -> f64 {
        let all = &self.before[self.factors.len()].values;
        all[self.users - 1] / all[self.users] / self.unit
    }

    /// The chance of each number of jobs at each station. What stands before and after a station is known, so that each
    /// can be left out without dividing.
    fn marginals(&self) -> Vec<Vec<f64>> {
        let (n, all) = (self.users, &self.before[self.factors.len()]);
        let mut after = Scaled::one(n + 1);
        let mut chances = Vec::with_capacity(self.factors.len());
        for (factor, before) in self.factors.iter().zip(&self.before).rev() {
            let others = before.convolve(&after);
            let ratio = (others.ln_scale + factor.ln_scale - all.ln_scale).exp() / all.values[n];
            chances.push((0..=n).map(|k| factor.values[k] * others.values[n - k] * ratio).collect());
            after = after.convolve(factor);
        }
        chances.reverse();
        chances
    }
}

/// `D^k / Π α(j)` for `k` from 0 to `n`: `α(j)` servers are had by `j` users.
fn weights(demand: f64, servers: Option<u32>, others: f64, n: usize) -> Scaled {
    if demand == 0.0 {
        return Scaled::one(n + 1);
    }
    let had = servers_had(servers.map_or(f64::INFINITY, f64::from), others, n);
    let mut logs = vec![0.0];
    (1..=n).for_each(|k| logs.push(logs[k - 1] + demand.ln() - had[k].ln()));
    Scaled::of_logs(logs)
}

/// A station of a closed network with several classes of users.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedStation {
    /// Visits × service time per cycle of each class, in seconds.
    pub demands: Vec<f64>,
    /// Whether nobody waits there: unlimited servers; one server otherwise.
    pub delay: bool,
}

/// A class of users in steady state.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosedClass {
    /// Cycles per second.
    pub throughput: f64,
    /// Time of a cycle without thinking, in seconds.
    pub response: f64,
    /// Jobs of the class present at each station.
    pub jobs: Vec<f64>,
}

/// Solves a closed network with several classes of users, given as (users, think time), by mean value analysis over all
/// populations up to theirs: exact for processor sharing, or exponential service of equal mean. The work grows with the
/// product of the numbers of users.
pub fn solve_classes(classes: &[(u32, f64)], stations: &[SharedStation]) -> Vec<ClosedClass> {
    // Populations in mixed radix: one user of class k fewer lies `strides[k]` before.
    let mut strides = Vec::with_capacity(classes.len());
    let mut count = 1usize;
    for (users, _) in classes {
        strides.push(count);
        count *= *users as usize + 1;
    }
    let mut present = vec![0.0; count * stations.len()];
    let mut last = vec![ClosedClass { throughput: 0.0, response: 0.0, jobs: vec![0.0; stations.len()] }; classes.len()];
    for population in 1..count {
        for (k, (users, think)) in classes.iter().enumerate() {
            let own = population / strides[k] % (*users as usize + 1);
            if own == 0 {
                last[k] = ClosedClass { throughput: 0.0, response: 0.0, jobs: vec![0.0; stations.len()] };
                continue;
            }
            // The arrival theorem: an arrival finds the network as it is with one user of its class fewer.
            let before = (population - strides[k]) * stations.len();
            let residence = |i: usize, station: &SharedStation| {
                station.demands[k] * if station.delay { 1.0 } else { 1.0 + present[before + i] }
            };
            let times: Vec<f64> = stations.iter().enumerate().map(|(i, station)| residence(i, station)).collect();
            let response: f64 = times.iter().sum();
            let throughput = own as f64 / (think + response);
            last[k] = ClosedClass { throughput, response, jobs: times.iter().map(|time| throughput * time).collect() };
        }
        for i in 0..stations.len() {
            present[population * stations.len() + i] = last.iter().map(|class| class.jobs[i]).sum();
        }
    }
    last
}

/// What bounds a closed network with single servers, without solving it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Least and most throughput, per second.
    pub throughput: (f64, f64),
    /// Least and most response time, in seconds.
    pub response: (f64, f64),
}

/// Asymptotic bounds, and those of balanced jobs, for these demands in seconds. Source: Denning and Buzen (1978); Zahorjan et al. (1982), with think time after Lazowska et al., Quantitative
/// System Performance (1984), table 5.2.
pub fn bounds(users: u32, think: f64, demands: &[f64]) -> (Bounds, Bounds) {
    let n = f64::from(users);
    let total: f64 = demands.iter().sum();
    let most = demands.iter().copied().fold(0.0, f64::max);
    let asymptotic = Bounds {
        throughput: (n / (n * total + think), f64::min(n / (total + think), 1.0 / most)),
        response: (f64::max(total, n * most - think), n * total),
    };
    let crowd = |each: f64, idle: f64| total + (n - 1.0) * each / (1.0 + think / idle);
    let (slow, quick) = (crowd(most, n * total), crowd(total / demands.len() as f64, total));
    let balanced = Bounds {
        throughput: (n / (think + slow), f64::min(n / (think + quick), 1.0 / most)),
        response: (f64::max(quick, n * most - think), slow),
    };
    (asymptotic, balanced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_meets_nobody() {
        let got = solve(
            1,
            1.0,
            &[
                Station { demand: 0.05, servers: Some(1), others: 0.0 },
                Station { demand: 0.1, servers: Some(1), others: 0.0 },
            ],
        );
        assert!((got.throughput - 1.0 / 1.15).abs() < 1e-12);
        assert!((got.response - 0.15).abs() < 1e-12);
    }

    #[test]
    fn all_users_are_somewhere() {
        let stations = [
            Station { demand: 0.1, servers: Some(4), others: 0.0 },
            Station { demand: 0.4, servers: Some(16), others: 0.0 },
            Station { demand: 0.05, servers: None, others: 0.0 },
        ];
        for users in [1, 20, 90, 3000] {
            let got = solve(users, 2.0, &stations);
            let present: f64 = got.stations.iter().map(|(jobs, _)| jobs).sum();
            assert!((present + got.throughput * 2.0 - f64::from(users)).abs() < 1e-6 * f64::from(users), "{users}");
            assert!(got.throughput <= 40.0 * (1.0 + 1e-12));
        }
    }
}

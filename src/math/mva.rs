//! Closed networks, exactly: the convolution algorithm for one class of users, mean value analysis for several.
//!
//! | symbol    | meaning                                              | unit       |
//! |-----------|------------------------------------------------------|------------|
//! | `N, Z`    | users, think time                                    | 1, seconds |
//! | `D_i`     | demand at station i: visits × service time           | seconds    |
//! | `m_i`     | servers of station i                                 | 1          |
//! | `G(n)`    | normalising constant with n users                    | 1          |
//!
//! ```text
//! G = Z^n / n!  *  Π_i D_i^n / Π_{k ≤ n} min(k, m_i)      (* is convolution)
//! X = G(N - 1) / G(N),   R = N / X - Z,   U_i = X D_i / m_i
//! ```
//!
//! Only positive terms are added, so nothing cancels: the load-dependent recursion of mean value analysis loses its
//! probabilities below zero where this does not.
//!
//! Source: Buzen (1973); mean value analysis gives the same figures: Reiser and Lavenberg (1980).

/// A station of a closed network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Station {
    /// Visits × service time per cycle, in seconds.
    pub demand: f64,
    /// Servers; `None` is a delay, where nobody waits.
    pub servers: Option<u32>,
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
        values.iter_mut().for_each(|v| *v /= peak);
        Scaled { values, ln_scale: self.ln_scale + other.ln_scale + peak.ln() }
    }
}

/// Solves a closed network of `users` with exponential service (or processor sharing with any), exactly.
pub fn solve(users: u32, think: f64, stations: &[Station]) -> Closed {
    let n = users as usize;
    // Measured in the bottleneck's demand its factors stay near one, where they matter; smaller ones may vanish.
    let bottleneck = stations.iter().filter_map(|s| s.servers.map(|m| s.demand / f64::from(m))).fold(0.0, f64::max);
    let total = think + stations.iter().map(|s| s.demand).sum::<f64>();
    let unit = if bottleneck > 0.0 { bottleneck } else { total };
    if n == 0 || unit == 0.0 {
        return Closed { throughput: 0.0, response: 0.0, stations: vec![(0.0, 0.0); stations.len()] };
    }
    let factors: Vec<Scaled> = stations.iter().map(|s| weights(s.demand / unit, s.servers, n)).collect();
    let thinking = weights(think / unit, None, n);
    // What stands before and after each station, so that each can be left out without dividing.
    let mut before = vec![thinking];
    for factor in &factors {
        before.push(before[before.len() - 1].convolve(factor));
    }
    let all = before[stations.len()].clone();
    let throughput = all.values[n - 1] / all.values[n] / unit;
    let mut after = Scaled::one(n + 1);
    let mut present = vec![(0.0, 0.0); stations.len()];
    for i in (0..stations.len()).rev() {
        let others = before[i].convolve(&after);
        let ratio = (others.ln_scale + factors[i].ln_scale - all.ln_scale).exp() / all.values[n];
        let jobs: f64 = (1..=n).map(|k| k as f64 * factors[i].values[k] * others.values[n - k]).sum::<f64>() * ratio;
        let busy = throughput * stations[i].demand / f64::from(stations[i].servers.unwrap_or(1));
        present[i] = (jobs, busy);
        after = after.convolve(&factors[i]);
    }
    Closed { throughput, response: f64::from(users) / throughput - think, stations: present }
}

/// `D^k / Π min(j, m)` for `k` from 0 to `n`.
fn weights(demand: f64, servers: Option<u32>, n: usize) -> Scaled {
    if demand == 0.0 {
        return Scaled::one(n + 1);
    }
    let mut logs = vec![0.0];
    for k in 1..=n {
        let rate = servers.map_or(k as f64, |m| k.min(m as usize) as f64);
        logs.push(logs[k - 1] + demand.ln() - rate.ln());
    }
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
        let got =
            solve(1, 1.0, &[Station { demand: 0.05, servers: Some(1) }, Station { demand: 0.1, servers: Some(1) }]);
        assert!((got.throughput - 1.0 / 1.15).abs() < 1e-12);
        assert!((got.response - 0.15).abs() < 1e-12);
    }

    #[test]
    fn all_users_are_somewhere() {
        let stations = [
            Station { demand: 0.1, servers: Some(4) },
            Station { demand: 0.4, servers: Some(16) },
            Station { demand: 0.05, servers: None },
        ];
        for users in [1, 20, 90, 3000] {
            let got = solve(users, 2.0, &stations);
            let present: f64 = got.stations.iter().map(|(jobs, _)| jobs).sum();
            assert!((present + got.throughput * 2.0 - f64::from(users)).abs() < 1e-6 * f64::from(users), "{users}");
            assert!(got.throughput <= 40.0 * (1.0 + 1e-12));
        }
    }
}

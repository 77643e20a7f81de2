//! A station that a fixed number of users share with others, who come from outside as a Poisson process.
//!
//! | symbol | meaning                                              | unit |
//! |--------|------------------------------------------------------|------|
//! | `n`    | users that are there                                 | 1    |
//! | `m`    | servers                                              | 1    |
//! | `a, ρ` | offered load of the others; `a / m`, less than one   | 1    |
//! | `α(n)` | servers that `n` users have between them             | 1    |
//!
//! Of product form, `k` who are there have the weight `a^(k - n) / Π_{j ≤ k} min(j, m)` in any order, so that to the users alone
//! the station is one whose rate depends on how many of them are there:
//!
//! ```text
//! F(n) = Σ_{k ≥ n} (k over n) a^(k - n) / Π_{j ≤ k} min(j, m),   α(n) = F(n - 1) / F(n)
//! n! F(n) = Σ_{j < m - n} a^j / j! + S(n),   S(n) (1 - ρ) = n / m S(n - 1) + a^(m - n) / (m - n)!   for n ≤ m
//! α(n) = m (1 - ρ)                                                                                for n > m
//! others that are there beside n users = (n + 1) a / α(n + 1)
//! ```
//!
//! Source: Baskett, Chandy, Muntz and Palacios (1975); open classes beside closed ones: Lavenberg, Computer Performance Modeling
//! Handbook (1983). The sums over `k` by Pascal's rule.

use super::special::ln_gamma;

/// What is less likely than this beside the rest is left out.
const NEGLIGIBLE: f64 = 1e-15;

/// Servers that users have between them, from none of them on to `most`: `min(n, m)` where nobody else comes. Servers need not be
/// whole: those beyond the last whole one are had by any who wait.
pub fn servers_had(servers: f64, others: f64, most: usize) -> Vec<f64> {
    if others <= 0.0 {
        return (0..=most).map(|n| servers.min(n as f64)).collect();
    }
    let utilization = (others / servers).min(1.0 - 1e-9);
    let whole = servers.floor().max(1.0) as usize;
    let left = servers * (1.0 - utilization);
    // As logarithms, of which the sums are too large for numbers where servers are many.
    let term = |j: usize| j as f64 * others.ln() - ln_gamma(j as f64 + 1.0);
    let mut below = vec![f64::NEG_INFINITY];
    (0..whole).for_each(|j| below.push(ln_sum(below[j], term(j))));
    let rest = (1.0 - utilization).ln();
    let mut beyond = term(whole) - rest;
    let mut before = ln_sum(below[whole], beyond);
    let mut had = vec![0.0];
    for n in 1..=most {
        if n > whole {
            had.push(left);
            continue;
        }
        beyond = ln_sum((n as f64 / servers).ln() + beyond, term(whole - n)) - rest;
        let now = ln_sum(below[whole - n], beyond);
        had.push(n as f64 * (before - now).exp());
        before = now;
    }
    had
}

/// The logarithm of the sum of two numbers whose logarithms these are.
fn ln_sum(a: f64, b: f64) -> f64 {
    let (least, most) = if a < b { (a, b) } else { (b, a) };
    if least == f64::NEG_INFINITY { most } else { most + (least - most).exp().ln_1p() }
}

/// The chance of each number of all who are there, where the users among them are so many with these chances.
pub fn all_present(users: &[f64], servers: u32, others: f64) -> Vec<f64> {
    if others <= 0.0 {
        return users.to_vec();
    }
    let mut all = vec![0.0; users.len()];
    let mut beside = Vec::new();
    for (n, chance) in users.iter().enumerate().filter(|(_, chance)| **chance > NEGLIGIBLE) {
        beside.clear();
        let (mut weight, mut total, mut k) = (1.0, 0.0, n);
        // They become more before they become less.
        while k <= n || weight > NEGLIGIBLE * total {
            beside.push(weight);
            total += weight;
            k += 1;
            weight *= k as f64 / (k - n) as f64 * others / f64::from(servers).min(k as f64);
            if total > 1e200 {
                beside.iter_mut().for_each(|weight| *weight *= 1e-200);
                (weight, total) = (weight * 1e-200, total * 1e-200);
            }
        }
        if all.len() < n + beside.len() {
            all.resize(n + beside.len(), 0.0);
        }
        all[n..].iter_mut().zip(&beside).for_each(|(sum, weight)| *sum += chance * weight / total);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sums of the definition, term by term.
    fn weight(n: usize, servers: f64, others: f64) -> f64 {
        let (mut sum, mut term) = (0.0, 1.0);
        (1..=n).for_each(|j| term /= servers.min(j as f64));
        for k in n.. {
            sum += term;
            term *= (k + 1) as f64 / (k + 1 - n) as f64 * others / servers.min((k + 1) as f64);
            if term < 1e-17 * sum && k > n + 2 * servers as usize {
                return sum;
            }
        }
        sum
    }

    #[test]
    fn servers_are_those_of_the_sums() {
        for (servers, others) in [(1.0, 0.6), (3.0, 1.2), (8.0, 7.5), (40.0, 3.0)] {
            let had = servers_had(servers, others, 50);
            for (n, had) in had.iter().enumerate().skip(1) {
                let right = weight(n - 1, servers, others) / weight(n, servers, others);
                assert!((had / right - 1.0).abs() < 1e-9, "{servers} {others} {n}: {had} {right}");
            }
        }
        // Many servers do not overflow.
        assert!(servers_had(3000.0, 2700.0, 4000).iter().skip(1).all(|had| had.is_finite() && *had > 0.0));
    }

    #[test]
    fn who_is_there_is_counted_once() {
        // One server: beside n users the others are n + 1 times as many as alone.
        let all = all_present(&[0.25, 0.5, 0.25], 1, 0.5);
        assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mean: f64 = all.iter().zip(0..).map(|(chance, n)| chance * f64::from(n)).sum();
        assert!((mean - (1.0 + 2.0 * 0.5 / 0.5)).abs() < 1e-9, "{mean}");
        let had = servers_had(4.0, 2.0, 3);
        let others: f64 =
            all_present(&[0.0, 0.0, 1.0], 4, 2.0).iter().zip(0..).map(|(p, k)| p * f64::from(k - 2)).sum();
        assert!((others - 3.0 * 2.0 / had[3]).abs() < 1e-9);
    }
}

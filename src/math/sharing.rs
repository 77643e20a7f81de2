//! The time of one request at servers that it shares with so many users at most.
//!
//! | symbol   | meaning                                                                          | unit    |
//! |----------|----------------------------------------------------------------------------------|---------|
//! | `n`      | others that are there, up to `M`                                                 | 1       |
//! | `a_n`    | share of a server that each of `n` has: `min(1, m / n)`                          | 1       |
//! | `s, o`   | work of the request, and of the others, both exponential                         | seconds |
//! | `γ`      | rate at which each of the others comes back who is away, by how many are met     | 1/s     |
//!
//! ```text
//! (a_(n+1) / s + n a_(n+1) / o + (M - n) γ) T_n = 1 + n a_(n+1) / o T_(n-1) + (M - n) γ T_(n+1)
//! ```
//!
//! Source: Mitra, Waiting time distributions from closed queueing network models of shared-processor systems (1981).

use super::roots;

/// Mean and variance of the time there, if one finds others with these chances. Exact with one station and users who think
/// exponentially.
pub fn moments(found: &[f64], servers: u32, own: f64, others: f64) -> (f64, f64) {
    let most = found.len() - 1;
    let met: f64 = found.iter().zip(0..).map(|(chance, n)| chance * f64::from(n)).sum();
    let share = |n: usize| (f64::from(servers) / n as f64).min(1.0);
    let back = if met > 0.0 && met < most as f64 { returning(met, most, servers, others) } else { 0.0 };
    let leaves = |n: usize| n as f64 * share(n + 1) / others;
    let comes = |n: usize| (most - n) as f64 * back;
    let solve = |ahead: &[f64]| {
        // Elimination from below: each state in terms of the one above it.
        let (mut upward, mut fixed) = (vec![0.0; most + 1], vec![0.0; most + 1]);
        for n in 0..=most {
            let (below, known) = if n == 0 { (0.0, 0.0) } else { (upward[n - 1], fixed[n - 1]) };
            let rest = share(n + 1) / own + leaves(n) * (1.0 - below) + comes(n);
            upward[n] = comes(n) / rest;
            fixed[n] = (ahead[n] + leaves(n) * known) / rest;
        }
        for n in (0..most).rev() {
            fixed[n] += upward[n] * fixed[n + 1];
        }
        fixed
    };
    let first = solve(&vec![1.0; most + 1]);
    let second = solve(&first.iter().map(|mean| 2.0 * mean).collect::<Vec<f64>>());
    let over = |values: &[f64]| found.iter().zip(values).map(|(chance, value)| chance * value).sum::<f64>();
    let mean = over(&first);
    (mean, over(&second) - mean * mean)
}

/// The rate at which each of so many users comes back, with which `met` are there on average.
fn returning(met: f64, most: usize, servers: u32, work: f64) -> f64 {
    let there = |back: f64| {
        let (mut weight, mut total, mut sum) = (1.0f64, 1.0, 0.0);
        for n in 1..=most {
            weight *= (most - n + 1) as f64 * back * work / n.min(servers as usize) as f64;
            total += weight;
            sum += n as f64 * weight;
            if total > 1e200 {
                [&mut weight, &mut total, &mut sum].into_iter().for_each(|value| *value *= 1e-200);
            }
        }
        sum / total
    };
    // The more they come back, the more are there.
    roots::falling_to(most as f64 - met, 1.0 / work, |back| most as f64 - there(back))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::mva;

    #[test]
    fn the_mean_is_that_of_the_arrival_theorem() {
        let stations = [mva::Station { demand: 0.01, servers: Some(2), others: 0.0 }];
        let found = mva::present(7, 0.03, &stations).remove(0);
        let (mean, variance) = moments(&found, 2, 0.01, 0.01);
        let right = mva::solve(8, 0.03, &stations).response;
        assert!((mean / right - 1.0).abs() < 1e-6, "{mean} {right}");
        assert!(variance > mean * mean * 0.9 && variance < 2.0 * mean * mean);
        // Alone it is served at once.
        let (mean, variance) = moments(&[1.0], 1, 0.02, 0.02);
        assert!((mean - 0.02).abs() < 1e-12 && (variance - 0.0004).abs() < 1e-12);
    }
}

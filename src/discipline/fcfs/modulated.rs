//! M/M/c with Poisson arrivals whose rate changes between two phases.
//!
//! | symbol       | meaning                                             | unit       |
//! |--------------|-----------------------------------------------------|------------|
//! | `λ_i, q_i`   | arrival rate in phase i, rate at which it is left   | per second |
//! | `μ, c`       | rate of a server, servers                           | per second |
//! | `π_n`        | chances of `n` there, one for each phase            | 1          |
//! | `z_k, v_k`   | roots inside the unit circle, and their vectors     | 1          |
//!
//! ```text
//! v (Λ + z (Q - Λ - cμ) + z² cμ) = 0
//! π_n = Σ_k a_k z_k^(n-c) v_k   for n ≥ c
//! P(W > t | phase i) = Σ_k a_k v_k(i) / (p_i (1 - z_k)) exp(-cμ (1 - z_k) t)
//! ```
//!
//! Exact: an arrival of a phase finds what there is in that phase at any time.
//!
//! Source: Neuts, Matrix-Geometric Solutions in Stochastic Models (1981), chapter 6.

use crate::discipline::{Delay, Term};
use crate::math::roots;
use crate::unit::{PerSecond, Seconds};

/// Two by two numbers, by rows.
type Square = [[f64; 2]; 2];

/// The wait of arrivals of each phase. `None` where the mean load is one or more.
pub fn modulated(rates: [PerSecond; 2], leaving: [PerSecond; 2], service: Seconds, servers: u32) -> Option<[Delay; 2]> {
    let phases = [leaving[1] / (leaving[0] + leaving[1]), leaving[0] / (leaving[0] + leaving[1])];
    let mean = phases[0] * rates[0] + phases[1] * rates[1];
    let drain = f64::from(servers) / service;
    if mean.is_nan() || mean >= drain || mean <= 0.0 {
        return None;
    }
    let [first, second] = inner_roots(rates, leaving, drain)?;
    let vector = |z: f64| {
        let value = rates[0] - z * (rates[0] + leaving[0] + drain) + z * z * drain;
        let (a, b) = (z * leaving[1], -value);
        let size = a.abs() + b.abs();
        [a / size, b / size]
    };
    let vectors = [vector(first), vector(second)];
    // R has these for left vectors.
    let back = inverse(vectors)?;
    let scaled = [[vectors[0][0] * first, vectors[0][1] * first], [vectors[1][0] * second, vectors[1][1] * second]];
    let mut step = times(back, scaled);
    // Down to the empty queue: what each level is of the one below.
    let level = |n: f64| -> Square {
        [[-leaving[0] - rates[0] - n / service, leaving[0]], [leaving[1], -leaving[1] - rates[1] - n / service]]
    };
    let mut steps = vec![step];
    for n in (1..servers).rev() {
        let (own, above) = (level(f64::from(n)), f64::from(n + 1) / service);
        let held = [
            [-own[0][0] - above * step[0][0], -own[0][1] - above * step[0][1]],
            [-own[1][0] - above * step[1][0], -own[1][1] - above * step[1][1]],
        ];
        let inverse = inverse(held)?;
        step = [
            [rates[0] * inverse[0][0], rates[0] * inverse[0][1]],
            [rates[1] * inverse[1][0], rates[1] * inverse[1][1]],
        ];
        steps.push(step);
    }
    // Nobody there: the vector that the balance at level 0 leaves.
    let (own, above) = (level(0.0), 1.0 / service);
    let column = [own[0][0] + above * step[0][0], own[1][0] + above * step[1][0]];
    let mut present = [column[1].abs(), column[0].abs()];
    let mut total = present;
    for step in steps.iter().rev() {
        present = row(present, *step);
        total = [total[0] + present[0], total[1] + present[1]];
        if total[0] > 1e200 {
            (present, total) = (present.map(|x| x * 1e-200), total.map(|x| x * 1e-200));
        }
    }
    // The last is that of all servers busy; those above are summed up in a moment.
    let weights = row(present, back);
    let all = |i: usize| {
        let above =
            weights[0] * vectors[0][i] * first / (1.0 - first) + weights[1] * vectors[1][i] * second / (1.0 - second);
        total[i] + above
    };
    let sum = all(0) + all(1);
    Some([0, 1].map(|i| {
        let term = |weight: f64, z: f64, vector: [f64; 2]| Term {
            weight: (weight * vector[i] / (1.0 - z) / (sum * phases[i])).into(),
            rate: (drain * (1.0 - z)).into(),
        };
        Delay::Exponentials(vec![term(weights[0], first, vectors[0]), term(weights[1], second, vectors[1])])
    }))
}

/// The two roots between 0 and 1 of the determinant.
fn inner_roots(rates: [f64; 2], leaving: [f64; 2], drain: f64) -> Option<[f64; 2]> {
    let part = |i: usize, z: f64| rates[i] - z * (rates[i] + leaving[i] + drain) + z * z * drain;
    // Without the root at one.
    let value = |z: f64| (part(0, z) * part(1, z) - z * z * leaving[0] * leaving[1]) / (1.0 - z);
    // Between them the determinant is negative: where the part of the faster phase is zero it is.
    let root_of = |i: usize| {
        let b = rates[i] + leaving[i] + drain;
        2.0 * rates[i] / (b + (b * b - 4.0 * rates[i] * drain).max(0.0).sqrt())
    };
    let (low, high) = (root_of(0).min(root_of(1)), root_of(0).max(root_of(1)));
    if !(low > 0.0 && high < 1.0) {
        return None;
    }
    let near_one = 1.0 - 1e-12;
    Some([roots::bracketed(1e-300, low, 1e-15, value), roots::bracketed(high, near_one, 1e-15, value)])
}

fn inverse(m: Square) -> Option<Square> {
    let determinant = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    (determinant != 0.0 && determinant.is_finite())
        .then(|| [[m[1][1] / determinant, -m[0][1] / determinant], [-m[1][0] / determinant, m[0][0] / determinant]])
}

fn times(a: Square, b: Square) -> Square {
    [row(a[0], b), row(a[1], b)]
}

fn row(v: [f64; 2], m: Square) -> [f64; 2] {
    [v[0] * m[0][0] + v[1] * m[1][0], v[0] * m[0][1] + v[1] * m[1][1]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::erlang;

    #[test]
    fn phases_alike_are_one_poisson_process() {
        // Nearly alike: what is between them is then nearly nothing.
        let [a, b] = modulated([30.0, 30.0 * (1.0 + 1e-6)], [0.5, 2.0], 0.1, 4).unwrap();
        let busy = erlang::erlang_c(4, 3.0).unwrap();
        for wait in [a, b] {
            assert!((wait.probability() / busy - 1.0).abs() < 1e-5);
            assert!((wait.mean() / (busy * 0.1) - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn slow_phases_are_queues_of_their_own_and_fast_ones_their_mean() {
        let [slow, fast] = modulated([10.0, 35.0], [1e-5, 1e-5], 0.1, 4).unwrap();
        for (wait, rate) in [(slow, 10.0), (fast, 35.0)] {
            let busy = erlang::erlang_c(4, rate * 0.1).unwrap();
            let mean = busy * 0.1 / (4.0 - rate * 0.1);
            assert!((wait.mean() / mean - 1.0).abs() < 1e-3, "{} {mean}", wait.mean());
        }
        let both = modulated([10.0, 35.0], [1e6, 1e6], 0.1, 4).unwrap();
        let busy = erlang::erlang_c(4, 2.25).unwrap();
        assert!(both.iter().all(|wait| (wait.mean() / (busy * 0.1 / 1.75) - 1.0).abs() < 1e-3));
    }

    #[test]
    fn it_is_the_chain_of_its_states() {
        // One server, phases long enough to overload it: the chain cut off far out.
        let (rates, leaving, service) = ([0.3, 1.6], [0.1, 0.4], 1.0);
        let n = 400;
        let mut chance = vec![[1.0 / n as f64; 2]; n];
        for _ in 0..60_000 {
            let mut next = vec![[0.0; 2]; n];
            let h = 0.2;
            for (k, p) in chance.iter().enumerate() {
                for i in 0..2 {
                    let up = if k + 1 < n { rates[i] } else { 0.0 };
                    let down = if k > 0 { 1.0 / service } else { 0.0 };
                    next[k][i] += p[i] * (1.0 - h * (up + down + leaving[i]));
                    next[k][1 - i] += p[i] * h * leaving[i];
                    if up > 0.0 {
                        next[k + 1][i] += p[i] * h * up;
                    }
                    if down > 0.0 {
                        next[k - 1][i] += p[i] * h * down;
                    }
                }
            }
            chance = next;
        }
        let waits = modulated(rates, leaving, service, 1).unwrap();
        for (i, wait) in waits.iter().enumerate() {
            let all: f64 = chance.iter().map(|p| p[i]).sum();
            let mean: f64 = chance.iter().enumerate().map(|(k, p)| k as f64 * p[i]).sum::<f64>() / all * service;
            assert!((wait.mean() / mean - 1.0).abs() < 1e-3, "{i} {} {mean}", wait.mean());
        }
    }
}

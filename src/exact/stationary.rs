//! How much of all time a chain is in each of its states.
//!
//! ```text
//! π_j q_j = Σ_i π_i q_ij,   Σ π = 1
//! ```
//!
//! One state after the other, forth and back (Gauss and Seidel); where that is slow, all states with as many requests together too,
//! solved as a chain of their own: what takes longest to settle is how many are there.
//!
//! Source: Stewart, Introduction to the Numerical Solution of Markov Chains (1994); Koury, McAllister and Stewart (1984).

use super::chain::Chain;

/// What flows into a state and what flows out of it differ by no more than this share.
const SETTLED: f64 = 1e-12;

/// Rounds between two looks at it.
const TOGETHER: usize = 4;

/// Rounds, and entries that all of them may look at.
const MOST_ROUNDS: usize = 20_000;
const MOST_ENTRIES: usize = 30_000_000_000;

/// Blocks of states that are solved as a chain of their own.
const MOST_BLOCKS: usize = 400;

/// The share of time in each state, in which so many requests are under way; `None` where it does not settle.
pub(super) fn stationary(chain: &Chain, requests: &[usize]) -> Option<Vec<f64>> {
    let n = chain.states.len();
    let wide = requests.iter().max().map_or(1, |most| most / MOST_BLOCKS + 1);
    let blocks: Vec<usize> = requests.iter().map(|requests| requests / wide).collect();
    // What flows into each state.
    let mut ends = vec![0usize; n];
    chain.followers.iter().for_each(|to| ends[*to as usize] += 1);
    let mut sum = 0;
    ends.iter_mut().for_each(|count| {
        sum += *count;
        *count = sum - *count;
    });
    let mut incoming = vec![(0u32, 0.0f64); chain.followers.len()];
    let mut leaving = vec![0.0f64; n];
    for (from, leaving) in leaving.iter_mut().enumerate() {
        for (to, rate) in chain.row(from) {
            incoming[ends[to as usize]] = (from as u32, rate);
            ends[to as usize] += 1;
            *leaving += rate;
        }
    }
    if leaving.contains(&0.0) && n > 1 {
        return None;
    }
    let row = |to: usize| &incoming[if to == 0 { 0 } else { ends[to - 1] }..ends[to]];
    let mut shares = vec![1.0 / n as f64; n];
    if n == 1 {
        return Some(shares);
    }
    let inflow =
        |shares: &[f64], to: usize| row(to).iter().map(|(from, rate)| shares[*from as usize] * rate).sum::<f64>();
    let sweep = |shares: &mut [f64]| {
        (0..n).chain((0..n).rev()).for_each(|to| shares[to] = inflow(shares, to) / leaving[to]);
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
    };
    // What flows in and what flows out differ by this share of all that flows.
    let apart = |shares: &[f64]| {
        let flows = |to: usize| (inflow(shares, to), shares[to] * leaving[to]);
        let (apart, all) =
            (0..n).map(flows).fold((0.0, 0.0), |(apart, all), (flow, out)| (apart + (flow - out).abs(), all + flow));
        apart / all
    };
    let rounds = MOST_ROUNDS.min(MOST_ENTRIES / (2 * incoming.len()).max(1)).max(10);
    let (mut before, mut patience, mut wait) = (f64::INFINITY, 1u32, 0u32);
    for _ in 0..rounds / TOGETHER {
        (0..TOGETHER).for_each(|_| sweep(&mut shares));
        let mut left = apart(&shares);
        if left > 0.1 * before && wait == 0 {
            // It settles slowly: by blocks, unless that leads away.
            let mut other = shares.clone();
            together(chain, &blocks, &mut other);
            (0..TOGETHER).for_each(|_| sweep(&mut other));
            let there = apart(&other);
            if there < left {
                (shares, left) = (other, there);
            } else {
                (wait, patience) = (patience, 2 * patience);
            }
        }
        wait = wait.saturating_sub(1);
        if left <= SETTLED {
            return Some(shares);
        }
        before = left;
    }
    None
}

/// Gives each block of states the share of time that it has if the states within it keep theirs.
fn together(chain: &Chain, blocks: &[usize], shares: &mut [f64]) {
    let count = blocks.iter().max().map_or(0, |last| last + 1);
    if count < 2 {
        return;
    }
    let mut all = vec![0.0; count];
    let mut rates = vec![0.0; count * count];
    for (from, share) in shares.iter().enumerate() {
        all[blocks[from]] += share;
        for (to, rate) in chain.row(from).filter(|(to, _)| blocks[*to as usize] != blocks[from]) {
            rates[blocks[from] * count + blocks[to as usize]] += share * rate;
        }
    }
    if all.iter().any(|share| *share <= 0.0) {
        return;
    }
    (0..count).for_each(|block| (0..count).for_each(|to| rates[block * count + to] /= all[block]));
    if let Some(wanted) = eliminated(rates, count) {
        shares.iter_mut().zip(blocks).for_each(|(share, block)| *share *= wanted[*block] / all[*block]);
    }
}

/// The share of time in each state of a small chain, by elimination without subtractions.
///
/// Source: Grassmann, Taksar and Heyman, Regenerative analysis and steady state distributions, Operations Research 33 (1985).
fn eliminated(mut rates: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    for k in (1..n).rev() {
        let out: f64 = (0..k).map(|to| rates[k * n + to]).sum();
        if out <= 0.0 {
            return None;
        }
        for from in 0..k {
            let share = rates[from * n + k] / out;
            rates[from * n + k] = share;
            if share > 0.0 {
                for to in (0..k).filter(|to| *to != from) {
                    rates[from * n + to] += share * rates[k * n + to];
                }
            }
        }
    }
    let mut shares = vec![1.0; n];
    for k in 1..n {
        shares[k] = (0..k).map(|from| shares[from] * rates[from * n + k]).sum();
    }
    let total: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= total);
    total.is_finite().then_some(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birth_and_death_chain_is_eliminated() {
        let n = 50;
        let mut rates = vec![0.0; n * n];
        for k in 1..n {
            rates[(k - 1) * n + k] = 0.9;
            rates[k * n + k - 1] = 1.0;
        }
        let shares = eliminated(rates, n).unwrap();
        let total: f64 = (0..n).map(|k| 0.9f64.powi(k as i32)).sum();
        assert!(
            shares.iter().enumerate().all(|(k, share)| (share / (0.9f64.powi(k as i32) / total) - 1.0).abs() < 1e-10)
        );
    }
}

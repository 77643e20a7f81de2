//! Stationary distributions of Markov chains in continuous time, for models without a formula.

use std::collections::HashMap;
use std::hash::Hash;

/// The stationary probability of each state that can be reached from `start`, given the states that each goes to and how
/// fast. By sweeps of Gauss and Seidel until nothing moves.
pub fn stationary<S: Hash + Eq + Clone>(start: S, next: impl Fn(&S) -> Vec<(S, f64)>) -> HashMap<S, f64> {
    let mut number = HashMap::from([(start.clone(), 0usize)]);
    let mut states = vec![start];
    // For each state those it is reached from, and how fast it is left.
    let mut from: Vec<Vec<(usize, f64)>> = vec![Vec::new()];
    let mut leaving: Vec<f64> = Vec::new();
    let mut at = 0;
    while at < states.len() {
        let mut sum = 0.0;
        for (state, rate) in next(&states[at].clone()).into_iter().filter(|(_, rate)| *rate > 0.0) {
            let id = *number.entry(state.clone()).or_insert_with(|| {
                states.push(state);
                from.push(Vec::new());
                states.len() - 1
            });
            if id != at {
                from[id].push((at, rate));
                sum += rate;
            }
        }
        leaving.push(sum);
        at += 1;
    }
    let mut p = vec![1.0 / states.len() as f64; states.len()];
    for _ in 0..100_000 {
        let mut moved = 0.0f64;
        for id in 0..states.len() {
            let flow: f64 = from[id].iter().map(|(other, rate)| p[*other] * rate).sum();
            let new = flow / leaving[id];
            moved = moved.max((new - p[id]).abs());
            p[id] = new;
        }
        let total: f64 = p.iter().sum();
        p.iter_mut().for_each(|p| *p /= total);
        if moved < 1e-13 {
            break;
        }
    }
    states.into_iter().zip(p).collect()
}

/// The mean of something over the states.
pub fn mean<S>(chain: &HashMap<S, f64>, value: impl Fn(&S) -> f64) -> f64 {
    chain.iter().map(|(state, p)| p * value(state)).sum()
}

#[test]
fn a_chain_of_births_and_deaths_is_geometric() {
    let chain = stationary(0u32, |n| vec![(n + 1, if *n < 60 { 0.5 } else { 0.0 }), (n.saturating_sub(1), 1.0)]);
    assert!((chain[&0] - 0.5).abs() < 1e-9 && (chain[&3] - 0.0625).abs() < 1e-9);
    assert!((mean(&chain, |n| f64::from(*n)) - 1.0).abs() < 1e-8);
}

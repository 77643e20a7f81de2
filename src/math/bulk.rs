//! How many are present where customers arrive several at once.
//!
//! | symbol | meaning                                                              | unit       |
//! |--------|----------------------------------------------------------------------|------------|
//! | `λ_b`  | batches of `b` customers per second                                  | per second |
//! | `μ_n`  | rate at which `n` present leave; that of `c` from `c` on             | per second |
//! | `p_n`  | chance of `n` present                                                | 1          |
//!
//! The flows across the line between `n` and `n + 1` give the chances one after the other:
//!
//! ```text
//! μ_{n+1} p_{n+1} = Σ_b λ_b (p_{n-b+1} + … + p_n)
//! ```
//!
//! Source: Chaudhry and Templeton, A First Course in Bulk Queues (1983), chapter 3.

use crate::unit::PerSecond;

/// So many chances are found at most, divided by the size of the batches: enough below full load by one in 10,000.
const MOST: usize = 5_000_000;

/// Customers in steady state.
#[derive(Debug, Clone, PartialEq)]
pub struct Bulk {
    /// Chance of each number present up to `c - 1`, then that of `c` and more.
    pub present: Vec<f64>,
    /// Chance that a customer who gets in finds all `c` busy, by those that were there and those of its batch before it; and the mean of
    /// the number of departures it then waits for, and of that times one more.
    pub waits: [f64; 3],
    /// Chance to be refused.
    pub refused: f64,
}

/// Customers who arrive in batches, rate and size, each at one of `servers` or in a queue, from which so many present leave; at most
/// `places` wait. `None` where the queue grows without end, or so nearly that the chances take too long to end.
pub fn bulk(
    batches: &[(PerSecond, usize)],
    servers: usize,
    leaving: impl Fn(usize) -> PerSecond,
    places: Option<usize>,
) -> Option<Bulk> {
    let rate: f64 = batches.iter().map(|(rate, size)| rate * *size as f64).sum();
    let load = rate / leaving(servers);
    if places.is_none() && load >= 1.0 {
        return None;
    }
    let largest = batches.iter().map(|(_, size)| *size).max().unwrap_or(1);
    let last = places.map(|places| servers + places);
    let mut chances = vec![1.0];
    // Chance of all so far; what those wait for who come; who is refused.
    let (mut total, mut waits, mut refused) = (0.0, [0.0; 3], 0.0);
    let mut windows: Vec<Window> = batches.iter().map(|(_, size)| Window::of(*size)).collect();
    let steps = MOST / batches.iter().map(|(_, size)| size).sum::<usize>().max(1);
    for n in 0..steps {
        let chance = chances[n];
        total += chance;
        for (rate, size) in batches {
            let most = last.map_or(*size, |last| (last - n).min(*size));
            // Those who wait: for so many departures the first of them, and the last.
            let first = (servers + 1).saturating_sub(n).max(1);
            if first <= most {
                let (from, to) = ((n + first - servers) as f64, (n + most - servers) as f64);
                let weight = rate * chance;
                waits[0] += weight * (to - from + 1.0);
                waits[1] += weight * 0.5 * (from + to) * (to - from + 1.0);
                waits[2] += weight * (to * (to + 1.0) * (to + 2.0) - (from - 1.0) * from * (from + 1.0)) / 3.0;
            }
            refused += rate * chance * (size - most) as f64;
        }
        let ends = n > servers + largest && chance < 1e-15 * total * (1.0 - load).max(1e-12);
        if last == Some(n) || ends && places.is_none() {
            chances.iter_mut().for_each(|chance| *chance /= total);
            let mut present: Vec<f64> = chances.iter().take(servers).copied().collect();
            present.resize(servers, 0.0);
            present.push((1.0 - present.iter().sum::<f64>()).max(0.0));
            let refused = refused / total;
            let waits = waits.map(|sum| if rate > refused { sum / total / (rate - refused) } else { 0.0 });
            return Some(Bulk { present, waits, refused: if rate > 0.0 { refused / rate } else { 0.0 } });
        }
        let across = |((rate, _), window): (&(f64, usize), &mut Window)| rate * window.with(&chances);
        let inward: f64 = batches.iter().zip(&mut windows).map(across).sum();
        chances.push(inward / leaving((n + 1).min(servers)));
        if chances[n + 1] > 1e200 {
            // Only ratios count.
            chances.iter_mut().chain(&mut waits).for_each(|value| *value *= 1e-200);
            windows.iter_mut().for_each(|window| window.scale(1e-200));
            (total, refused) = (total * 1e-200, refused * 1e-200);
        }
    }
    None
}

/// The sum of the last so many of a row that grows, without differences, in which small ones would be lost.
struct Window {
    size: usize,
    /// Of the last whole block of so many, the sums from each on.
    before: Vec<f64>,
    /// The sum of those that came after it, and their number.
    block: f64,
    came: usize,
}

impl Window {
    fn of(size: usize) -> Window {
        Window { size, before: vec![0.0; size], block: 0.0, came: 0 }
    }

    /// The sum with one more: the last of all.
    fn with(&mut self, all: &[f64]) -> f64 {
        let Some(last) = all.last() else { return 0.0 };
        self.block += last;
        self.came += 1;
        if self.came < self.size {
            return self.block + self.before[self.came];
        }
        (self.block, self.came) = (0.0, 0);
        let mut sum = 0.0;
        for (from, value) in self.before.iter_mut().rev().zip(all.iter().rev()) {
            sum += value;
            *from = sum;
        }
        sum
    }

    fn scale(&mut self, by: f64) {
        self.before.iter_mut().for_each(|sum| *sum *= by);
        self.block *= by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_sums_up_the_last() {
        for size in 1..=5 {
            let (mut window, mut all) = (Window::of(size), Vec::new());
            for i in 0..23 {
                all.push(f64::from(i * i + 1));
                let last: f64 = all.iter().rev().take(size).sum();
                assert_eq!(window.with(&all), last);
            }
        }
    }

    #[test]
    fn single_customers_make_a_limited_queue() {
        // M/M/1/3 with load 1/2: chances 8/15, 4/15, 2/15, 1/15.
        let found = bulk(&[(0.5, 1)], 1, |_| 1.0, Some(2)).unwrap();
        assert!((found.refused - 1.0 / 15.0).abs() < 1e-12);
        assert!((found.present[0] - 8.0 / 15.0).abs() < 1e-12);
        // Of those who get in 4/14 find one and wait for it, 2/14 wait for two.
        assert!((found.waits[1] - (4.0 + 2.0 * 2.0) / 14.0).abs() < 1e-12);
    }

    #[test]
    fn what_does_not_fit_of_a_batch_is_refused() {
        // Three come at once to one server with one place: one of them at least goes away.
        let found = bulk(&[(1e-9, 3)], 1, |_| 1.0, Some(1)).unwrap();
        assert!((found.refused - 1.0 / 3.0).abs() < 1e-6);
        assert!((found.waits[0] - 0.5).abs() < 1e-6);
    }
}

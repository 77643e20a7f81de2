//! The queue before a part of a network that only so many may be in.
//!
//! | symbol | meaning                            | unit       |
//! |--------|------------------------------------|------------|
//! | `λ`    | arrival rate                       | per second |
//! | `c`    | how many may be inside at once     | 1          |
//! | `X(n)` | rate at which n inside leave       | per second |
//!
//! ```text
//! P(n) ∝ Π_{j ≤ n} λ / X(min(j, c))
//! ```
//!
//! Exact where the part is of product form ([`super::equivalent`]) and arrivals are Poisson (Chandy, Herzog and Woo, 1975); an
//! approximation elsewhere.

use crate::unit::PerSecond;

/// The queue before a part.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrance {
    /// Chance of each number inside.
    pub inside: Vec<f64>,
    /// Chance that an arrival finds all inside that may be, and so many waiting before it, from none on; where the queue has no limit
    /// only the first, the others following with the ratio of [`Entrance::ratio`].
    pub waiting: Vec<f64>,
    /// What the chances of more and more waiting fall by.
    pub ratio: f64,
    /// Chance to be refused.
    pub refused: f64,
}

/// The queue before a part that lets them out like this, arrivals coming as a Poisson process; with at most so many waiting, whose
/// number varies so many times as much as if all were memoryless. `None` where it grows without end.
pub fn entrance(rate: PerSecond, throughput: &[PerSecond], queue: Option<(usize, f64)>) -> Option<Entrance> {
    let most = throughput.len() - 1;
    let mut inside = vec![1.0; most + 1];
    for n in 1..=most {
        inside[n] = inside[n - 1] * rate / throughput[n];
        if inside[n] > 1e200 {
            inside.iter_mut().take(n + 1).for_each(|weight| *weight *= 1e-200);
        }
    }
    let ratio = rate / throughput[most];
    let full = inside[most];
    let mut waiting = vec![full];
    let (total, refused) = match queue {
        None if ratio >= 1.0 => return None,
        None => {
            let below: f64 = inside[..most].iter().sum();
            (below + full / (1.0 - ratio), 0.0)
        }
        Some((places, varies)) => {
            let falls = falling(ratio, varies);
            let mut weight = full;
            for _ in 0..places {
                weight *= falls;
                waiting.push(weight);
            }
            let peak = waiting.iter().copied().fold(0.0, f64::max);
            if !peak.is_finite() {
                // So far over capacity that it is always full.
                return Some(always_full(most, places, falls));
            }
            let below: f64 = inside[..most].iter().sum();
            (below + waiting.iter().sum::<f64>(), waiting.pop().unwrap_or(0.0))
        }
    };
    inside.iter_mut().chain(&mut waiting).for_each(|weight| *weight /= total);
    let below: f64 = inside[..most].iter().sum();
    inside[most] = 1.0 - below;
    Some(Entrance { inside, waiting, ratio, refused: refused / total })
}

/// What the chances of more and more waiting fall by where the wait without a limit is so many times that of memoryless work: as the queue
/// of M/G/1 has it in light and in heavy traffic.
fn falling(ratio: f64, varies: f64) -> f64 {
    if ratio < 1.0 { ratio * varies / (1.0 - ratio + ratio * varies) } else { 1.0 + (ratio - 1.0) / varies }
}

fn always_full(most: usize, places: usize, ratio: f64) -> Entrance {
    let mut inside = vec![0.0; most + 1];
    inside[most] = 1.0;
    let chance = |k: usize| (1.0 - 1.0 / ratio) * ratio.powf(k as f64 - places as f64);
    Entrance { inside, waiting: (0..places).map(chance).collect(), ratio, refused: chance(places) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::equivalent::{Element, throughput};

    #[test]
    fn servers_alone_make_the_queue_of_erlang() {
        let element = Element { demand: 1.0, servers: 2.0, others: 0.0, copies: 1 };
        // Two servers, load 1.5: the chance to wait is Erlang's C.
        let rates = throughput(2, 0.0, &[element]);
        let queue = entrance(1.5, &rates, None).unwrap();
        let all_busy: f64 = queue.inside[2];
        assert!((all_busy - crate::math::erlang::erlang_c(2, 1.5).unwrap()).abs() < 1e-12, "{all_busy}");
        assert!((element.present(1.5) - (1.5 + all_busy * 3.0)).abs() < 1e-12);
        assert!(entrance(2.0, &rates, None).is_none());
        let limited = entrance(3.0, &rates, Some((2, 1.0))).unwrap();
        let passed = (1.0 - limited.refused) * 3.0;
        let served: f64 = limited.inside.iter().zip(&rates).map(|(p, x)| p * x).sum();
        assert!((passed - served).abs() < 1e-12);
    }
}

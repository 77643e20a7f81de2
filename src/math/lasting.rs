//! How long what is full stays full: the chance to find it so again some time later, beyond that at any time.
//!
//! | symbol    | meaning                                                             | unit       |
//! |-----------|---------------------------------------------------------------------|------------|
//! | `λ, μ_n`  | rate up; rate down from `n`                                         | per second |
//! | `π, K`    | chances of each number present; the most that there may be          | 1          |
//! | `w(t)`    | `(P(full at t, full at 0) / π_K - π_K) / (1 - π_K)`                 | 1          |
//! | `m_k`     | moments of the rates at which it falls, `w(t) = ∫ exp(-x t) dm(x)`  | 1/s^k      |
//!
//! A chain that goes up and down forgets as a mixture of exponentials (Karlin and McGregor, 1957), of which four moments are
//! known: how long it lasts in all, that it begins at one, and how it begins to fall.
//!
//! ```text
//! m_-1 = π_K / (1 - π_K) Σ_n (π_0 + … + π_n)² / (π_n λ_n),   m_0 = 1,   m_1 = μ_K / (1 - π_K),   m_2 = m_1 (μ_K + λ)
//! ```
//!
//! Two exponentials have these moments, Gauss's nodes for them; their sum is within 0.05. Mixtures of several have the mixture of their
//! moments.

use crate::math::birth_death;
use crate::unit::{PerSecond, Seconds};

/// The moments of the rates at which something is forgotten, by the chance that there is something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lasting {
    /// Those of order -1, 0, 1 and 2.
    moments: [f64; 4],
}

impl Lasting {
    /// Nothing that there is.
    pub const NONE: Lasting = Lasting { moments: [0.0; 4] };

    /// What is full where no more than `most` may be present, which come at the rate `up` and go at the rate `down(n)`.
    pub fn of_full(most: usize, up: PerSecond, down: impl Fn(usize) -> PerSecond) -> Lasting {
        let present = birth_death::stationary(|n| if n < most { up } else { 0.0 }, &down);
        let full = present[present.len() - 1];
        // Where it is full next to never only those are known that are far less.
        if present.len() <= most || most == 0 || full >= 1.0 {
            return Lasting::NONE;
        }
        let (mut below, mut sum) = (0.0, 0.0);
        for chance in present[..most].iter().filter(|chance| **chance > 0.0) {
            below += chance;
            sum += below / chance * below;
        }
        let first = down(most) / (1.0 - full);
        Lasting { moments: [full * sum / up / (1.0 - full), 1.0, first, first * (down(most) + up)] }
    }

    /// This and another, with the chance that it is that.
    pub fn plus(self, other: Lasting, chance: f64) -> Lasting {
        Lasting { moments: std::array::from_fn(|k| self.moments[k] + chance * other.moments[k]) }
    }

    /// This with such a chance.
    pub fn times(self, chance: f64) -> Lasting {
        Lasting::NONE.plus(self, chance)
    }

    /// Whether there is anything to remember.
    pub fn is_none(&self) -> bool {
        self.moments[1] <= 0.0
    }

    /// The chance that there was something, and that it is still so after some time.
    pub fn kept(&self, time: Seconds) -> f64 {
        let time = time.max(0.0);
        self.nodes().iter().map(|(weight, rate)| weight * (-rate * time).exp()).sum()
    }

    /// The same after an exponential time of this mean.
    pub fn kept_after_about(&self, mean: Seconds) -> f64 {
        let mean = mean.max(0.0);
        self.nodes().iter().map(|(weight, rate)| weight / (1.0 + rate * mean)).sum()
    }

    /// Weights, and the rates at which they fall.
    fn nodes(&self) -> [(f64, PerSecond); 2] {
        let [n0, n1, n2, n3] = self.moments;
        if self.is_none() {
            return [(0.0, 0.0); 2];
        }
        // Of rates that are all alike one node is enough.
        let spread = n0 * n2 - n1 * n1;
        if spread <= 1e-9 * n1 * n1 {
            return [(n1, n2 / n1), (0.0, 0.0)];
        }
        // The roots of x² - a x + b, orthogonal to 1 and x.
        let (a, b) = ((n0 * n3 - n1 * n2) / spread, (n1 * n3 - n2 * n2) / spread);
        let fast = 0.5 * a + (0.25 * a * a - b).max(0.0).sqrt();
        let slow = b / fast;
        let weight = ((n2 - n1 * slow) / (fast - slow)).clamp(0.0, n1);
        [(weight, fast), (n1 - weight, slow)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chance to find it full at a time when it was so before, by small steps of the chain.
    fn by_steps(present: &[f64], up: f64, down: impl Fn(usize) -> f64, time: f64) -> f64 {
        let most = present.len() - 1;
        let mut now = vec![0.0; most + 1];
        now[most] = 1.0;
        let steps = 20_000;
        let step = time / f64::from(steps);
        for _ in 0..steps {
            let before = now.clone();
            for n in 0..=most {
                let (rise, fall) = (if n < most { up } else { 0.0 }, if n > 0 { down(n) } else { 0.0 });
                now[n] -= step * (rise + fall) * before[n];
                if n < most {
                    now[n + 1] += step * rise * before[n];
                }
                if n > 0 {
                    now[n - 1] += step * fall * before[n];
                }
            }
        }
        (now[most] - present[most]) / (1.0 - present[most])
    }

    #[test]
    fn a_full_queue_is_forgotten_as_its_chain_forgets_it() {
        for (rate, servers, places) in [(100.0, 1, 4), (220.0, 2, 8), (130.0, 1, 1), (300.0, 1, 6)] {
            let present = birth_death::limited(rate, 125.0, servers, places);
            let down = |n: usize| 125.0 * n.min(servers as usize) as f64;
            let lasting = Lasting::of_full(places as usize, rate, down);
            for time in [0.0005, 0.002, 0.008, 0.03, 0.1] {
                let (got, right) = (lasting.kept(time), by_steps(&present, rate, down, time));
                assert!((got - right).abs() < 0.05, "{rate} {servers} {places} {time}: {got} {right}");
            }
        }
    }

    #[test]
    fn one_place_is_forgotten_exactly() {
        let lasting = Lasting::of_full(1, 100.0, |_| 125.0);
        assert!((lasting.kept(0.003) - (-0.003f64 * 225.0).exp()).abs() < 1e-12);
    }

    #[test]
    fn chances_of_several_add_up() {
        let one = Lasting::of_full(4, 100.0, |_| 125.0);
        let half = one.times(0.25).plus(one, 0.25);
        assert!((half.kept(0.01) - 0.5 * one.kept(0.01)).abs() < 1e-12);
        assert_eq!(Lasting::NONE.kept(1.0), 0.0);
    }
}

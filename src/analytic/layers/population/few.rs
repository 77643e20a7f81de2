//! Limited queues as users find them: whoever is there does not come.
//!
//! | symbol     | meaning                                                          | unit       |
//! |------------|------------------------------------------------------------------|------------|
//! | `N, γ`     | users, rate at which each comes who is elsewhere                  | 1, 1/s     |
//! | `λ_u, λ_o` | rates at which users, and others, come                           | per second |
//! | `φ`        | share of those there who are users, `λ_u / (λ_u + λ_o)`           | 1          |
//! | `m, K`     | servers; the most that are there                                 | 1          |
//! | `π_n`      | chance that as many are there                                    | 1          |
//!
//! ```text
//! λ_n = λ_o + γ (N - φ n),   π_n ∝ Π λ_j / (μ min(j + 1, m)),   γ Σ π_n (N - φ n) = λ_u
//! refused  users γ π_K (N - φ K) / λ_u,   others π_K
//! ```
//!
//! Exact for exponential work where users are nowhere else but at an exponential time to think (Gross and Harris, Fundamentals of Queueing
//! Theory, finite source queues); what is known of other work is multiplied by what this is over the same with Poisson arrivals.

use crate::analytic::layers::Gate;
use crate::analytic::stations::StationState;
use crate::math::birth_death::stationary;
use crate::math::roots;
use crate::unit::{PerSecond, Seconds};

/// Queues with more room are as long as without users.
const MOST_ROOM: usize = 2_000;

/// Users come no more than so many times twice as fast as if they were never there, and how closely their rate is known.
const MOST_DOUBLINGS: u32 = 60;
const CLOSE: f64 = 1e-12;

/// Of users, and of those from outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ByWhom {
    pub users: f64,
    pub others: f64,
}

impl ByWhom {
    /// On average over so many of whom so many are users.
    fn of(self, users: PerSecond, all: PerSecond) -> f64 {
        self.others + (self.users - self.others) * (users / all.max(f64::MIN_POSITIVE)).min(1.0)
    }
}

/// What refusals, and the mean waits of those who get in, are over what they are where all come as a Poisson process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Few {
    pub refused: ByWhom,
    pub wait: ByWhom,
}

impl Few {
    /// Gives a pool what is met there, of which so many are asked for by users, and so many in all.
    pub fn apply_to(&self, gate: &mut Gate, users: PerSecond, all: PerSecond) {
        gate.refused = (gate.refused * self.refused.of(users, all)).min(1.0);
        gate.wait = gate.wait.take().map(|wait| wait.scaled(self.wait.of(users, all)));
        gate.waiting = gate.wait.as_ref().map(|wait| all * (1.0 - gate.refused) * wait.mean());
    }

    /// Gives a station what is met there; of each class so many come per second who are users, and so many in all, with work of this mean.
    pub fn apply(&self, came: &[(PerSecond, PerSecond)], work: Seconds, state: &mut StationState) {
        let (mut all, mut before, mut passed, mut waiting) = (0.0, 0.0, 0.0, 0.0);
        for (class, (users, rate)) in state.classes.iter_mut().zip(came).filter(|(_, (_, rate))| *rate > 0.0) {
            before += rate * (1.0 - class.refused);
            class.refused = (class.refused * self.refused.of(*users, *rate)).min(1.0);
            class.lengthen(self.wait.of(*users, *rate));
            let admitted = rate * (1.0 - class.refused);
            (all, passed) = (all + rate, passed + admitted);
            waiting += admitted * class.queueing(work).unwrap_or(0.0);
        }
        if all > 0.0 && before > 0.0 {
            state.utilization *= passed / before;
            state.queue_length = Some(waiting);
        }
    }
}

/// A queue that so many leave per second when as many are there, all of them that are no more than the first of `limits` being served and
/// no more than the second let in, to one of so many users and others coming as often. `None` where the limit is too far away to matter.
pub(super) fn few(
    served: &dyn Fn(usize) -> PerSecond,
    limits: (usize, usize),
    users: f64,
    came: ByWhom,
) -> Option<Few> {
    let (_, room) = limits;
    let all = came.users + came.others;
    if room > MOST_ROOM || came.users <= 0.0 || users < 1.0 {
        return None;
    }
    let share = came.users / all;
    let elsewhere = |n: usize| (users - share * n as f64).max(0.0);
    let chances =
        |each: PerSecond| stationary(|n| if n < room { came.others + each * elsewhere(n) } else { 0.0 }, served);
    let comes = |each: PerSecond, present: &[f64]| -> f64 {
        present.iter().enumerate().map(|(n, chance)| each * chance * elsewhere(n)).sum()
    };
    let missing = |each: PerSecond| comes(each, &chances(each)) - came.users;
    let low = came.users / users;
    let high = (1..=MOST_DOUBLINGS).map(|k| low * f64::from(k).exp2()).find(|each| missing(*each) >= 0.0)?;
    let each = roots::bracketed(low, high, CLOSE, missing);
    let present = chances(each);
    let poisson = stationary(|n| if n < room { all } else { 0.0 }, served);
    let by_users: Vec<f64> =
        present.iter().enumerate().map(|(n, chance)| each * chance * elsewhere(n) / came.users).collect();
    let (open, others, users) = (met(&poisson, limits), met(&present, limits), met(&by_users, limits));
    let over = |own: f64, open: f64| if open > 0.0 { own / open } else { 1.0 };
    Some(Few {
        refused: ByWhom { users: over(users.0, open.0), others: over(others.0, open.0) },
        wait: ByWhom { users: over(users.1, open.1), others: over(others.1, open.1) },
    })
}

/// The chance to be refused of those who find these numbers, and how many go before those are served who are not, on average.
fn met(found: &[f64], (served, room): (usize, usize)) -> (f64, f64) {
    let refused = found.get(room).copied().unwrap_or(0.0);
    let waits = |(n, chance): (usize, &f64)| chance * (n + 1).saturating_sub(served) as f64;
    let ahead: f64 = found.iter().take(room).enumerate().map(waits).sum();
    (refused, if refused < 1.0 { ahead / (1.0 - refused) } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Engset's loss formula: one of `users` finds the servers as often busy as with one user less they are.
    #[test]
    fn without_a_queue_users_are_lost_as_engset_has_it() {
        let (servers, users, each) = (3usize, 8.0f64, 0.4f64);
        let weights = |users: f64| {
            let mut weights = vec![1.0];
            (0..servers).for_each(|n| weights.push(weights[n] * (users - n as f64) * each / (n + 1) as f64));
            let total: f64 = weights.iter().sum();
            weights.into_iter().map(|weight| weight / total).collect::<Vec<f64>>()
        };
        let rate: f64 = weights(users).iter().enumerate().map(|(n, chance)| chance * each * (users - n as f64)).sum();
        let got = few(&|n| n as f64, (3, 3), users, ByWhom { users: rate, others: 0.0 }).unwrap();
        let poisson = crate::math::erlang::erlang_b(3, rate);
        assert!((got.refused.users * poisson - weights(users - 1.0)[servers]).abs() < 1e-9);
        assert!((got.refused.others * poisson - weights(users)[servers]).abs() < 1e-9);
    }

    #[test]
    fn very_many_users_come_as_a_poisson_process() {
        let got = few(&|n| n.min(2) as f64, (2, 6), 1e7, ByWhom { users: 1.1, others: 0.3 }).unwrap();
        for ratio in [got.refused.users, got.refused.others, got.wait.users, got.wait.others] {
            assert!((ratio - 1.0).abs() < 1e-5, "{got:?}");
        }
    }
}

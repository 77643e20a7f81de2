//! M/M/c through time: arrivals whose rate changes, from any number that is there at the beginning.
//!
//! | symbol | meaning                                             | unit       |
//! |--------|-----------------------------------------------------|------------|
//! | `λ, μ` | arrival rate, rate of one server                    | per second |
//! | `c`    | servers                                             | 1          |
//! | `Λ`    | `λ + c μ`: steps per second, some of which do nothing | per second |
//! | `p(t)` | chances of each number there                        | 1          |
//! | `P`    | what one step makes of them                         |            |
//!
//! ```text
//! p(t) = Σ_k e^{-Λt} (Λt)^k / k!  p(0) P^k
//! 1/t ∫ p = 1/(Λt) Σ_k Pr(more than k steps)  p(0) P^k
//! ```
//!
//! Exact, but for numbers and steps less likely than a double can tell.
//!
//! Source: Jensen, Markoff chains as an aid in the study of Markoff processes (1953), known as uniformization; the equations:
//! Gross and Harris, Fundamentals of Queueing Theory.

use crate::unit::{PerSecond, Seconds};

/// Steps that are taken in one sum: their chances must not vanish.
const MOST_STEPS: f64 = 400.0;

/// What is less likely is left out.
const NOTHING: f64 = 1e-15;

/// Chances that move less while so many steps are taken remain as they are.
const SETTLED: f64 = 1e-13;

/// The number at a queue with exponential work, at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Transient {
    servers: f64,
    service_rate: PerSecond,
    /// Chance of each number, from none on.
    chances: Vec<f64>,
}

impl Transient {
    /// A queue with nobody there.
    pub fn empty(servers: u32, service_rate: PerSecond) -> Transient {
        Transient { servers: f64::from(servers), service_rate, chances: vec![1.0] }
    }

    /// The chance of each number there, from none on.
    pub fn chances(&self) -> &[f64] {
        &self.chances
    }

    /// How many servers there are.
    pub fn servers(&self) -> f64 {
        self.servers
    }

    /// Steps that so much time takes at this arrival rate.
    pub fn steps(&self, arrival_rate: PerSecond, time: Seconds) -> f64 {
        (arrival_rate + self.servers * self.service_rate) * time
    }

    /// Lets time pass in which requests arrive at this rate, as a Poisson process; returns the chance of each number meanwhile, on
    /// average over that time, which is what arrivals find (Wolff, 1982).
    pub fn pass(&mut self, arrival_rate: PerSecond, time: Seconds) -> Vec<f64> {
        let steps = self.steps(arrival_rate, time);
        if steps <= 0.0 {
            return self.chances.clone();
        }
        let parts = (steps / MOST_STEPS).ceil();
        let mut meanwhile = Vec::new();
        let mut before = Vec::new();
        for part in 0..parts as u64 {
            before.clone_from(&self.chances);
            self.part(arrival_rate, steps / parts, 1.0 / parts, &mut meanwhile);
            if is_same(&before, &self.chances) {
                add(&mut meanwhile, &before, 1.0 - (part + 1) as f64 / parts);
                break;
            }
        }
        meanwhile
    }

    /// Takes so many steps on average, and adds the chances meanwhile with this weight.
    fn part(&mut self, arrival_rate: PerSecond, steps: f64, weight: f64, meanwhile: &mut Vec<f64>) {
        let per_second = arrival_rate + self.servers * self.service_rate;
        let up = arrival_rate / per_second;
        let mut chances = std::mem::take(&mut self.chances);
        let (mut after, mut next) = (Vec::new(), Vec::new());
        let (mut exactly, mut more) = ((-steps).exp(), 1.0);
        let mut taken = 0.0;
        loop {
            more -= exactly;
            add(&mut after, &chances, exactly);
            add(meanwhile, &chances, weight * more.max(0.0) / steps);
            taken += 1.0;
            exactly *= steps / taken;
            if taken > steps && exactly < NOTHING {
                break;
            }
            self.step(&chances, up, per_second, &mut next);
            std::mem::swap(&mut chances, &mut next);
        }
        let most = after.iter().rposition(|chance| *chance > NOTHING).map_or(1, |last| last + 1);
        after.truncate(most);
        let total: f64 = after.iter().sum();
        after.iter_mut().for_each(|chance| *chance /= total);
        self.chances = after;
    }

    /// What one step makes of some chances.
    fn step(&self, chances: &[f64], up: f64, per_second: PerSecond, next: &mut Vec<f64>) {
        let at = |n: usize| chances.get(n).copied().unwrap_or(0.0);
        let down = |n: f64| self.servers.min(n) * self.service_rate / per_second;
        let come = |n: usize| if n > 0 { up * at(n - 1) } else { 0.0 };
        let number = |n: usize| n as f64;
        let one = |n: usize| come(n) + (1.0 - up - down(number(n))) * at(n) + down(number(n + 1)) * at(n + 1);
        let full = (self.servers as usize).clamp(1, chances.len());
        next.clear();
        next.extend((0..full).map(one));
        // From here on all servers are busy.
        let (stay, down) = (1.0 - up - down(self.servers), down(self.servers));
        next.extend(chances[full - 1..].windows(3).map(|near| up * near[0] + stay * near[1] + down * near[2]));
        next.extend((next.len()..=chances.len()).map(one));
    }
}

/// Whether chances have become what they remain.
fn is_same(before: &[f64], after: &[f64]) -> bool {
    before.len() == after.len() && before.iter().zip(after).all(|(before, after)| (before - after).abs() < SETTLED)
}

fn add(sum: &mut Vec<f64>, chances: &[f64], weight: f64) {
    if sum.len() < chances.len() {
        sum.resize(chances.len(), 0.0);
    }
    sum.iter_mut().zip(chances).for_each(|(sum, chance)| *sum += weight * chance);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::erlang;

    fn mean(chances: &[f64]) -> f64 {
        chances.iter().zip(0..).map(|(chance, n)| chance * f64::from(n)).sum()
    }

    #[test]
    fn after_a_long_time_it_is_in_steady_state() {
        let mut queue = Transient::empty(3, 2.0);
        queue.pass(4.5, 200.0);
        let busy: f64 = queue.chances()[3..].iter().sum();
        let expected = erlang::erlang_c(3, 2.25).unwrap();
        assert!((busy / expected - 1.0).abs() < 1e-9, "{busy} {expected}");
    }

    #[test]
    fn who_comes_and_who_goes_is_all_that_changes_the_number() {
        let mut queue = Transient::empty(2, 1.0);
        let mut before = 0.0;
        for (rate, time) in [(1.5, 0.7), (5.0, 3.0), (0.0, 2.0), (0.3, 40.0)] {
            let meanwhile = queue.pass(rate, time);
            let busy: f64 = meanwhile.iter().zip(0..).map(|(chance, n)| chance * f64::from(2.min(n))).sum();
            let after = mean(queue.chances());
            assert!((after - before - (rate - busy) * time).abs() < 1e-9 * (1.0 + rate * time));
            assert!((meanwhile.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            before = after;
        }
    }

    #[test]
    fn infinitely_many_servers_leave_a_poisson_number() {
        let mut queue = Transient::empty(10_000, 1.0);
        queue.pass(3.0, 0.5);
        // 1 - e^{-t} of those who came at rate 3 are there.
        let expected = 3.0 * (1.0 - (-0.5f64).exp());
        assert!((mean(queue.chances()) - expected).abs() < 1e-9);
        assert!((queue.chances()[0] - (-expected).exp()).abs() < 1e-9);
    }
}

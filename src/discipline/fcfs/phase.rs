//! PH/PH/c: interarrival and service times of a few exponential phases, solved exactly.
//!
//! | symbol   | meaning                                                                | unit       |
//! |----------|------------------------------------------------------------------------|------------|
//! | `A*, B*` | transforms of interarrival and service time                            | 1          |
//! | `z`      | root in the unit disk: levels of the queue fall by `z`                 | 1          |
//! | `θ_j(z)` | roots of `z B*(θ) = 1`, one for each phase of service                  | per second |
//! | `η`      | `-(θ_{j1} + … + θ_{jc})`, with `A*(η) = z`                             | per second |
//!
//! With all servers busy each serves on its own, so the eigenvalues of the whole are sums over the servers, and each
//! multiset of phases gives one root of a scalar equation. Each root is one exponential `exp(-ηt)` of the wait. Its
//! weight follows from the balance of the levels at which servers are free.
//!
//! Source: Bertsimas (1990); Asmussen and Møller, Calculation of the steady state waiting time distribution in
//! GI/PH/c and MAP/PH/c queues, Queueing Systems 37 (2001).

use super::{Arrivals, Queue};
use crate::discipline::{Delay, Term};
use crate::distribution::{Distribution, Hyperexponential, Law};
use crate::math::roots;
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;
use std::collections::HashMap;

/// Exponential phases a time is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Phases {
    /// One of up to two exponentials: `(probability, rate)` each.
    OneOf(Vec<(f64, f64)>),
    /// So many exponentials of this rate, one after the other.
    InARow(u32, f64),
}

impl Phases {
    /// The phases of a law, when it has at most two in parallel or some in a row.
    pub fn of(law: &Law) -> Option<Phases> {
        match law {
            Law::Exponential(law) if law.mean > 0.0 => Some(Phases::OneOf(vec![(1.0, 1.0 / law.mean)])),
            Law::Erlang(law) if law.mean > 0.0 => Some(Phases::InARow(law.stages, f64::from(law.stages) / law.mean)),
            Law::Hyperexponential(law) if law.means.iter().all(|m| *m > 0.0) => {
                let parts = law.weights.iter().zip(law.means).map(|(w, mean)| (*w, 1.0 / mean));
                Some(Phases::OneOf(parts.filter(|(w, _)| *w > 1e-14).collect()))
            }
            Law::Mixture(mixture) => {
                let mut parts: Vec<(f64, f64)> = Vec::new();
                for (weight, law) in mixture.parts() {
                    let Phases::OneOf(inner) = Phases::of(law)? else { return None };
                    parts.extend(inner.into_iter().map(|(p, rate)| (p * weight, rate)));
                }
                (parts.len() <= 2).then_some(Phases::OneOf(parts))
            }
            _ => None,
        }
    }

    fn count(&self) -> usize {
        match self {
            Phases::OneOf(parts) => parts.len(),
            Phases::InARow(stages, _) => *stages as usize,
        }
    }

    /// Probability to start in phase `i`.
    fn start(&self, i: usize) -> f64 {
        match self {
            Phases::OneOf(parts) => parts[i].0,
            Phases::InARow(..) => f64::from(u8::from(i == 0)),
        }
    }

    /// Rate of leaving phase `i`.
    fn rate(&self, i: usize) -> f64 {
        match self {
            Phases::OneOf(parts) => parts[i].1,
            Phases::InARow(_, rate) => *rate,
        }
    }

    /// The phase after phase `i`; `None` when the time is over.
    fn next(&self, i: usize) -> Option<usize> {
        match self {
            Phases::OneOf(_) => None,
            Phases::InARow(stages, _) => (i + 1 < *stages as usize).then_some(i + 1),
        }
    }

    fn transform(&self, s: Complex64) -> Complex64 {
        match self {
            Phases::OneOf(parts) => parts.iter().map(|(p, rate)| p * rate / (s + rate)).sum(),
            Phases::InARow(stages, rate) => (rate / (s + rate)).powu(*stages),
        }
    }

    /// Row vector `start × (s - T)^-1`: the left eigenvector of `T + z t α` at its eigenvalue `s`.
    fn eigenvector(&self, s: Complex64) -> Vec<Complex64> {
        match self {
            Phases::OneOf(parts) => parts.iter().map(|(p, rate)| *p / (s + rate)).collect(),
            Phases::InARow(stages, rate) => (0..*stages).map(|i| (rate / (s + rate)).powu(i) / (s + rate)).collect(),
        }
    }

    /// `θ_j(z)` for real `z` between 0 and 1, the largest first; phases in parallel only.
    fn real_eigenvalues(parts: &[(f64, f64)], z: f64) -> Vec<f64> {
        match parts {
            [(_, rate)] => vec![-rate * (1.0 - z)],
            [(p, a), (q, b)] => {
                // (θ + a)(θ + b) = z (p a (θ + b) + q b (θ + a)), solved by the stable form of the quadratic formula.
                let sum = a + b - z * (p * a + q * b);
                let product = a * b * (1.0 - z * (p + q));
                let root = (sum * sum - 4.0 * product).max(0.0).sqrt();
                let low = -0.5 * (sum + root);
                vec![product / low, low]
            }
            _ => Vec::new(),
        }
    }
}

/// Matrices up to this size are solved; beyond, an approximation is nearer than the rounding.
const LARGEST: usize = 70;

/// Servers beyond which the eigenvectors of parallel phases are too nearly dependent for double precision.
const MOST_SERVERS: u32 = 20;

/// The exact wait of a stable queue whose laws are of a few phases; `None` when they are not, or are too many.
pub(super) fn solve(queue: &Queue) -> Option<Delay> {
    let service = Phases::of(&queue.service)?;
    let arrivals = match &queue.arrivals {
        Arrivals::Poisson => Phases::OneOf(vec![(1.0, queue.arrival_rate)]),
        Arrivals::Renewal(law) => Phases::of(law)?,
        Arrivals::Scv(_) => return None,
    };
    let c = queue.servers as usize;
    let size = compositions_count(c, service.count()).checked_mul(arrivals.count())?;
    if size > LARGEST || queue.servers > MOST_SERVERS {
        return None;
    }
    Levels::new(arrivals, service, c, queue.arrival_rate).wait()
}

/// The wait of a stable queue with its laws replaced by phases of the same first moments; `None` when that takes too
/// many phases. Variabilities between those of two numbers of stages mix the two answers.
pub(super) fn approximate(queue: &Queue) -> Option<Delay> {
    let arrivals = fitted_arrivals(queue)?;
    let service = fitted(&queue.service, queue.servers)?;
    let mut mixed = Vec::new();
    for (p, arrivals) in &arrivals {
        for (q, service) in &service {
            let size = compositions_count(queue.servers as usize, service.count()).checked_mul(arrivals.count())?;
            if size > LARGEST || queue.servers > MOST_SERVERS {
                return None;
            }
            let levels = Levels::new(arrivals.clone(), service.clone(), queue.servers as usize, queue.arrival_rate);
            let Delay::Exponentials(terms) = levels.wait()? else { return None };
            mixed.extend(terms.into_iter().map(|term| Term { weight: term.weight * p * q, ..term }));
        }
    }
    Some(Delay::Exponentials(mixed))
}

/// A queue with limited places in steady state: chance that an arrival is refused, and for each number of requests ahead
/// of the last free server the chance that an admitted arrival finds it.
pub(super) struct LimitedPhases {
    pub blocking: f64,
    pub ahead: Vec<f64>,
    pub queue_length: f64,
}

/// More multiplications than this are left to a formula.
const MOST_WORK: f64 = 3e6;

/// A queue with `capacity` places, its laws replaced by phases of the same first moments; `None` when that takes too
/// much work.
pub(super) fn limited(queue: &Queue, capacity: usize) -> Option<LimitedPhases> {
    let arrivals = fitted_arrivals(queue)?;
    let service = fitted(&queue.service, queue.servers)?;
    let c = queue.servers as usize;
    let waiting = capacity - c;
    let mut sum = LimitedPhases { blocking: 0.0, ahead: vec![0.0; waiting], queue_length: 0.0 };
    for (p, arrivals) in &arrivals {
        for (q, service) in &service {
            let size = compositions_count(c, service.count()).checked_mul(arrivals.count())?;
            if (size as f64).powi(3) * capacity as f64 > MOST_WORK || queue.servers > MOST_SERVERS {
                return None;
            }
            let levels = Levels::new(arrivals.clone(), service.clone(), c, queue.arrival_rate);
            let part = levels.limited(waiting)?;
            sum.blocking += p * q * part.blocking;
            sum.queue_length += p * q * part.queue_length;
            sum.ahead.iter_mut().zip(&part.ahead).for_each(|(sum, chance)| *sum += p * q * chance);
        }
    }
    Some(sum)
}

/// Phases like the interarrival times of a queue, mixed by weight.
fn fitted_arrivals(queue: &Queue) -> Option<Vec<(f64, Phases)>> {
    match &queue.arrivals {
        Arrivals::Poisson => Some(vec![(1.0, Phases::OneOf(vec![(1.0, queue.arrival_rate)]))]),
        Arrivals::Renewal(law) => fitted(law, 1),
        Arrivals::Scv(scv) => of_two_moments(1.0 / queue.arrival_rate, *scv, 1),
    }
}

/// How much of a law's third moment its two phases take on, against that of balanced means, on a logarithmic scale.
///
/// With several servers a very long service holds one of them and lets the others go on, so two phases with the whole
/// third moment of a lognormal law wait too little: by 13% at four servers, cv 2 and utilization 0.6. With three tenths
/// of it the mean wait is right to 2% and its 95th percentile to 3%, from 2 to 16 servers (see docs/accuracy.md).
const THIRD_MOMENT_SHARE: f64 = 0.3;

/// Phases like a law, mixed by weight: its own, or with its first two moments and a share of its third. `copies` of them
/// run at once.
fn fitted(law: &Law, copies: u32) -> Option<Vec<(f64, Phases)>> {
    if let Some(phases) = Phases::of(law).filter(|phases| phases.count() <= most_stages(copies)) {
        return Some(vec![(1.0, phases)]);
    }
    let (mean, scv) = (law.mean(), law.scv());
    if scv > 1.0 + 1e-6 && scv < 1e4 {
        let balanced = Hyperexponential::new(mean, scv.sqrt()).moment(3);
        let third = (balanced.ln() + THIRD_MOMENT_SHARE * (law.moment(3).min(1e3 * balanced) / balanced).ln()).exp();
        if let Some(phases) = of_three_moments(mean, law.moment(2), third) {
            return Some(vec![(1.0, phases)]);
        }
    }
    of_two_moments(mean, scv, copies)
}

/// Two exponentials in parallel with these moments, where they exist (Whitt, 1982): the scaled moments must lie above
/// the exponential's.
fn of_three_moments(m1: f64, m2: f64, m3: f64) -> Option<Phases> {
    // In units of factorials: x1 = Σ p a, x2 = Σ p a², x3 = Σ p a³ over the two means a.
    let (x1, x2, x3) = (m1, 0.5 * m2, m3 / 6.0);
    let spread = x2 - x1 * x1;
    if !(spread > 1e-9 * x1 * x1 && x3.is_finite()) {
        return None;
    }
    // The means are the roots of a² - s a + q, by the recursion x3 = s x2 - q x1, x2 = s x1 - q.
    let s = (x3 - x1 * x2) / spread;
    let q = s * x1 - x2;
    let root = (s * s - 4.0 * q).sqrt();
    let (long, short) = (0.5 * (s + root), 0.5 * (s - root));
    if !(short > 0.0 && long > short) {
        return None;
    }
    let p = (x1 - short) / (long - short);
    (p > 0.0 && p < 1.0).then(|| Phases::OneOf(vec![(p, 1.0 / long), (1.0 - p, 1.0 / short)]))
}

/// Phases with this mean and variability, mixed by weight: parallel ones above one, stages in a row below.
fn of_two_moments(mean: f64, scv: f64, copies: u32) -> Option<Vec<(f64, Phases)>> {
    if scv > 1.0 + 1e-9 {
        return Phases::of(&Law::Hyperexponential(Hyperexponential::new(mean, scv.sqrt()))).map(|p| vec![(1.0, p)]);
    }
    let in_a_row = |stages: u32| Phases::InARow(stages, f64::from(stages) / mean);
    let most = most_stages(copies) as u32;
    let fewer = (1.0 / scv.max(1e-9) + 1e-9).floor().min(f64::from(most)) as u32;
    if fewer == most || fewer == 0 {
        // Fewer stages than the law asks for: near enough from five on, which leave a variability of 0.2.
        let near = most >= 5 || (scv - 1.0 / f64::from(most)).abs() < 1e-9;
        return near.then(|| vec![(1.0, in_a_row(most))]);
    }
    // The wait is nearly straight in the variability of service.
    let (low, high) = (1.0 / f64::from(fewer + 1), 1.0 / f64::from(fewer));
    let share = ((scv - low) / (high - low)).clamp(0.0, 1.0);
    let parts = [(share, in_a_row(fewer)), (1.0 - share, in_a_row(fewer + 1))];
    Some(parts.into_iter().filter(|(weight, _)| *weight > 1e-9).collect())
}

/// Stages that as many servers can each run through without too many states.
fn most_stages(copies: u32) -> usize {
    let fits = |stages: &usize| compositions_count(copies as usize, *stages) <= LARGEST / 2;
    (1..=20).take_while(fits).last().unwrap_or(1)
}

/// Ways to put `n` jobs into `m` phases.
fn compositions_count(n: usize, m: usize) -> usize {
    let mut count = 1usize;
    for i in 1..m {
        count = count.saturating_mul(n + i) / i;
        if count > 100_000 {
            return count;
        }
    }
    count
}

fn compositions(n: usize, m: usize) -> Vec<Vec<usize>> {
    if m == 1 {
        return vec![vec![n]];
    }
    (0..=n)
        .rev()
        .flat_map(|first| {
            compositions(n - first, m - 1).into_iter().map(move |mut rest| {
                rest.insert(0, first);
                rest
            })
        })
        .collect()
}

struct Levels {
    arrivals: Phases,
    service: Phases,
    servers: usize,
    arrival_rate: f64,
    /// States of each level up to all servers busy, and their numbers.
    states: Vec<Vec<Vec<usize>>>,
    numbers: Vec<HashMap<Vec<usize>, usize>>,
}

/// One root: how levels fall, how fast the wait falls, and the state in which.
struct Mode {
    z: Complex64,
    eta: Complex64,
    vector: Vec<Complex64>,
}

impl Levels {
    fn new(arrivals: Phases, service: Phases, servers: usize, arrival_rate: f64) -> Levels {
        let states: Vec<_> = (0..=servers).map(|n| compositions(n, service.count())).collect();
        let number = |list: &Vec<Vec<usize>>| list.iter().cloned().enumerate().map(|(i, s)| (s, i)).collect();
        let numbers = states.iter().map(number).collect();
        Levels { arrivals, service, servers, arrival_rate, states, numbers }
    }

    /// Moves within a level: service phases pass on; the diagonal holds all that leaves.
    fn within(&self, n: usize) -> DMatrix<f64> {
        let size = self.states[n].len();
        let mut matrix = DMatrix::zeros(size, size);
        for (from, state) in self.states[n].iter().enumerate() {
            for (i, &jobs) in state.iter().enumerate().filter(|(_, jobs)| **jobs > 0) {
                let rate = jobs as f64 * self.service.rate(i);
                matrix[(from, from)] -= rate;
                if let Some(next) = self.service.next(i) {
                    let mut to = state.clone();
                    to[i] -= 1;
                    to[next] += 1;
                    matrix[(from, self.numbers[n][&to])] += rate;
                }
            }
        }
        matrix
    }

    /// Departures from a level: to one job fewer, or with the next job taken up at once.
    fn departures(&self, n: usize, replaced: bool) -> DMatrix<f64> {
        let below = if replaced { n } else { n - 1 };
        let mut matrix = DMatrix::zeros(self.states[n].len(), self.states[below].len());
        for (from, state) in self.states[n].iter().enumerate() {
            for (i, &jobs) in state.iter().enumerate().filter(|(_, jobs)| **jobs > 0) {
                if self.service.next(i).is_some() {
                    continue;
                }
                let rate = jobs as f64 * self.service.rate(i);
                let mut left = state.clone();
                left[i] -= 1;
                if !replaced {
                    matrix[(from, self.numbers[below][&left])] += rate;
                    continue;
                }
                for j in 0..self.service.count() {
                    let start = self.service.start(j);
                    if start > 0.0 {
                        let mut to = left.clone();
                        to[j] += 1;
                        matrix[(from, self.numbers[below][&to])] += rate * start;
                    }
                }
            }
        }
        matrix
    }

    /// The state after an arrival that finds a free server.
    fn begun(&self, n: usize) -> DMatrix<f64> {
        let mut matrix = DMatrix::zeros(self.states[n].len(), self.states[n + 1].len());
        for (from, state) in self.states[n].iter().enumerate() {
            for j in 0..self.service.count() {
                let mut to = state.clone();
                to[j] += 1;
                matrix[(from, self.numbers[n + 1][&to])] += self.service.start(j);
            }
        }
        matrix
    }

    /// The arrival process: phases passing on, and the rates of arrivals with the phase after.
    fn arrival_matrices(&self) -> (DMatrix<f64>, DMatrix<f64>, DVector<f64>) {
        let m = self.arrivals.count();
        let (mut quiet, mut arrive, mut exit) = (DMatrix::zeros(m, m), DMatrix::zeros(m, m), DVector::zeros(m));
        for i in 0..m {
            let rate = self.arrivals.rate(i);
            quiet[(i, i)] -= rate;
            match self.arrivals.next(i) {
                Some(next) => quiet[(i, next)] += rate,
                None => {
                    exit[i] = rate;
                    (0..m).for_each(|j| arrive[(i, j)] += rate * self.arrivals.start(j));
                }
            }
        }
        (quiet, arrive, exit)
    }

    fn wait(&self) -> Option<Delay> {
        let (quiet, arrive, exit) = self.arrival_matrices();
        let m = self.arrivals.count();
        let c = self.servers;
        let identity = |n: usize| DMatrix::<f64>::identity(n, n);
        let same = |n: usize| quiet.kronecker(&identity(self.states[n].len())) + identity(m).kronecker(&self.within(n));
        // Censoring the levels below: what returns to a level from there is folded into it.
        let mut folded = same(0);
        let mut ups: Vec<DMatrix<f64>> = Vec::with_capacity(c);
        let mut downs: Vec<DMatrix<f64>> = Vec::with_capacity(c);
        for n in 1..=c {
            let up = arrive.kronecker(&self.begun(n - 1));
            let down = identity(m).kronecker(&self.departures(n, false));
            // π_{n-1} = π_n × back.
            let back = down * (-folded).try_inverse()?;
            folded = same(n) + &back * &up;
            ups.push(up);
            downs.push(back);
        }
        let modes = self.modes()?;
        let size = self.states[c].len();
        let complex = |matrix: &DMatrix<f64>| matrix.map(Complex64::from);
        // Rows: the modes seen at arrivals, and the modes themselves over arrival and service phases.
        let mut seen = DMatrix::<Complex64>::zeros(size, size);
        let mut whole = DMatrix::<Complex64>::zeros(size, size * m);
        for (i, mode) in modes.iter().enumerate() {
            let phases = self.arrivals.eigenvector(mode.eta);
            let leaving: Complex64 = phases.iter().zip(exit.iter()).map(|(u, rate)| u * rate).sum();
            for (s, value) in mode.vector.iter().enumerate() {
                seen[(i, s)] = leaving * value;
                for (a, phase) in phases.iter().enumerate() {
                    whole[(i, a * size + s)] = mode.z * phase * value;
                }
            }
        }
        let to_modes = seen.try_inverse()?;
        let exits = complex(&exit_matrix(&exit, size));
        let rate_matrix = &exits * &to_modes * &whole;
        let next_down = complex(&identity(m).kronecker(&self.departures(c, true)));
        let balance = complex(&folded) + &rate_matrix * next_down;
        let level = null_vector(&balance)?;
        // Normalise over all levels: those below by folding back, those above as geometric sums.
        let mut total: Complex64 = level.iter().sum();
        let mut below = level.clone();
        for back in downs.iter().rev() {
            below = complex(back).transpose() * &below;
            total += below.iter().sum::<Complex64>();
        }
        let shares = (exits * to_modes).transpose() * &level;
        let mass = |mode: usize| whole.row(mode).iter().sum::<Complex64>() / (1.0 - modes[mode].z);
        total += (0..size).map(|i| shares[i] * mass(i)).sum::<Complex64>();
        let terms: Vec<Term> = modes
            .iter()
            .enumerate()
            .map(|(i, mode)| {
                let seen_mass: Complex64 = mode.vector.iter().sum::<Complex64>() * self.leaving(mode.eta, &exit);
                let weight = shares[i] * seen_mass / (total * self.arrival_rate * (1.0 - mode.z));
                Term { weight, rate: mode.eta }
            })
            .collect();
        sound(terms)
    }

    /// Steady state with so many waiting places.
    fn limited(&self, places: usize) -> Option<LimitedPhases> {
        let (quiet, arrive, exit) = self.arrival_matrices();
        let m = self.arrivals.count();
        let c = self.servers;
        let identity = |n: usize| DMatrix::<f64>::identity(n, n);
        let size = |n: usize| self.states[n.min(c)].len();
        let same = |n: usize| {
            // At the last level an arrival is turned away, and the arrival process goes on.
            let process = if n == c + places { &quiet + &arrive } else { quiet.clone() };
            process.kronecker(&identity(size(n))) + identity(m).kronecker(&self.within(n.min(c)))
        };
        let mut folded = same(0);
        let mut backs: Vec<DMatrix<f64>> = Vec::with_capacity(c + places);
        for n in 1..=c + places {
            let begun = if n <= c { self.begun(n - 1) } else { identity(size(n)) };
            let down = identity(m).kronecker(&self.departures(n.min(c), n > c));
            let back = down * (-folded).try_inverse()?;
            folded = same(n) + &back * arrive.kronecker(&begun);
            backs.push(back);
        }
        let mut level = null_vector(&folded.map(Complex64::from))?.map(|value| value.re);
        let arriving = |level: &DVector<f64>, n: usize| -> f64 {
            (0..m).map(|a| exit[a] * level.rows(a * size(n), size(n)).sum()).sum::<f64>()
        };
        let mut seen = vec![0.0; c + places + 1];
        let mut mass = vec![0.0; c + places + 1];
        for n in (0..=c + places).rev() {
            seen[n] = arriving(&level, n);
            mass[n] = level.sum();
            if n > 0 {
                level = backs[n - 1].transpose() * &level;
            }
        }
        let total: f64 = mass.iter().sum();
        let rate: f64 = seen.iter().sum();
        let blocking = seen[c + places] / rate;
        Some(LimitedPhases {
            blocking,
            ahead: (c..c + places).map(|n| seen[n] / rate / (1.0 - blocking)).collect(),
            queue_length: (c..=c + places).map(|n| (n - c) as f64 * mass[n]).sum::<f64>() / total,
        })
    }

    fn leaving(&self, eta: Complex64, exit: &DVector<f64>) -> Complex64 {
        self.arrivals.eigenvector(eta).iter().zip(exit.iter()).map(|(u, rate)| u * rate).sum()
    }

    /// One mode for each multiset of service eigenvalues.
    fn modes(&self) -> Option<Vec<Mode>> {
        compositions(self.servers, self.service.count())
            .into_iter()
            .map(|multiset| match &self.service {
                Phases::OneOf(parts) => self.real_mode(parts, &multiset),
                Phases::InARow(stages, rate) => self.complex_mode(*stages, *rate, &multiset),
            })
            .collect()
    }

    fn real_mode(&self, parts: &[(f64, f64)], multiset: &[usize]) -> Option<Mode> {
        let eta_at = |z: f64| -> f64 {
            let theta = Phases::real_eigenvalues(parts, z);
            -multiset.iter().zip(&theta).map(|(n, theta)| *n as f64 * theta).sum::<f64>()
        };
        let excess = |z: f64| self.arrivals.transform(eta_at(z).into()).re - z;
        let z = if multiset[0] == self.servers {
            // This one has the trivial root 1 beside the wanted one: start where the excess is below zero.
            let mut gap = 0.5;
            while excess(1.0 - gap) > 0.0 && gap > 1e-13 {
                gap *= 0.5;
            }
            roots::bracketed(0.0, 1.0 - gap, 1e-15, excess)
        } else {
            roots::bracketed(0.0, 1.0, 1e-15, excess)
        };
        let theta = Phases::real_eigenvalues(parts, z);
        let vectors: Vec<Vec<Complex64>> = theta.iter().map(|t| self.service.eigenvector((*t).into())).collect();
        Some(Mode { z: z.into(), eta: eta_at(z).into(), vector: self.symmetric(&vectors, multiset) })
    }

    /// For stages in a row `θ_j = r (ω^j w - 1)` with `w^k = z`: one equation in `w` for each multiset.
    fn complex_mode(&self, stages: u32, rate: f64, multiset: &[usize]) -> Option<Mode> {
        let k = f64::from(stages);
        let omega = |j: usize| Complex64::cis(2.0 * std::f64::consts::PI * j as f64 / k);
        let sum: Complex64 = multiset.iter().enumerate().map(|(j, n)| *n as f64 * omega(j)).sum();
        let c = self.servers as f64;
        let image = |w: Complex64| self.arrivals.transform(rate * (c - w * sum)).powf(1.0 / k);
        let w = if multiset[0] == self.servers {
            let excess = |w: f64| image(w.into()).re - w;
            let mut gap = 0.5;
            while excess(1.0 - gap) > 0.0 && gap > 1e-13 {
                gap *= 0.5;
            }
            Complex64::from(roots::bracketed(0.0, 1.0 - gap, 1e-15, excess))
        } else {
            fixed_point(&image)?
        };
        let z = w.powu(stages);
        let eta = rate * (c - w * sum);
        let vectors: Vec<Vec<Complex64>> =
            (0..stages as usize).map(|j| self.service.eigenvector(rate * (omega(j) * w - 1.0))).collect();
        Some(Mode { z, eta, vector: self.symmetric(&vectors, multiset) })
    }

    /// The product of the servers' eigenvectors, summed over which server has which: the coefficients of
    /// `Π_j (Σ_i x_i v_j(i))^{n_j}`.
    fn symmetric(&self, vectors: &[Vec<Complex64>], multiset: &[usize]) -> Vec<Complex64> {
        let mut level: Vec<Complex64> = vec![Complex64::ONE];
        let mut n = 0;
        for (vector, &times) in vectors.iter().zip(multiset) {
            // Scaled to the largest entry, so that powers neither overflow nor vanish.
            let scale = vector.iter().map(|v| v.norm()).fold(0.0, f64::max);
            for _ in 0..times {
                let mut next = vec![Complex64::ZERO; self.states[n + 1].len()];
                for (state, value) in self.states[n].iter().zip(&level) {
                    for (i, factor) in vector.iter().enumerate() {
                        let mut to = state.clone();
                        to[i] += 1;
                        next[self.numbers[n + 1][&to]] += value * factor / scale;
                    }
                }
                level = next;
                n += 1;
            }
        }
        level
    }
}

/// `t ⊗ I`: the exit rates over arrival phases, for each service state.
fn exit_matrix(exit: &DVector<f64>, size: usize) -> DMatrix<f64> {
    DMatrix::from_columns(std::slice::from_ref(exit)).kronecker(&DMatrix::identity(size, size))
}

/// The row vector `x` with `x M = 0`.
fn null_vector(matrix: &DMatrix<Complex64>) -> Option<DVector<Complex64>> {
    let n = matrix.nrows();
    let mut system = matrix.transpose();
    // One balance equation follows from the others; it gives way to a normalisation.
    system.row_mut(n - 1).fill(Complex64::ONE);
    let mut right = DVector::zeros(n);
    right[n - 1] = Complex64::ONE;
    system.lu().solve(&right)
}

/// A fixed point in the unit disk, by iteration and then Newton's method on a difference quotient.
fn fixed_point(image: &dyn Fn(Complex64) -> Complex64) -> Option<Complex64> {
    let mut w = Complex64::ZERO;
    for step in 0..500 {
        let next = image(w);
        let next = if step < 8 {
            next
        } else {
            let h = Complex64::new(1e-7, 1e-7);
            let slope = (image(w + h) - image(w - h)) / (2.0 * h);
            w - (w - next) / (1.0 - slope)
        };
        let moved = (next - w).norm();
        w = next;
        if moved < 1e-15 {
            return Some(w);
        }
    }
    (w.norm() <= 1.0 && (image(w) - w).norm() < 1e-12).then_some(w)
}

/// The terms as a delay, when they are a distribution at all: rounding may have spoilt nearly dependent modes.
fn sound(terms: Vec<Term>) -> Option<Delay> {
    let kept: Vec<Term> = terms.into_iter().filter(|t| t.weight.norm() > 1e-300).collect();
    let probability: f64 = kept.iter().map(|t| t.weight.re).sum();
    let fine = kept.iter().all(|t| t.weight.is_finite() && t.rate.re > 0.0);
    (fine && probability > 0.0 && probability <= 1.0 + 1e-9).then_some(Delay::Exponentials(kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Erlang;
    use crate::math::erlang::erlang_c;

    fn queue(arrivals: Arrivals, rate: f64, service: Law, servers: u32) -> Queue {
        Queue { arrival_rate: rate, arrivals, service, servers }
    }

    #[test]
    fn memoryless_laws_give_erlang_c() {
        for (c, rho) in [(1, 0.5), (4, 0.9), (16, 0.8)] {
            let rate = f64::from(c) * rho;
            let delay = solve(&queue(Arrivals::Poisson, rate, Law::exponential(1.0), c)).unwrap();
            assert!((delay.probability() / erlang_c(c, rate).unwrap() - 1.0).abs() < 1e-10);
        }
    }

    #[test]
    fn one_server_has_the_mean_of_pollaczek_and_khinchine() {
        let two = Law::Hyperexponential(Hyperexponential::new(0.1, 2.0));
        let four = Law::Erlang(Erlang { mean: 0.1, stages: 4 });
        for (service, scv) in [(two, 4.0), (four, 0.25)] {
            let delay = solve(&queue(Arrivals::Poisson, 7.0, service, 1)).unwrap();
            let exact = 0.7 * 0.1 * (1.0 + scv) / 2.0 / 0.3;
            assert!((delay.mean() / exact - 1.0).abs() < 1e-9, "{scv}");
            assert!((delay.probability() - 0.7).abs() < 1e-9);
        }
    }
}

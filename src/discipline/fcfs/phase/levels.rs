//! The balance of the levels: how many are there, and in which phases.

use super::Phases;
use super::modes::Mode;
use super::states::{self, States};
use crate::discipline::{Delay, Term};
use nalgebra::{ComplexField, DMatrix, DVector};
use num_complex::Complex64;

/// A queue in phases. The state of a level is a phase of the arrivals, and how many servers are in each phase of
/// service; number `a × states + s` for arrival phase `a` and service state `s`.
pub(super) struct Levels {
    pub arrivals: Phases,
    pub service: Phases,
    pub servers: usize,
    arrival_rate: f64,
    /// Service states of each level up to all servers busy.
    pub states: Vec<States>,
    /// Rate of arrivals from each arrival phase.
    exit: Vec<f64>,
}

/// Moves between service states: from, to, and at which rate or with which chance.
type Moves = Vec<(usize, usize, f64)>;

/// A queue with limited places in steady state: chance that an arrival is refused, and for each number of requests ahead
/// of the last free server the chance that an admitted arrival finds it.
pub(in crate::discipline::fcfs) struct LimitedPhases {
    pub blocking: f64,
    pub ahead: Vec<f64>,
    pub queue_length: f64,
}

impl Levels {
    pub fn new(arrivals: Phases, service: Phases, servers: usize, arrival_rate: f64) -> Levels {
        let states = (0..=servers).map(|n| States::new(n, service.count())).collect();
        let rate = |i: usize| if arrivals.next(i).is_none() { arrivals.rate(i) } else { 0.0 };
        let exit = (0..arrivals.count()).map(rate).collect();
        Levels { arrivals, service, servers, arrival_rate, states, exit }
    }

    fn size(&self, n: usize) -> usize {
        self.states[n.min(self.servers)].len()
    }

    /// Moves within a level, the diagonal holding all that leaves. When arrivals are turned away they leave the level
    /// as it is.
    fn within(&self, n: usize, turned_away: bool) -> DMatrix<f64> {
        let (m, size) = (self.arrivals.count(), self.size(n));
        let mut matrix = DMatrix::zeros(m * size, m * size);
        let mut scratch = Vec::new();
        for (s, state) in self.states[n.min(self.servers)].iter().enumerate() {
            for (i, &jobs) in state.iter().enumerate().filter(|(_, jobs)| **jobs > 0) {
                let rate = jobs as f64 * self.service.rate(i);
                let next = self.service.next(i).map(|next| states::moved(state, Some(i), Some(next), &mut scratch));
                for a in 0..m {
                    matrix[(a * size + s, a * size + s)] -= rate;
                    if let Some(next) = next {
                        matrix[(a * size + s, a * size + next)] += rate;
                    }
                }
            }
            for a in 0..m {
                let (at, rate) = (a * size + s, self.arrivals.rate(a));
                matrix[(at, at)] -= rate;
                match self.arrivals.next(a) {
                    Some(next) => matrix[(at, next * size + s)] += rate,
                    None if turned_away => {
                        (0..m).for_each(|b| matrix[(at, b * size + s)] += rate * self.arrivals.start(b));
                    }
                    None => {}
                }
            }
        }
        matrix
    }

    /// Departures from a level: to one job fewer, or with the next job taken up at once.
    fn departures(&self, n: usize, replaced: bool) -> Moves {
        let mut moves = Moves::new();
        let mut scratch = Vec::new();
        for (s, state) in self.states[n.min(self.servers)].iter().enumerate() {
            for (i, &jobs) in state.iter().enumerate().filter(|(_, jobs)| **jobs > 0) {
                if self.service.next(i).is_some() {
                    continue;
                }
                let rate = jobs as f64 * self.service.rate(i);
                if !replaced {
                    moves.push((s, states::moved(state, Some(i), None, &mut scratch), rate));
                    continue;
                }
                for j in 0..self.service.count() {
                    let start = self.service.start(j);
                    if start > 0.0 {
                        moves.push((s, states::moved(state, Some(i), Some(j), &mut scratch), rate * start));
                    }
                }
            }
        }
        moves
    }

    /// Where an arrival that finds `n` there leads, by chance.
    fn begun(&self, n: usize) -> Moves {
        if n >= self.servers {
            return (0..self.size(n)).map(|s| (s, s, 1.0)).collect();
        }
        let mut moves = Moves::new();
        let mut scratch = Vec::new();
        for (s, state) in self.states[n].iter().enumerate() {
            for j in 0..self.service.count() {
                let start = self.service.start(j);
                if start > 0.0 {
                    moves.push((s, states::moved(state, None, Some(j), &mut scratch), start));
                }
            }
        }
        moves
    }

    /// One level up, given the level below with all that returns to it from further below folded into it: the matrix
    /// `back` with `π_{n-1} = π_n × back`, and this level folded.
    fn fold(&self, n: usize, below: DMatrix<f64>, turned_away: bool) -> Option<(DMatrix<f64>, DMatrix<f64>)> {
        let (m, size, under) = (self.arrivals.count(), self.size(n), self.size(n - 1));
        let inverse = (-below).try_inverse()?;
        let mut back = DMatrix::zeros(m * size, m * under);
        for (from, to, rate) in self.departures(n, n > self.servers) {
            for (a, column) in (0..m).flat_map(|a| (0..m * under).map(move |column| (a, column))) {
                back[(a * size + from, column)] += rate * inverse[(a * under + to, column)];
            }
        }
        let mut folded = self.within(n, turned_away);
        let begun = self.begun(n - 1);
        for row in 0..m * size {
            for &(from, to, chance) in &begun {
                let arriving: f64 = (0..m).map(|a| back[(row, a * under + from)] * self.exit[a]).sum();
                for b in 0..m {
                    folded[(row, b * size + to)] += arriving * chance * self.arrivals.start(b);
                }
            }
        }
        Some((back, folded))
    }

    /// The wait with unlimited places.
    pub fn wait(&self) -> Option<Delay> {
        let mut folded = self.within(0, false);
        let mut backs = Vec::with_capacity(self.servers);
        for n in 1..=self.servers {
            let (back, next) = self.fold(n, folded, false)?;
            backs.push(back);
            folded = next;
        }
        let modes = self.modes()?;
        let real = |value: &Complex64| value.im == 0.0;
        if modes.iter().all(|mode| real(&mode.z) && real(&mode.eta) && mode.vector.iter().all(real)) {
            self.waiting(&folded, &backs, &modes, |value| value.re)
        } else {
            self.waiting(&folded, &backs, &modes, |value| value)
        }
    }

    /// The wait from the levels below and the modes above, in real or complex numbers.
    fn waiting<T: ComplexField<RealField = f64> + Copy>(
        &self,
        folded: &DMatrix<f64>,
        backs: &[DMatrix<f64>],
        modes: &[Mode],
        number: fn(Complex64) -> T,
    ) -> Option<Delay> {
        let (m, size) = (self.arrivals.count(), self.size(self.servers));
        // Rows: the modes seen at arrivals, and the modes themselves over arrival and service phases.
        let mut seen = DMatrix::<T>::zeros(size, size);
        let mut whole = DMatrix::<T>::zeros(size, size * m);
        let mut leaving = Vec::with_capacity(size);
        for (i, mode) in modes.iter().enumerate() {
            let phases = self.arrivals.eigenvector(mode.eta);
            leaving.push(phases.iter().zip(&self.exit).map(|(u, rate)| u * rate).sum::<Complex64>());
            for (s, value) in mode.vector.iter().enumerate() {
                seen[(i, s)] = number(leaving[i] * value);
                for (a, phase) in phases.iter().enumerate() {
                    whole[(i, a * size + s)] = number(mode.z * phase * value);
                }
            }
        }
        let to_modes = seen.try_inverse()?;
        // What arrives at the last level finds its way back to it through the levels above.
        let above = &to_modes * &whole;
        let mut balance = folded.map(T::from_real);
        for (from, to, rate) in self.departures(self.servers, true) {
            for s in 0..size {
                for b in 0..m {
                    let part = above[(s, b * size + from)] * T::from_real(rate);
                    for a in 0..m {
                        balance[(a * size + s, b * size + to)] += part * T::from_real(self.exit[a]);
                    }
                }
            }
        }
        let level = null_vector(&balance)?;
        // Normalise over all levels: those below by folding back, those above as geometric sums.
        let mut total: T = level.sum();
        let mut below = level.clone();
        for back in backs.iter().rev() {
            below = back.map(T::from_real).tr_mul(&below);
            total += below.sum();
        }
        let arriving = DVector::from_fn(size, |s, _| {
            (0..m).map(|a| level[a * size + s] * T::from_real(self.exit[a])).fold(T::zero(), |x, y| x + y)
        });
        let shares = to_modes.tr_mul(&arriving);
        let beyond = |i: usize| T::from_real(1.0) - number(modes[i].z);
        for i in 0..size {
            total += shares[i] * whole.row(i).sum() / beyond(i);
        }
        let terms = modes
            .iter()
            .enumerate()
            .map(|(i, mode)| {
                let found = number(mode.vector.iter().sum::<Complex64>() * leaving[i]);
                let weight = shares[i] * found / (total * T::from_real(self.arrival_rate) * beyond(i));
                Term { weight: Complex64::new(weight.real(), weight.imaginary()), rate: mode.eta }
            })
            .collect();
        sound(terms)
    }

    /// Steady state with so many waiting places.
    pub fn limited(&self, places: usize) -> Option<LimitedPhases> {
        let c = self.servers;
        let mut folded = self.within(0, c + places == 0);
        let mut backs = Vec::with_capacity(c + places);
        for n in 1..=c + places {
            let (back, next) = self.fold(n, folded, n == c + places)?;
            backs.push(back);
            folded = next;
        }
        let mut level = null_vector(&folded)?;
        let mut seen = vec![0.0; c + places + 1];
        let mut mass = vec![0.0; c + places + 1];
        for n in (0..=c + places).rev() {
            let size = self.size(n);
            seen[n] = self.exit.iter().enumerate().map(|(a, rate)| rate * level.rows(a * size, size).sum()).sum();
            mass[n] = level.sum();
            if n > 0 {
                level = backs[n - 1].tr_mul(&level);
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
}

/// The row vector `x` with `x M = 0`.
fn null_vector<T: ComplexField<RealField = f64> + Copy>(matrix: &DMatrix<T>) -> Option<DVector<T>> {
    let n = matrix.nrows();
    let mut system = matrix.transpose();
    // One balance equation follows from the others; it gives way to a normalisation.
    system.row_mut(n - 1).fill(T::one());
    let mut right = DVector::zeros(n);
    right[n - 1] = T::one();
    system.lu().solve(&right)
}

/// The terms as a delay, when they are a distribution at all: rounding may have spoilt nearly dependent modes.
fn sound(terms: Vec<Term>) -> Option<Delay> {
    let kept: Vec<Term> = terms.into_iter().filter(|t| t.weight.norm() > 1e-300).collect();
    let probability: f64 = kept.iter().map(|t| t.weight.re).sum();
    let fine = kept.iter().all(|t| t.weight.is_finite() && t.rate.re > 0.0);
    (fine && probability > 0.0 && probability <= 1.0 + 1e-9).then_some(Delay::Exponentials(kept))
}

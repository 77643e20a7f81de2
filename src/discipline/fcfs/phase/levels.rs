//! The balance of the levels: how many are there, and in which phases.

use super::Phases;
use super::modes::Mode;
use super::states::States;
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
    pub states: States,
    /// Rate of arrivals from each arrival phase.
    exit: Vec<f64>,
}

/// What is as small beside the largest of them is rounding.
const ROUNDING: f64 = 1e-14;

/// Moves between service states: from, to, and at which rate or with which chance.
type Moves = Vec<(usize, usize, f64)>;

/// A level with all that is below it folded in.
struct Fold {
    /// Moves within it, by way of the levels below too.
    level: DMatrix<f64>,
    /// Departures to the level below.
    departures: Moves,
    /// Times spent below: `π_{n-1} = π_n × departures × stay`.
    stay: DMatrix<f64>,
}

/// A queue with limited places in steady state: chance that an arrival is refused, and for each number of requests ahead
/// of the last free server the chance that an admitted arrival finds it.
pub(in crate::discipline::fcfs) struct LimitedPhases {
    pub blocking: f64,
    pub ahead: Vec<f64>,
    pub queue_length: f64,
}

impl Levels {
    pub fn new(arrivals: Phases, service: Phases, servers: usize, arrival_rate: f64) -> Levels {
        let states = States::new(servers, service.count());
        let rate = |i: usize| if arrivals.next(i).is_none() { arrivals.rate(i) } else { 0.0 };
        let exit = (0..arrivals.count()).map(rate).collect();
        Levels { arrivals, service, servers, arrival_rate, states, exit }
    }

    fn size(&self, n: usize) -> usize {
        self.states.count(n.min(self.servers))
    }

    /// Moves within a level, the diagonal holding all that leaves. When arrivals are turned away they leave the level
    /// as it is.
    fn within(&self, n: usize, turned_away: bool) -> DMatrix<f64> {
        let (m, size) = (self.arrivals.count(), self.size(n));
        let mut matrix = DMatrix::zeros(m * size, m * size);
        let cells = matrix.as_mut_slice();
        let mut add = |from: usize, to: usize, rate: f64| cells[to * m * size + from] += rate;
        let level = n.min(self.servers);
        for (s, i, jobs) in self.states.busy(level) {
            let rate = jobs * self.service.rate(i);
            let next = self.service.next(i).map(|next| self.exchanged(level, s, i, next));
            for a in 0..m {
                add(a * size + s, a * size + s, -rate);
                if let Some(next) = next {
                    add(a * size + s, a * size + next, rate);
                }
            }
        }
        for a in 0..m {
            let rate = self.arrivals.rate(a);
            for s in 0..size {
                let at = a * size + s;
                add(at, at, -rate);
                match self.arrivals.next(a) {
                    Some(next) => add(at, next * size + s, rate),
                    None if turned_away => {
                        (0..m).for_each(|b| add(at, b * size + s, rate * self.arrivals.start(b)));
                    }
                    None => {}
                }
            }
        }
        matrix
    }

    /// The state after one job went from one phase to another, or left and gave way to one that begins there.
    fn exchanged(&self, level: usize, state: usize, from: usize, to: usize) -> usize {
        self.states.raised(level - 1, self.states.lowered(level, state, from), to)
    }

    /// Departures from a level: to one job fewer, or with the next job taken up at once.
    fn departures(&self, n: usize, replaced: bool) -> Moves {
        let level = n.min(self.servers);
        let mut moves = Moves::with_capacity(self.size(n) * self.service.count() * 2);
        for (s, i, jobs) in self.states.busy(level).filter(|(_, i, _)| self.service.next(*i).is_none()) {
            let rate = jobs * self.service.rate(i);
            if replaced {
                let begins = (0..self.service.count()).map(|j| (j, self.service.start(j)));
                let begins = begins.filter(|(_, start)| *start > 0.0);
                moves.extend(begins.map(|(j, start)| (s, self.exchanged(level, s, i, j), rate * start)));
            } else {
                moves.push((s, self.states.lowered(level, s, i), rate));
            }
        }
        moves
    }

    /// Where an arrival that finds `n` there leads, by chance.
    fn begun(&self, n: usize) -> Moves {
        let size = self.size(n);
        if n >= self.servers {
            return (0..size).map(|s| (s, s, 1.0)).collect();
        }
        let begins = (0..self.service.count()).map(|j| (j, self.service.start(j))).filter(|(_, start)| *start > 0.0);
        begins.flat_map(|(j, start)| (0..size).map(move |s| (s, self.states.raised(n, s, j), start))).collect()
    }

    /// One level up, given the level below with all that returns to it from further below folded into it.
    fn fold(&self, n: usize, below: DMatrix<f64>, turned_away: bool) -> Option<Fold> {
        let (m, size, under) = (self.arrivals.count(), self.size(n), self.size(n - 1));
        let stay = (-below).try_inverse()?;
        // How those below come back: from each state there to each state here.
        let mut up = DMatrix::<f64>::zeros(m * under, size);
        for (from, to, chance) in self.begun(n - 1) {
            for (a, exit) in self.exit.iter().enumerate().filter(|(_, exit)| **exit > 0.0) {
                up.column_mut(to).axpy(chance * exit, &stay.column(a * under + from), 1.0);
            }
        }
        let departures = self.departures(n, n > self.servers);
        let mut level = self.within(n, turned_away);
        for (column, folded) in level.as_mut_slice().chunks_exact_mut(m * size).enumerate() {
            let start = self.arrivals.start(column / size);
            if start > 0.0 {
                let up = &up.as_slice()[column % size * m * under..][..m * under];
                for (here, below) in folded.chunks_exact_mut(size).zip(up.chunks_exact(under)) {
                    for &(from, to, rate) in &departures {
                        here[from] += rate * start * below[to];
                    }
                }
            }
        }
        Some(Fold { level, departures, stay })
    }

    /// The wait with unlimited places.
    pub fn wait(&self) -> Option<Delay> {
        let m = self.arrivals.count();
        let mut level = self.within(0, false);
        // How much is at a level and all below it, for each share of the level's states.
        let mut mass = DVector::from_element(m, 1.0);
        for n in 1..=self.servers {
            let fold = self.fold(n, level, false)?;
            let (below, size, under) = (fold.stay * mass, self.size(n), self.size(n - 1));
            mass = DVector::from_element(m * size, 1.0);
            for (from, to, rate) in fold.departures {
                (0..m).for_each(|a| mass[a * size + from] += rate * below[a * under + to]);
            }
            level = fold.level;
        }
        match &self.service {
            Phases::OneOf(parts) => self.waiting(&level, &mass, &self.real_modes(parts)),
            Phases::InARow(stages, rate) => self.waiting(&level, &mass, &self.complex_modes(*stages, *rate)?),
        }
    }

    /// The wait from the levels below and the modes above.
    fn waiting<T: ComplexField<RealField = f64> + Copy>(
        &self,
        folded: &DMatrix<f64>,
        mass: &DVector<f64>,
        modes: &[Mode<T>],
    ) -> Option<Delay> {
        let (m, size) = (self.arrivals.count(), self.size(self.servers));
        // Rows: the modes seen at arrivals, and the modes themselves over arrival and service phases.
        let mut seen = DMatrix::<T>::zeros(size, size);
        let mut whole = DMatrix::<T>::zeros(size, size * m);
        let mut leaving = Vec::with_capacity(size);
        for (i, mode) in modes.iter().enumerate() {
            let phases = self.arrivals.eigenvector(mode.eta);
            let left = phases.iter().zip(&self.exit).fold(T::zero(), |sum, (u, rate)| sum + *u * T::from_real(*rate));
            leaving.push(left);
            for (s, value) in mode.vector.iter().enumerate() {
                seen[(i, s)] = left * *value;
                for (a, phase) in phases.iter().enumerate() {
                    whole[(i, a * size + s)] = mode.z * *phase * *value;
                }
            }
        }
        let to_modes = seen.try_inverse()?;
        // What arrives at the last level finds its way back to it through the levels above.
        let above = &to_modes * &whole;
        let mut balance = folded.map(T::from_real);
        for (from, to, rate) in self.departures(self.servers, true) {
            for b in 0..m {
                let above = above.column(b * size + from);
                let mut column = balance.column_mut(b * size + to);
                for (a, exit) in self.exit.iter().enumerate().filter(|(_, exit)| **exit > 0.0) {
                    column.rows_mut(a * size, size).axpy(T::from_real(rate * exit), &above, T::one());
                }
            }
        }
        let level = null_vector(&balance)?;
        let arriving = DVector::from_fn(size, |s, _| {
            (0..m).map(|a| level[a * size + s] * T::from_real(self.exit[a])).fold(T::zero(), |x, y| x + y)
        });
        let shares = to_modes.tr_mul(&arriving);
        // Normalise over all levels: those below folded in, those above as geometric sums.
        let mut total = level.iter().zip(mass).fold(T::zero(), |sum, (share, mass)| sum + *share * T::from_real(*mass));
        let beyond = |i: usize| T::one() - modes[i].z;
        for i in 0..size {
            total += shares[i] * whole.row(i).sum() / beyond(i);
        }
        let complex = |value: T| Complex64::new(value.real(), value.imaginary());
        let term = |(i, mode): (usize, &Mode<T>)| {
            let found = mode.vector.iter().fold(T::zero(), |sum, value| sum + *value) * leaving[i];
            let weight = shares[i] * found / (total * T::from_real(self.arrival_rate) * beyond(i));
            Term { weight: complex(weight), rate: complex(mode.eta) }
        };
        sound(modes.iter().enumerate().map(term).collect())
    }

    /// Steady state with so many waiting places.
    pub fn limited(&self, places: usize) -> Option<LimitedPhases> {
        let c = self.servers;
        let m = self.arrivals.count();
        let mut folded = self.within(0, c + places == 0);
        let mut folds: Vec<(Moves, DMatrix<f64>)> = Vec::with_capacity(c + places);
        let (mut n, last) = (1, c + places);
        while n <= last {
            let Fold { level, departures, stay } = self.fold(n, folded, n == last)?;
            // With all servers busy levels differ by what is far below alone, until that makes no difference.
            let alike = n > c + 1 && folds.last().is_some_and(|(_, before)| is_near(before, &stay));
            folds.push((departures, stay));
            folded = level;
            n = if alike && n < last { last } else { n + 1 };
        }
        let mut level = null_vector(&folded)?;
        let mut seen = vec![0.0; c + places + 1];
        let mut mass = vec![0.0; c + places + 1];
        for n in (0..=c + places).rev() {
            let size = self.size(n);
            seen[n] = self.exit.iter().enumerate().map(|(a, rate)| rate * level.rows(a * size, size).sum()).sum();
            mass[n] = level.sum();
            if n > 0 {
                let (departures, stay) = &folds[(n - 1).min(folds.len() - 1)];
                let under = self.size(n - 1);
                let mut left = DVector::zeros(m * under);
                for (from, to, rate) in departures {
                    (0..m).for_each(|a| left[a * under + to] += rate * level[a * size + from]);
                }
                level = stay.tr_mul(&left);
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

/// Whether two matrices differ by no more than rounding.
fn is_near(a: &DMatrix<f64>, b: &DMatrix<f64>) -> bool {
    let apart = a.iter().zip(b.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    apart <= ROUNDING * a.amax()
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

//! Factors by which what lies at the points of a lattice enters its transform on a rung of a ladder: a column for each offset.

use crate::math::ladder::{self, FINEST, NODES};
use crate::math::quadrature;
use num_complex::Complex64;
use std::sync::LazyLock;

/// The real parts of all nodes, then the imaginary parts.
type Column = [f64; 2 * NODES];

/// The columns of one fineness.
pub(super) struct Columns {
    first: i32,
    /// `[offset - first]`.
    columns: Vec<Column>,
}

/// For what lies at the points themselves.
pub(super) static POINTS: [LazyLock<Columns>; FINEST + 1] = [
    LazyLock::new(|| Columns::of_points(0)),
    LazyLock::new(|| Columns::of_points(1)),
    LazyLock::new(|| Columns::of_points(2)),
    LazyLock::new(|| Columns::of_points(3)),
];

/// For a density that is interpolated between them.
pub(super) static BETWEEN: [LazyLock<Columns>; FINEST + 1] = [
    LazyLock::new(|| Columns::of_interpolation(0)),
    LazyLock::new(|| Columns::of_interpolation(1)),
    LazyLock::new(|| Columns::of_interpolation(2)),
    LazyLock::new(|| Columns::of_interpolation(3)),
];

/// The decay of the slowest exponential on a rung, and about that of the one that turns fastest, times the time of the rung.
fn slowest_and_fastest() -> (f64, f64) {
    let real = ladder::EULER.real;
    (real, real.hypot(std::f64::consts::PI * (NODES - 1) as f64))
}

/// The exponentials of all nodes at so many times the time of the rung.
fn exponentials(x: f64) -> Column {
    let turn = Complex64::cis(-std::f64::consts::PI * x);
    let mut value = Complex64::from((-ladder::EULER.real * x).exp());
    let mut column = [0.0; 2 * NODES];
    for k in 0..NODES {
        (column[k], column[NODES + k]) = (value.re, value.im);
        value *= turn;
    }
    column
}

impl Columns {
    /// The offsets before which the exponentials are one, but for 1e-9, and some more than those after which they are zero, but for 1e-12,
    /// since four are summed at once.
    fn range(h: f64) -> (i32, i32) {
        let (slowest, fastest) = slowest_and_fastest();
        let at = |x: f64| (x.ln() / h).ceil() as i32;
        (at(1e-9 / fastest), at(28.0 / slowest) + 4)
    }

    fn of_points(fineness: usize) -> Columns {
        let h = ladder::step(fineness);
        let (first, last) = Columns::range(h);
        Columns { first, columns: (first..=last).map(|i| exponentials((h * f64::from(i)).exp())).collect() }
    }

    fn of_interpolation(fineness: usize) -> Columns {
        let h = ladder::step(fineness);
        let (first, last) = Columns::range(h);
        let (_, fastest) = slowest_and_fastest();
        let bent = ((0.05 / (fastest * h)).ln() / h).ceil() as i32;
        let mut columns = vec![[0.0; 2 * NODES]; (last - first + 1) as usize];
        for i in first..bent {
            // So slow that the interpolation's vanishing moments leave the value at the point.
            columns[(i - first) as usize] = exponentials((h * f64::from(i)).exp());
        }
        for cell in bent - 3..=last + 2 {
            let turns = fastest * h * (h * f64::from(cell + 1)).exp();
            let pieces = (turns / 12.0).ceil().max(1.0);
            for piece in 0..pieces as usize {
                let from = piece as f64 / pieces;
                for (u, weight) in quadrature::panel(from, from + 1.0 / pieces) {
                    let values = exponentials((h * (f64::from(cell) + u)).exp());
                    for (neighbour, share) in (cell - 2..).zip(quintic(u)) {
                        if (bent..=last).contains(&neighbour) {
                            let sums = columns[(neighbour - first) as usize].iter_mut();
                            sums.zip(&values).for_each(|(sum, value)| *sum += weight * share * value);
                        }
                    }
                }
            }
        }
        Columns { first, columns }
    }

    /// The columns at an offset; `None` where they vanish.
    fn column(&self, offset: i32) -> Option<&Column> {
        self.columns.get((offset - self.first).max(0) as usize)
    }

    /// What these amounts at offsets from this one on add up to at each node.
    pub fn sum(&self, from: i32, amounts: &[f64], out: &mut [Complex64]) {
        let mut sums = [0.0; 2 * NODES];
        // Four points at once: the sums stay in registers.
        for (amounts, offset) in amounts.chunks(4).zip((from..).step_by(4)) {
            let columns = std::array::from_fn(|i| self.column(offset + i as i32));
            let amount = std::array::from_fn(|i| amounts.get(i).copied().unwrap_or(0.0));
            let ([Some(a), Some(b), Some(c), Some(d)], [p, q, r, s]) = (columns, amount) else { break };
            for k in 0..2 * NODES {
                sums[k] += p * a[k] + q * b[k] + r * c[k] + s * d[k];
            }
        }
        let (real, imaginary) = sums.split_at(NODES);
        out.iter_mut().zip(real.iter().zip(imaginary)).for_each(|(value, (re, im))| *value = Complex64::new(*re, *im));
    }
}

/// Weights of the six points around `u` in [0, 1], at -2 to 3, in the interpolation of degree five.
fn quintic(u: f64) -> [f64; 6] {
    std::array::from_fn(|i| {
        let own = i as f64 - 2.0;
        (0..6).filter(|j| *j != i).map(|j| j as f64 - 2.0).map(|other| (u - other) / (own - other)).product()
    })
}

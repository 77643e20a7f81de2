//! Times a fixed ratio apart, at which many transforms are inverted on shared lines.
//!
//! | symbol | meaning                                     | unit    |
//! |--------|---------------------------------------------|---------|
//! | `u`    | unit of time of a model                     | seconds |
//! | `h`    | step of the lattice, `ln 2 / 4`             | 1       |
//!
//! Rungs lie at `u exp(3 h r)`. A law whose mass lies on the lattice `u exp(h j)` needs the same exponentials on every
//! rung, because only `j - 3 r` counts: they are computed once for all models.

use super::inversion::{Euler, Line};
use crate::unit::Seconds;
use std::sync::LazyLock;

/// Logarithm of the ratio of neighbouring lattice points.
pub const STEP: f64 = std::f64::consts::LN_2 / 4.0;

/// Lattice steps from rung to rung: a tail and its slope known at times a factor 1.7 apart give percentiles to 0.05%.
pub const STEPS_PER_RUNG: i32 = 3;

/// Evaluations of a transform for one rung.
pub const NODES: usize = 2 * ORDER + 1;

const ORDER: usize = 10;

/// The inversion on a rung: tails to about 1e-6.
pub static EULER: LazyLock<Euler> = LazyLock::new(|| Euler::of_order(ORDER));

/// The rungs for one unit of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ladder {
    /// The time of rung 0, in seconds, above zero.
    pub unit: Seconds,
}

impl Ladder {
    /// The time of a lattice point, counted from rung 0.
    pub fn point(&self, step: i32) -> Seconds {
        self.unit * (STEP * f64::from(step)).exp()
    }

    /// The time of a rung.
    pub fn time(&self, rung: i32) -> Seconds {
        self.point(STEPS_PER_RUNG * rung)
    }

    /// Where a time lies between the rungs.
    pub fn position(&self, t: Seconds) -> f64 {
        (t / self.unit).ln() / (STEP * f64::from(STEPS_PER_RUNG))
    }

    /// The line on which transforms are wanted for a rung.
    pub fn line(&self, rung: i32) -> Line {
        EULER.line(self.time(rung), 0.0)
    }
}

/// Lattices of half, a quarter and an eighth of the step serve what varies little.
pub const FINEST: usize = 3;

/// Neighbouring points of a lattice whose step is halved so often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// The time of point 0.
    pub unit: Seconds,
    /// How often the step is halved.
    pub fineness: usize,
    /// Number of the first point.
    pub first: i32,
    /// How many they are.
    pub count: usize,
}

impl Stretch {
    /// The finest from `low` to `high`, or just beyond, of no more points than this, if there is one; else the coarsest.
    pub fn between(ladder: &Ladder, low: Seconds, high: Seconds, most: usize) -> Stretch {
        let of = |fineness: usize| {
            let number = |t: Seconds| (t / ladder.unit).ln() / step(fineness);
            let (first, last) = (number(low).floor() as i32, number(high).ceil() as i32);
            Stretch { unit: ladder.unit, fineness, first, count: last.saturating_sub(first).max(1) as usize + 1 }
        };
        (1..=FINEST).rev().map(of).find(|stretch| stretch.count <= most).unwrap_or_else(|| of(0))
    }

    /// Logarithm of the ratio of neighbours.
    pub fn step(&self) -> f64 {
        step(self.fineness)
    }

    /// The time of a point, counted from the first.
    pub fn time(&self, i: usize) -> Seconds {
        self.unit * (self.step() * (f64::from(self.first) + i as f64)).exp()
    }
}

/// Logarithm of the ratio of neighbouring points where the step is halved so often.
pub fn step(fineness: usize) -> f64 {
    STEP / (1u32 << fineness) as f64
}

/// The lattice point at which the time of a line lies, when it is a line for [`EULER`] and lies on the lattice of this
/// unit.
pub fn lattice_point(unit: Seconds, line: Line, nodes: usize) -> Option<i32> {
    if nodes != NODES || line.real <= 0.0 {
        return None;
    }
    let t = EULER.real / line.real;
    let position = (t / unit).ln() / STEP;
    let point = position.round();
    let aligned = (position - point).abs() < 1e-7 && point.abs() < 1e6;
    let shaped = (line.step * t / std::f64::consts::PI - 1.0).abs() < 1e-12;
    (aligned && shaped).then_some(point as i32)
}

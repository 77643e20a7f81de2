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

//! Predictions along one parameter: the curve, its knee and the point of saturation.

use crate::prediction::Prediction;
use crate::system::{Change, EditError, Path, System, Value};

/// Values of one parameter to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// What moves.
    pub path: Path,
    /// Its values, in SI units.
    pub values: Vec<f64>,
    /// Whether it is a whole number.
    pub whole: bool,
}

/// The prediction at one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The value.
    pub value: f64,
    /// The system with it.
    pub system: System,
    /// What is predicted.
    pub prediction: Prediction,
}

/// Predicts at every value.
///
/// # Errors
/// [`EditError`] when the parameter cannot take a value.
pub fn sweep(system: &System, sweep: &Sweep, solve: impl Fn(&System) -> Prediction) -> Result<Vec<Point>, EditError> {
    sweep
        .values
        .iter()
        .map(|value| {
            let mut changed = system.clone();
            let new = if sweep.whole { Value::Count(value.round() as u32) } else { Value::Number(*value) };
            changed.edit(&sweep.path, &Change::Set(new))?;
            let prediction = solve(&changed);
            Ok(Point { value: *value, system: changed, prediction })
        })
        .collect()
}

/// Where along a sweep the system is overloaded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Overloaded {
    /// From this value on.
    From(f64),
    /// Up to this value.
    UpTo(f64),
    /// At every value.
    Everywhere,
}

/// Where along a sweep the system is overloaded, if it is.
pub fn overloaded(points: &[Point]) -> Option<Overloaded> {
    let over: Vec<f64> = points.iter().filter(|point| !point.prediction.stable).map(|point| point.value).collect();
    let (first, last) = (over.first()?, over.last()?);
    Some(if over.len() == points.len() {
        Overloaded::Everywhere
    } else if points.first().is_some_and(|point| !point.prediction.stable) {
        Overloaded::UpTo(*last)
    } else {
        Overloaded::From(*first)
    })
}

/// The knee of a rising curve: where a straight line from its first point to its last is farthest above it, both axes
/// scaled to one. `None` without a bend.
///
/// Source: Satopää, Albrecht, Irwin and Raghavan, Finding a "Kneedle" in a Haystack (2011).
pub fn knee(points: &[(f64, f64)]) -> Option<f64> {
    let (first, last) = (points.first()?, points.last()?);
    let (width, height) = (last.0 - first.0, last.1 - first.1);
    // A curve that hardly rises has no knee, however it bends.
    if points.len() < 3 || width <= 0.0 || height <= 0.2 * first.1 {
        return None;
    }
    let below = |p: &(f64, f64)| (p.0 - first.0) / width - (p.1 - first.1) / height;
    let best = points.iter().max_by(|a, b| below(a).total_cmp(&below(b)))?;
    (below(best) > 0.05).then_some(best.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_knee_of_a_single_server_lies_before_saturation() {
        let points: Vec<(f64, f64)> = (1..99).map(|i| f64::from(i) / 100.0).map(|u| (u, 1.0 / (1.0 - u))).collect();
        let knee = knee(&points).unwrap();
        assert!(knee > 0.75 && knee < 0.95, "{knee}");
        assert_eq!(super::knee(&[(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]), None);
    }
}

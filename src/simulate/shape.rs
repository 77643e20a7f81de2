//! Load that is made to change: so many times what the model says, from one time to the next.

use crate::unit::Seconds;

/// Factors on the load of all workloads.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// From when on, by how much; the first one at zero, rising in time. The last one holds for ever.
    points: Vec<(Seconds, f64)>,
}

impl Shape {
    /// Factors from each time on; the first one holds from zero on, whatever its time.
    pub fn new(mut points: Vec<(Seconds, f64)>) -> Shape {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        match points.first_mut() {
            Some(first) => first.0 = 0.0,
            None => points.push((0.0, 1.0)),
        }
        Shape { points }
    }

    /// From when on, by how much.
    pub fn points(&self) -> &[(Seconds, f64)] {
        &self.points
    }

    /// The factor at a time.
    pub fn at(&self, time: Seconds) -> f64 {
        let after = self.points.partition_point(|(from, _)| *from <= time);
        self.points[after.max(1) - 1].1
    }

    /// How far a clock that runs as fast as the load has come at a time.
    pub(super) fn clock(&self, time: Seconds) -> f64 {
        let mut sum = 0.0;
        for (i, (from, factor)) in self.points.iter().enumerate() {
            let to = self.points.get(i + 1).map_or(time, |(next, _)| next.min(time));
            if to > *from {
                sum += factor * (to - from);
            }
        }
        sum
    }

    /// When that clock has come so far; `None` if it never does.
    pub(super) fn time(&self, clock: f64) -> Option<Seconds> {
        let mut left = clock;
        for (i, (from, factor)) in self.points.iter().enumerate() {
            let all = self.points.get(i + 1).map_or(f64::INFINITY, |(next, _)| factor * (next - from));
            if left <= all && *factor > 0.0 {
                return Some(from + left / factor);
            }
            left -= if all.is_finite() { all } else { 0.0 };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_runs_as_fast_as_the_load() {
        let shape = Shape::new(vec![(0.0, 1.0), (10.0, 3.0), (12.0, 0.0), (20.0, 2.0)]);
        assert_eq!([5.0, 10.0, 11.9, 12.0, 30.0].map(|time| shape.at(time)), [1.0, 3.0, 3.0, 0.0, 2.0]);
        for (time, clock) in [(5.0, 5.0), (11.0, 13.0), (12.0, 16.0), (21.0, 18.0)] {
            assert_eq!((shape.clock(time), shape.time(clock)), (clock, Some(time)));
        }
        assert_eq!(shape.clock(15.0), 16.0);
        assert_eq!(Shape::new(vec![(0.0, 1.0), (2.0, 0.0)]).time(3.0), None);
    }
}

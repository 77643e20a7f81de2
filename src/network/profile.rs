//! A load that changes with time, as pieces on each of which its rate is a straight line.

use crate::unit::{PerSecond, Seconds};

/// A piece of a profile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    /// When it begins and ends, in seconds; the last one of a profile without a period never ends.
    pub from: Seconds,
    pub to: Seconds,
    /// Rate at its begin and at its end, per second.
    pub rate: PerSecond,
    pub last: PerSecond,
}

impl Piece {
    /// Arrivals it brings on average from a time on.
    pub fn expected(&self, from: Seconds) -> f64 {
        0.5 * (self.rate_at(from) + self.last) * (self.to - from)
    }

    /// Rate at a time within it.
    pub fn rate_at(&self, time: Seconds) -> PerSecond {
        if self.last == self.rate {
            return self.rate;
        }
        self.rate + (self.last - self.rate) * (time - self.from) / (self.to - self.from)
    }

    /// When it has brought so many from a time on: less than it brings till its end.
    pub fn after(&self, from: Seconds, arrivals: f64) -> Seconds {
        let rate = self.rate_at(from);
        let slope = if self.last == self.rate { 0.0 } else { (self.last - self.rate) / (self.to - self.from) };
        // rate t + slope t² / 2 = arrivals, without cancellation.
        let root = (rate * rate + 2.0 * slope * arrivals).max(0.0).sqrt();
        (from + 2.0 * arrivals / (rate + root)).min(self.to)
    }
}

/// The pieces of one period of a profile, or of all of it.
pub(crate) fn pieces(points: &[(Seconds, PerSecond)], linear: bool, period: Option<Seconds>) -> Vec<Piece> {
    let first = points.first().copied().unwrap_or((0.0, 0.0));
    let end = period.unwrap_or(f64::INFINITY);
    let mut pieces = Vec::with_capacity(points.len() + 1);
    if first.0 > 0.0 {
        // Before the first point the rate is what it was at the end of the period before, or as at that point.
        let before = if period.is_some() { points.last().map_or(first.1, |(_, rate)| *rate) } else { first.1 };
        pieces.push(Piece { from: 0.0, to: first.0, rate: before, last: if linear { first.1 } else { before } });
    }
    for (i, (from, rate)) in points.iter().enumerate() {
        let (to, next) = match points.get(i + 1) {
            Some(next) => *next,
            // To the first point of the next period.
            None if period.is_some() && first.0 == 0.0 => (end, first.1),
            None => (end, *rate),
        };
        if to > *from {
            pieces.push(Piece { from: *from, to, rate: *rate, last: if linear { next } else { *rate } });
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_its_first_point_a_profile_is_what_it_was_at_the_end_of_the_period_before() {
        let rate = |points: &[(f64, f64)], linear, period, t: f64| {
            let pieces = pieces(points, linear, period);
            pieces.iter().find(|piece| piece.to > t).map(|piece| piece.rate_at(t))
        };
        let day = [(6.0, 100.0), (18.0, 10.0)];
        assert_eq!(rate(&day, false, Some(24.0), 3.0), Some(10.0));
        assert_eq!(rate(&day, false, Some(24.0), 12.0), Some(100.0));
        assert_eq!(rate(&day, true, Some(24.0), 3.0), Some(55.0));
        assert_eq!(rate(&day, false, None, 3.0), Some(100.0));
        assert_eq!(rate(&day, false, None, 1e9), Some(10.0));
    }
}

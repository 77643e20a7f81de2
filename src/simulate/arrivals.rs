//! When requests come: one file for every way a workload asks.

use super::shape::Shape;
use crate::distribution::Sampler;
use crate::math::random::{Stream, source};
use crate::network::Workload;
use crate::network::profile::{Piece, pieces};
use crate::system::{ArrivalLaw, Load};
use std::sync::Arc;

/// The arrivals of one workload.
#[derive(Debug)]
pub(super) struct Arrivals<'s> {
    pattern: Pattern,
    stream: Stream,
    /// Which operation of a mix is asked for.
    mix: Stream,
    /// How the load changes, where the pattern does not know.
    shape: Option<&'s Shape>,
}

#[derive(Debug)]
enum Pattern {
    Never,
    /// The mean gap.
    Poisson(f64),
    /// The law of gaps over their mean, and that.
    Renewal(Sampler, f64),
    Burst {
        /// Rates while off and while on, and the mean lengths of these periods.
        rates: [f64; 2],
        lengths: [f64; 2],
        on: usize,
        /// When the present period ends; not known before the first arrival.
        until: Option<f64>,
        periods: Stream,
    },
    Profile(Profile),
    Trace {
        times: Arc<[f64]>,
        next: usize,
    },
    /// Users and the law of the time they think.
    Closed(u32, Sampler),
}

impl<'s> Arrivals<'s> {
    pub fn new(workload: &Workload, shape: Option<&'s Shape>, seed: u64, replication: u64) -> Arrivals<'s> {
        let stream = |number| Stream::new(seed, replication, source(&workload.name, number));
        let pattern = match &workload.load {
            Load::Closed { users, think } => Pattern::Closed(*users, think.sampler()),
            Load::Profile { points, linear, period } => Pattern::Profile(Profile::new(points, *linear, *period, shape)),
            Load::Open { rate, .. } if *rate <= 0.0 => Pattern::Never,
            Load::Open { rate, arrivals } => match arrivals {
                ArrivalLaw::Poisson => Pattern::Poisson(1.0 / rate),
                ArrivalLaw::Renewal(law) => Pattern::Renewal(law.sampler(), 1.0 / rate),
                ArrivalLaw::Burst { ratio, on, off } => {
                    let slow = rate * (on + off) / (ratio * on + off);
                    Pattern::Burst {
                        rates: [slow, slow * ratio],
                        lengths: [*off, *on],
                        on: 0,
                        until: None,
                        periods: stream(2),
                    }
                }
                ArrivalLaw::Trace(times) => Pattern::Trace { times: times.clone(), next: 0 },
            },
        };
        // A profile changes itself, and users come and go as events.
        let shape = shape.filter(|_| !matches!(pattern, Pattern::Profile(_) | Pattern::Closed(..)));
        Arrivals { pattern, stream: stream(0), mix: stream(1), shape }
    }

    /// How many users ask under so many times the load, where users do: each thinks before its first request.
    pub fn users(&self, factor: f64) -> Option<u32> {
        match &self.pattern {
            Pattern::Closed(users, _) => Some((f64::from(*users) * factor).round() as u32),
            _ => None,
        }
    }

    /// When the next request comes; for a closed workload when a user comes back that begins to think now. `None` when no
    /// more come.
    pub fn next(&mut self, now: f64) -> Option<f64> {
        match self.shape {
            None => self.next_of_pattern(now),
            Some(shape) => self.next_of_pattern(shape.clock(now)).and_then(|clock| shape.time(clock)),
        }
    }

    fn next_of_pattern(&mut self, now: f64) -> Option<f64> {
        let stream = &mut self.stream;
        match &mut self.pattern {
            Pattern::Never => None,
            Pattern::Poisson(mean) => Some(now + *mean * stream.exponential()),
            Pattern::Renewal(law, mean) => Some(now + *mean * law.draw(stream)),
            Pattern::Closed(_, think) => Some(now + think.draw(stream)),
            Pattern::Trace { times, next } => {
                let time = times.get(*next).copied();
                *next += 1;
                time
            }
            Pattern::Profile(profile) => profile.next(now, stream.exponential()),
            Pattern::Burst { rates, lengths, on, until, periods } => {
                let mut end = *until.get_or_insert_with(|| {
                    *on = usize::from(periods.chance(lengths[1] / (lengths[0] + lengths[1])));
                    now + lengths[*on] * periods.exponential()
                });
                // What is left of a Poisson process of rate one, through the periods that come.
                let (mut left, mut now) = (stream.exponential(), now);
                while left > rates[*on] * (end - now) {
                    left -= rates[*on] * (end - now);
                    now = end;
                    *on = 1 - *on;
                    end = now + lengths[*on] * periods.exponential();
                }
                *until = Some(end);
                Some(now + left / rates[*on])
            }
        }
    }

    /// Which of several operations a request asks for.
    pub fn choose(&mut self, mix: &[(usize, f64)]) -> usize {
        if let [(operation, _)] = mix {
            return *operation;
        }
        let mut u = self.mix.uniform();
        let found = mix.iter().find(|(_, share)| {
            u -= share;
            u < 0.0
        });
        found.or(mix.last()).map_or(0, |(operation, _)| *operation)
    }
}

/// A Poisson process whose rate changes with time.
#[derive(Debug)]
struct Profile {
    /// From when, until when, with which rate at each end.
    pieces: Vec<Piece>,
    period: Option<f64>,
    /// Arrivals that a whole period brings on average.
    expected: f64,
}

impl Profile {
    fn new(points: &[(f64, f64)], linear: bool, period: Option<f64>, shape: Option<&Shape>) -> Profile {
        let (mut period, mut pieces) = (period, pieces(points, linear, period));
        if let Some(shape) = shape {
            pieces = shaped(&pieces, period, shape);
            period = None;
        }
        let expected = if period.is_some() { pieces.iter().map(|piece| piece.expected(piece.from)).sum() } else { 0.0 };
        Profile { pieces, period, expected }
    }

    /// When the process has brought so many more arrivals on average.
    fn next(&self, now: f64, mut arrivals: f64) -> Option<f64> {
        let mut start = 0.0;
        if let Some(period) = self.period {
            if self.expected <= 0.0 {
                return None;
            }
            start = (now / period).floor() * period;
        }
        let mut from = now - start;
        loop {
            let first = self.pieces.partition_point(|piece| piece.to <= from);
            for piece in &self.pieces[first..] {
                let at = from.max(piece.from);
                let all = if piece.to.is_finite() { piece.expected(at) } else { piece.rate * f64::INFINITY };
                if arrivals < all {
                    return Some(
                        start
                            + if piece.to.is_finite() { piece.after(at, arrivals) } else { at + arrivals / piece.rate },
                    );
                }
                arrivals -= if all.is_nan() { 0.0 } else { all };
            }
            start += self.period?;
            from = 0.0;
        }
    }
}

/// Pieces under a load that changes: periods one after the other for as long as it changes, cut where it does. After its
/// last change the last factor holds for as many periods again.
fn shaped(pieces: &[Piece], period: Option<f64>, shape: &Shape) -> Vec<Piece> {
    let last = shape.points().last().map_or(0.0, |(from, _)| *from);
    let rounds = period.map_or(1, |period| 2 * (last / period).ceil() as usize + 2);
    let mut all = Vec::new();
    for round in 0..rounds {
        let start = round as f64 * period.unwrap_or(0.0);
        for piece in pieces {
            let (from, to) = (start + piece.from, start + piece.to);
            let inside = shape.points().iter().map(|(time, _)| *time).filter(|time| *time > from && *time < to);
            let cuts: Vec<f64> = std::iter::once(from).chain(inside).chain(std::iter::once(to)).collect();
            for pair in cuts.windows(2) {
                let factor = shape.at(pair[0]);
                let last = if pair[1] == to { piece.last } else { piece.rate_at(pair[1] - start) };
                let rate = piece.rate_at(pair[0] - start);
                all.push(Piece { from: pair[0], to: pair[1], rate: factor * rate, last: factor * last });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(profile: &Profile, until: f64) -> f64 {
        let mut sum = 0.0;
        let (mut low, mut high) = (0.0, 1e6);
        while high - low > 1e-9 * high {
            let middle = 0.5 * (low + high);
            if profile.next(0.0, middle).is_some_and(|time| time <= until) {
                low = middle
            } else {
                high = middle
            }
            sum = low;
        }
        sum
    }

    #[test]
    fn a_profile_brings_what_its_rates_say() {
        let steps = Profile::new(&[(0.0, 2.0), (10.0, 5.0)], false, None, None);
        assert!((expected(&steps, 10.0) - 20.0).abs() < 1e-6);
        assert!((expected(&steps, 14.0) - 40.0).abs() < 1e-6);
        let line = Profile::new(&[(0.0, 0.0), (10.0, 4.0)], true, None, None);
        assert!((expected(&line, 5.0) - 5.0).abs() < 1e-6);
        assert!((expected(&line, 20.0) - 60.0).abs() < 1e-6);
        // Down again to the first point at the end of each period.
        let wave = Profile::new(&[(0.0, 0.0), (5.0, 4.0)], true, Some(10.0), None);
        assert!((expected(&wave, 30.0) - 60.0).abs() < 1e-6);
        assert!((expected(&wave, 35.0) - 70.0).abs() < 1e-6);
        // Twice as much from the seventh second on.
        let shape = Shape::new(vec![(0.0, 1.0), (7.0, 2.0)]);
        let wave = Profile::new(&[(0.0, 0.0), (5.0, 4.0)], true, Some(10.0), Some(&shape));
        assert!((expected(&wave, 10.0) - (20.0 + 3.0 * 1.2)).abs() < 1e-6);
        assert_eq!(Profile::new(&[(0.0, 0.0)], false, Some(10.0), None).next(3.0, 1.0), None);
        assert_eq!(Profile::new(&[(0.0, 3.0), (1.0, 0.0)], false, None, None).next(0.0, 4.0), None);
    }
}

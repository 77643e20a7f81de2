//! A network through time: the figures of each stretch of it, over many runs.

use super::collected::Collected;
use super::effort::{Effort, Watch};
use super::outcome::{self, Finish};
use super::pilot;
use super::record::Record;
use super::shape::Shape;
use super::task::Task;
use crate::network::Network;
use crate::network::horizon::{Horizon, horizon};
use crate::prediction::{Ended, Prediction};
use crate::unit::Seconds;

/// The figures of a stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// When it begins.
    pub start: Seconds,
    /// When it ends.
    pub end: Seconds,
    /// What happened in it: response times are those of requests that were answered in it.
    pub prediction: Prediction,
}

/// Simulates a network from empty on; returns the figures between one of `ends` and the next, the first from zero on. They
/// rise. Fewer come back when it was stopped, or could not go on.
pub fn follow(
    network: &Network,
    effort: &Effort,
    shape: Option<&Shape>,
    ends: &[Seconds],
    watch: Watch<'_>,
) -> Vec<Moment> {
    let mut task = Task::new(network, effort, watch);
    task.shape = shape;
    let mut courses = task.engines(0..task.replications());
    let mut moments = Vec::with_capacity(ends.len());
    let mut start = 0.0;
    for (i, end) in ends.iter().enumerate() {
        if !task.advance(&mut courses, *end) || task.is_hopeless() {
            break;
        }
        let events: u64 = courses.iter().map(|course| course.engine.events).sum();
        task.expect(events as f64 * ends.len() as f64 / (i + 1) as f64, f64::NAN);
        let records: Vec<Record> = courses
            .iter_mut()
            .map(|course| {
                let record = course.engine.take_measured();
                course.engine.clear();
                record
            })
            .collect();
        let finish = Finish { ended: Ended::Complete, balances: false, ..Finish::default() };
        let collected = Collected::new(network, start, &records.iter().collect::<Vec<_>>());
        let prediction = outcome::prediction(&collected, effort, None, finish);
        moments.push(Moment { start, end: *end, prediction });
        start = *end;
    }
    moments
}

/// The stretch of time that shows how a network changes: its whole length if it has one, its second period, or from empty
/// until well after it has settled. `None` when it was stopped before that could be seen.
pub fn span(network: &Network, effort: &Effort, watch: Watch<'_>) -> Option<(Seconds, Seconds)> {
    match horizon(network) {
        Horizon::End(end) => Some((0.0, effort.duration.unwrap_or(end))),
        Horizon::Period(period) => Some((period, period + effort.duration.unwrap_or(period))),
        Horizon::Steady => {
            let pilot = pilot::look(&Task::new(network, effort, watch))?;
            Some((0.0, effort.duration.unwrap_or((4.0 * pilot.warmup).max(pilot.length))))
        }
    }
}

//! A first look at a network: how fast things happen in it, how long it takes to settle, and whether it does.
//!
//! A few short runs with random numbers of their own begin empty; the requests of each workload under way, averaged over
//! the runs, are a series in time. The marginal standard error rule says where it has settled; where it cannot say the
//! runs are made twice as long. What has not settled then, and is still as a straight line, grows without end.

use super::engine::Engine;
use super::outcome;
use super::record::Record;
use super::task::{Course, Task};
use crate::math::estimate::drift;
use crate::math::warmup::{BATCH, truncation, truncation_within};
use crate::unit::{PerSecond, Seconds};

/// Runs of a first look.
const RUNS: u64 = 8;

/// Events of each of them at first, and at most.
const FIRST_EVENTS: u64 = 20_000;
const MOST_EVENTS: u64 = 1_300_000;

/// With more, requests multiply: a look may be twice as long as one with almost as many events as it takes at most, and what grows as
/// on a straight line may have half as many again in the second half.
pub(super) const MOST_GROWING: u64 = 4 * MOST_EVENTS;

/// Points of a series at first; they become twice as many, then pairs are put together.
const POINTS: usize = 500;

/// The rule ends the warm-up where what is left of it drowns in the noise of a few short runs; in many long ones it would
/// show. So it is taken to last that many times as long.
const SURPLUS: f64 = 2.0;

/// Workloads that are many.
const MANY: usize = 5;

/// Many workloads of which one may seem to drift by chance.
const DRIFTING_OF: usize = 20;

/// Points that are put together to see whether they drift.
const LATE: usize = 25;

/// Where all users wait, their number tells nothing of how long they have waited: a look takes at least so many response
/// times, and the warm-up two.
const RESPONSES: f64 = 8.0;

/// Requests under way in the last third over those in the middle third: 1 in steady state, 5/3 on a straight line.
const STRAIGHT: f64 = 1.45;

/// What a first look found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pilot {
    /// Simulated time after which all workloads have settled; half of the time looked at where one has not.
    pub warmup: Seconds,
    /// Simulated time looked at.
    pub length: Seconds,
    /// Requests of all workloads that a run answers per second; none where none was looked at.
    pub answers: Option<PerSecond>,
    pub settles: bool,
    /// Whether requests under way grow as on a straight line.
    pub grows: bool,
}

impl Pilot {
    /// What is known without a look.
    pub fn given(warmup: Seconds, length: Seconds) -> Pilot {
        Pilot { warmup, length, answers: None, settles: true, grows: false }
    }
}

/// Looks at the network of a task; `None` when it was stopped before anything could be seen.
pub(super) fn look(task: &Task<'_>) -> Option<Pilot> {
    let workloads = task.network.workloads.len();
    let engine = |run: u64| Engine::new(task.network, &task.program, task.effort.seed, u64::MAX - run, None, None);
    let mut scout = engine(RUNS);
    scout.run_until(f64::MAX, FIRST_EVENTS);
    if scout.now >= f64::MAX || scout.now <= 0.0 {
        // Nothing happens any more, or all of it at once: the time does not matter.
        return Some(Pilot::given(0.0, 1.0));
    }
    let mut length = scout.now;
    let mut courses: Vec<Course<'_>> = (0..RUNS).map(|run| Course::new(engine(run))).collect();
    // For each run and workload the requests under way, times how long, in each stretch of time.
    let mut series: Vec<Vec<Vec<f64>>> = vec![vec![Vec::new(); workloads]; RUNS as usize];
    let mut last = vec![vec![0.0; workloads]; RUNS as usize];
    loop {
        let step = length / POINTS as f64;
        while series[0].first().is_some_and(|points| points.len() < POINTS) {
            let end = step * (series[0][0].len() + 1) as f64;
            if !task.advance_within(&mut courses, end, MOST_GROWING) {
                return None;
            }
            if task.is_hopeless() {
                return Some(Pilot { warmup: 0.0, length, answers: None, settles: false, grows: true });
            }
            for ((course, series), last) in courses.iter_mut().zip(&mut series).zip(&mut last) {
                let sums = course.engine.populations();
                for ((points, last), sum) in series.iter_mut().zip(last.iter_mut()).zip(sums) {
                    points.push((sum - *last) / step);
                    *last = sum;
                }
            }
        }
        let mean = |w: usize| -> Vec<f64> {
            let at = |i: usize| series.iter().map(|run| run[w][i]).sum::<f64>() / RUNS as f64;
            (0..POINTS).map(at).collect()
        };
        let means: Vec<Vec<f64>> = (0..workloads).map(mean).collect();
        let response = longest_response(&courses, &means);
        if let Some(left_out) = settled(&means).filter(|_| length >= RESPONSES * response) {
            let warmup = SURPLUS * (left_out as f64 * step).max(response);
            return Some(Pilot { warmup, length, answers: answers(&courses), settles: true, grows: false });
        }
        let events: u64 = courses.iter().map(|course| course.engine.events).max().unwrap_or(0);
        let dead = !task.deadlocks(&courses).is_empty();
        if events >= MOST_EVENTS || dead {
            let mut together = Record::new(task.network);
            courses.iter_mut().for_each(|course| together.merge(&course.engine.measured()));
            let full = outcome::is_full(task.network, &together);
            let grows = dead || full && means.iter().any(|points| grows(points));
            let answers = answers(&courses);
            return Some(Pilot { warmup: 0.5 * length, length, answers, settles: false, grows });
        }
        length *= 2.0;
        for points in series.iter_mut().flatten() {
            *points = points.chunks(2).map(|pair| pair.iter().sum::<f64>() / pair.len() as f64).collect();
        }
    }
}

/// How many points of each workload to leave out so that all have settled; `None` where they are too few to tell.
///
/// The rule often cannot tell of a single series that it has settled. Of many workloads it is asked about their average,
/// and nearly all of them must not seem to change.
fn settled(means: &[Vec<f64>]) -> Option<usize> {
    let busy: Vec<&Vec<f64>> = means.iter().filter(|points| points.iter().any(|point| *point > 0.0)).collect();
    let each: Option<Vec<usize>> = busy.iter().map(|points| truncation(points)).collect();
    if each.is_some() || busy.len() < MANY {
        return each.map(|cuts| cuts.into_iter().max().unwrap_or(0));
    }
    let drifting = busy.iter().filter(|points| !is_level(points)).count();
    let share = |points: &[f64], i: usize| points[i] * points.len() as f64 / points.iter().sum::<f64>();
    let average: Vec<f64> = (0..POINTS).map(|i| busy.iter().map(|points| share(points, i)).sum()).collect();
    (drifting <= busy.len() / DRIFTING_OF).then(|| truncation_within(&average, POINTS / 2 / BATCH))
}

/// Whether the second half of a series shows no drift.
fn is_level(points: &[f64]) -> bool {
    let late = &points[points.len() / 2..];
    let means: Vec<f64> =
        late.chunks_exact(LATE).map(|points| points.iter().sum::<f64>() / points.len() as f64).collect();
    drift(&means).is_none()
}

/// The longest mean response time of a workload, by Little's law; endless for one that gets no answers.
fn longest_response(courses: &[Course<'_>], means: &[Vec<f64>]) -> Seconds {
    let time: Seconds = courses.iter().map(|course| course.engine.now).sum();
    let of_workload = |(w, points): (usize, &Vec<f64>)| {
        let late = &points[points.len() / 2..];
        let present = late.iter().sum::<f64>() / late.len() as f64;
        let answered: u64 = courses.iter().map(|course| course.engine.record.workloads[w].answered()).sum();
        if present > 0.0 { present * time / answered as f64 } else { 0.0 }
    };
    means.iter().enumerate().map(of_workload).fold(0.0, f64::max)
}

/// Requests of all workloads that a run answers per second, on average.
fn answers(courses: &[Course<'_>]) -> Option<PerSecond> {
    let time: Seconds = courses.iter().map(|course| course.engine.now).sum();
    let answered: u64 = courses.iter().map(|course| course.engine.record.requests()).sum();
    (answered > 0).then(|| answered as f64 / time)
}

fn grows(points: &[f64]) -> bool {
    let third = points.len() / 3;
    let sum = |points: &[f64]| points.iter().sum::<f64>();
    let (middle, end) = (sum(&points[third..2 * third]), sum(&points[2 * third..3 * third]));
    end > STRAIGHT * middle && end > 10.0 * third as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Stream;

    #[test]
    fn many_workloads_settle_together_unless_some_change() {
        let mut stream = Stream::new(6, 0, 0);
        let mut series = |change: f64| -> Vec<f64> {
            (0..POINTS).map(|i| 9.0 * (1.0 - (-0.05 * i as f64).exp()) + change * i as f64 + stream.normal()).collect()
        };
        // What ends on a quiet stretch seems to settle there only.
        let mut quiet = series(0.0);
        quiet[POINTS - 60..].fill(9.0);
        assert_eq!((truncation(&quiet), is_level(&quiet)), (None, true));
        assert_eq!(settled(std::slice::from_ref(&quiet)), None);
        let mut all: Vec<Vec<f64>> = (0..30).map(|_| series(0.0)).collect();
        all.push(quiet);
        assert!(settled(&all).is_some_and(|cut| (30..200).contains(&cut)));
        all.extend((0..3).map(|_| series(0.05)));
        assert_eq!(settled(&all), None);
    }
}

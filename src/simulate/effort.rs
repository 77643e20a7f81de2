//! How long to simulate: replications side by side, all of the same length, longer and longer until the figures are
//! precise enough.
//!
//! Everything here depends on the model, the seed and what was counted, never on threads or clocks: the same effort ends
//! after the same simulated time, unless it is stopped from outside. Time that has an end by itself (a profile that does
//! not repeat, a trace) is run through as often as it takes instead.

use super::collected::Collected;
use super::engine::Engine;
use super::outcome::{self, Finish};
use super::pilot::{self, Pilot};
use super::record::Record;
use super::spans::Span;
use super::task::{Course, Task};
use crate::network::Network;
use crate::network::horizon::{Horizon, horizon};
use crate::prediction::{Ended, Prediction};
use crate::unit::Seconds;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Events, in all, after which a run ends that was given no length.
const ENOUGH_EVENTS: u64 = 200_000_000;

/// The next round is planned to be so much longer than seems needed.
const SURPLUS: f64 = 1.15;

/// How long to run, and with which numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Effort {
    /// Where all random numbers come from.
    pub seed: u64,
    /// Number of the first replication, when others are run elsewhere.
    pub first: u64,
    /// Independent runs; `None` is as many as are usual.
    pub replications: Option<u64>,
    /// Simulated time that each run leaves out at its beginning; `None` is found by rule.
    pub warmup: Option<Seconds>,
    /// Simulated time that each run measures after that.
    pub duration: Option<Seconds>,
    /// Requests that all runs answer together, instead.
    pub requests: Option<u64>,
    /// Events of each run, beyond which requests are said to multiply without end; `None` is as many as it takes.
    pub most_events: Option<u64>,
    /// Every half-width is at most so much of its figure, then it ends.
    pub precision: Option<f64>,
    /// Requests of the first replication that are written down span by span.
    pub traced: usize,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort {
            seed: 1,
            first: 0,
            replications: None,
            warmup: None,
            duration: None,
            requests: None,
            most_events: None,
            precision: None,
            traced: 0,
        }
    }
}

/// What is asked for when nothing is.
pub const PRECISION: f64 = 0.02;

/// How far a simulation has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Share of the events that it takes, as far as can be told.
    pub share: f64,
    /// The greatest half-width over its figure so far.
    pub precision: Option<f64>,
    /// Events so far.
    pub events: u64,
}

/// Told every so many events, from any thread; says whether to go on.
pub type Watch<'w> = &'w (dyn Fn(&Progress) -> bool + Sync);

/// One replication: its number and what it counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replication {
    /// Its number: with the seed, all that its figures depend on.
    pub number: u64,
    /// Simulated time left out at its beginning.
    pub warmup: Seconds,
    /// What it counted after that.
    pub record: Record,
}

/// What a simulation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulated {
    /// The figures.
    pub prediction: Prediction,
    /// The single runs; of a network whose time ends by itself the first of them.
    pub replications: Vec<Replication>,
    /// The first requests of the first run.
    pub spans: Vec<Span>,
}

impl Simulated {
    /// Whether it was stopped from outside.
    pub fn is_stopped(&self) -> bool {
        self.prediction.simulation.as_ref().is_some_and(|simulation| simulation.ended == Ended::Stopped)
    }
}

/// Simulates a network.
pub fn simulate(network: &Network, effort: &Effort, watch: Watch<'_>) -> Simulated {
    let task = Task::new(network, effort, watch);
    match horizon(network) {
        Horizon::End(end) => task.passes(end),
        Horizon::Steady => task.steady(None),
        Horizon::Period(period) => task.steady(Some(period)),
    }
}

/// Puts replications together that were run apart, all with the same seed and for the same time.
///
/// # Errors
/// What they differ in, in a sentence.
pub fn merge(network: &Network, effort: &Effort, mut replications: Vec<Replication>) -> Result<Simulated, String> {
    replications.sort_by_key(|run| run.number);
    let shape = Record::new(network);
    for pair in replications.windows(2) {
        if pair[0].number == pair[1].number {
            return Err(format!("replication {} is there twice", pair[0].number));
        }
        if pair[0].warmup != pair[1].warmup || pair[0].record.time != pair[1].record.time {
            return Err(format!(
                "replications {} and {} did not run for the same time: give each part the same --warmup and --duration",
                pair[0].number, pair[1].number
            ));
        }
    }
    if replications.iter().any(|run| !run.record.is_like(&shape)) {
        return Err("a replication is of another model".to_string());
    }
    let balances = !matches!(horizon(network), Horizon::End(_));
    let finish = Finish { ended: Ended::Complete, balances, ..Finish::default() };
    let warmup = replications.first().map_or(0.0, |run| run.warmup);
    let collected = Collected::new(network, warmup, &records(&replications));
    let prediction = outcome::prediction(&collected, effort, None, finish);
    Ok(Simulated { prediction, replications, spans: Vec::new() })
}

/// Requests that were under way long after the end of their time, in a sentence.
fn unanswered(record: &Record) -> Option<String> {
    let left: u64 = record.workloads.iter().map(|workload| workload.arrivals - workload.answered()).sum();
    let sentence =
        || format!("{left} requests were not answered until long after the end: no response time counts them");
    (left > 0).then(sentence)
}

/// What was written down of single requests.
fn spans(courses: &mut [Course<'_>]) -> Vec<Span> {
    courses.iter_mut().filter_map(|course| course.engine.spans.take()).flat_map(|spans| spans.in_order()).collect()
}

/// What engines counted that are numbered from here on; those that did not get so far are left out.
fn replications(courses: Vec<Course<'_>>, first: u64, warmup: Seconds) -> Vec<Replication> {
    let numbered = courses.into_iter().zip(first..);
    let run =
        |(mut course, number): (Course<'_>, u64)| Replication { number, warmup, record: course.engine.take_measured() };
    numbered.map(run).filter(|run| run.record.time > 0.0).collect()
}

fn records(replications: &[Replication]) -> Vec<&Record> {
    replications.iter().map(|run| &run.record).collect()
}

impl Task<'_> {
    /// A network that goes on for ever, all of it again after each `period` if there is one.
    fn steady(&self, period: Option<Seconds>) -> Simulated {
        let whole = |time: f64| period.map_or(time, |period| (time / period).ceil().max(1.0) * period);
        let found = match (self.effort.warmup, self.effort.duration, period) {
            (Some(warmup), Some(length), _) => Some(Pilot::given(warmup, length)),
            (_, _, Some(period)) => Some(Pilot::given(period, period)),
            _ => pilot::look(self),
        };
        let Some(pilot) = found else { return self.nothing() };
        if self.is_hopeless() {
            return self.finish(Vec::new(), 0.0, Finish { ended: Ended::Hopeless, ..Finish::default() });
        }
        let warmup = self.effort.warmup.unwrap_or_else(|| if pilot.warmup > 0.0 { whole(pilot.warmup) } else { 0.0 });
        let mut notes = Vec::new();
        if !pilot.settles && !pilot.grows && self.effort.warmup.is_none() {
            notes.push("the warm-up rule found no end of the warm-up: figures may still be on their way".to_string());
        }
        let mut courses = self.engines(0..self.replications());
        // What grows as on a straight line grows on; only what multiplies comes to so many events.
        let most = if pilot.grows { pilot::MOST_GROWING } else { self.effort.most_events.unwrap_or(u64::MAX) };
        let mut going = self.advance_within(&mut courses, warmup, most);
        courses.iter_mut().for_each(|course| course.engine.clear());
        let before: u64 = courses.iter().map(|course| course.engine.events).sum();
        let mut length = match (self.effort.duration, self.effort.requests) {
            (Some(duration), _) => duration,
            (None, Some(requests)) => whole(self.duration_of(&mut courses, requests, &pilot)),
            (None, None) if pilot.grows => 0.5 * pilot.length,
            (None, None) => whole((4.0 * warmup).max(pilot.length)),
        };
        let fixed = self.effort.duration.is_some() || self.effort.requests.is_some();
        let wanted = self.wanted();
        loop {
            going = going && self.advance_within(&mut courses, warmup + length, most);
            let hopeless = self.is_hopeless();
            if !going || hopeless || pilot.grows {
                let ended = if going { Ended::Hopeless } else { Ended::Stopped };
                return self.finish(courses, warmup, Finish { ended, notes, ..Finish::default() });
            }
            let (precision, keeps_up) = self.look_at(&mut courses);
            let precise = wanted.is_some_and(|wanted| precision <= wanted);
            let events: u64 = courses.iter().map(|course| course.engine.events).sum();
            if fixed || precise || !keeps_up || events >= ENOUGH_EVENTS {
                let ended = match (precise, fixed) {
                    _ if !keeps_up => Ended::Hopeless,
                    (_, true) => Ended::Complete,
                    (true, false) => Ended::Precise,
                    (false, false) => Ended::Enough,
                };
                return self.finish(courses, warmup, Finish { ended, notes, ..Finish::default() });
            }
            // Half-widths shrink with the root of the length.
            let needed = wanted.map_or(2.0, |wanted| SURPLUS * (precision / wanted).powi(2)).clamp(1.5, 4.0);
            let rate = (events - before) as f64 / length;
            let allowed = length + 1.02 * (ENOUGH_EVENTS.saturating_sub(events)) as f64 / rate;
            length = whole((length * needed).min(allowed));
            let all = events as f64 + rate * (length - length / needed);
            let whole_way = wanted.map_or(all, |wanted| events as f64 * (precision / wanted).powi(2)).max(all);
            self.expect(whole_way.min(1.05 * ENOUGH_EVENTS as f64), precision);
        }
    }

    /// The simulated time each run takes until all have answered so many requests, judging by the first look, or by as
    /// long a run.
    fn duration_of(&self, courses: &mut [Course<'_>], requests: u64, pilot: &Pilot) -> Seconds {
        let runs = courses.len() as f64;
        let answers = pilot.answers.or_else(|| {
            let now = courses.first().map_or(0.0, |course| course.engine.now);
            self.advance(courses, now + pilot.length);
            let answered: u64 = courses.iter().map(|course| course.engine.record.requests()).sum();
            (answered > 0).then(|| answered as f64 / (runs * pilot.length))
        });
        answers.map_or(pilot.length, |answers| requests as f64 / (runs * answers))
    }

    /// A network whose time ends by itself.
    fn passes(&self, end: Seconds) -> Simulated {
        let end = self.effort.duration.unwrap_or(end);
        let batch = self.replications();
        let wanted = self.wanted().filter(|_| self.effort.replications.is_none());
        let mut collected = Collected::new(self.network, 0.0, &[]);
        let mut replications: Vec<Replication> = Vec::new();
        let mut spans = Vec::new();
        let mut deadlocked = BTreeSet::new();
        let mut passes = 0;
        loop {
            let mut courses = self.engines(passes..passes + batch);
            let going = self.advance(&mut courses, end);
            if going && !self.is_hopeless() {
                self.drain(&mut courses);
            }
            let hopeless = self.is_hopeless();
            deadlocked.extend(self.deadlocks(&courses));
            spans.extend(self::spans(&mut courses));
            let runs = self::replications(courses, self.effort.first + passes, 0.0);
            passes += batch;
            collected.add(&records(&runs));
            // As many as usual are kept one by one; all of them would take memory for each pass.
            if passes == batch {
                replications = runs;
            }
            let Record { events, .. } = collected.together;
            let precision = collected.worst().0;
            let precise = wanted.is_some_and(|wanted| precision <= wanted);
            let answered = collected.together.requests();
            let enough = events >= ENOUGH_EVENTS || self.effort.requests.is_some_and(|requests| answered >= requests);
            let once = wanted.is_none() && (self.effort.requests.is_none() || self.effort.replications.is_some());
            if !going || hopeless || precise || enough || once {
                let ended = match (going, hopeless, precise, wanted.is_none() || self.effort.requests.is_some()) {
                    (false, ..) => Ended::Stopped,
                    (_, true, ..) => Ended::Hopeless,
                    (_, _, true, _) => Ended::Precise,
                    (.., true) => Ended::Complete,
                    _ => Ended::Enough,
                };
                let deadlocked: Vec<String> = deadlocked.into_iter().collect();
                let drained = going && !hopeless && deadlocked.is_empty();
                let notes = unanswered(&collected.together).filter(|_| drained).into_iter().collect();
                let finish = Finish { ended, balances: false, deadlocked, endless: hopeless, notes };
                let prediction = outcome::prediction(&collected, self.effort, self.wanted(), finish);
                return Simulated { prediction, replications, spans };
            }
            let whole_way = wanted.map_or(1.0, |wanted| (precision / wanted).powi(2)).max(2.0);
            self.expect((events as f64 * whole_way).min(ENOUGH_EVENTS as f64), precision);
        }
    }

    fn wanted(&self) -> Option<f64> {
        let free = self.effort.duration.is_none() && self.effort.requests.is_none();
        self.effort.precision.or(free.then_some(PRECISION))
    }

    /// How precise the figures are so far, and whether as many requests are answered as come.
    fn look_at(&self, courses: &mut [Course<'_>]) -> (f64, bool) {
        let records: Vec<Record> = courses.par_iter_mut().map(|course| course.engine.measured()).collect();
        let collected = Collected::new(self.network, 0.0, &records.iter().collect::<Vec<_>>());
        let grows = collected.anything_grows() && outcome::is_full(self.network, &collected.together);
        (collected.worst().0, !grows)
    }

    fn finish(&self, mut courses: Vec<Course<'_>>, warmup: Seconds, mut finish: Finish) -> Simulated {
        finish.deadlocked = self.deadlocks(&courses);
        finish.endless = self.is_hopeless();
        let spans = spans(&mut courses);
        let replications = replications(courses, self.effort.first, warmup);
        let collected = Collected::new(self.network, warmup, &records(&replications));
        let prediction = outcome::prediction(&collected, self.effort, self.wanted(), finish);
        Simulated { prediction, replications, spans }
    }

    /// What is dead in most runs.
    pub fn deadlocks(&self, courses: &[Course<'_>]) -> Vec<String> {
        let engines: Vec<&Engine<'_>> = courses.iter().map(|course| &course.engine).collect();
        outcome::deadlocks(self.network, &engines)
    }

    /// Stopped before anything was measured.
    fn nothing(&self) -> Simulated {
        let finish = Finish { ended: Ended::Stopped, ..Finish::default() };
        let collected = Collected::new(self.network, 0.0, &[]);
        let prediction = outcome::prediction(&collected, self.effort, self.wanted(), finish);
        Simulated { prediction, replications: Vec::new(), spans: Vec::new() }
    }
}

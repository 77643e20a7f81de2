//! Engines side by side, and what they are told from outside: whether to go on.

use super::effort::{Effort, Progress, Watch};
use super::engine::{Ending, Engine};
use super::shape::Shape;
use super::spans::Spans;
use super::stages::Stages;
use crate::network::Network;
use crate::network::program::Program;
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Replications of a model, and of one with many services, where each takes memory.
const REPLICATIONS: u64 = 16;
const REPLICATIONS_OF_MANY: u64 = 8;
const MANY_SERVICES: usize = 250;

/// Events between two looks at whether to go on.
const SLICE: u64 = 100_000;

/// An engine and how it came to a stop.
pub(super) struct Course<'n> {
    pub engine: Engine<'n>,
    ending: Ending,
}

impl<'n> Course<'n> {
    pub fn new(engine: Engine<'n>) -> Course<'n> {
        Course { engine, ending: Ending::InTime }
    }

    /// Whether it cannot go on.
    pub fn is_hopeless(&self) -> bool {
        matches!(self.ending, Ending::Crowded | Ending::Circular)
    }
}

/// A simulation under way.
pub(super) struct Task<'t> {
    pub network: &'t Network,
    pub program: Program,
    /// Where requests are simulated place by place.
    stages: Option<Stages>,
    pub effort: &'t Effort,
    /// How the load changes; `None` is as the model says.
    pub shape: Option<&'t Shape>,
    watch: Watch<'t>,
    stopped: AtomicBool,
    /// Whether a run cannot go on: then the others need not.
    hopeless: AtomicBool,
    events: AtomicU64,
    expected: AtomicU64,
    precision: AtomicU64,
}

impl<'t> Task<'t> {
    pub fn new(network: &'t Network, effort: &'t Effort, watch: Watch<'t>) -> Task<'t> {
        let program = Program::new(network);
        Task {
            network,
            stages: Stages::of(network, &program),
            program,
            effort,
            shape: None,
            watch,
            stopped: AtomicBool::new(false),
            hopeless: AtomicBool::new(false),
            events: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            precision: AtomicU64::new(f64::NAN.to_bits()),
        }
    }

    /// Lets all engines run until a time; returns whether nothing stopped them.
    pub fn advance(&self, courses: &mut [Course<'_>], end: f64) -> bool {
        self.advance_within(courses, end, u64::MAX)
    }

    /// The same for so many events each at most; with more to do before that time there is no hope.
    pub fn advance_within(&self, courses: &mut [Course<'_>], end: f64, most: u64) -> bool {
        courses.par_iter_mut().for_each(|course| {
            while course.engine.now < end && self.goes_on() {
                self.step(course, end);
                if course.engine.events > most {
                    self.hopeless.store(true, Relaxed);
                }
            }
        });
        !self.stopped.load(Relaxed)
    }

    /// Lets all engines answer the requests that have come, as far as they take no longer than those before; no more come.
    pub fn drain(&self, courses: &mut [Course<'_>]) {
        courses.par_iter_mut().for_each(|course| {
            course.engine.close();
            let most = 2 * course.engine.events + SLICE;
            while course.engine.now < f64::MAX && course.engine.events < most && self.goes_on() {
                self.step(course, f64::MAX);
            }
        });
    }

    fn goes_on(&self) -> bool {
        !self.stopped.load(Relaxed) && !self.hopeless.load(Relaxed)
    }

    /// Lets an engine run for a while, and tells how far all have come.
    fn step(&self, course: &mut Course<'_>, end: f64) {
        let before = course.engine.events;
        course.ending = course.engine.run_until(end, SLICE);
        if course.is_hopeless() {
            self.hopeless.store(true, Relaxed);
        }
        let events = self.events.fetch_add(course.engine.events - before, Relaxed) + SLICE;
        let precision = Some(f64::from_bits(self.precision.load(Relaxed))).filter(|p| p.is_finite());
        // Nothing can be told before the first figures.
        let expected = self.expected.load(Relaxed);
        let share = if expected == 0 { 0.0 } else { (events as f64 / expected as f64).min(1.0) };
        if !(self.watch)(&Progress { share, precision, events }) {
            self.stopped.store(true, Relaxed);
        }
    }

    /// Whether a run cannot go on.
    pub fn is_hopeless(&self) -> bool {
        self.hopeless.load(Relaxed)
    }

    pub fn replications(&self) -> u64 {
        let usual = if self.network.services.len() > MANY_SERVICES { REPLICATIONS_OF_MANY } else { REPLICATIONS };
        self.effort.replications.unwrap_or(usual).max(1)
    }

    /// The engines of replications, from the first one on.
    pub fn engines(&self, numbers: std::ops::Range<u64>) -> Vec<Course<'_>> {
        let engine = |number: u64| {
            let mut engine = Engine::new(
                self.network,
                &self.program,
                self.effort.seed,
                self.effort.first + number,
                self.shape,
                self.stages.as_ref(),
            );
            if number == 0 && self.effort.first == 0 && self.effort.traced > 0 {
                engine.spans = Some(Box::new(Spans::new(self.effort.traced)));
            }
            Course::new(engine)
        };
        numbers.map(engine).collect()
    }

    /// Says how far the whole is, as far as can be told: the events it takes, and how precise the figures are so far.
    pub fn expect(&self, events: f64, precision: f64) {
        self.expected.store(events as u64, Relaxed);
        self.precision.store(precision.to_bits(), Relaxed);
    }
}

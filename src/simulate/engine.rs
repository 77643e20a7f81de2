//! The event loop: what happens next, and to whom.
//!
//! Requests are frames that go through their programs (`steps`), ask others (`calls`) and split up (`forks`). What happens at
//! the same time happens in the order in which it came about: a frame goes on until it waits, then those that it let go on,
//! then the next event of the calendar. Nothing is allocated once a run has been as full as it gets.

use super::arrivals::Arrivals;
use super::balance::Home;
use super::by_place::ByPlace;
use super::calendar::Calendar;
use super::frames::{Frame, Frames, Join};
use super::ledger::Ledgers;
use super::lru::Lookups;
use super::queue::Queue;
use super::record::Record;
use super::seats::Seat;
use super::shape::Shape;
use super::share::Share;
use super::spans::Spans;
use super::stages::Stages;
use crate::math::random::{Stream, source};
use crate::network::program::{Kind, NONE, Program};
use crate::network::{Network, OperationId};
use std::collections::VecDeque;

/// Kinds of events stand above their numbers.
pub(super) const FRAME: u32 = 0;
pub(super) const SHARE: u32 = 1 << 29;
const ARRIVAL: u32 = 2 << 29;
pub(super) const TIMER: u32 = 3 << 29;
const CHANGE: u32 = 4 << 29;
pub(super) const NUMBER: u32 = (1 << 29) - 1;

/// Frames that a run may have at once; with more, it grows without end.
pub(super) const MOST_FRAMES: usize = 3_000_000;

/// Things that may happen at the same time; with more, it is a circle without end.
const MOST_AT_ONCE: u64 = 50_000_000;

/// What happens after something happened to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// A frame goes on.
    Goes(u32),
    /// A frame fails.
    Fails(u32),
    Waits,
}

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// At the time that was asked for.
    InTime,
    /// Before, after as many events as it was given.
    Paused,
    /// With more requests under way than fit.
    Crowded,
    /// With no end of things that happen at the same time.
    Circular,
}

/// Requests of a workload under way.
#[derive(Debug, Clone, Copy, Default)]
struct Population {
    number: u64,
    /// The times at which they left, less those at which they came: with those still there leaving now, that number times
    /// how long.
    sum: f64,
}

impl Population {
    fn over_time(&self, now: f64) -> f64 {
        self.sum + self.number as f64 * now
    }
}

/// Moments at which callers stop to wait, or send a second copy: all as long after the call, so in the order of calls.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// When, which frame, and its stamp if it still waits.
    pub entries: VecDeque<(f64, u32, u32)>,
    /// Whether the first one stands in the calendar.
    pub entered: bool,
}

/// A network while it runs.
#[derive(Debug)]
pub(super) struct Engine<'n> {
    pub network: &'n Network,
    pub program: &'n Program,
    pub now: f64,
    pub calendar: Calendar,
    pub ready: VecDeque<u32>,
    pub laws: Vec<Stream>,
    pub chances: Vec<Stream>,
    /// Which instance, by service.
    pub homes: Vec<Home>,
    pub caches: Vec<(Lookups, Stream)>,
    arrivals: Vec<Arrivals<'n>>,
    /// How the load changes.
    shape: Option<&'n Shape>,
    /// Users of each closed workload that leave after their next answer.
    leaving: Vec<u64>,
    /// The class of urgency of each workload.
    pub classes: Vec<usize>,
    pub frames: Frames,
    pub joins: Vec<Join>,
    pub free_joins: Vec<u32>,
    /// Servers that are had one each; then workers; then pools.
    pub queues: Vec<Queue>,
    /// Servers that are not.
    pub shares: Vec<Share>,
    /// The seat of each station, among the queues or the shares.
    pub stations: Vec<Seat>,
    pub workers: Vec<Option<Seat>>,
    pub pools: Vec<Seat>,
    /// Instead of queues and calendar, where requests are simulated place by place.
    pub by_place: Option<ByPlace<'n>>,
    /// Of each call, those of its timeout and of its second copy.
    pub timers: Vec<[Timers; 2]>,
    populations: Vec<Population>,
    pub record: Record,
    pub ledgers: Ledgers,
    pub spans: Option<Box<Spans>>,
    /// When what is measured began.
    pub since: f64,
    /// No more requests come: only those under way are waited for, and time is no longer measured.
    closing: bool,
    /// Events so far.
    pub events: u64,
}

impl<'n> Engine<'n> {
    pub fn new(
        network: &'n Network,
        program: &'n Program,
        seed: u64,
        replication: u64,
        shape: Option<&'n Shape>,
        stages: Option<&'n Stages>,
    ) -> Engine<'n> {
        let stream = |name: &str| Stream::new(seed, replication, source(name, 0));
        let caches = network.caches.iter().map(|cache| {
            let mut stream = stream(&cache.name);
            (Lookups::new(&cache.hits, &mut stream), stream)
        });
        let mut engine = Engine {
            network,
            program,
            now: 0.0,
            calendar: Calendar::default(),
            ready: VecDeque::new(),
            laws: program.law_streams(seed, replication),
            chances: program.chance_streams(seed, replication),
            homes: network.services.iter().map(|service| Home::new(service, seed, replication)).collect(),
            caches: caches.collect(),
            arrivals: network
                .workloads
                .iter()
                .map(|workload| Arrivals::new(workload, shape, seed, replication))
                .collect(),
            shape,
            leaving: vec![0; network.workloads.len()],
            classes: network.workloads.iter().map(|workload| workload.class).collect(),
            frames: Frames::default(),
            joins: Vec::new(),
            free_joins: Vec::new(),
            queues: Vec::new(),
            shares: Vec::new(),
            stations: Vec::with_capacity(network.stations.len()),
            workers: Vec::with_capacity(network.services.len()),
            pools: Vec::with_capacity(network.pools.len()),
            by_place: None,
            timers: program.calls.iter().map(|_| Default::default()).collect(),
            populations: vec![Population::default(); network.workloads.len()],
            record: Record::new(network),
            ledgers: Ledgers::new(network),
            spans: None,
            since: 0.0,
            closing: false,
            events: 0,
        };
        engine.furnish();
        engine.by_place =
            stages.map(|stages| ByPlace::new(stages, engine.queues.iter().map(Queue::servers), network.unit));
        let first = shape.map_or(1.0, |shape| shape.at(0.0));
        for workload in 0..network.workloads.len() {
            let announcements = engine.arrivals[workload].users(first).unwrap_or(1);
            (0..announcements).for_each(|_| engine.announce(workload));
        }
        if engine.arrivals.iter().any(|arrivals| arrivals.users(1.0).is_some()) {
            let changes = shape.map_or(&[][..], |shape| shape.points());
            changes.iter().zip(0..).skip(1).for_each(|((time, _), i)| engine.calendar.enter(*time, CHANGE + i));
        }
        engine
    }

    /// Lets everything happen that happens until a time, at most so many events.
    pub fn run_until(&mut self, end: f64, events: u64) -> Ending {
        if self.by_place.is_some() {
            return self.run_by_place(end, events);
        }
        let last = self.events.saturating_add(events);
        let mut at_once = 0u64;
        loop {
            while let Some(frame) = self.ready.pop_front() {
                self.resume(frame);
                at_once += 1;
                if at_once > MOST_AT_ONCE {
                    return Ending::Circular;
                }
            }
            let Some((time, what)) = self.calendar.next_until(end) else { break };
            if time > self.now {
                at_once = 0;
                self.now = time;
            }
            at_once += 1;
            self.events += 1;
            match what & !NUMBER {
                FRAME => self.resume(what),
                SHARE => self.depart_shared(what & NUMBER),
                ARRIVAL => self.arrive((what & NUMBER) as usize),
                CHANGE => self.change((what & NUMBER) as usize),
                _ => self.ring(what & NUMBER),
            }
            if self.frames.len() > MOST_FRAMES {
                return Ending::Crowded;
            }
            if self.events >= last && self.ready.is_empty() {
                return Ending::Paused;
            }
        }
        self.now = end;
        Ending::InTime
    }

    /// Forgets what was measured so far.
    pub fn clear(&mut self) {
        self.since = self.now;
        self.record = Record::new(self.network);
        self.queues.iter_mut().for_each(|queue| queue.clear(self.now));
        self.shares.iter_mut().for_each(|share| share.clear(self.now));
        self.clear_by_place();
    }

    /// What was counted since the record was cleared.
    pub fn measured(&mut self) -> Record {
        self.enter_usage();
        self.record.clone()
    }

    /// The same, when nothing more is to come.
    pub fn take_measured(&mut self) -> Record {
        self.enter_usage();
        std::mem::replace(&mut self.record, Record::new(self.network))
    }

    /// Ends what is measured, but for the answers to requests that have come.
    pub fn close(&mut self) {
        self.enter_usage();
        self.closing = true;
    }

    fn enter_usage(&mut self) {
        if self.closing {
            return;
        }
        self.record.time = self.now - self.since;
        self.record.events = self.events;
        self.record.stations = self.station_usage();
        self.record.workers = self.worker_usage();
        self.record.pools = self.pool_usage();
    }

    /// Requests of each workload under way, times how long, so far.
    pub fn populations(&self) -> Vec<f64> {
        self.populations.iter().map(|population| population.over_time(self.now)).collect()
    }

    /// Enters the next arrival of a workload, or the return of a user who begins to think.
    pub fn announce(&mut self, workload: usize) {
        if !self.closing
            && let Some(time) = self.arrivals[workload].next(self.now)
        {
            self.calendar.enter(time.max(self.now), ARRIVAL + workload as u32);
        }
    }

    /// Whether users of a workload come back after their answers.
    pub fn is_closed(&self, workload: usize) -> bool {
        self.arrivals[workload].users(1.0).is_some()
    }

    /// The load changes: users come, or leave after their next answer.
    fn change(&mut self, point: usize) {
        let points = self.shape.map_or(&[][..], |shape| shape.points());
        let (Some((_, before)), Some((_, now))) = (points.get(point.wrapping_sub(1)), points.get(point)) else {
            return;
        };
        for workload in 0..self.arrivals.len() {
            let users = |factor| self.arrivals[workload].users(factor).map(i64::from);
            let (Some(before), Some(now)) = (users(*before), users(*now)) else { continue };
            let more = now - before;
            let stay = more.clamp(0, self.leaving[workload] as i64);
            self.leaving[workload] -= stay as u64;
            self.leaving[workload] += (-more).max(0) as u64;
            (stay..more).for_each(|_| self.announce(workload));
        }
    }

    pub fn arrive(&mut self, workload: usize) {
        if self.closing {
            return;
        }
        if !self.is_closed(workload) {
            self.announce(workload);
        }
        let operation = self.arrivals[workload].choose(&self.network.workloads[workload].mix);
        let requests = &mut self.record.workloads[workload];
        requests.arrivals += 1;
        let number = requests.arrivals;
        let population = &mut self.populations[workload];
        (population.number, population.sum) = (population.number + 1, population.sum - self.now);
        let ledger = self.ledgers.open_for(number);
        let traced = self.spans.as_mut().is_some_and(|spans| spans.wants_another());
        let request = self.run_of(operation, workload as u32);
        let frame = &mut self.frames[request];
        (frame.first, frame.ledger) = (true, ledger);
        frame.span = if traced { super::spans::ROOT } else { NONE };
        let then = self.receive(request);
        self.drive(then);
    }

    /// A request of a workload is over; `time` if it succeeded.
    pub fn request_over(&mut self, frame: &Frame, time: Option<f64>) {
        let workload = frame.workload as usize;
        let requests = &mut self.record.workloads[workload];
        match time {
            Some(time) => requests.response.record(time),
            None => requests.failures += 1,
        }
        let population = &mut self.populations[workload];
        (population.number, population.sum) = (population.number - 1, population.sum + self.now);
        if frame.ledger != NONE {
            self.ledgers.close(frame.ledger, time.map(|_| &mut self.record.accounts[workload]));
        }
        if self.is_closed(workload) {
            if self.leaving[workload] > 0 {
                self.leaving[workload] -= 1;
            } else {
                self.announce(workload);
            }
        }
    }

    /// A run of an operation that has yet to be received.
    #[inline]
    pub fn run_of(&mut self, operation: OperationId, workload: u32) -> u32 {
        let (place, service) = self.program.operations[operation];
        let (number, frame) = self.frames.put(Kind::Run);
        (frame.place, frame.service, frame.operation, frame.workload) = (place, service, operation as u32, workload);
        number
    }

    /// Lets a frame do what it does, and those that go on with it, until all wait.
    pub fn drive(&mut self, mut then: Then) {
        loop {
            then = match then {
                Then::Goes(frame) => self.execute(frame),
                Then::Fails(frame) => self.unwind(frame),
                Then::Waits => return,
            }
        }
    }

    /// A frame goes on after a time.
    pub fn later(&mut self, time: f64, frame: u32) {
        match &mut self.by_place {
            None => self.calendar.enter(self.now + time, FRAME + frame),
            Some(by_place) => by_place.pass(&self.frames, self.now + time, frame),
        }
    }
}

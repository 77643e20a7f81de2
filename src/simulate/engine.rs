//! The event loop: requests go through their programs, each sequence of steps a frame.
//!
//! A call, a loop, a choice and a branch each put a frame upon the one they stand in; at its end that one goes on. A frame is
//! a small record in a list, found again by its number, and freed when it ends: nothing is allocated in the steady state.

use super::balance::Home;
use super::calendar::Calendar;
use super::program::{Instruction, Place, Program};
use super::queue::{Arrival, Queue};
use super::record::Record;
use super::slab::Slab;
use crate::distribution::Sampler;
use crate::math::random::Stream;
use crate::network::{Network, OperationId};
use crate::system::{ArrivalLaw, Balancer};

const NONE: u32 = u32::MAX;

/// Events of arrivals are numbered from here on; those below are frames that go on.
const ARRIVALS: u32 = 1 << 31;

/// What a frame is for, and thereby who waits for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A run of an operation, for the frame below it or for nobody.
    Operation,
    /// A loop or a way, for the frame below it.
    Body,
    /// A branch, for a join.
    Branch,
}

/// How far a call of a frame has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    Nothing,
    /// On its way to the callee.
    Going,
    /// Answered.
    Back,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    kind: Kind,
    asking: Asking,
    place: Place,
    /// Where the sequence begins.
    start: Place,
    /// The frame or join that waits for the end.
    below: u32,
    /// Runs of the sequence that are left, this one included.
    left: u32,
    /// Runs of the call it makes that are left.
    asked: u32,
    /// Whether a workload made it itself.
    first: bool,
    /// The queue of the server it holds.
    held: u32,
    operation: u32,
    instance: u32,
    workload: u32,
    /// Time of the next service.
    work: f64,
    /// Time on the way back.
    back: f64,
    began: f64,
}

/// Branches that go on together.
#[derive(Debug, Clone, Copy)]
struct Join {
    frame: u32,
    needed: u32,
    running: u32,
    /// Whether the frame has gone on, or failed, already.
    over: bool,
}

/// A network while it runs.
pub(super) struct Engine<'n> {
    network: &'n Network,
    program: &'n Program,
    now: f64,
    calendar: Calendar,
    laws: Vec<Stream>,
    chances: Vec<Stream>,
    /// Which instance, by service.
    homes: Vec<Home>,
    /// For each workload the law of its gaps over their mean, if not exponential, their mean, and the stream.
    arrivals: Vec<(Option<Sampler>, f64, Stream)>,
    frames: Slab<Frame>,
    joins: Slab<Join>,
    queues: Vec<Queue>,
    /// The first queue of each station.
    first_queue: Vec<u32>,
    pub record: Record,
}

impl<'n> Engine<'n> {
    pub fn new(network: &'n Network, program: &'n Program, seed: u64, replication: u64) -> Engine<'n> {
        let (laws, chances) = program.streams(seed, replication);
        let used = (laws.len() + chances.len()) as u64;
        let stream = |source: usize| Stream::new(seed, replication, used + source as u64);
        let services = network.services.len();
        let mut queues = Vec::new();
        let mut first_queue = Vec::with_capacity(network.stations.len());
        for station in &network.stations {
            first_queue.push(queues.len() as u32);
            let (pools, instances) = match station.balancer {
                Balancer::Shared => (1, u64::from(station.instances)),
                _ => (station.instances, 1),
            };
            for _ in 0..pools {
                let places = station.queue.map(|places| u64::from(places) * instances);
                let servers = u64::from(station.servers) * instances;
                queues.push(Queue::new(station.discipline, network.classes, servers, places));
            }
        }
        let arrivals = network.workloads.iter().enumerate().map(|(w, workload)| {
            let law = match workload.arrivals() {
                Some(ArrivalLaw::Renewal(law)) => Some(law.sampler()),
                _ => None,
            };
            (law, 1.0 / workload.rate(), stream(services + w))
        });
        let mut engine = Engine {
            network,
            program,
            now: 0.0,
            calendar: Calendar::default(),
            laws,
            chances,
            homes: (0..services).map(|service| Home::new(network, service, stream(service))).collect(),
            arrivals: arrivals.collect(),
            frames: Slab::new(),
            joins: Slab::new(),
            queues,
            first_queue,
            record: Record::new(network),
        };
        (0..network.workloads.len()).filter(|w| network.workloads[*w].rate() > 0.0).for_each(|w| engine.announce(w));
        engine
    }

    /// Lets everything happen that happens until a time.
    pub fn run_until(&mut self, end: f64) {
        while let Some((time, what)) = self.calendar.next() {
            if time > end {
                // Back into the calendar: it is first again.
                self.calendar.enter(time, what);
                break;
            }
            self.now = time;
            if what >= ARRIVALS {
                self.arrive((what - ARRIVALS) as usize);
            } else {
                self.go_on(what);
            }
        }
        self.now = end;
    }

    /// Forgets what was measured so far.
    pub fn clear(&mut self) {
        self.record.clear(self.now);
        self.queues.iter_mut().for_each(|queue| queue.clear(self.now));
    }

    /// Busy servers and waiting requests of each station, each times how long.
    pub fn station_times(&mut self) -> Vec<(f64, f64)> {
        let now = self.now;
        let ends = self.first_queue.iter().skip(1).copied().chain([self.queues.len() as u32]);
        let ranges: Vec<_> = self.first_queue.iter().copied().zip(ends).collect();
        let sum = |a: (f64, f64), b: (f64, f64)| (a.0 + b.0, a.1 + b.1);
        ranges
            .into_iter()
            .map(|(from, to)| {
                self.queues[from as usize..to as usize].iter_mut().map(|queue| queue.times(now)).fold((0.0, 0.0), sum)
            })
            .collect()
    }

    pub fn now(&self) -> f64 {
        self.now
    }

    /// Enters the next arrival of a workload.
    fn announce(&mut self, workload: usize) {
        let (law, mean, stream) = &mut self.arrivals[workload];
        let gap = match law {
            Some(law) => *mean * law.draw(stream),
            None => *mean * stream.exponential(),
        };
        self.calendar.enter(self.now + gap, ARRIVALS + workload as u32);
    }

    fn arrive(&mut self, workload: usize) {
        self.announce(workload);
        let mix = &self.network.workloads[workload].mix;
        let operation = if let [(operation, _)] = mix.as_slice() {
            *operation
        } else {
            let mut u = self.arrivals[workload].2.uniform();
            let found = mix.iter().find(|(_, share)| {
                u -= share;
                u < 0.0
            });
            found.or(mix.last()).map_or(0, |(operation, _)| *operation)
        };
        self.record.workloads[workload].arrivals += 1;
        let frame = self.begin(operation, workload as u32, NONE, true);
        self.go_on(frame);
    }

    /// Begins a run of an operation: `first` for a request of a workload itself.
    fn begin(&mut self, operation: OperationId, workload: u32, below: u32, first: bool) -> u32 {
        let service = self.network.operations[operation].service;
        let instance = self.homes[service].call();
        self.record.services[service].arrivals += 1;
        let start = self.program.operations[operation];
        self.frames.put(Frame {
            kind: Kind::Operation,
            asking: Asking::Nothing,
            place: start,
            start,
            below,
            left: 1,
            asked: 0,
            first,
            held: NONE,
            operation: operation as u32,
            instance,
            workload,
            work: 0.0,
            back: 0.0,
            began: self.now,
        })
    }

    /// A sequence within a frame.
    fn inner(&mut self, kind: Kind, below: u32, like: u32, start: Place, left: u32) -> u32 {
        let like = self.frames[like];
        self.frames.put(Frame {
            kind,
            asking: Asking::Nothing,
            place: start,
            start,
            below,
            left,
            asked: 0,
            held: NONE,
            ..like
        })
    }

    fn later(&mut self, time: f64, frame: u32) {
        self.calendar.enter(self.now + time, frame);
    }

    /// Goes on with a frame, and with those that it lets go on, until all wait.
    fn go_on(&mut self, number: u32) {
        let mut current = number;
        loop {
            let frame = &mut self.frames[current];
            if frame.held != NONE {
                let queue = std::mem::replace(&mut frame.held, NONE);
                if let Some(next) = self.queues[queue as usize].depart(self.now) {
                    self.serve(next, queue);
                }
            }
            let frame = self.frames[current];
            let next = match self.program.code[frame.place as usize] {
                Instruction::Work { station, law } => {
                    self.work(current, station, law);
                    None
                }
                Instruction::Delay { law } => {
                    let time = self.draw(law);
                    self.frames[current].place += 1;
                    self.later(time, current);
                    None
                }
                Instruction::Call { call } => self.call(current, call as usize),
                Instruction::Send { operation } => {
                    let sent = self.begin(operation as usize, frame.workload, NONE, false);
                    self.frames[current].place += 1;
                    self.later(0.0, sent);
                    Some(current)
                }
                Instruction::Choose { choice } => {
                    let choice = &self.program.choices[choice as usize];
                    let u = self.chances[choice.chance as usize].uniform();
                    let way = choice.ways.iter().find(|(sum, _)| u < *sum).or(choice.ways.last());
                    self.frames[current].place += 1;
                    way.map(|(_, start)| *start)
                        .map_or(Some(current), |start| Some(self.inner(Kind::Body, current, current, start, 1)))
                }
                Instruction::Repeat { times, body } => {
                    self.frames[current].place += 1;
                    if times == 0 { Some(current) } else { Some(self.inner(Kind::Body, current, current, body, times)) }
                }
                Instruction::Parallel { parallel } => {
                    self.fork(current, parallel as usize);
                    None
                }
                Instruction::Fail { probability, chance } => {
                    if self.chances[chance as usize].chance(probability) {
                        self.fail(current);
                        None
                    } else {
                        self.frames[current].place += 1;
                        Some(current)
                    }
                }
                Instruction::End => self.end(current),
            };
            match next {
                Some(next) => current = next,
                None => return,
            }
        }
    }

    fn draw(&mut self, law: u32) -> f64 {
        self.program.laws[law as usize].draw(&mut self.laws[law as usize])
    }

    fn work(&mut self, number: u32, station: u32, law: u32) {
        let time = self.draw(law);
        let frame = &mut self.frames[number];
        frame.place += 1;
        frame.work = time;
        let pools = match self.network.stations[station as usize].balancer {
            Balancer::Shared => 0,
            _ => frame.instance,
        };
        let queue = self.first_queue[station as usize] + pools;
        let class = self.network.workloads[frame.workload as usize].class;
        match self.queues[queue as usize].arrive(self.now, number, class) {
            Arrival::Begins => self.serve(number, queue),
            Arrival::Waits => {}
            Arrival::Refused => self.fail(number),
        }
    }

    /// A server of a queue takes up a frame's work.
    fn serve(&mut self, number: u32, queue: u32) {
        let frame = &mut self.frames[number];
        frame.held = queue;
        let time = frame.work;
        self.later(time, number);
    }

    /// The next thing to do for a call: the frame that goes on.
    fn call(&mut self, number: u32, id: usize) -> Option<u32> {
        let call = &self.program.calls[id];
        let frame = self.frames[number];
        let left = match frame.asking {
            Asking::Nothing => {
                let made = call.probability == 1.0 || self.chances[call.chance as usize].chance(call.probability);
                if made { call.times } else { 0 }
            }
            Asking::Going => {
                let called = self.begin(call.operation, frame.workload, number, false);
                self.frames[number].asking = Asking::Back;
                return Some(called);
            }
            Asking::Back => frame.asked - 1,
        };
        if left == 0 {
            let frame = &mut self.frames[number];
            frame.asking = Asking::Nothing;
            frame.place += 1;
            return Some(number);
        }
        let way = call.network.map_or(0.0, |law| 0.5 * self.draw(law));
        let frame = &mut self.frames[number];
        (frame.asked, frame.back, frame.asking) = (left, way, Asking::Going);
        if way > 0.0 {
            self.later(way, number);
            return None;
        }
        Some(number)
    }

    fn fork(&mut self, number: u32, id: usize) {
        let parallel = &self.program.parallels[id];
        self.frames[number].place += 1;
        let running = parallel.branches.len() as u32;
        let join = Join { frame: number, needed: parallel.needed, running, over: false };
        let join = self.joins.put(join);
        for start in &parallel.branches {
            let branch = self.inner(Kind::Branch, join, number, *start, 1);
            self.later(0.0, branch);
        }
    }

    /// A branch has ended; returns the frame that goes on with it.
    fn joined(&mut self, id: u32, success: bool) -> Option<u32> {
        let join = &mut self.joins[id];
        join.running -= 1;
        join.needed -= u32::from(success && join.needed > 0);
        let (frame, met, lost) = (join.frame, join.needed == 0, join.running < join.needed);
        let decided = !join.over && (met || lost);
        join.over |= decided;
        if join.running == 0 {
            self.joins.free(id);
        }
        if decided && lost {
            self.fail(frame);
        }
        (decided && met).then_some(frame)
    }

    /// The end of a sequence; returns the frame that goes on.
    fn end(&mut self, number: u32) -> Option<u32> {
        let frame = self.frames[number];
        match frame.kind {
            Kind::Body if frame.left > 1 => {
                let frame = &mut self.frames[number];
                (frame.left, frame.place) = (frame.left - 1, frame.start);
                return Some(number);
            }
            Kind::Body => {
                self.frames.free(number);
                return Some(frame.below);
            }
            Kind::Branch => {
                self.frames.free(number);
                return self.joined(frame.below, true);
            }
            Kind::Operation => {}
        }
        self.answer(number, true)
    }

    /// A run of an operation is over; returns the caller's frame, when it goes on at once.
    fn answer(&mut self, number: u32, success: bool) -> Option<u32> {
        let frame = self.frames[number];
        self.frames.free(number);
        let service = self.network.operations[frame.operation as usize].service;
        self.homes[service].answer(frame.instance);
        let time = success.then_some(self.now - frame.began);
        self.record.services[service].answer(time);
        if frame.below == NONE {
            if frame.first {
                self.record.workloads[frame.workload as usize].answer(time);
            }
            return None;
        }
        let caller = self.frames[frame.below];
        if !success {
            return None;
        }
        if caller.back > 0.0 {
            self.later(caller.back, frame.below);
            return None;
        }
        Some(frame.below)
    }

    /// Ends a frame with an error, and all that wait for it.
    fn fail(&mut self, number: u32) {
        let mut current = number;
        loop {
            let frame = self.frames[current];
            match frame.kind {
                Kind::Body => self.frames.free(current),
                Kind::Branch => {
                    self.frames.free(current);
                    // A branch that fails never lets its frame go on.
                    self.joined(frame.below, false);
                    return;
                }
                Kind::Operation => {
                    self.answer(current, false);
                    if frame.below == NONE {
                        return;
                    }
                }
            }
            current = frame.below;
        }
    }
}

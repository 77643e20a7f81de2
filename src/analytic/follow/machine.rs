//! What a request does, step by step.

use super::frames::{Event, Frame, Join, Last, Lines, What};
use super::place::Visit;
use super::places::Places;
use super::pool::Taken;
use crate::math::random::Stream;
use crate::network::program::{Call, Fork, Instruction, Kind, LawId, NONE, Program};
use crate::network::{Network, OperationId};
use crate::unit::Seconds;
use std::collections::BinaryHeap;

/// So many looks of a visit at others cost about what an event does.
const LOOKS: u64 = 16;

/// A request that never ends, or in which everything meets everything, is followed no further than this effort.
const LONGEST: u64 = 40_000;

/// And what it does without any time passing no further than so many instructions.
const MOST_INSTRUCTIONS: u32 = 400_000;

/// So few instructions do not count.
const FEW: u32 = 20_000;

/// Follows requests.
pub(super) struct Machine<'n> {
    /// Share of the lookups in each cache that hit.
    hits: Vec<f64>,
    program: &'n Program,
    pub places: Places,
    /// The chance to be refused at each station.
    pub refusing: Vec<f64>,
    /// The operations whose runs are timed.
    pub wanted: Vec<bool>,
    /// The times of the successful ones.
    pub runs: Vec<Vec<Seconds>>,
    operation_of: Vec<u32>,
    /// Events of all requests so far.
    events: u64,
    waiting: BinaryHeap<Event>,
    happened: u32,
    /// Instructions of the present request.
    done: u32,
    frames: Vec<Frame>,
    joins: Vec<Join>,
    lines: Lines,
    now: Seconds,
    /// What the request took, if it has succeeded.
    over: Option<Seconds>,
}

impl<'n> Machine<'n> {
    pub fn new(network: &'n Network, program: &'n Program, places: Places) -> Machine<'n> {
        let operations = network.operations.len();
        let mut operation_of = vec![0; program.code.len()];
        for (operation, (place, _)) in program.operations.iter().enumerate() {
            operation_of[*place as usize..].fill(operation as u32);
        }
        Machine {
            hits: network.caches.iter().map(|cache| cache.ratio).collect(),
            program,
            places,
            refusing: vec![0.0; network.stations.len()],
            wanted: vec![false; operations],
            runs: vec![Vec::new(); operations],
            operation_of,
            events: 0,
            waiting: BinaryHeap::new(),
            happened: 0,
            done: 0,
            frames: Vec::new(),
            joins: Vec::new(),
            lines: Lines::default(),
            now: 0.0,
            over: None,
        }
    }

    /// Follows a request until nothing of it is left; how long it takes, if it succeeds.
    pub fn request(&mut self, operation: OperationId, stream: &mut Stream) -> Option<Seconds> {
        self.places.clear();
        self.waiting.clear();
        self.frames.clear();
        self.joins.clear();
        self.lines.clear();
        (self.now, self.over, self.happened, self.done) = (0.0, None, 0, 0);
        let before = self.effort();
        let root = self.run_of(operation, NONE, 0, 0.0);
        self.later(0.0, root, What::Goes);
        while let Some(event) = self.waiting.pop() {
            self.now = event.time;
            let mut next = self.happens(event, stream);
            while let Some(id) = next {
                next = self.go(id, stream);
            }
            self.events += 1;
            if self.effort() > before + LONGEST || self.done > MOST_INSTRUCTIONS {
                break;
            }
        }
        // Those of most requests cost nothing beside their events.
        self.events += u64::from(self.done.saturating_sub(FEW)) / 8;
        self.over
    }

    /// Something happens to a frame: who goes on at once, as with everything below that says so.
    fn happens(&mut self, event: Event, stream: &mut Stream) -> Option<u32> {
        let Event { frame, what, .. } = event;
        let stands = |stamp: u32| self.frames[frame as usize].stamp == stamp;
        match what {
            What::Goes => Some(frame),
            What::Tries => self.attempt(frame, stream),
            What::Answers(success) => self.deliver(frame, success, stream),
            What::GivesUp(stamp) if stands(stamp) => self.lost(frame, stream),
            What::Copies(stamp) if stands(stamp) => {
                self.frames[frame as usize].copies += 1;
                self.ask(frame, stream)
            }
            What::GivesUp(_) | What::Copies(_) => None,
        }
    }

    /// What it took so far: events, and visits of a request that were looked at for others.
    pub fn effort(&self) -> u64 {
        self.events + self.places.looked / LOOKS
    }

    fn later(&mut self, time: Seconds, frame: u32, what: What) {
        self.happened += 1;
        self.waiting.push(Event { time, number: self.happened, frame, what });
    }

    fn put(&mut self, frame: Frame) -> u32 {
        self.frames.push(frame);
        self.frames.len() as u32 - 1
    }

    fn run_of(&mut self, operation: OperationId, below: u32, line: u32, way: Seconds) -> u32 {
        let (place, _) = self.program.operations[operation];
        let run = Frame::new(place, Kind::Run, below, line, self.now + way);
        self.put(Frame { way, ..run })
    }

    fn draw(&self, law: LawId, stream: &mut Stream) -> Seconds {
        self.program.samplers[law as usize].draw(stream)
    }

    /// A frame goes on until it has to wait.
    fn go(&mut self, id: u32, stream: &mut Stream) -> Option<u32> {
        while self.done <= MOST_INSTRUCTIONS {
            self.done += 1;
            let frame = &mut self.frames[id as usize];
            let place = frame.place;
            match self.program.code[place as usize] {
                Instruction::Work { station, law } | Instruction::Shared { station, law } => {
                    return self.work(id, station, law, stream);
                }
                Instruction::Delay { law } => {
                    frame.place += 1;
                    let time = self.now + self.draw(law, stream);
                    self.later(time, id, What::Goes);
                    return None;
                }
                Instruction::Call { call } => {
                    let call = &self.program.calls[call as usize];
                    if call.times > 0 && (call.probability == 1.0 || stream.chance(call.probability)) {
                        (frame.left, frame.tries) = (call.times, 0);
                        return self.attempt(id, stream);
                    }
                    frame.place += 1;
                }
                Instruction::Send { operation } => {
                    frame.place += 1;
                    let line = self.lines.leave(frame.line, None, self.happened);
                    let sent = self.run_of(operation as usize, NONE, line, 0.0);
                    self.later(self.now, sent, What::Goes);
                }
                Instruction::Choose { choice } => {
                    let u = stream.uniform();
                    let ways = &self.program.choices[choice as usize].ways;
                    let way = ways.iter().find(|(sum, _)| u < *sum).or(ways.last());
                    frame.place = way.map_or(place + 1, |(_, place)| *place);
                }
                Instruction::Lookup { cache, hit } => {
                    let hits = stream.chance(self.hits[cache as usize]);
                    frame.place = if hits { hit } else { place + 1 };
                }
                Instruction::Jump { place } => frame.place = place,
                Instruction::Loop { times: 0, after } => frame.place = after,
                Instruction::Loop { times, after } => {
                    frame.place = after;
                    let inner = Frame::new(place + 1, Kind::Body, id, frame.line, self.now);
                    return Some(self.put(Frame { left: times, ..inner }));
                }
                Instruction::Again { body } => {
                    frame.left -= 1;
                    if frame.left == 0 {
                        return Some(frame.below);
                    }
                    frame.place = body;
                }
                Instruction::Take { pool } => return self.take(id, pool as usize, stream),
                Instruction::Give { pool } => {
                    frame.place += 1;
                    self.give(pool as usize, id);
                }
                Instruction::Fork { fork } => {
                    let fork = &self.program.forks[fork as usize];
                    frame.place = fork.after;
                    if fork.needed > 0 && !fork.branches.is_empty() {
                        self.fork(id, fork);
                        return None;
                    }
                }
                Instruction::Fail { probability, .. } => {
                    if stream.chance(probability) {
                        return self.fail(id, stream);
                    }
                    frame.place += 1;
                }
                Instruction::End => return self.end(id, true, stream),
            }
        }
        None
    }

    /// A frame visits a station.
    fn work(&mut self, id: u32, station: u32, law: LawId, stream: &mut Stream) -> Option<u32> {
        let refusing = self.refusing[station as usize];
        if refusing > 0.0 && stream.chance(refusing) {
            return self.fail(id, stream);
        }
        let line = self.frames[id as usize].line;
        let work = self.draw(law, stream);
        self.happened += 1;
        let number = self.happened;
        let from = self.lines.visits(line, Last { station, number });
        let visit = Visit { law, work, line, number, from, now: self.now };
        let Some(time) = self.places.visit(station as usize, visit, &self.lines, stream) else {
            return self.fail(id, stream);
        };
        self.frames[id as usize].place += 1;
        self.later(time, id, What::Goes);
        None
    }

    /// A frame takes one of a pool.
    fn take(&mut self, id: u32, pool: usize, stream: &mut Stream) -> Option<u32> {
        let taken = self.places.take(pool, id, self.now, stream);
        if let Taken::Refused = taken {
            return self.fail(id, stream);
        }
        self.frames[id as usize].place += 1;
        if let Taken::After(wait) = taken {
            self.later(self.now + wait, id, What::Goes);
        }
        None
    }

    /// A frame splits up.
    fn fork(&mut self, id: u32, fork: &Fork) {
        let join = self.joins.len() as u32;
        let running = fork.branches.len() as u32;
        self.joins.push(Join { frame: id, needed: fork.needed, running, over: false });
        let above = self.frames[id as usize].line;
        for place in &fork.branches {
            let line = self.lines.leave(above, Some(join), self.happened);
            let branch = self.put(Frame::new(*place, Kind::Branch, join, line, self.now));
            self.later(self.now, branch, What::Goes);
        }
    }

    /// One of a pool is given back, and the next of this request that waits for one goes on.
    fn give(&mut self, pool: usize, id: u32) {
        if let Some(next) = self.places.give(pool, id, self.now) {
            self.later(self.now, next, What::Goes);
        }
    }

    /// The call at the place of a frame.
    fn call(&self, id: u32) -> Option<&'n Call> {
        match self.program.code[self.frames[id as usize].place as usize] {
            Instruction::Call { call } => Some(&self.program.calls[call as usize]),
            _ => None,
        }
    }

    /// A frame makes the call at its place, for the first time or again.
    fn attempt(&mut self, id: u32, stream: &mut Stream) -> Option<u32> {
        let call = self.call(id)?;
        let frame = &mut self.frames[id as usize];
        frame.tries += 1;
        frame.copies = 1;
        frame.stamp += 1;
        let stamp = frame.stamp;
        if let Some(timeout) = call.timeout {
            self.later(self.now + timeout, id, What::GivesUp(stamp));
        }
        if let Some(hedge) = call.hedge {
            self.later(self.now + hedge, id, What::Copies(stamp));
        }
        self.ask(id, stream)
    }

    /// A copy of the call at the place of a frame is sent.
    fn ask(&mut self, id: u32, stream: &mut Stream) -> Option<u32> {
        let call = self.call(id)?;
        let way = call.network.map_or(0.0, |law| 0.5 * self.draw(law, stream));
        let run = self.run_of(call.operation, id, self.frames[id as usize].line, way);
        self.frames[run as usize].below_stamp = self.frames[id as usize].stamp;
        if way > 0.0 {
            self.later(self.now + way, run, What::Goes);
            return None;
        }
        Some(run)
    }

    /// A frame is over.
    fn end(&mut self, id: u32, success: bool, stream: &mut Stream) -> Option<u32> {
        let frame = self.frames[id as usize];
        match frame.kind {
            Kind::Run => {
                let operation = self.operation_of[frame.place as usize] as usize;
                if success && self.wanted[operation] {
                    self.runs[operation].push(self.now - frame.began);
                }
                if frame.way > 0.0 {
                    self.later(self.now + frame.way, id, What::Answers(success));
                    return None;
                }
                self.deliver(id, success, stream)
            }
            Kind::Body => self.fail(frame.below, stream),
            Kind::Branch => {
                let join = &mut self.joins[frame.below as usize];
                join.running -= 1;
                join.needed -= u32::from(success && join.needed > 0);
                let (met, lost) = (join.needed == 0, join.running < join.needed);
                let was_over = join.over;
                join.over |= met || lost;
                let below = join.frame;
                match (met, lost) {
                    _ if was_over => None,
                    (true, _) => Some(below),
                    (_, true) => self.fail(below, stream),
                    _ => None,
                }
            }
        }
    }

    /// An answer reaches who asked.
    fn deliver(&mut self, id: u32, success: bool, stream: &mut Stream) -> Option<u32> {
        let frame = self.frames[id as usize];
        if frame.below == NONE {
            if id == 0 && success {
                self.over = Some(self.now);
            }
            return None;
        }
        let caller = &mut self.frames[frame.below as usize];
        if caller.stamp != frame.below_stamp {
            return None;
        }
        if !success {
            caller.copies -= 1;
            return if caller.copies == 0 { self.lost(frame.below, stream) } else { None };
        }
        caller.stamp += 1;
        caller.left -= 1;
        if caller.left > 0 {
            caller.tries = 0;
            return self.attempt(frame.below, stream);
        }
        caller.place += 1;
        Some(frame.below)
    }

    /// An attempt has failed: the call is sent again, or fails.
    fn lost(&mut self, id: u32, stream: &mut Stream) -> Option<u32> {
        let call = self.call(id)?;
        let frame = &mut self.frames[id as usize];
        frame.stamp += 1;
        if frame.tries > call.retries {
            return self.fail(id, stream);
        }
        let Some(backoff) = call.backoff else { return self.attempt(id, stream) };
        let most = backoff.most(frame.tries);
        let time = if backoff.full_jitter { most * stream.uniform() } else { most };
        self.later(self.now + time, id, What::Tries);
        None
    }

    /// A frame fails, and gives back what it holds.
    fn fail(&mut self, id: u32, stream: &mut Stream) -> Option<u32> {
        let place = self.frames[id as usize].place;
        let mut hold = self.program.held[place as usize];
        while hold != NONE {
            let (pool, around) = self.program.holds[hold as usize];
            self.give(pool, id);
            hold = around;
        }
        self.end(id, false, stream)
    }
}

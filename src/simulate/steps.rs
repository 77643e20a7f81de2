//! What a frame does, step by step.

use super::engine::{Engine, FRAME, SHARE, Then};
use super::frames::{Frame, Kind, Phase};
use super::program::{Instruction, NONE, Place};
use super::queue::Arrival;
use super::record::{Elsewhere, Spent, place_of};

impl Engine<'_> {
    /// What a frame waited for has come.
    pub fn resume(&mut self, number: u32) {
        let then = match self.frames[number].phase {
            Phase::Running => Then::Goes(number),
            Phase::Sent => self.receive(number),
            Phase::Admission => self.admitted(number),
            Phase::Work => self.work_over(number),
            Phase::Delay => self.delay_over(number),
            Phase::Pool => self.taken(number),
            Phase::Backoff => self.attempt(number),
            Phase::Success => self.deliver(number, true),
            Phase::Failure => self.deliver(number, false),
            // Answers come by themselves.
            Phase::Answers => Then::Waits,
        };
        self.drive(then);
    }

    /// Does what stands at the place of a frame.
    #[inline]
    pub fn execute(&mut self, number: u32) -> Then {
        let frame = &mut self.frames[number];
        match self.program.code[frame.place as usize] {
            Instruction::Work { station, law } => {
                let work = self.program.laws[law as usize].draw(&mut self.laws[law as usize]);
                (frame.work, frame.since, frame.phase) = (work, self.now, Phase::Work);
                let workload = frame.workload;
                let queue = self.stations[station as usize].at(frame.instance) as usize;
                let class = self.class(workload);
                self.brought(station, workload, work);
                match self.queues[queue].arrive(self.now, number, class) {
                    Arrival::Begins => self.calendar.enter(self.now + work, FRAME + number),
                    Arrival::Waits => {}
                    Arrival::Refused => return Then::Fails(number),
                }
                Then::Waits
            }
            Instruction::Shared { station, law } => {
                let work = self.program.laws[law as usize].draw(&mut self.laws[law as usize]);
                (frame.work, frame.since, frame.phase) = (work, self.now, Phase::Work);
                let workload = frame.workload;
                let share = self.stations[station as usize].at(frame.instance);
                let class = self.class(workload);
                self.brought(station, workload, work);
                if self.shares[share as usize].arrive(self.now, number, class, work) == Arrival::Refused {
                    return Then::Fails(number);
                }
                self.announce_departure(share);
                Then::Waits
            }
            Instruction::Delay { law } => {
                let time = self.program.laws[law as usize].draw(&mut self.laws[law as usize]);
                (frame.since, frame.phase) = (self.now, Phase::Delay);
                self.later(time, number);
                Then::Waits
            }
            Instruction::Call { call } => {
                let id = call;
                let call = &self.program.calls[id as usize];
                let made = call.times > 0
                    && (call.probability == 1.0 || self.chances[call.chance as usize].chance(call.probability));
                if !made {
                    frame.place += 1;
                    return Then::Goes(number);
                }
                (frame.asked, frame.tries, frame.phase) = (call.times, 0, Phase::Answers);
                frame.since = self.now;
                self.attempt_call(number, id)
            }
            Instruction::Send { operation } => {
                frame.place += 1;
                let (workload, span) = (frame.workload, frame.span);
                let sent = self.run_of(operation as usize, workload);
                let sent_frame = &mut self.frames[sent];
                (sent_frame.phase, sent_frame.span) = (Phase::Sent, span);
                self.ready.push_back(sent);
                Then::Goes(number)
            }
            Instruction::Choose { choice } => {
                let choice = &self.program.choices[choice as usize];
                let u = self.chances[choice.chance as usize].uniform();
                let way = choice.ways.iter().find(|(sum, _)| u < *sum).or(choice.ways.last());
                frame.place = way.map_or(frame.place + 1, |(_, place)| *place);
                Then::Goes(number)
            }
            Instruction::Lookup { cache, hit } => {
                let (lookups, stream) = &mut self.caches[cache as usize];
                frame.place = if lookups.hits(stream) { hit } else { frame.place + 1 };
                Then::Goes(number)
            }
            Instruction::Jump { place } => {
                frame.place = place;
                Then::Goes(number)
            }
            Instruction::Loop { times, after } => {
                if times == 0 {
                    frame.place = after;
                    return Then::Goes(number);
                }
                // It stays here until the loop is over: where a frame stands is what it waits in.
                frame.phase = Phase::Answers;
                let body = frame.place + 1;
                Then::Goes(self.inner(Kind::Body, number, number, body, times))
            }
            Instruction::Again { body } => {
                if frame.left > 1 {
                    (frame.left, frame.place) = (frame.left - 1, body);
                    return Then::Goes(number);
                }
                let (below, waited) = (frame.below, frame.waited);
                self.frames.free(number);
                let frame = &mut self.frames[below];
                if let Instruction::Loop { after, .. } = self.program.code[frame.place as usize] {
                    frame.place = after;
                }
                frame.phase = Phase::Running;
                frame.waited += waited;
                Then::Goes(below)
            }
            Instruction::Take { pool } => {
                (frame.since, frame.phase) = (self.now, Phase::Pool);
                let queue = self.pools[pool as usize].at(frame.instance) as usize;
                match self.queues[queue].arrive(self.now, number, 0) {
                    Arrival::Begins => self.taken(number),
                    Arrival::Waits | Arrival::Refused => Then::Waits,
                }
            }
            Instruction::Give { pool } => {
                frame.place += 1;
                let instance = frame.instance;
                self.give(pool, instance);
                Then::Goes(number)
            }
            Instruction::Fork { fork } => self.fork(number, fork as usize),
            Instruction::Fail { probability, chance } => {
                if self.chances[chance as usize].chance(probability) {
                    return Then::Fails(number);
                }
                frame.place += 1;
                Then::Goes(number)
            }
            Instruction::End => match frame.kind {
                Kind::Branch => self.branch_over(number, true),
                Kind::Run | Kind::Body => self.answer(number, true),
            },
        }
    }

    #[inline]
    fn brought(&mut self, station: u32, workload: u32, work: f64) {
        self.record.work[station as usize * self.network.workloads.len() + workload as usize] += work;
    }

    /// A frame within another one, for as much of its program.
    pub fn inner(&mut self, kind: Kind, below: u32, like: u32, place: Place, left: u32) -> u32 {
        let Frame { operation, service, instance, workload, ledger, span, .. } = self.frames[like];
        let (number, frame) = self.frames.put(kind);
        (frame.place, frame.below, frame.left) = (place, below, left);
        (frame.operation, frame.service, frame.instance) = (operation, service, instance);
        (frame.workload, frame.ledger, frame.span) = (workload, ledger, span);
        number
    }

    /// A server has done the work of a frame, and takes up the next.
    #[inline]
    fn work_over(&mut self, number: u32) -> Then {
        let frame = &self.frames[number];
        let waited = (self.now - frame.since - frame.work).max(0.0);
        if let Instruction::Work { station, .. } = self.program.code[frame.place as usize] {
            let queue = self.stations[station as usize].at(frame.instance) as usize;
            if let Some(next) = self.queues[queue].depart(self.now) {
                let next_frame = &mut self.frames[next];
                next_frame.waited += self.now - next_frame.since;
                let work = next_frame.work;
                self.calendar.enter(self.now + work, FRAME + next);
            }
        }
        self.served(number, waited)
    }

    /// Those leave whose time at some shared servers is over.
    pub fn depart_shared(&mut self, share: u32) {
        let servers = &mut self.shares[share as usize];
        if self.now >= servers.entry {
            servers.entry = f64::INFINITY;
        }
        while let Some((number, waited)) = self.shares[share as usize].depart(self.now) {
            self.frames[number].waited += waited;
            self.frames[number].phase = Phase::Running;
            let then = self.served(number, waited);
            self.drive(then);
        }
        self.announce_departure(share);
    }

    /// Sees to it that the next departure from shared servers stands in the calendar. One that stands there too early is
    /// looked at when its time comes, and entered again.
    fn announce_departure(&mut self, share: u32) {
        let servers = &mut self.shares[share as usize];
        if let Some(time) = servers.next()
            && time < servers.entry
        {
            servers.entry = time;
            self.calendar.enter(time, SHARE + share);
        }
    }

    /// The work of a frame is done.
    #[inline]
    fn served(&mut self, number: u32, waited: f64) -> Then {
        let now = self.now;
        let frame = &mut self.frames[number];
        (frame.place, frame.phase) = (frame.place + 1, Phase::Running);
        if frame.ledger != NONE || frame.span != NONE {
            let (service, frame) = (frame.service as usize, *frame);
            let spent = Spent { queueing: waited, service: now - frame.since - waited };
            self.ledgers.spend(frame.ledger, service, spent);
            if let Some(spans) = &mut self.spans {
                spans.part(frame.span, "wait", frame.since, frame.since + waited);
                spans.part(frame.span, "work", frame.since + waited, now);
            }
        }
        Then::Goes(number)
    }

    fn delay_over(&mut self, number: u32) -> Then {
        let frame = &mut self.frames[number];
        (frame.place, frame.phase) = (frame.place + 1, Phase::Running);
        if frame.ledger != NONE || frame.span != NONE {
            let service = frame.service as usize;
            self.ledgers.spend(frame.ledger, service, Spent { queueing: 0.0, service: self.now - frame.since });
            if let Some(spans) = &mut self.spans {
                spans.part(frame.span, "delay", frame.since, self.now);
            }
        }
        Then::Goes(number)
    }

    /// A frame has got what it takes from a pool.
    fn taken(&mut self, number: u32) -> Then {
        let frame = &mut self.frames[number];
        if let Instruction::Take { pool } = self.program.code[frame.place as usize]
            && (frame.ledger != NONE || frame.span != NONE)
        {
            let place = place_of(self.network, Elsewhere::Pool(pool as usize));
            self.ledgers.spend(frame.ledger, place, Spent { queueing: self.now - frame.since, service: 0.0 });
            if let Some(spans) = &mut self.spans {
                spans.part(frame.span, "wait for pool", frame.since, self.now);
            }
        }
        (frame.place, frame.phase) = (frame.place + 1, Phase::Running);
        Then::Goes(number)
    }

    /// One of a pool is given back, to the next who waits.
    fn give(&mut self, pool: u32, instance: u32) {
        let queue = self.pools[pool as usize].at(instance) as usize;
        if let Some(next) = self.queues[queue].depart(self.now) {
            self.ready.push_back(next);
        }
    }

    /// A frame fails: what it holds is given back, and who waits for it learns of it.
    pub fn unwind(&mut self, number: u32) -> Then {
        let frame = self.frames[number];
        let mut hold = self.program.held[frame.place as usize];
        while hold != NONE {
            let (pool, around) = self.program.holds[hold as usize];
            self.give(pool as u32, frame.instance);
            hold = around;
        }
        match frame.kind {
            Kind::Body => {
                self.frames.free(number);
                Then::Fails(frame.below)
            }
            Kind::Branch => self.branch_over(number, false),
            Kind::Run => self.answer(number, false),
        }
    }
}

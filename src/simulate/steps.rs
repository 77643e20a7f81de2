//! What a frame does, step by step.

use super::engine::{Engine, FRAME, SHARE, Then};
use super::frames::{Frame, Phase};
use super::queue::Arrival;
use super::record::{Elsewhere, Spent, place_of};
use crate::network::program::{Instruction, Kind, NONE, Place};

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
        if let Some(by_place) = &mut self.by_place
            && by_place.holds_up(self.now, number, frame)
        {
            return Then::Waits;
        }
        match self.program.code[frame.place as usize] {
            Instruction::Work { station, law } => self.work(number, station, law),
            Instruction::Shared { station, law } => self.work_shared(number, station, law),
            Instruction::Delay { law } => self.delay(number, law),
            Instruction::Call { call } => self.call(number, call),
            Instruction::Send { operation } => {
                frame.place += 1;
                let Frame { workload, span, is_again, .. } = *frame;
                let sent = self.run_of(operation as usize, workload);
                let sent_frame = &mut self.frames[sent];
                (sent_frame.phase, sent_frame.span, sent_frame.is_again) = (Phase::Sent, span, is_again);
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
            Instruction::Loop { times: 0, after } => {
                frame.place = after;
                Then::Goes(number)
            }
            Instruction::Loop { times, .. } => {
                // It stays here until the loop is over: where a frame stands is what it waits in.
                frame.phase = Phase::Answers;
                let body = frame.place + 1;
                Then::Goes(self.inner(Kind::Body, number, number, body, times))
            }
            Instruction::Again { body } => self.again(number, body),
            Instruction::Take { pool } => self.take(number, pool),
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
            Instruction::End if frame.kind == Kind::Branch => self.branch_over(number, true),
            Instruction::End => self.answer(number, true),
        }
    }

    /// A frame passes time.
    fn delay(&mut self, number: u32, law: u32) -> Then {
        let time = self.program.samplers[law as usize].draw(&mut self.laws[law as usize]);
        let frame = &mut self.frames[number];
        (frame.since, frame.phase) = (self.now, Phase::Delay);
        self.later(time, number);
        Then::Waits
    }

    /// A frame needs a server for itself.
    #[inline]
    fn work(&mut self, number: u32, station: u32, law: u32) -> Then {
        let (work, class) = self.bring(number, station, law);
        let frame = &mut self.frames[number];
        let queue = self.stations[station as usize].at(frame.instance) as usize;
        if let Some(by_place) = &mut self.by_place {
            frame.waited += by_place.serve(queue, frame.place, self.now, work, number) - self.now;
            return Then::Waits;
        }
        match self.queues[queue].arrive(self.now, number, class) {
            Arrival::Begins => self.calendar.enter(self.now + work, FRAME + number),
            Arrival::Waits => {}
            Arrival::Refused => return Then::Fails(number),
        }
        Then::Waits
    }

    /// A frame needs a server that others may use too, or take away.
    fn work_shared(&mut self, number: u32, station: u32, law: u32) -> Then {
        let (work, class) = self.bring(number, station, law);
        let share = self.stations[station as usize].at(self.frames[number].instance);
        if self.shares[share as usize].arrive(self.now, number, class, work) == Arrival::Refused {
            return Then::Fails(number);
        }
        self.announce_departure(share);
        Then::Waits
    }

    /// A frame comes to a station: the work it brings, and its class of urgency.
    #[inline(always)]
    fn bring(&mut self, number: u32, station: u32, law: u32) -> (f64, usize) {
        let work = self.program.samplers[law as usize].draw(&mut self.laws[law as usize]);
        let frame = &mut self.frames[number];
        (frame.work, frame.since, frame.phase) = (work, self.now, Phase::Work);
        let workload = frame.workload as usize;
        self.record.work[station as usize * self.classes.len() + workload] += work;
        (work, self.classes[workload])
    }

    /// The end of what a loop goes through: again, or on with the frame around it.
    fn again(&mut self, number: u32, body: Place) -> Then {
        let frame = &mut self.frames[number];
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

    /// A frame wants one of a pool.
    fn take(&mut self, number: u32, pool: u32) -> Then {
        let frame = &mut self.frames[number];
        (frame.since, frame.phase) = (self.now, Phase::Pool);
        let queue = self.pools[pool as usize].at(frame.instance) as usize;
        match self.queues[queue].arrive(self.now, number, 0) {
            Arrival::Begins => self.taken(number),
            Arrival::Waits | Arrival::Refused => Then::Waits,
        }
    }

    /// A frame within another one, for as much of its program.
    pub fn inner(&mut self, kind: Kind, below: u32, like: u32, place: Place, left: u32) -> u32 {
        let Frame { operation, service, instance, workload, ledger, span, is_again, .. } = self.frames[like];
        let (number, frame) = self.frames.put(kind);
        (frame.place, frame.below, frame.left) = (place, below, left);
        (frame.operation, frame.service, frame.instance) = (operation, service, instance);
        (frame.workload, frame.ledger, frame.span, frame.is_again) = (workload, ledger, span, is_again);
        number
    }

    /// A server has done the work of a frame, and takes up the next.
    #[inline]
    fn work_over(&mut self, number: u32) -> Then {
        let frame = &self.frames[number];
        let waited = (self.now - frame.since - frame.work).max(0.0);
        if self.by_place.is_none()
            && let Instruction::Work { station, .. } = self.program.code[frame.place as usize]
        {
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
        let frame = &self.frames[number];
        let (service, begun) = (frame.service as usize, frame.since + waited);
        self.spent(number, service, begun, ["wait", "work"]);
        self.past(number)
    }

    fn delay_over(&mut self, number: u32) -> Then {
        let frame = &self.frames[number];
        let (service, begun) = (frame.service as usize, frame.since);
        self.spent(number, service, begun, ["wait", "delay"]);
        self.past(number)
    }

    /// A frame has got what it takes from a pool.
    fn taken(&mut self, number: u32) -> Then {
        if let Instruction::Take { pool } = self.program.code[self.frames[number].place as usize] {
            let place = place_of(self.network, Elsewhere::Pool(pool as usize));
            self.spent(number, place, self.now, ["wait for pool", "hold"]);
        }
        self.past(number)
    }

    /// A frame goes on behind its present step.
    #[inline]
    fn past(&mut self, number: u32) -> Then {
        let frame = &mut self.frames[number];
        (frame.place, frame.phase) = (frame.place + 1, Phase::Running);
        Then::Goes(number)
    }

    /// Writes down where the time of a frame's present step went, if anyone looks: until `begun` it waited, then it was
    /// served, and what each is called.
    #[inline]
    pub fn spent(&mut self, number: u32, place: usize, begun: f64, names: [&'static str; 2]) {
        let Frame { ledger, span, .. } = self.frames[number];
        if ledger != NONE || span != NONE {
            self.write_down(number, place, begun, names);
        }
    }

    #[cold]
    fn write_down(&mut self, number: u32, place: usize, begun: f64, [waiting, doing]: [&'static str; 2]) {
        let Frame { ledger, span, since, .. } = self.frames[number];
        if ledger != NONE {
            self.ledgers.spend(ledger, place, Spent { queueing: begun - since, service: self.now - begun });
        }
        if let Some(spans) = self.spans.as_mut().filter(|_| span != NONE) {
            spans.part(span, waiting, since, begun);
            spans.part(span, doing, begun, self.now);
        }
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

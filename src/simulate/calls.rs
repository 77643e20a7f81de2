//! How operations ask others: attempts, copies, timeouts, and how answers find who waits for them.
//!
//! A copy of a call knows the stamp that its caller had when it was sent. Once an attempt is decided the caller's stamp
//! changes, and what is still under way for it runs on for nobody.

use super::engine::{Engine, TIMER, Then};
use super::frames::{Frame, Phase};
use super::queue::Arrival;
use super::record::{Elsewhere, Spent, place_of};
use crate::network::program::{Instruction, NONE};

/// Which of the timers of a call.
const TIMEOUT: usize = 0;
const HEDGE: usize = 1;

impl Engine<'_> {
    /// A frame comes to a call, and may make it.
    #[inline]
    pub fn call(&mut self, number: u32, id: u32) -> Then {
        let call = &self.program.calls[id as usize];
        let frame = &mut self.frames[number];
        let made =
            call.times > 0 && (call.probability == 1.0 || self.chances[call.chance as usize].chance(call.probability));
        if !made {
            frame.place += 1;
            return Then::Goes(number);
        }
        (frame.asked, frame.tries, frame.since) = (call.times, 0, self.now);
        self.attempt_call(number, id)
    }

    /// A frame makes the call at its place again.
    pub fn attempt(&mut self, number: u32) -> Then {
        match self.program.code[self.frames[number].place as usize] {
            Instruction::Call { call } => self.attempt_call(number, call),
            _ => Then::Waits,
        }
    }

    /// A frame makes a call, for the first time or again.
    #[inline(always)]
    fn attempt_call(&mut self, number: u32, id: u32) -> Then {
        let call = &self.program.calls[id as usize];
        let frame = &mut self.frames[number];
        frame.phase = Phase::Answers;
        if !call.is_plain {
            frame.tries += 1;
            frame.copies = 1;
            frame.stamp = frame.stamp.wrapping_add(1);
            for (which, after) in [(TIMEOUT, call.timeout), (HEDGE, call.hedge)] {
                if let Some(after) = after {
                    self.set_timer(id, which, self.now + after, number);
                }
            }
        }
        self.send_copy(number, id)
    }

    /// Sends a copy of a call to the service that is asked.
    #[inline(always)]
    fn send_copy(&mut self, number: u32, id: u32) -> Then {
        let call = &self.program.calls[id as usize];
        let way = match call.network {
            Some(law) => 0.5 * self.program.samplers[law as usize].draw(&mut self.laws[law as usize]),
            None => 0.0,
        };
        let Frame { workload, stamp, ledger, span, is_again, tries, copies, .. } = self.frames[number];
        let copy = self.run_of(call.operation, workload);
        let ledger = if ledger == NONE || call.is_plain { ledger } else { self.ledgers.open() };
        let frame = &mut self.frames[copy];
        (frame.below, frame.below_stamp, frame.way) = (number, stamp, way);
        (frame.ledger, frame.span, frame.is_awaited) = (ledger, span, call.is_plain && way == 0.0);
        frame.is_again = is_again || !call.is_plain && (tries > 1 || copies > 1);
        if way > 0.0 {
            frame.phase = Phase::Sent;
            self.later(way, copy);
            return Then::Waits;
        }
        self.receive(copy)
    }

    /// A service receives a call.
    #[inline]
    pub fn receive(&mut self, number: u32) -> Then {
        let frame = &mut self.frames[number];
        if let Some(by_place) = &mut self.by_place
            && by_place.holds_up_at_gate(self.now, number, frame)
        {
            frame.phase = Phase::Sent;
            return Then::Waits;
        }
        frame.began = self.now;
        frame.phase = Phase::Running;
        let service = frame.service as usize;
        let requests = &mut self.record.services[service];
        requests.arrivals += 1;
        requests.again += u64::from(frame.is_again);
        self.record.visits[service * self.network.workloads.len() + frame.workload as usize] += 1;
        if frame.span != NONE
            && let Some(spans) = &mut self.spans
        {
            frame.span = spans.begin(frame, self.now);
        }
        let home = &mut self.homes[service];
        if !home.admits(self.now) {
            return Then::Fails(number);
        }
        frame.instance = home.call();
        frame.is_placed = true;
        let Some(seat) = self.workers[service] else { return Then::Goes(number) };
        (frame.phase, frame.since) = (Phase::Admission, self.now);
        let queue = seat.at(frame.instance) as usize;
        match self.queues[queue].arrive(self.now, number, 0) {
            Arrival::Begins => self.admitted(number),
            Arrival::Waits => Then::Waits,
            Arrival::Refused => Then::Fails(number),
        }
    }

    /// A worker takes up a call.
    pub fn admitted(&mut self, number: u32) -> Then {
        let frame = &mut self.frames[number];
        let waited = self.now - frame.since;
        frame.waited += waited;
        frame.has_worker = true;
        frame.phase = Phase::Running;
        let service = frame.service as usize;
        self.spent(number, service, self.now, ["wait for worker", "work"]);
        Then::Goes(number)
    }

    /// A run of an operation is over.
    #[inline]
    pub fn answer(&mut self, number: u32, success: bool) -> Then {
        let frame = &mut self.frames[number];
        let service = frame.service as usize;
        let requests = &mut self.record.services[service];
        if success {
            requests.response.record(self.now - frame.began);
            requests.wait.record(frame.waited);
        } else {
            requests.failures += 1;
        }
        if frame.is_placed {
            self.homes[service].answer(frame.instance);
        }
        let (way, instance, has_worker) = (frame.way, frame.instance, frame.has_worker);
        if frame.span != NONE
            && let Some(spans) = &mut self.spans
        {
            spans.end(frame, self.now, success);
        }
        if way > 0.0 {
            frame.phase = if success { Phase::Success } else { Phase::Failure };
            self.later(way, number);
        }
        if let Some(seat) = self.workers[service].filter(|_| has_worker)
            && let Some(next) = self.queues[seat.at(instance) as usize].depart(self.now)
        {
            self.ready.push_back(next);
        }
        if way > 0.0 { Then::Waits } else { self.deliver(number, success) }
    }

    /// An answer reaches who asked.
    #[inline(always)]
    pub fn deliver(&mut self, number: u32, success: bool) -> Then {
        self.frames.free(number);
        let frame = &self.frames[number];
        if frame.is_awaited {
            return if success { self.answered(frame.below) } else { Then::Fails(frame.below) };
        }
        if frame.below == NONE {
            if frame.first {
                let frame = *frame;
                self.request_over(&frame, success.then_some(self.now - frame.began));
            }
            return Then::Waits;
        }
        let caller = &self.frames[frame.below];
        if caller.stamp != frame.below_stamp {
            self.ledgers.inherit(frame.ledger, NONE);
            return Then::Waits;
        }
        let Instruction::Call { call } = self.program.code[caller.place as usize] else { return Then::Waits };
        let call = &self.program.calls[call as usize];
        let (frame, caller) = (*frame, *caller);
        if frame.way > 0.0 {
            let network = place_of(self.network, Elsewhere::Network);
            self.ledgers.spend(frame.ledger, network, Spent { queueing: 0.0, service: 2.0 * frame.way });
        }
        if call.is_plain {
            return if success { self.answered(frame.below) } else { Then::Fails(frame.below) };
        }
        if !success {
            self.ledgers.inherit(frame.ledger, NONE);
            let caller = &mut self.frames[frame.below];
            caller.copies -= 1;
            return if caller.copies == 0 { self.attempt_lost(frame.below) } else { Then::Waits };
        }
        if caller.ledger != NONE {
            // What went by before this copy was sent.
            let lost = (frame.began - frame.way - caller.since).max(0.0);
            let again = place_of(self.network, Elsewhere::Again);
            self.ledgers.spend(caller.ledger, again, Spent { queueing: lost, service: 0.0 });
        }
        self.ledgers.inherit(frame.ledger, caller.ledger);
        let caller = &mut self.frames[frame.below];
        caller.stamp = caller.stamp.wrapping_add(1);
        self.answered(frame.below)
    }

    /// The call at the place of a frame has succeeded.
    #[inline]
    fn answered(&mut self, number: u32) -> Then {
        let frame = &mut self.frames[number];
        frame.asked -= 1;
        if frame.asked > 0 {
            (frame.since, frame.tries) = (self.now, 0);
            return self.attempt(number);
        }
        (frame.place, frame.phase) = (frame.place + 1, Phase::Running);
        Then::Goes(number)
    }

    /// An attempt has failed: the call is sent again, or fails.
    fn attempt_lost(&mut self, number: u32) -> Then {
        let frame = &mut self.frames[number];
        frame.stamp = frame.stamp.wrapping_add(1);
        let Instruction::Call { call } = self.program.code[frame.place as usize] else { return Then::Waits };
        let call = &self.program.calls[call as usize];
        if frame.tries > call.retries {
            return Then::Fails(number);
        }
        let Some(backoff) = call.backoff else { return self.attempt(number) };
        let most = backoff.most(frame.tries);
        frame.phase = Phase::Backoff;
        let time = if backoff.full_jitter { most * self.chances[call.chance as usize].uniform() } else { most };
        self.later(time, number);
        Then::Waits
    }

    fn set_timer(&mut self, call: u32, which: usize, time: f64, number: u32) {
        let timers = &mut self.timers[call as usize][which];
        timers.entries.push_back((time, number, self.frames[number].stamp));
        if !timers.entered {
            timers.entered = true;
            self.calendar.enter(time, TIMER + 2 * call + which as u32);
        }
    }

    /// The time of the first timer of a call has come.
    pub fn ring(&mut self, timer: u32) {
        let (call, which) = (timer / 2, (timer & 1) as usize);
        while let Some((time, number, stamp)) = self.timers[call as usize][which].entries.front().copied() {
            let waits = self.frames[number].stamp == stamp;
            if waits && time > self.now {
                self.calendar.enter(time, TIMER + timer);
                return;
            }
            self.timers[call as usize][which].entries.pop_front();
            if waits {
                let then = if which == TIMEOUT {
                    self.attempt_lost(number)
                } else {
                    self.frames[number].copies += 1;
                    self.send_copy(number, call)
                };
                self.drive(then);
            }
        }
        self.timers[call as usize][which].entered = false;
    }
}

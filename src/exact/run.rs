//! What one event brings about: frames go on until all wait.
//!
//! The same meanings as those of the simulator, and in the same order: who goes on goes as far as it can, then those that it
//! let go on, one after the other.

use super::dice::Dice;
use super::machine::{Event, Machine, Source};
use super::state::{Frame, FrameId, State, Status, held};
use crate::network::program::{Instruction, Kind};
use crate::network::{OperationId, ServiceId};
use std::collections::VecDeque;

/// What happened on the way.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// Requests of each workload that came, succeeded, failed.
    pub workloads: Vec<[u32; 3]>,
    /// The same of calls to each service.
    pub services: Vec<[u32; 3]>,
    /// Calls to each service that requests of each workload brought about, by service.
    pub visits: Vec<u32>,
}

pub(super) const CAME: usize = 0;
pub(super) const SUCCEEDED: usize = 1;
pub(super) const FAILED: usize = 2;

/// Steps without any time after which it is a circle without end.
const MOST_STEPS: usize = 100_000;

impl Counts {
    /// How many of a subject came.
    pub fn came(&self, subject: Subject) -> u32 {
        match subject {
            Subject::Workload(workload) => self.workloads[workload][CAME],
            Subject::Service(service) => self.services[service][CAME],
        }
    }
}

/// What is followed: a request of a workload, or a call to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Workload(usize),
    Service(ServiceId),
}

/// What happens next to a frame.
pub(super) enum Then {
    Goes(FrameId),
    Fails(FrameId),
    Waits,
}

/// One way that things go after an event.
pub(super) struct Run<'r> {
    pub(super) machine: &'r Machine<'r>,
    pub state: State,
    pub(super) dice: &'r mut Dice,
    ready: VecDeque<FrameId>,
    /// Workloads that ask next.
    asking: VecDeque<usize>,
    pub counts: Counts,
    /// The request or call that is followed, by its number among those that come on the way.
    pub(super) followed: Option<(Subject, u32)>,
    steps: usize,
}

impl<'r> Run<'r> {
    pub fn new(
        machine: &'r Machine<'r>,
        state: State,
        dice: &'r mut Dice,
        followed: Option<(Subject, u32)>,
    ) -> Run<'r> {
        let network = machine.form.network;
        let (workloads, services) = (network.workloads.len(), network.services.len());
        let counts = Counts {
            workloads: vec![[0; 3]; workloads],
            services: vec![[0; 3]; services],
            visits: vec![0; services * workloads],
        };
        Run { machine, state, dice, ready: VecDeque::new(), asking: VecDeque::new(), counts, followed, steps: 0 }
    }

    /// Lets an event happen, and all that follows at once.
    pub fn happen(&mut self, event: Event) {
        let machine = self.machine;
        match event {
            Event::Turns { word, to } => self.state.sources[word] = to,
            Event::Comes { workload } => {
                if let Source::Renewal(phases) = &machine.sources[workload] {
                    self.state.sources[machine.words[workload]] = self.dice.draw(&phases.begin) as u16;
                }
                self.asks(workload);
            }
            Event::Thinks { workload, phase } => {
                let word = machine.words[workload];
                self.state.sources[word + phase] -= 1;
                let Source::Users(_, think) = &machine.sources[workload] else { return };
                match think.next[phase] {
                    Some(next) => self.state.sources[word + next] += 1,
                    None => self.asks(workload),
                }
            }
            Event::Passes(frame) => self.passes(frame),
        }
        self.finish();
    }

    /// A request comes next.
    pub fn asks(&mut self, workload: usize) {
        self.asking.push_back(workload);
    }

    /// Until all wait.
    pub fn finish(&mut self) {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                self.drive(Then::Goes(frame));
            } else if let Some(workload) = self.asking.pop_front() {
                self.begin_request(workload);
            } else {
                return;
            }
        }
    }

    /// A request begins, unless there are too many.
    fn begin_request(&mut self, workload: usize) {
        if self.state.roots() >= self.machine.most {
            if let Source::Users(..) = self.machine.sources[workload] {
                self.thinks(workload);
            }
            return;
        }
        let mix = &self.machine.form.network.workloads[workload].mix;
        let shares: Vec<f64> = mix.iter().map(|(_, share)| *share).collect();
        let operation = mix[self.dice.draw(&shares)].0;
        let tagged = self.is_followed(Subject::Workload(workload));
        self.counts.workloads[workload][CAME] += 1;
        let frame = self.run_of(operation, workload as u16, None);
        (self.state.frames[frame].first, self.state.frames[frame].tagged) = (true, tagged);
        let then = self.receive(frame);
        self.drive(then);
    }

    /// Whether what comes next of a subject is followed.
    pub(super) fn is_followed(&self, subject: Subject) -> bool {
        self.followed == Some((subject, self.counts.came(subject)))
    }

    /// A user begins to think.
    pub(super) fn thinks(&mut self, workload: usize) {
        let Source::Users(_, think) = &self.machine.sources[workload] else { return };
        if think.begin.is_empty() {
            return self.asks(workload);
        }
        let phase = self.dice.draw(&think.begin);
        self.state.sources[self.machine.words[workload] + phase] += 1;
    }

    pub(super) fn run_of(&mut self, operation: OperationId, workload: u16, below: Option<FrameId>) -> FrameId {
        let (place, _) = self.machine.form.program.operations[operation];
        self.state.frames.push(Frame {
            kind: Kind::Run,
            status: Status::Ready,
            place,
            below,
            workload,
            instance: 0,
            first: false,
            tagged: false,
            is_placed: false,
            has_worker: false,
            left: 0,
            asked: 0,
            tries: 0,
            needed: 0,
        });
        self.state.frames.len() - 1
    }

    fn inner(&mut self, kind: Kind, around: FrameId, place: u32, left: u16) -> FrameId {
        let Frame { workload, instance, .. } = self.state.frames[around];
        let frame = self.run_of(0, workload, Some(around));
        let own = &mut self.state.frames[frame];
        (own.kind, own.place, own.left, own.instance) = (kind, place, left, instance);
        frame
    }

    pub(super) fn drive(&mut self, mut then: Then) {
        loop {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                return;
            }
            then = match then {
                Then::Goes(frame) => self.execute(frame),
                Then::Fails(frame) => self.unwind(frame),
                Then::Waits => return,
            }
        }
    }

    /// Whether things go on for ever without any time.
    pub fn is_endless(&self) -> bool {
        self.steps > MOST_STEPS
    }

    fn execute(&mut self, id: FrameId) -> Then {
        let form = &self.machine.form;
        let frame = &mut self.state.frames[id];
        frame.status = Status::Ready;
        match form.program.code[frame.place as usize] {
            // It was sent, and is received now.
            _ if frame.kind == Kind::Run && !frame.is_placed => self.receive(id),
            Instruction::Work { station, .. } | Instruction::Shared { station, .. } => self.work(id, station as usize),
            Instruction::Delay { law } => self.delay(id, law),
            Instruction::Call { call } => self.call(id, call),
            Instruction::Send { operation } => {
                frame.place += 1;
                let workload = frame.workload;
                let sent = self.run_of(operation as usize, workload, None);
                self.ready.push_back(sent);
                Then::Goes(id)
            }
            Instruction::Choose { choice } => self.choose(id, choice as usize),
            Instruction::Lookup { cache, hit } => {
                let hits = form.network.caches[cache as usize].ratio;
                let hit = self.dice.chance(hits).then_some(hit);
                let frame = &mut self.state.frames[id];
                frame.place = hit.unwrap_or(frame.place + 1);
                Then::Goes(id)
            }
            Instruction::Jump { place } => {
                frame.place = place;
                Then::Goes(id)
            }
            Instruction::Loop { times: 0, after } => {
                frame.place = after;
                Then::Goes(id)
            }
            Instruction::Loop { times, .. } => {
                frame.status = Status::Answers;
                let body = frame.place + 1;
                Then::Goes(self.inner(Kind::Body, id, body, times as u16))
            }
            Instruction::Again { body } => self.again(id, body),
            Instruction::Take { pool } => self.take(id, pool as usize),
            Instruction::Give { pool } => {
                frame.place += 1;
                self.give(pool as usize, id);
                Then::Goes(id)
            }
            Instruction::Fork { fork } => self.fork(id, fork as usize),
            Instruction::Fail { probability, .. } => {
                if self.dice.chance(probability) {
                    return Then::Fails(id);
                }
                self.state.frames[id].place += 1;
                Then::Goes(id)
            }
            Instruction::End if frame.kind == Kind::Branch => self.branch_over(id, true),
            Instruction::End => self.answer(id, true),
        }
    }

    /// A frame goes one of several ways.
    fn choose(&mut self, id: FrameId, choice: usize) -> Then {
        let ways = &self.machine.form.program.choices[choice].ways;
        let before = std::iter::once(0.0).chain(ways.iter().map(|(sum, _)| *sum));
        let chances: Vec<f64> = ways.iter().zip(before).map(|((sum, _), before)| sum - before).collect();
        self.state.frames[id].place = ways[self.dice.draw(&chances)].1;
        Then::Goes(id)
    }

    /// Of those that wait, the first to come first, the first goes on and the others move up; `rank` is what they wait for.
    pub(super) fn hand_over(&mut self, waiting: &[FrameId], rank: fn(u16) -> Status) -> Option<FrameId> {
        let (next, others) = waiting.split_first()?;
        self.state.frames[*next].status = Status::Ready;
        self.ready.push_back(*next);
        for (place, other) in others.iter().enumerate() {
            self.state.frames[*other].status = rank(place as u16);
        }
        Some(*next)
    }

    pub(super) fn count(&self, is: impl Fn(&Frame) -> bool) -> usize {
        self.state.frames.iter().filter(|frame| frame.status != Status::Over && is(frame)).count()
    }

    /// Frames by their rank.
    pub(super) fn in_order(&self, rank: impl Fn(&Frame) -> Option<u16>) -> Vec<FrameId> {
        let ranked = self.state.frames.iter().enumerate().filter_map(|(id, frame)| Some((rank(frame)?, id)));
        let mut found: Vec<(u16, FrameId)> = ranked.collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// The end of what a loop goes through.
    fn again(&mut self, id: FrameId, body: u32) -> Then {
        let frame = &mut self.state.frames[id];
        if frame.left > 1 {
            (frame.left, frame.place) = (frame.left - 1, body);
            return Then::Goes(id);
        }
        frame.status = Status::Over;
        let Some(below) = frame.below else { return Then::Waits };
        let frame = &mut self.state.frames[below];
        if let Instruction::Loop { after, .. } = self.machine.form.program.code[frame.place as usize] {
            frame.place = after;
        }
        Then::Goes(below)
    }

    fn fork(&mut self, id: FrameId, fork: usize) -> Then {
        let fork = &self.machine.form.program.forks[fork];
        let frame = &mut self.state.frames[id];
        if fork.needed == 0 || fork.branches.is_empty() {
            frame.place = fork.after;
            return Then::Goes(id);
        }
        (frame.status, frame.needed) = (Status::Answers, fork.needed as u16);
        for place in &fork.branches {
            let branch = self.inner(Kind::Branch, id, *place, 0);
            self.ready.push_back(branch);
        }
        Then::Waits
    }

    /// A branch has ended, with success or without.
    fn branch_over(&mut self, id: FrameId, success: bool) -> Then {
        self.state.frames[id].status = Status::Over;
        let Some(below) = self.state.frames[id].below else { return Then::Waits };
        self.state.frames[below].needed -= u16::from(success);
        let needed = usize::from(self.state.frames[below].needed);
        let running = self.count(|frame| frame.below == Some(below));
        if needed > 0 && running >= needed {
            return Then::Waits;
        }
        // What still runs, runs on for nobody.
        self.state.frames.iter_mut().filter(|frame| frame.below == Some(below)).for_each(|frame| frame.below = None);
        if needed > 0 {
            return Then::Fails(below);
        }
        let frame = &mut self.state.frames[below];
        if let Instruction::Fork { fork } = self.machine.form.program.code[frame.place as usize] {
            frame.place = self.machine.form.program.forks[fork as usize].after;
        }
        Then::Goes(below)
    }

    /// A frame fails: what it holds is given back, and who waits for it learns of it.
    fn unwind(&mut self, id: FrameId) -> Then {
        let frame = self.state.frames[id];
        // What it holds is no longer held while it is given back.
        self.state.frames[id].status = Status::Over;
        held(self.machine.form.program, frame.place).for_each(|pool| self.give(pool, id));
        match (frame.kind, frame.below) {
            (Kind::Body, Some(below)) => Then::Fails(below),
            (Kind::Body, None) => Then::Waits,
            (Kind::Branch, _) => self.branch_over(id, false),
            (Kind::Run, _) => self.answer(id, false),
        }
    }
}

//! What one event brings about: frames go on until all wait.
//!
//! The same meanings as those of the simulator, and in the same order: who goes on goes as far as it can, then those that it
//! let go on, one after the other.

use super::dice::Dice;
use super::machine::{Event, Machine, Source};
use super::state::{Frame, FrameId, Kind, State, Status, held};
use crate::network::program::Instruction;
use crate::network::{OperationId, PoolId, ServiceId};
use crate::system::Balancer;
use std::cmp::Ordering;
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
    /// The request of a workload that is followed, by its number among those that come on the way.
    followed: Option<(usize, u32)>,
    steps: usize,
}

impl<'r> Run<'r> {
    pub fn new(machine: &'r Machine<'r>, state: State, dice: &'r mut Dice, followed: Option<(usize, u32)>) -> Run<'r> {
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
                match &machine.sources[workload] {
                    Source::Users(_, think)
                        if think.next[phase].is_some_and(|next| {
                            self.state.sources[word + next] += 1;
                            true
                        }) => {}
                    _ => self.asks(workload),
                }
            }
            Event::Passes(frame) => self.passes(frame),
        }
        self.finish();
    }

    /// A request comes, unless there are too many.
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
        let own = &mut self.counts.workloads[workload][CAME];
        let tagged = self.followed == Some((workload, *own));
        *own += 1;
        let frame = self.run_of(operation, workload as u16, None);
        (self.state.frames[frame].first, self.state.frames[frame].tagged) = (true, tagged);
        let then = self.receive(frame);
        self.drive(then);
    }

    /// A user begins to think.
    fn thinks(&mut self, workload: usize) {
        let Source::Users(_, think) = &self.machine.sources[workload] else { return };
        if think.begin.is_empty() {
            return self.asks(workload);
        }
        let phase = self.dice.draw(&think.begin);
        self.state.sources[self.machine.words[workload] + phase] += 1;
    }

    fn put(&mut self, frame: Frame) -> FrameId {
        self.state.frames.push(frame);
        self.state.frames.len() - 1
    }

    fn run_of(&mut self, operation: OperationId, workload: u16, below: Option<FrameId>) -> FrameId {
        let (place, _) = self.machine.form.program.operations[operation];
        self.put(Frame {
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
        })
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
            Instruction::Delay { law } => {
                let begin = &self.machine.laws[law as usize].begin;
                if begin.is_empty() {
                    frame.place += 1;
                    return Then::Goes(id);
                }
                self.state.frames[id].status = Status::Delay(self.dice.draw(begin) as u16);
                Then::Waits
            }
            Instruction::Call { call } => {
                let call = &form.program.calls[call as usize];
                if call.times == 0 || !self.dice.chance(call.probability) {
                    self.state.frames[id].place += 1;
                    return Then::Goes(id);
                }
                let frame = &mut self.state.frames[id];
                (frame.asked, frame.tries) = (call.times as u16, 0);
                self.attempt(id)
            }
            Instruction::Send { operation } => {
                frame.place += 1;
                let workload = frame.workload;
                let sent = self.run_of(operation as usize, workload, None);
                self.ready.push_back(sent);
                Then::Goes(id)
            }
            Instruction::Choose { choice } => {
                let choice = &form.program.choices[choice as usize];
                let before = std::iter::once(0.0).chain(choice.ways.iter().map(|(sum, _)| *sum));
                let chances: Vec<f64> = choice.ways.iter().zip(before).map(|((sum, _), before)| sum - before).collect();
                let way = self.dice.draw(&chances);
                self.state.frames[id].place = choice.ways[way].1;
                Then::Goes(id)
            }
            Instruction::Lookup { cache, hit } => {
                let hits = self.machine.hits(cache as usize);
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

    /// A frame makes the call at its place, for the first time or again.
    fn attempt(&mut self, id: FrameId) -> Then {
        let form = &self.machine.form;
        let frame = &mut self.state.frames[id];
        let Instruction::Call { call } = form.program.code[frame.place as usize] else { return Then::Waits };
        let call = &form.program.calls[call as usize];
        frame.status = Status::Answers;
        frame.tries += u16::from(call.retries > 0);
        let workload = frame.workload;
        let copy = self.run_of(call.operation, workload, Some(id));
        self.receive(copy)
    }

    /// A service receives a call.
    fn receive(&mut self, id: FrameId) -> Then {
        let service = self.machine.form.service_of(self.state.frames[id].place);
        self.counts.services[service][CAME] += 1;
        let workload = usize::from(self.state.frames[id].workload);
        self.counts.visits[service * self.counts.workloads.len() + workload] += 1;
        let instance = self.instance(service);
        let frame = &mut self.state.frames[id];
        (frame.instance, frame.is_placed) = (instance, true);
        let own = &self.machine.form.network.services[service];
        let Some(workers) = own.workers else { return Then::Goes(id) };
        let together = u64::from(self.machine.form.together(service));
        let busy = self.count(|other| other.has_worker && self.is_run_at(other, service, instance));
        if (busy as u64) < u64::from(workers) * together {
            self.state.frames[id].has_worker = true;
            return Then::Goes(id);
        }
        let waiting = self.admissions(service, instance).len();
        if own.queue.is_some_and(|places| waiting as u64 >= u64::from(places) * together) {
            return Then::Fails(id);
        }
        self.state.frames[id].status = Status::Admission(waiting as u16);
        Then::Waits
    }

    pub(super) fn count(&self, is: impl Fn(&Frame) -> bool) -> usize {
        self.state.frames.iter().filter(|frame| frame.status != Status::Over && is(frame)).count()
    }

    fn is_run_at(&self, frame: &Frame, service: ServiceId, instance: u16) -> bool {
        frame.kind == Kind::Run
            && frame.instance == instance
            && frame.is_placed
            && self.machine.form.service_of(frame.place) == service
    }

    /// Who waits for a worker, the first to come first.
    fn admissions(&self, service: ServiceId, instance: u16) -> Vec<FrameId> {
        self.in_order(|frame| match frame.status {
            Status::Admission(rank) if self.is_run_at(frame, service, instance) => Some(rank),
            _ => None,
        })
    }

    /// Frames by their rank.
    pub(super) fn in_order(&self, rank: impl Fn(&Frame) -> Option<u16>) -> Vec<FrameId> {
        let ranked = self.state.frames.iter().enumerate().filter_map(|(id, frame)| Some((rank(frame)?, id)));
        let mut found: Vec<(u16, FrameId)> = ranked.collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// The instance to which a call goes.
    fn instance(&mut self, service: ServiceId) -> u16 {
        if !self.machine.form.is_split(service) {
            return 0;
        }
        let own = &self.machine.form.network.services[service];
        let n = own.instances as usize;
        let outstanding =
            |run: &Run<'_>, instance: usize| run.count(|frame| run.is_run_at(frame, service, instance as u16));
        let chosen = match own.balancer {
            Balancer::Shared => 0,
            Balancer::Random => self.dice.one_of(n),
            Balancer::RoundRobin => {
                let turn = self.state.turns[service];
                self.state.turns[service] = (turn + 1) % n as u16;
                usize::from(turn)
            }
            Balancer::LeastOutstanding => {
                let all: Vec<usize> = (0..n).map(|instance| outstanding(self, instance)).collect();
                let least = all.iter().copied().min().unwrap_or(0);
                let ties: Vec<usize> = (0..n).filter(|instance| all[*instance] == least).collect();
                ties[self.dice.one_of(ties.len())]
            }
            Balancer::PowerOfTwo => {
                let one = self.dice.one_of(n);
                let other = (one + 1 + self.dice.one_of(n - 1)) % n;
                match outstanding(self, one).cmp(&outstanding(self, other)) {
                    Ordering::Less => one,
                    Ordering::Greater => other,
                    Ordering::Equal => [one, other][self.dice.one_of(2)],
                }
            }
        };
        chosen as u16
    }

    /// A run of an operation is over.
    fn answer(&mut self, id: FrameId, success: bool) -> Then {
        let frame = self.state.frames[id];
        let service = self.machine.form.service_of(frame.place);
        self.counts.services[service][if success { SUCCEEDED } else { FAILED }] += 1;
        self.state.frames[id].status = Status::Over;
        if frame.has_worker {
            let waiting = self.admissions(service, frame.instance);
            if let Some((next, others)) = waiting.split_first() {
                self.state.frames[*next].has_worker = true;
                self.state.frames[*next].status = Status::Ready;
                self.ready.push_back(*next);
                for (rank, other) in others.iter().enumerate() {
                    self.state.frames[*other].status = Status::Admission(rank as u16);
                }
            }
        }
        let Some(below) = frame.below else {
            if frame.first {
                self.counts.workloads[usize::from(frame.workload)][if success { SUCCEEDED } else { FAILED }] += 1;
                if frame.tagged {
                    self.state.followed = Some(success);
                }
                self.thinks(usize::from(frame.workload));
            }
            return Then::Waits;
        };
        if success { self.answered(below) } else { self.attempt_lost(below) }
    }

    /// The call at the place of a frame has succeeded.
    fn answered(&mut self, id: FrameId) -> Then {
        let frame = &mut self.state.frames[id];
        frame.asked -= 1;
        if frame.asked > 0 {
            frame.tries = 0;
            return self.attempt(id);
        }
        frame.place += 1;
        Then::Goes(id)
    }

    /// An attempt has failed: the call is made again, or fails.
    fn attempt_lost(&mut self, id: FrameId) -> Then {
        let frame = self.state.frames[id];
        let program = self.machine.form.program;
        let Instruction::Call { call } = program.code[frame.place as usize] else { return Then::Waits };
        let retries = program.calls[call as usize].retries;
        if retries == 0 || u32::from(frame.tries) > retries { Then::Fails(id) } else { self.attempt(id) }
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

    /// How many of a pool there are for each who take from it together, and whether a frame is one of those.
    fn is_with(&self, pool: PoolId, one: &Frame, other: &Frame) -> bool {
        self.machine.form.network.pools[pool].per.is_none() || one.instance == other.instance
    }

    fn take(&mut self, id: FrameId, pool: PoolId) -> Then {
        let own = self.state.frames[id];
        let program = self.machine.form.program;
        let pooled = &self.machine.form.network.pools[pool];
        let together = pooled.per.map_or(1, |service| self.machine.form.together(service));
        let holds = |frame: &Frame| held(program, frame.place).filter(|held| *held == pool).count();
        let with =
            self.state.frames.iter().filter(|other| other.status != Status::Over && self.is_with(pool, &own, other));
        let busy: usize = with.map(holds).sum();
        if (busy as u64) < u64::from(pooled.size) * u64::from(together) {
            self.state.frames[id].place += 1;
            return Then::Goes(id);
        }
        self.state.frames[id].status = Status::Pool(self.takers(pool, &own).len() as u16);
        Then::Waits
    }

    /// Who waits for one of a pool, the first to come first.
    fn takers(&self, pool: PoolId, one: &Frame) -> Vec<FrameId> {
        self.in_order(|frame| match (frame.status, self.machine.form.program.code[frame.place as usize]) {
            (Status::Pool(rank), Instruction::Take { pool: own })
                if own as usize == pool && self.is_with(pool, one, frame) =>
            {
                Some(rank)
            }
            _ => None,
        })
    }

    /// One of a pool is given back, to the next who waits.
    fn give(&mut self, pool: PoolId, by: FrameId) {
        let waiting = self.takers(pool, &self.state.frames[by]);
        let Some((next, others)) = waiting.split_first() else { return };
        let frame = &mut self.state.frames[*next];
        (frame.status, frame.place) = (Status::Ready, frame.place + 1);
        self.ready.push_back(*next);
        for (rank, other) in others.iter().enumerate() {
            self.state.frames[*other].status = Status::Pool(rank as u16);
        }
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

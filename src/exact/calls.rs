//! How operations ask others: which instance, which worker, and what becomes of answers.

use super::run::{CAME, FAILED, Run, SUCCEEDED, Subject, Then};
use super::state::{Frame, FrameId, Status};
use crate::network::ServiceId;
use crate::network::program::{Instruction, Kind};
use crate::system::Balancer;
use std::cmp::Ordering;

impl Run<'_> {
    /// A frame comes to a call, and may make it.
    pub(super) fn call(&mut self, id: FrameId, call: u32) -> Then {
        let call = &self.machine.form.program.calls[call as usize];
        if call.times == 0 || !self.dice.chance(call.probability) {
            self.state.frames[id].place += 1;
            return Then::Goes(id);
        }
        let frame = &mut self.state.frames[id];
        (frame.asked, frame.tries) = (call.times as u16, 0);
        self.attempt(id)
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
    pub(super) fn receive(&mut self, id: FrameId) -> Then {
        let service = self.machine.form.service_of(self.state.frames[id].place);
        let tagged = self.is_followed(Subject::Service(service));
        self.state.frames[id].tagged |= tagged;
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
    pub(super) fn answer(&mut self, id: FrameId, success: bool) -> Then {
        let frame = self.state.frames[id];
        let service = self.machine.form.service_of(frame.place);
        self.counts.services[service][if success { SUCCEEDED } else { FAILED }] += 1;
        self.state.frames[id].status = Status::Over;
        if frame.has_worker {
            let waiting = self.admissions(service, frame.instance);
            if let Some(next) = self.hand_over(&waiting, Status::Admission) {
                self.state.frames[next].has_worker = true;
            }
        }
        if frame.tagged {
            self.state.followed = Some(success);
        }
        let Some(below) = frame.below else {
            if frame.first {
                self.counts.workloads[usize::from(frame.workload)][if success { SUCCEEDED } else { FAILED }] += 1;
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
}

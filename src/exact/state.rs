//! A state of the chain: who is where. Two states in which only requests that are alike have changed places are one.

use crate::network::program::{Instruction, Kind, NONE, Place, Program};
use crate::network::{Network, ServiceId};
use crate::system::Balancer;

/// Number of a frame within a state.
pub(super) type FrameId = usize;

/// What a frame waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// To go on at once.
    Ready,
    /// For a worker of its service, behind so many others.
    Admission(u16),
    /// For one of a pool, behind so many others.
    Pool(u16),
    /// For a server, behind so many others of its class; where its work was interrupted, and so in its phase.
    Waiting(u16, Option<u16>),
    /// For the end of its work, in a phase; where servers are taken away, having begun after so many others.
    Served(u16, u16),
    /// For a delay to end, in a phase.
    Delay(u16),
    /// For the frames it asked.
    Answers,
    /// For nothing: it is over.
    Over,
}

/// One frame: as much of a request as goes on by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub kind: Kind,
    pub status: Status,
    pub place: Place,
    /// The frame that waits for its end.
    pub below: Option<FrameId>,
    pub workload: u16,
    pub instance: u16,
    /// Whether a workload made it itself, and whether it is the one that is followed.
    pub first: bool,
    pub tagged: bool,
    /// Whether it was sent to an instance, and whether it holds a worker there.
    pub is_placed: bool,
    pub has_worker: bool,
    /// Runs of a loop that are left, this one included; of the call that it makes; its attempts so far.
    pub left: u16,
    pub asked: u16,
    pub tries: u16,
    /// Branches that have yet to succeed.
    pub needed: u16,
}

/// A state.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub frames: Vec<Frame>,
    /// Phases of arrivals, or users that think by phase: of one workload after the other.
    pub sources: Vec<u16>,
    /// The instance whose turn it is, by service.
    pub turns: Vec<u16>,
    /// Whether the request that is followed has succeeded, once it is over.
    pub followed: Option<bool>,
}

impl State {
    /// Requests, and what they have left behind, that are under way.
    pub fn roots(&self) -> usize {
        self.frames.iter().filter(|frame| frame.below.is_none() && frame.status != Status::Over).count()
    }
}

/// How states are written down.
pub(super) struct Form<'n> {
    pub network: &'n Network,
    pub program: &'n Program,
    /// Numbers for sources, at the beginning of each state.
    pub sources: usize,
    /// The service that runs what stands at each place.
    services: Vec<ServiceId>,
}

/// The frames that each frame waits for, as lists.
struct Inner {
    last: Vec<Option<FrameId>>,
    before: Vec<Option<FrameId>>,
}

const FIRST: u16 = 1 << 5;
const TAGGED: u16 = 1 << 6;
const PLACED: u16 = 1 << 7;
const WORKER: u16 = 1 << 8;
const WORKLOAD: u16 = 10;

impl<'n> Form<'n> {
    pub fn new(network: &'n Network, program: &'n Program, sources: usize) -> Form<'n> {
        let service = |place: usize| {
            let after = program.operations.partition_point(|(start, _)| *start as usize <= place);
            program.operations[after - 1].1 as usize
        };
        Form { network, program, sources, services: (0..program.code.len()).map(service).collect() }
    }

    /// Whether a service has instances that are told apart.
    pub fn is_split(&self, service: ServiceId) -> bool {
        let service = &self.network.services[service];
        service.instances > 1 && service.balancer != Balancer::Shared
    }

    /// Instances of a service that have one queue together.
    pub fn together(&self, service: ServiceId) -> u32 {
        if self.is_split(service) { 1 } else { self.network.services[service].instances }
    }

    /// The service that runs what stands at a place.
    pub fn service_of(&self, place: Place) -> ServiceId {
        self.services[place as usize]
    }

    /// Gives the instances of a service that are chosen without heed to their numbers an order that depends on what they do
    /// alone, so that states are one which differ only in which instance is which.
    fn order_instances(&self, state: &mut State) {
        for service in (0..self.network.services.len()).filter(|service| self.is_split(*service)) {
            let own = &self.network.services[service];
            if own.balancer == Balancer::RoundRobin {
                continue;
            }
            let mut does: Vec<(Vec<[u16; 4]>, u16)> = (0..own.instances as u16).map(|id| (Vec::new(), id)).collect();
            for frame in state.frames.iter().filter(|frame| self.runs(service, frame)) {
                let (number, data) = status_words(frame.status);
                let alike = number | frame.workload << 4 | u16::from(frame.tagged) << 3;
                does[usize::from(frame.instance)].0.push([frame.place as u16, alike, data[0], data[1]]);
            }
            does.iter_mut().for_each(|(what, _)| what.sort_unstable());
            does.sort();
            let mut place = vec![0; does.len()];
            does.iter().enumerate().for_each(|(new, (_, old))| place[usize::from(*old)] = new as u16);
            for frame in state.frames.iter_mut().filter(|frame| self.runs(service, frame)) {
                frame.instance = place[usize::from(frame.instance)];
            }
        }
    }

    /// Whether a frame is at an instance of a service.
    fn runs(&self, service: ServiceId, frame: &Frame) -> bool {
        frame.status != Status::Over && self.service_of(frame.place) == service
    }

    /// Writes a state down, the same for all that differ only in which of several like requests is which.
    pub fn write(&self, state: &mut State) -> Vec<u16> {
        self.order_instances(state);
        // The frames that each one waits for, as lists: the last of each, and the one before it.
        let mut inner = Inner { last: vec![None; state.frames.len()], before: vec![None; state.frames.len()] };
        for (id, frame) in state.frames.iter().enumerate().filter(|(_, frame)| frame.status != Status::Over) {
            if let Some(below) = frame.below {
                inner.before[id] = inner.last[below].replace(id);
            }
        }
        let is_root = |id: &FrameId| state.frames[*id].below.is_none() && state.frames[*id].status != Status::Over;
        let mut words = Vec::with_capacity(4 * state.frames.len() + 8);
        words.extend(&state.sources);
        words.extend(&state.turns);
        self.write_sorted(state, (0..state.frames.len()).filter(is_root), &inner, &mut words);
        words
    }

    /// Writes some frames down, in the order of what is written.
    fn write_sorted(&self, state: &State, frames: impl Iterator<Item = FrameId>, inner: &Inner, words: &mut Vec<u16>) {
        let mut written = Vec::with_capacity(4 * frames.size_hint().1.unwrap_or(0));
        let mut ends = Vec::with_capacity(frames.size_hint().1.unwrap_or(0));
        for id in frames {
            let begin = written.len();
            self.write_frame(state, id, inner, &mut written);
            ends.push(begin..written.len());
        }
        ends.sort_unstable_by(|a, b| written[a.clone()].cmp(&written[b.clone()]));
        ends.into_iter().for_each(|range| words.extend(&written[range]));
    }

    fn write_frame(&self, state: &State, id: FrameId, inner: &Inner, words: &mut Vec<u16>) {
        let frame = &state.frames[id];
        let (number, data) = status_words(frame.status);
        let flag = |is: bool, bit: u16| if is { bit } else { 0 };
        let head = frame.kind as u16
            | number << 2
            | flag(frame.first, FIRST)
            | flag(frame.tagged, TAGGED)
            | flag(frame.is_placed, PLACED)
            | flag(frame.has_worker, WORKER)
            | frame.workload << WORKLOAD;
        words.extend([head, frame.place as u16]);
        words.extend(&data[..words_of(number)]);
        if self.is_split(self.service_of(frame.place)) {
            words.push(frame.instance);
        }
        if frame.kind == Kind::Body {
            words.push(frame.left);
        }
        if frame.status == Status::Answers {
            match self.program.code[frame.place as usize] {
                Instruction::Call { .. } => words.extend([frame.asked, frame.tries]),
                _ => words.push(frame.needed),
            }
            let asked = || std::iter::successors(inner.last[id], |id| inner.before[*id]);
            match asked().count() {
                1 => {
                    words.push(1);
                    asked().for_each(|id| self.write_frame(state, id, inner, words));
                }
                number => {
                    words.push(number as u16);
                    self.write_sorted(state, asked(), inner, words);
                }
            }
        }
    }

    /// Reads a state that was written down.
    pub fn read(&self, words: &[u16]) -> State {
        let (sources, rest) = words.split_at(self.sources);
        let (turns, mut rest) = rest.split_at(self.network.services.len());
        let mut frames = Vec::with_capacity(rest.len() / 2);
        while !rest.is_empty() {
            self.read_frame(&mut rest, None, &mut frames);
        }
        State { frames, sources: sources.to_vec(), turns: turns.to_vec(), followed: None }
    }

    fn read_frame(&self, words: &mut &[u16], below: Option<FrameId>, frames: &mut Vec<Frame>) {
        let mut next = || {
            let (first, rest) = words.split_first().map_or((0, &[][..]), |(first, rest)| (*first, rest));
            *words = rest;
            first
        };
        let (head, place) = (next(), Place::from(next()));
        let number = head >> 2 & 7;
        let mut data = [0; 2];
        data[..words_of(number)].iter_mut().for_each(|word| *word = next());
        let instance = if self.is_split(self.service_of(place)) { next() } else { 0 };
        let kind = match head & 3 {
            0 => Kind::Run,
            1 => Kind::Body,
            _ => Kind::Branch,
        };
        let left = if kind == Kind::Body { next() } else { 0 };
        let status = match number {
            1 => Status::Admission(data[0]),
            2 => Status::Pool(data[0]),
            3 => Status::Waiting(data[0], data[1].checked_sub(1)),
            4 => Status::Served(data[0], data[1]),
            5 => Status::Delay(data[0]),
            6 => Status::Answers,
            _ => Status::Ready,
        };
        let (mut asked, mut tries, mut needed, mut inner) = (0, 0, 0, 0);
        if status == Status::Answers {
            match self.program.code[place as usize] {
                Instruction::Call { .. } => (asked, tries) = (next(), next()),
                _ => needed = next(),
            }
            inner = next();
        }
        let own = frames.len();
        frames.push(Frame {
            kind,
            status,
            place,
            below,
            workload: head >> WORKLOAD,
            instance,
            first: head & FIRST != 0,
            tagged: head & TAGGED != 0,
            is_placed: head & PLACED != 0,
            has_worker: head & WORKER != 0,
            left,
            asked,
            tries,
            needed,
        });
        (0..inner).for_each(|_| self.read_frame(words, Some(own), frames));
    }
}

/// The number of a status, and the numbers it is written with.
fn status_words(status: Status) -> (u16, [u16; 2]) {
    match status {
        Status::Ready | Status::Over => (0, [0; 2]),
        Status::Admission(rank) => (1, [rank, 0]),
        Status::Pool(rank) => (2, [rank, 0]),
        Status::Waiting(rank, phase) => (3, [rank, phase.map_or(0, |phase| phase + 1)]),
        Status::Served(phase, order) => (4, [phase, order]),
        Status::Delay(phase) => (5, [phase, 0]),
        Status::Answers => (6, [0; 2]),
    }
}

/// How many of them there are.
fn words_of(status: u16) -> usize {
    match status {
        3 | 4 => 2,
        1 | 2 | 5 => 1,
        _ => 0,
    }
}

/// The pools that are held at a place, from the innermost out.
pub(super) fn held(program: &Program, place: Place) -> impl Iterator<Item = usize> + '_ {
    let mut hold = program.held[place as usize];
    std::iter::from_fn(move || {
        if hold == NONE {
            return None;
        }
        let (pool, around) = program.holds[hold as usize];
        hold = around;
        Some(pool)
    })
}

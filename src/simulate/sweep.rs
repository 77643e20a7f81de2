//! Place by place instead of event by event: all that happens behind one step in a stretch of time, then all behind the
//! next one.
//!
//! Each request has the time of its own step; servers that take requests first come, first served know only when each is
//! free again, so that a wait is a recursion (Kiefer and Wolfowitz, 1955; with one server Lindley, 1952). `stages` says
//! where that holds and in which order the places come.

use super::engine::{Ending, Engine, MOST_FRAMES, NUMBER};
use super::frames::{Frame, Frames, Phase};
use super::program::{Instruction, NONE, Place};
use super::queue::Usage;
use super::stages::{Stage, Stages};

/// Events of a stretch of time, for each buffer: enough that looking at the buffers costs little, few enough that what is
/// under way stays in the memory next to the processor.
const EVENTS: u64 = 24;

/// Servers that take requests first come, first served.
#[derive(Debug)]
struct Line {
    /// When each has done what came so far, as a heap with the first at its top.
    free: Vec<f64>,
    /// Of all that came so far, to its end.
    busy: f64,
    waiting: f64,
    number: u64,
    /// How they were used before what is measured began.
    before: Usage,
}

impl Line {
    fn new(servers: u64) -> Line {
        let free = vec![0.0; servers as usize];
        Line { free, busy: 0.0, waiting: 0.0, number: 0, before: Usage::default() }
    }

    /// A request comes; returns when it is taken up.
    #[inline]
    fn serve(&mut self, now: f64, work: f64) -> f64 {
        let begin = self.free[0].max(now);
        let end = begin + work;
        self.waiting += begin - now;
        self.busy += work;
        self.number += 1;
        let mut place = 0;
        loop {
            let mut child = 2 * place + 1;
            if child >= self.free.len() {
                break;
            }
            if child + 1 < self.free.len() && self.free[child + 1] < self.free[child] {
                child += 1;
            }
            if self.free[child] >= end {
                break;
            }
            self.free[place] = self.free[child];
            place = child;
        }
        self.free[place] = end;
        begin
    }
}

/// A network that is simulated place by place.
#[derive(Debug)]
pub(super) struct Sweep<'n> {
    stages: &'n Stages,
    /// By the numbers of the queues.
    lines: Vec<Line>,
    /// In each buffer when which frame goes on.
    buffers: Vec<Vec<(f64, u32)>>,
    /// The buffer that is gone through.
    present: Stage,
    /// How long a stretch of time is.
    stretch: f64,
}

impl<'n> Sweep<'n> {
    /// Of queues with so many servers each; `unit` is about how long things take.
    pub fn new(stages: &'n Stages, servers: impl Iterator<Item = u64>, unit: f64) -> Sweep<'n> {
        Sweep {
            stages,
            lines: servers.map(Line::new).collect(),
            buffers: vec![Vec::new(); stages.takes_time.len()],
            present: NONE,
            stretch: unit.max(f64::MIN_POSITIVE),
        }
    }

    #[inline]
    fn enter(&mut self, stage: Stage, time: f64, frame: u32) {
        debug_assert!(self.present == NONE || stage > self.present, "{stage} {}", self.present);
        self.buffers[stage as usize].push((time, frame));
    }

    /// A frame needs a server of a queue, at a place; returns when it is taken up.
    #[inline]
    pub fn serve(&mut self, queue: usize, place: Place, now: f64, work: f64, frame: u32) -> f64 {
        let begin = self.lines[queue].serve(now, work);
        self.enter(self.stages.behind[place as usize], begin + work, frame);
        begin
    }

    /// A frame passes time: in a delay, or on its way.
    pub fn pass(&mut self, frames: &Frames, until: f64, number: u32) {
        let frame = &frames[number];
        let stage = match frame.phase {
            Phase::Sent => self.stages.behind[frames[frame.below].place as usize],
            Phase::Success | Phase::Failure => self.stages.back[frames[frame.below].place as usize],
            _ => self.stages.behind[frame.place as usize],
        };
        self.enter(stage, until, number);
    }

    /// Whether a frame has to wait for those of other streams before it does what stands at its place.
    #[inline]
    pub fn holds_up(&mut self, now: f64, number: u32, frame: &Frame) -> bool {
        self.wait_at(self.stages.before[frame.place as usize], now, number)
    }

    /// The same before its service receives it.
    #[inline]
    pub fn holds_up_at_gate(&mut self, now: f64, number: u32, frame: &Frame) -> bool {
        self.wait_at(self.stages.gate[frame.service as usize], now, number)
    }

    #[inline]
    fn wait_at(&mut self, stage: Stage, now: f64, number: u32) -> bool {
        let waits = stage != NONE && stage != self.present;
        if waits {
            self.enter(stage, now, number);
        }
        waits
    }

    /// When the next request goes on.
    fn next_time(&self) -> f64 {
        let first = self.buffers.iter().filter_map(|buffer| buffer.first());
        first.map(|(time, _)| *time).fold(f64::INFINITY, f64::min)
    }

    /// What stands in a buffer, in the order of its times, and how many of those go on until a time; `None` behind the last
    /// one.
    fn open(&mut self, stage: usize, until: f64) -> Option<(Vec<(f64, u32)>, usize)> {
        let mut buffer = std::mem::take(self.buffers.get_mut(stage)?);
        self.present = stage as Stage;
        buffer.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let due = buffer.partition_point(|(time, _)| *time <= until);
        Some((buffer, due))
    }

    /// Puts back what is left of a buffer; returns how many events that were.
    fn close(&mut self, stage: usize, mut buffer: Vec<(f64, u32)>, due: usize) -> u64 {
        buffer.drain(..due);
        self.buffers[stage] = buffer;
        self.present = NONE;
        if self.stages.takes_time[stage] { due as u64 } else { 0 }
    }

    /// Makes stretches longer or shorter, after so many events in one.
    fn adapt(&mut self, events: u64) {
        let enough = EVENTS * (self.buffers.len() as u64 + 1);
        if events < enough / 2 {
            self.stretch *= 2.0;
        } else if events > 2 * enough {
            self.stretch *= 0.5;
        }
    }
}

impl Engine<'_> {
    /// Lets everything happen that happens until a time, place by place; stops after about so many events.
    pub fn sweep_until(&mut self, end: f64, events: u64) -> Ending {
        let last = self.events + events;
        let mut happened = 1;
        while let Some(sweep) = self.sweep.as_mut().filter(|_| self.now < end) {
            // Nobody looks at times at which nothing happens.
            let from = match happened {
                0 => sweep.next_time().min(self.calendar.next_time().unwrap_or(f64::INFINITY)),
                _ => self.now,
            };
            let (until, before) = ((from + sweep.stretch).min(end), self.events);
            self.sweep_stretch(until);
            self.now = until;
            happened = self.events - before;
            if let Some(sweep) = self.sweep.as_mut().filter(|_| until < end) {
                sweep.adapt(happened);
            }
            if self.frames.len() > MOST_FRAMES {
                return Ending::Crowded;
            }
            if self.events >= last {
                return Ending::Paused;
            }
        }
        Ending::InTime
    }

    fn sweep_stretch(&mut self, until: f64) {
        while let Some((time, what)) = self.calendar.next_until(until) {
            (self.now, self.events) = (time, self.events + 1);
            self.arrive((what & NUMBER) as usize);
            self.go_on();
        }
        let mut stage = 0;
        while let Some((buffer, due)) = self.sweep.as_mut().and_then(|sweep| sweep.open(stage, until)) {
            for (time, number) in &buffer[..due] {
                self.now = *time;
                self.resume(*number);
                self.go_on();
            }
            if let Some(sweep) = &mut self.sweep {
                self.events += sweep.close(stage, buffer, due);
            }
            stage += 1;
        }
    }

    /// What is done at once goes on.
    fn go_on(&mut self) {
        while let Some(frame) = self.ready.pop_front() {
            self.resume(frame);
        }
    }

    /// How the servers of each queue were used since what is measured began.
    pub fn swept_usage(&self) -> Option<Vec<Usage>> {
        let sweep = self.sweep.as_ref()?;
        let each = sweep.lines.iter().zip(self.swept_in_all(sweep));
        let since = |(Line { before, .. }, all): (&Line, Usage)| Usage {
            busy: all.busy - before.busy,
            waiting: all.waiting - before.waiting,
            departures: all.departures - before.departures,
            growth: all.growth - before.growth,
        };
        Some(each.map(since).collect())
    }

    /// Forgets how they were used before.
    pub fn clear_sweep(&mut self) {
        let Some(sweep) = &self.sweep else { return };
        let all = self.swept_in_all(sweep);
        let lines = self.sweep.iter_mut().flat_map(|sweep| &mut sweep.lines);
        lines.zip(all).for_each(|(line, all)| line.before = all);
    }

    /// How they were used from the beginning, those that wait now as growth: by all that came, less what of it is still to
    /// be.
    fn swept_in_all(&self, sweep: &Sweep<'_>) -> Vec<Usage> {
        let all = |line: &Line| Usage { busy: line.busy, waiting: line.waiting, departures: line.number, growth: 0 };
        let mut used: Vec<Usage> = sweep.lines.iter().map(all).collect();
        for (end, number) in sweep.buffers.iter().flatten() {
            let frame = &self.frames[*number];
            if let (Phase::Work, Instruction::Work { station, .. }) =
                (frame.phase, self.program.code[frame.place as usize])
            {
                let begin = (end - frame.work).max(self.now);
                let queue = &mut used[self.stations[station as usize].at(frame.instance) as usize];
                queue.busy -= end - begin;
                queue.waiting -= begin - self.now;
                queue.departures -= 1;
                queue.growth += i64::from(begin > self.now);
            }
        }
        used
    }
}

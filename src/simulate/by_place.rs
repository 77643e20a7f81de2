//! Place by place instead of event by event: all that happens behind one step in a stretch of time, then all behind the
//! next one.
//!
//! Each request has the time of its own step, and first come, first served is a recursion (`line`). `stages` says where that
//! holds and in which order the places come.

use super::engine::{Ending, Engine, MOST_FRAMES, NUMBER};
use super::frames::{Frame, Frames, Phase};
use super::line::Line;
use super::queue::Usage;
use super::stages::{Stage, Stages};
use crate::network::program::{Instruction, NONE, Place};

/// Events of a stretch of time, for each buffer: enough that looking at the buffers costs little, few enough that what is
/// under way stays in the memory next to the processor.
const EVENTS: u64 = 24;

/// A network that is simulated place by place.
#[derive(Debug)]
pub(super) struct ByPlace<'n> {
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

impl<'n> ByPlace<'n> {
    /// Of queues with so many servers each; `unit` is about how long things take.
    pub fn new(stages: &'n Stages, servers: impl Iterator<Item = u64>, unit: f64) -> ByPlace<'n> {
        ByPlace {
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
        let left: usize = self.buffers.iter().map(Vec::len).sum();
        // What is left is looked at once more in the next one.
        let enough = EVENTS * (self.buffers.len() as u64 + 1) + left as u64;
        if events < enough / 2 {
            self.stretch *= 2.0;
        } else if events > 2 * enough {
            self.stretch *= 0.5;
        }
    }
}

impl Engine<'_> {
    /// Lets everything happen that happens until a time, place by place; stops after about so many events.
    pub fn run_by_place(&mut self, end: f64, events: u64) -> Ending {
        let last = self.events.saturating_add(events);
        let mut happened = 1;
        while let Some(by_place) = self.by_place.as_mut().filter(|_| self.now < end) {
            // Nobody looks at times at which nothing happens.
            let from = match happened {
                0 => by_place.next_time().min(self.calendar.next_time().unwrap_or(f64::INFINITY)),
                _ => self.now,
            };
            let (until, before) = ((from + by_place.stretch).min(end), self.events);
            self.pass_stretch(until);
            self.now = until;
            happened = self.events - before;
            if let Some(by_place) = self.by_place.as_mut().filter(|_| until < end) {
                by_place.adapt(happened);
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

    fn pass_stretch(&mut self, until: f64) {
        while let Some((time, what)) = self.calendar.next_until(until) {
            (self.now, self.events) = (time, self.events + 1);
            self.arrive((what & NUMBER) as usize);
            self.go_on();
        }
        let mut stage = 0;
        while let Some((buffer, due)) = self.by_place.as_mut().and_then(|by_place| by_place.open(stage, until)) {
            for (time, number) in &buffer[..due] {
                self.now = *time;
                self.resume(*number);
                self.go_on();
            }
            if let Some(by_place) = &mut self.by_place {
                self.events += by_place.close(stage, buffer, due);
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
    pub fn usage_by_place(&self) -> Option<Vec<Usage>> {
        let by_place = self.by_place.as_ref()?;
        let each = by_place.lines.iter().zip(self.used_in_all(by_place));
        Some(each.map(|(line, all)| line.since(all)).collect())
    }

    /// Forgets how they were used before.
    pub fn clear_by_place(&mut self) {
        let Some(by_place) = &self.by_place else { return };
        let all = self.used_in_all(by_place);
        let lines = self.by_place.iter_mut().flat_map(|by_place| &mut by_place.lines);
        lines.zip(all).for_each(|(line, all)| line.forget(all));
    }

    /// How they were used from the beginning, those that wait now as growth: by all that came, less what of it is still to
    /// be.
    fn used_in_all(&self, by_place: &ByPlace<'_>) -> Vec<Usage> {
        let mut used: Vec<Usage> = by_place.lines.iter().map(Line::all).collect();
        for (end, number) in by_place.buffers.iter().flatten() {
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

#[cfg(test)]
mod tests {
    use super::super::record::Record;
    use super::super::spans::{Span, Spans};
    use super::*;
    use crate::network::program::Program;
    use crate::{document, network};

    /// What both ways count in the same stretches of time, and the first requests; `None` where a network takes a calendar.
    fn both(model: &str) -> Option<[([Record; 2], Vec<Span>); 2]> {
        let no_files = |_: &str| Err("none".to_string());
        let read = document::read(model, &no_files).unwrap_or_else(|wrong| panic!("{:?}\n{model}", wrong.first()));
        let network = network::compile(&read.system);
        let program = Program::new(&network);
        let stages = Stages::of(&network, &program)?;
        let run = |stages| {
            let mut engine = Engine::new(&network, &program, 5, 3, None, stages);
            engine.spans = Some(Box::new(Spans::new(300)));
            engine.run_until(20.0, u64::MAX);
            engine.clear();
            engine.run_until(110.0, 700);
            engine.run_until(110.0, u64::MAX);
            let first = engine.measured();
            engine.run_until(400.0, u64::MAX);
            let spans = engine.spans.take().map(|spans| spans.in_order()).unwrap_or_default();
            ([first, engine.take_measured()], spans)
        };
        Some([run(None), run(Some(&stages))])
    }

    fn is_near(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-10 * one.abs().max(1.0)
    }

    fn assert_same(event_by_event: &Record, by_place: &Record, model: &str) {
        let (one, other) = (event_by_event, by_place);
        assert_eq!((one.time, one.events, &one.visits), (other.time, other.events, &other.visits), "{model}");
        let requests = |record: &Record| [record.workloads.clone(), record.services.clone()].concat();
        for (one, other) in requests(one).iter().zip(&requests(other)) {
            assert_eq!((one.arrivals, one.failures), (other.arrivals, other.failures), "{model}");
            assert_eq!(one.response.times, other.response.times, "{model}");
            assert!(is_near(one.response.sum, other.response.sum), "{model}");
            assert!(is_near(one.wait.sum, other.wait.sum), "{model}");
        }
        for (one, other) in one.stations.iter().zip(&other.stations) {
            assert_eq!((one.departures, one.growth), (other.departures, other.growth), "{model}");
            assert!(is_near(one.busy, other.busy) && is_near(one.waiting, other.waiting), "{one:?} {other:?}\n{model}");
        }
        for (one, other) in one.accounts.iter().zip(&other.accounts) {
            assert_eq!(one.requests, other.requests, "{model}");
            for (one, other) in one.spent.iter().zip(&other.spent) {
                assert!(is_near(one.queueing, other.queueing) && is_near(one.service, other.service), "{model}");
            }
        }
    }

    /// Services `a` to `e` of which each can do what is asked of it, with more keys and steps, and their workloads.
    fn model(services: [(&str, &str); 5], workloads: &str) -> String {
        let mut text = String::new();
        for (name, (keys, steps)) in ["a", "b", "c", "d", "e"].iter().zip(services) {
            text += &format!("[service.{name}]\n{keys}\noperations.o.steps = [ {steps} ]\n");
        }
        text + workloads
    }

    const IDLE: (&str, &str) = ("", r#"{ work = "9ms" }"#);

    #[test]
    fn figures_are_those_of_the_calendar() {
        let open = "[workload.w]\nentry = \"a.o\"\nrate = \"30/s\"\n";
        let two = format!("{open}[workload.v]\nentry = \"b.o\"\nrate = \"9/s\"\n");
        let bursts = format!("{open}arrivals = {{ burst = {{ ratio = 4, on = \"2s\", off = \"5s\" }} }}\n");
        let work = r#"{ work = "20ms" }"#;
        let to = |service: &str| format!(r#"{work}, {{ call = "{service}.o" }}"#);
        let cases = [
            // A row, overloaded at its end.
            model(
                [
                    ("", &to("b")),
                    ("cores = 2", &to("c")),
                    ("cores = 3", &to("d")),
                    ("cores = 8", &to("e")),
                    ("", r#"{ work = "40ms" }"#),
                ],
                open,
            ),
            // Instances with queues of their own, constant work, ways over a network; work after the answer is a delay.
            model(
                [
                    (
                        "instances = 2\nbalancer = \"random\"",
                        r#"{ work = { constant = "30ms" } }, { call = "b.o", network = "4ms" }, { delay = "3ms" }"#,
                    ),
                    (
                        "instances = 3\nbalancer = \"round-robin\"",
                        r#"{ work = { constant = "50ms" } }, { call = "c.o", probability = 0.4, network = { constant = "2ms" } }"#,
                    ),
                    ("cores = 2", work),
                    IDLE,
                    IDLE,
                ],
                &bursts,
            ),
            // Streams that meet at a service, at an external with a limit, at a cache.
            model(
                [
                    (
                        "",
                        r#"{ choose = [ { weight = 0.5, steps = [ { call = "b.o" } ] }, { weight = 0.5, steps = [ { delay = "8ms" }, { call = "c.o" } ] } ] }"#,
                    ),
                    ("cores = 2", &to("c")),
                    ("cores = 2", r#"{ work = "10ms" }, { cache = "x", miss = [ { call = "d.o" } ] }"#),
                    ("cores = 2", r#"{ work = "5ms" }, { fail = 0.1 }, { call = "y" }"#),
                    IDLE,
                ],
                &format!(
                    "{two}[cache.x]\nsize = 40\nobjects = 500\npopularity = {{ zipf = 0.8 }}\n[external.y]\nlatency = \"30ms\"\nconcurrency = 1\nlimit = \"12/s\"\n"
                ),
            ),
            // Branches, and what is sent without waiting.
            model(
                [
                    (
                        "cores = 2",
                        r#"{ work = "10ms" }, { parallel = [ [ { call = "b.o" } ], [ { send = "e.o" }, { call = "c.o", network = "3ms" } ] ] }, { call = "d.o" }"#,
                    ),
                    ("", work),
                    ("", work),
                    ("", work),
                    ("", work),
                ],
                &two,
            ),
        ];
        for model in &cases {
            let [(by_event, traced), (by_place, spans)] =
                both(model).unwrap_or_else(|| panic!("takes a calendar:\n{model}"));
            assert!(by_event[1].events > 20_000 && traced.len() > 600, "{model}");
            assert!(traced == spans, "{model}");
            by_event.iter().zip(&by_place).for_each(|(one, other)| assert_same(one, other, model));
        }
    }

    #[test]
    fn what_comes_back_or_depends_on_others_takes_a_calendar() {
        let open = "[workload.w]\nentry = \"a.o\"\nrate = \"30/s\"\n";
        let to_b = r#"{ work = "20ms" }, { call = "b.o" }"#;
        let cases = [
            // Work before and after a call.
            model([("", r#"{ work = "9ms" }, { call = "b.o" }, { work = "9ms" }"#), IDLE, IDLE, IDLE, IDLE], open),
            // The same service twice.
            model([("", r#"{ call = "b.o", times = 2 }"#), IDLE, IDLE, IDLE, IDLE], open),
            model([("", r#"{ call = "b.o" }, { call = "c.o" }"#), ("", r#"{ call = "c.o" }"#), IDLE, IDLE, IDLE], open),
            model([("", r#"{ repeat = 2, steps = [ { work = "9ms" } ] }"#), IDLE, IDLE, IDLE, IDLE], open),
            // Queues that look at what is further on, or at who came.
            model([("workers = 4", to_b), IDLE, IDLE, IDLE, IDLE], open),
            model([("queue = 4", to_b), IDLE, IDLE, IDLE, IDLE], open),
            model([("discipline = \"ps\"", to_b), IDLE, IDLE, IDLE, IDLE], open),
            model([("discipline = \"lifo\"", to_b), IDLE, IDLE, IDLE, IDLE], open),
            model([("instances = 2\nbalancer = \"least-outstanding\"", to_b), IDLE, IDLE, IDLE, IDLE], open),
            model([("", r#"{ call = "b.o", timeout = "1s" }"#), IDLE, IDLE, IDLE, IDLE], open),
            // Branches of which not all are waited for, or that may fail.
            model([("", r#"{ parallel = [ "b.o", "c.o" ], wait = "any" }"#), IDLE, IDLE, IDLE, IDLE], open),
            model([("", r#"{ parallel = [ "b.o", "c.o" ] }"#), ("", r#"{ fail = 0.1 }"#), IDLE, IDLE, IDLE], open),
            // Streams that may meet at the same moment.
            model(
                [
                    (
                        "",
                        r#"{ choose = [ { weight = 0.5, steps = [ { call = "b.o" } ] }, { weight = 0.5, steps = [ { call = "c.o" } ] } ] }"#,
                    ),
                    ("", r#"{ work = { constant = "9ms" } }, { call = "c.o" }"#),
                    IDLE,
                    IDLE,
                    IDLE,
                ],
                open,
            ),
            // Users.
            model([("", to_b), IDLE, IDLE, IDLE, IDLE], "[workload.w]\nentry = \"a.o\"\nusers = 10\nthink = \"1s\"\n"),
        ];
        cases.iter().for_each(|model| assert!(both(model).is_none(), "{model}"));
    }
}

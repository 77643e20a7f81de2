//! Running a load test.

use super::{Finding, Limit, LoadTest, Recovery, Stage, TestKind};
use crate::math::estimate::drift;
use crate::network::compile;
use crate::plan::verdict::assess;
use crate::simulate::{Effort, Moment, Shape, Watch, follow, simulate};
use crate::system::{ArrivalLaw, Load, System};
use crate::unit::Seconds;

/// How high a spike is unless told otherwise.
pub const SPIKE: f64 = 3.0;

/// Requests of a stage, in all its runs together.
const REQUESTS: u64 = 200_000;

/// Runs of a stage.
const RUNS: u64 = 8;

/// Each stress level is so many times the one before; the point between the last two is then halved so many times.
const STEP: f64 = 1.25;
const LEVELS: i32 = 24;
const HALVINGS: u32 = 5;

/// It keeps up while at least this share of the load gets through that did in the stated load.
const KEEPS_UP: f64 = 0.95;

/// Steps of the way up to the load.
const STEPS_UP: usize = 10;

/// Stretches of a spike; the first one after it, over its length; how long one looks after it, over its length.
const SPIKE_PARTS: u32 = 4;
const FIRST_AFTER: f64 = 0.05;
const LOOKS_FOR: f64 = 25.0;

/// Stretches of a soak.
const STRETCHES: usize = 12;

/// A p95 this much above what it was before is as before.
const AS_BEFORE: f64 = 1.1;

/// Instances over the stated ones.
const COUNTS: [u32; 4] = [1, 2, 4, 8];

/// Runs a load test; `spike` is the height of a spike over the stated load.
pub fn load_test(system: &System, kind: TestKind, spike: f64, effort: &Effort, watch: Watch<'_>) -> LoadTest {
    let test = Test { system, effort, watch, stopped: std::cell::Cell::new(false) };
    let (stages, finding) = match kind {
        TestKind::Load => test.load(),
        TestKind::Stress => test.stress(),
        TestKind::Spike => test.spike(spike),
        TestKind::Soak => test.soak(),
        TestKind::Scalability => test.scalability(),
    };
    LoadTest { kind, stages, finding, stopped: test.stopped.get() }
}

struct Test<'t> {
    system: &'t System,
    effort: &'t Effort,
    watch: Watch<'t>,
    stopped: std::cell::Cell<bool>,
}

impl Test<'_> {
    fn effort(&self) -> Effort {
        Effort { replications: self.effort.replications.or(Some(RUNS)), traced: 0, ..self.effort.clone() }
    }

    /// A run of its own, long enough for a p95.
    fn steady(&self, name: String, factor: f64, instances: u32) -> Stage {
        let system = scaled(self.system, factor, instances);
        let requests = self.effort.requests.unwrap_or(REQUESTS);
        let effort = Effort { requests: Some(requests), precision: None, ..self.effort() };
        let simulated = simulate(&compile(&system), &effort, self.watch);
        self.stopped.set(self.stopped.get() || simulated.is_stopped());
        let end = simulated.prediction.simulation.as_ref().map_or(0.0, |simulation| simulation.duration);
        Stage { name, factor, instances, start: 0.0, end, prediction: simulated.prediction }
    }

    /// Time that is long for this system: many times its warm-up, and enough requests for a p95 in each run.
    fn long(&self) -> Seconds {
        if let Some(duration) = self.effort.duration {
            return duration;
        }
        let stage = self.steady(String::new(), 1.0, 1);
        let warmup = stage.prediction.simulation.as_ref().map_or(0.0, |simulation| simulation.warmup);
        let rates = stage.prediction.workloads.iter().map(|w| w.throughput).filter(|rate| *rate > 0.0);
        let slowest = rates.fold(f64::INFINITY, f64::min);
        (20.0 * warmup).max(2_000.0 / slowest).min(1e9)
    }

    fn follow(&self, shape: &Shape, ends: &[Seconds]) -> Vec<Moment> {
        let moments = follow(&compile(self.system), &self.effort(), Some(shape), ends, self.watch);
        self.stopped.set(self.stopped.get() || moments.len() < ends.len());
        moments
    }

    /// The same without the first stretch, which begins empty and is no measure.
    fn follow_settled(&self, shape: &Shape, ends: &[Seconds]) -> Vec<Moment> {
        self.follow(shape, ends).into_iter().skip(1).collect()
    }

    fn load(&self) -> (Vec<Stage>, Finding) {
        let long = self.long();
        let steps = (0..STEPS_UP).map(|i| (long * i as f64 / STEPS_UP as f64, (i + 1) as f64 / STEPS_UP as f64));
        let moments = self.follow(&Shape::new(steps.collect()), &[long, 5.0 * long]);
        let names = ["up to the load", "the load holds"];
        let stages: Vec<Stage> =
            moments.into_iter().zip(names).map(|(m, name)| stage(m, name.to_string(), 1.0)).collect();
        let verdicts = stages.get(1).map_or_else(Vec::new, |stage| assess(self.system, &stage.prediction));
        (stages, Finding::Verdicts(verdicts))
    }

    fn stress(&self) -> (Vec<Stage>, Finding) {
        let level = |factor: f64| self.steady(format!("{}% of the load", (100.0 * factor).round()), factor, 1);
        let base = level(1.0);
        let met: Vec<String> = missed(self.system, &base, false);
        let through: f64 = base.prediction.workloads.iter().map(|w| w.throughput).sum();
        let keeps_up = |stage: &Stage| {
            let now: f64 = stage.prediction.workloads.iter().map(|w| w.throughput).sum();
            let full = stage.prediction.headroom.is_some_and(|headroom| headroom < 1.0);
            stage.prediction.stable && !full && now >= KEEPS_UP * stage.factor * through
        };
        let meets = |stage: &Stage| missed(self.system, stage, true).iter().all(|name| !met.contains(name));
        let mut stages = vec![base];
        // Up until it breaks; down from the stated load if it breaks already there.
        let up = keeps_up(&stages[0]);
        for i in 1..LEVELS {
            let stage = level(STEP.powi(if up { i } else { -i }));
            let done = keeps_up(&stage) != up || self.stopped.get();
            stages.push(stage);
            if done {
                break;
            }
        }
        for holds in [&keeps_up as &dyn Fn(&Stage) -> bool, &meets] {
            for _ in 0..HALVINGS {
                let Some((low, high)) = edge(&stages, holds).filter(|_| !self.stopped.get()) else { break };
                if low > 0.0 {
                    stages.push(level((low * high).sqrt()));
                }
            }
        }
        stages.sort_by(|a, b| a.factor.total_cmp(&b.factor));
        let limit = |holds: &dyn Fn(&Stage) -> bool, why: &dyn Fn(&Stage) -> Vec<String>| {
            let (low, high) = edge(&stages, holds)?;
            let why = stages.iter().find(|stage| stage.factor == high).map_or_else(Vec::new, why);
            Some(Limit { holds: low, fails: high, why })
        };
        let objectives = limit(&meets, &|stage| {
            missed(self.system, stage, true).into_iter().filter(|name| met.contains(name)).collect()
        });
        let breaking = limit(&keeps_up, &|stage| {
            let over: Vec<String> = stage.prediction.overloads.iter().map(|over| over.station.clone()).collect();
            if over.is_empty() { stage.prediction.bottleneck.iter().cloned().collect() } else { over }
        });
        (stages, Finding::Limits { objectives, breaking })
    }

    fn spike(&self, height: f64) -> (Vec<Stage>, Finding) {
        let long = self.long();
        let (from, to) = (2.0 * long, 3.0 * long);
        let shape = Shape::new(vec![(0.0, 1.0), (from, height), (to, 1.0)]);
        // Empty at first, then calm; the spike in parts; then stretches that grow, for as long as one looks.
        let mut ends = vec![long, 1.5 * long, from];
        ends.extend((1..=SPIKE_PARTS).map(|i| from + long * f64::from(i) / f64::from(SPIKE_PARTS)));
        let mut step = FIRST_AFTER * long;
        while ends.last().is_some_and(|end| *end < to + LOOKS_FOR * long) {
            ends.extend(ends.last().map(|end| end + step));
            step *= STEP;
        }
        let moments = self.follow_settled(&shape, &ends);
        let workloads = self.system.workloads.iter().enumerate().map(|(w, workload)| {
            let p95 = |moment: &Moment| moment.prediction.workloads[w].response.p95();
            let errors = moments.iter().map(|moment| moment.prediction.workloads[w].error_rate).fold(0.0, f64::max);
            let calm = |now: f64, usual: f64| now <= AS_BEFORE * usual;
            Recovery { errors, ..recovery(&workload.name, false, &moments, (from, to), p95, calm) }
        });
        let services = self.system.services.iter().enumerate().map(|(id, service)| {
            let queue = |moment: &Moment| moment.prediction.services[id].queue_length;
            let calm = |now: f64, usual: f64| now <= 2.0 * usual + 1.0;
            recovery(&service.name, true, &moments, (from, to), queue, calm)
        });
        // Of the services only those that felt it for longer than the spike.
        let late = |service: &Recovery| service.time != Some(0.0);
        let recoveries: Vec<Recovery> = workloads.chain(services.filter(late)).collect();
        let stages = moments.into_iter().map(|moment| {
            let factor = shape.at(0.5 * (moment.start + moment.end));
            let name = match moment.start {
                start if start < from => "before",
                start if start < to => "spike",
                _ => "after",
            };
            stage(moment, name.to_string(), factor)
        });
        (stages.collect(), Finding::Recovery(recoveries))
    }

    fn soak(&self) -> (Vec<Stage>, Finding) {
        let long = self.long();
        let ends: Vec<Seconds> = (0..=STRETCHES).map(|i| long * (1.0 + 8.0 * i as f64)).collect();
        let moments = self.follow_settled(&Shape::new(vec![(0.0, 1.0)]), &ends);
        let drifts = self.system.workloads.iter().enumerate().map(|(w, workload)| {
            let p95: Vec<f64> =
                moments.iter().filter_map(|moment| moment.prediction.workloads[w].response.p95()).collect();
            (workload.name.clone(), drift(&p95))
        });
        let drifts = drifts.collect();
        let stages =
            moments.into_iter().enumerate().map(|(i, moment)| stage(moment, format!("stretch {}", i + 1), 1.0));
        (stages.collect(), Finding::Drift(drifts))
    }

    fn scalability(&self) -> (Vec<Stage>, Finding) {
        let stages: Vec<Stage> = COUNTS
            .iter()
            .take_while(|_| !self.stopped.get())
            .map(|count| self.steady(format!("{count} × instances and load"), f64::from(*count), *count))
            .collect();
        let first = stages.first().and_then(|stage| stage.prediction.headroom);
        let bears = |stage: &Stage| stage.prediction.headroom.zip(first).map(|(headroom, first)| headroom / first);
        let efficiency = stages.iter().map(bears).collect();
        (stages, Finding::Efficiency(efficiency))
    }
}

/// How a figure came through a spike between two times; `is_calm` compares it to what it was before.
fn recovery(
    name: &str,
    is_service: bool,
    moments: &[Moment],
    (from, to): (Seconds, Seconds),
    figure: impl Fn(&Moment) -> Option<f64>,
    is_calm: impl Fn(f64, f64) -> bool,
) -> Recovery {
    let calm: Vec<f64> = moments.iter().filter(|moment| moment.start < from).filter_map(&figure).collect();
    let before = (!calm.is_empty()).then(|| calm.iter().sum::<f64>() / calm.len() as f64);
    let rest = moments.iter().filter(|moment| moment.start >= from);
    let worst = rest.filter_map(&figure).max_by(f64::total_cmp);
    let after: Vec<&Moment> = moments.iter().filter(|moment| moment.start >= to).collect();
    let is_bad = |moment: &&Moment| !figure(moment).zip(before).is_some_and(|(now, before)| is_calm(now, before));
    // Until the end of the last stretch that was not as before; with none after it, it is still on its way.
    let time = match after.iter().rposition(is_bad) {
        None => (!after.is_empty()).then_some(0.0),
        Some(last) => (last + 1 < after.len()).then(|| after[last].end - to),
    };
    Recovery { subject: name.to_string(), is_service, before, worst, errors: 0.0, time }
}

fn stage(moment: Moment, name: String, factor: f64) -> Stage {
    Stage { name, factor, instances: 1, start: moment.start, end: moment.end, prediction: moment.prediction }
}

/// Names of the objectives that are missed in a stage, or of those that are met.
fn missed(system: &System, stage: &Stage, missed: bool) -> Vec<String> {
    let verdicts = assess(system, &stage.prediction).into_iter();
    verdicts.filter(|verdict| verdict.met != missed).map(|verdict| verdict.name).collect()
}

/// Between which loads something ceases to hold: the greatest below which it always holds, and the least where it does not.
fn edge(stages: &[Stage], holds: &dyn Fn(&Stage) -> bool) -> Option<(f64, f64)> {
    let high = stages.iter().filter(|stage| !holds(stage)).map(|stage| stage.factor).min_by(f64::total_cmp)?;
    let low = stages.iter().map(|stage| stage.factor).filter(|factor| *factor < high).fold(0.0, f64::max);
    Some((low, high))
}

/// A system with so many times the load and the instances.
fn scaled(system: &System, factor: f64, instances: u32) -> System {
    let mut scaled = system.clone();
    for workload in &mut scaled.workloads {
        match &mut workload.load {
            Load::Open { rate, arrivals } => {
                *rate *= factor;
                if let ArrivalLaw::Trace(times) = arrivals {
                    *times = times.iter().map(|time| time / factor).collect();
                }
            }
            Load::Closed { users, .. } => *users = ((f64::from(*users) * factor).round() as u32).max(1),
            Load::Profile { points, .. } => points.iter_mut().for_each(|(_, rate)| *rate *= factor),
        }
    }
    for service in &mut scaled.services {
        service.instances = service.instances.saturating_mul(instances);
    }
    scaled
}

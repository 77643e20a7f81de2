//! How long a simulation takes that is brief, and still long enough to tell.

use super::TRUSTED;
use crate::network::horizon::{Horizon, horizon};
use crate::network::{Network, Step};
use crate::prediction::{Accuracy, Ended, Prediction, WorkloadResult};
use crate::simulate::Effort;
use crate::system::{ArrivalLaw, Load};
use crate::unit::Seconds;

/// Calls that services receive in all runs together; the second time where the first does not tell enough.
pub(super) const CALLS: [f64; 2] = [1e6, 4e6];

/// Requests at most, for each of those; and steps within calls.
const REQUESTS: f64 = 0.2;
const STEPS: f64 = 4.0;

/// Enough is known of a p95 with an interval of so much of it to each side.
const ENOUGH: f64 = 0.05;

/// Runs, whose figures are compared.
const RUNS: u64 = 8;

/// A run begins with this part of the time that it measures, and with so many times the longest mean response time at least.
const WARMUP: f64 = 0.25;
const RESPONSES: f64 = 5.0;

/// Bursts come and go so often at least in all runs together, or nothing can be told of them.
const BURSTS: f64 = 200.0;

/// Events for each call that was expected, beyond which nothing is told: requests multiply then, and would for long.
const MULTIPLIED: f64 = 60.0;

/// All random numbers come from this seed.
const SEED: u64 = 0x706c_696d;

/// The effort of so many calls for a network which analysis predicts to do this; `None` where that would not tell.
pub(super) fn effort(network: &Network, computed: &Prediction, all: f64) -> Option<Effort> {
    if horizon(network) != Horizon::Steady {
        return None;
    }
    let requests: f64 = computed.workloads.iter().map(|workload| workload.arrival_rate).sum();
    let calls: f64 = computed.services.iter().map(|service| service.arrival_rate).sum();
    let steps: f64 = computed.services.iter().zip(most_steps(network)).map(|(own, most)| own.arrival_rate * most).sum();
    let time = all / calls.max(steps / STEPS).max(requests / REQUESTS);
    let duration = time / RUNS as f64;
    let longest = computed
        .workloads
        .iter()
        .filter_map(|workload| workload.response.mean)
        .filter(|mean| mean.is_finite())
        .fold(0.0, f64::max);
    let warmup = (WARMUP * duration).max(RESPONSES * longest);
    let long_enough = duration.is_finite() && warmup <= duration && time >= BURSTS * longest_burst(network);
    long_enough.then(|| Effort {
        seed: SEED,
        replications: Some(RUNS),
        warmup: Some(warmup),
        duration: Some(duration),
        most_events: Some((MULTIPLIED * all / RUNS as f64) as u64),
        ..Effort::default()
    })
}

/// The most steps that a call of each service takes within it, on average.
fn most_steps(network: &Network) -> Vec<f64> {
    let most =
        |operations: &[usize]| operations.iter().map(|id| taken(&network.operations[*id].steps)).fold(0.0, f64::max);
    network.services.iter().map(|service| most(&service.operations)).collect()
}

fn taken(steps: &[Step]) -> f64 {
    let each = |step: &Step| match step {
        Step::Choose { ways, .. } => ways.iter().map(|(chance, steps)| chance * taken(steps)).sum(),
        Step::Repeat { times, steps } => f64::from(*times) * taken(steps),
        _ => {
            let mut sum = 1.0;
            step.inner(|steps| sum += taken(steps));
            sum
        }
    };
    steps.iter().map(each).sum()
}

/// The longest time on average from the beginning of a burst to that of the next.
fn longest_burst(network: &Network) -> Seconds {
    let cycle = |load: &Load| match load {
        Load::Open { arrivals: ArrivalLaw::Burst { on, off, .. }, .. } => on + off,
        _ => 0.0,
    };
    network.workloads.iter().map(|workload| cycle(&workload.load)).fold(0.0, f64::max)
}

/// Whether a simulation ended as it should, or found what grows without end; where all requests multiplied it tells nothing.
pub(super) fn tells(simulated: &Prediction) -> bool {
    let complete = simulated.simulation.as_ref().is_some_and(|simulation| simulation.ended == Ended::Complete);
    let answered = simulated.workloads.iter().any(|workload| workload.response.mean.is_some());
    complete || answered || !simulated.overloads.is_empty() || !simulated.deadlocked.is_empty()
}

/// Whether all is known well enough that analysis is not sure of.
pub(super) fn is_enough(computed: &Prediction, simulated: &Prediction) -> bool {
    let known = |(own, run): (&WorkloadResult, &WorkloadResult)| match own.accuracy {
        Accuracy::Approximate { p95_error } if p95_error > TRUSTED => half_width(run).is_none_or(|half| half <= ENOUGH),
        _ => true,
    };
    computed.stable == simulated.stable && computed.workloads.iter().zip(&simulated.workloads).all(known)
}

/// Half the width of the interval of a simulated p95, over it.
pub(super) fn half_width(run: &WorkloadResult) -> Option<f64> {
    let Accuracy::Simulated(confidence) = &run.accuracy else { return None };
    Some(confidence.response.p95()? / run.response.p95().filter(|p95| *p95 > 0.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::compile;
    use crate::{analytic, document};

    fn effort_of(steps: &str, load: &str) -> Option<Effort> {
        let model = format!(
            "[service.a]\ncores = 2\noperations.o.steps = [ {steps} ]\n[workload.w]\nentry = \"a.o\"\n{load}\n"
        );
        let no_files = |_: &str| Err("none".to_string());
        let read = document::read(&model, &no_files).unwrap_or_else(|wrong| panic!("{:?}", wrong.first()));
        let network = compile(&read.system);
        effort(&network, &analytic::solve(&network), CALLS[0])
    }

    #[test]
    fn it_takes_as_long_as_tells_or_is_none() {
        let (work, rate) = ("{ work = \"10ms\" }", "rate = \"100/s\"");
        let plain = effort_of(work, rate).unwrap();
        // A call for each request: requests are what is counted.
        assert_eq!(plain.duration, Some(REQUESTS * CALLS[0] / 100.0 / RUNS as f64));
        let looped = effort_of("{ repeat = 800, steps = [ { delay = \"1us\" } ] }", rate).unwrap();
        assert!(looped.duration < plain.duration.map(|duration| 0.03 * duration), "{looped:?}");
        assert_eq!(plain.warmup, plain.duration.map(|duration| WARMUP * duration));
        let bursts = |on: &str| {
            format!("rate = \"100/s\"\narrivals = {{ burst = {{ ratio = 3, on = \"{on}\", off = \"{on}\" }} }}")
        };
        assert!(effort_of(work, &bursts("1s")).is_some() && effort_of(work, &bursts("1h")).is_none());
        let day =
            "profile = [ { at = \"0s\", rate = \"10/s\" }, { at = \"12h\", rate = \"100/s\" } ]\nperiod = \"24h\"";
        assert!(effort_of(work, day).is_none());
    }
}

//! What was computed and what was simulated, put together.

use super::brief::half_width;
use crate::prediction::{Accuracy, Confidence, Prediction, ServiceResult, Times, Widths, WorkloadResult};
use crate::unit::ratio;

/// A simulated p95 is expected to be right to half the width of its interval, and to this at best.
const NEAR: f64 = 0.02;

/// What does not keep up by analysis does where all is simulated as closely as this.
const CLOSE: f64 = 0.25;

/// Of each workload what is expected to be closer, of each service what was computed unless that lies outside of what was simulated.
pub(super) fn merged(mut computed: Prediction, simulated: Prediction) -> Prediction {
    match (computed.stable, simulated.stable) {
        (true, true) => {}
        (true, false) => {
            return taken(simulated, computed, "grows without end in a simulation, though not by analysis");
        }
        (false, true) if simulated.workloads.iter().all(|run| half_width(run).is_some_and(|half| half <= CLOSE)) => {
            return taken(simulated, computed, "keeps up in a simulation, though not by analysis");
        }
        (false, _) => return computed,
    }
    for (own, run) in computed.workloads.iter_mut().zip(simulated.workloads) {
        computed.notes.extend(settle(own, run));
    }
    for (own, run) in computed.services.iter_mut().zip(simulated.services) {
        correct(own, run);
    }
    computed
}

/// All that was simulated, because of a verdict that only that knows.
fn taken(mut simulated: Prediction, computed: Prediction, why: &str) -> Prediction {
    for workload in &mut simulated.workloads {
        workload.accuracy = half_width(workload).map_or(Accuracy::Overloaded, |half| expected(NEAR + half));
    }
    simulated.services.iter_mut().for_each(|service| service.confidence = None);
    let mut notes = computed.notes;
    notes.push(format!("it {why}, which expects to be far off here: these are the figures of a brief simulation"));
    Prediction { metastable: computed.metastable, notes, simulation: None, ..simulated }
}

/// Takes the simulated figures of a workload where they are expected to be closer; then says so.
fn settle(own: &mut WorkloadResult, run: WorkloadResult) -> Option<String> {
    let Accuracy::Approximate { p95_error } = own.accuracy else { return None };
    let error = NEAR + half_width(&run)?;
    if error >= p95_error {
        return None;
    }
    let Accuracy::Simulated(confidence) = &run.accuracy else { return None };
    if !within(own.error_rate, run.error_rate, confidence.error_rate) {
        (own.error_rate, own.throughput) = (run.error_rate, own.arrival_rate * (1.0 - run.error_rate));
    }
    (own.response, own.breakdown, own.accuracy) = (run.response, run.breakdown, expected(error));
    (p95_error > super::TRUSTED).then(|| {
        format!(
            "{}: analysis expects its p95 to be off by {}: these are the times of a brief simulation",
            own.name,
            ratio::print(p95_error)
        )
    })
}

fn expected(error: f64) -> Accuracy {
    Accuracy::Approximate { p95_error: (error * 1000.0).round() / 1000.0 }
}

/// Takes the simulated figures of a service that contradict those that were computed.
fn correct(own: &mut ServiceResult, run: ServiceResult) {
    let Some(confidence) = run.confidence else { return };
    let Confidence { arrival_rate, error_rate, utilization, workers_utilization, .. } = *confidence;
    let flows =
        within(own.arrival_rate, run.arrival_rate, arrival_rate) && within(own.error_rate, run.error_rate, error_rate);
    if !flows {
        (own.arrival_rate, own.throughput, own.error_rate) = (run.arrival_rate, run.throughput, run.error_rate);
    }
    let both =
        |own: Option<f64>, run: Option<f64>, width| own.zip(run).is_some_and(|(own, run)| !within(own, run, width));
    if both(own.utilization, run.utilization, utilization) {
        (own.utilization, own.devices) = (run.utilization, run.devices);
    }
    if both(own.workers_utilization, run.workers_utilization, workers_utilization) {
        own.workers_utilization = run.workers_utilization;
    }
    if !alike(&own.wait, &run.wait, &confidence.wait) || !alike(&own.response, &run.response, &confidence.response) {
        (own.wait, own.response, own.queue_length) = (run.wait, run.response, run.queue_length);
    }
}

/// Whether a figure lies within the interval of another one; one that has no width tells nothing.
fn within(own: f64, run: f64, width: Option<f64>) -> bool {
    width.is_none_or(|width| (own - run).abs() <= width)
}

/// Whether mean and percentiles lie within the intervals of others.
fn alike(own: &Times, run: &Times, widths: &Widths) -> bool {
    let own = std::iter::once(own.mean).chain(own.percentiles);
    let run = std::iter::once(run.mean).chain(run.percentiles);
    let widths = std::iter::once(widths.mean).chain(widths.percentiles);
    own.zip(run).zip(widths).all(|((own, run), width)| own.zip(run).is_none_or(|(own, run)| within(own, run, width)))
}

//! What was computed and what was simulated, put together.

use super::brief::half_width;
use crate::network::Network;
use crate::network::flows::{Losses, flows};
use crate::prediction::{Accuracy, Confidence, Prediction, ServiceResult, Times, Widths, WorkloadResult};
use crate::unit::{PerSecond, ratio};

/// A simulated p95 is expected to be right to half the width of its interval, and to this at best.
const NEAR: f64 = 0.02;

/// A simulation contradicts a figure that is further from its own than so many half-widths: of many figures one in twenty is more than
/// one from the truth, and one in 500 more than two.
const APART: f64 = 2.0;

/// How many more calls are made again is counted where its interval is no wider than this, to each side: in a network that may tip over
/// some runs do and others do not.
const COUNTED: f64 = 0.05;

/// What does not keep up by analysis does where all is simulated as closely as this.
const CLOSE: f64 = 0.25;

/// Of each workload what is expected to be closer, of each service what was computed unless the simulation contradicts it.
pub(super) fn merged(network: &Network, mut computed: Prediction, simulated: Prediction) -> Prediction {
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
    let before: Vec<PerSecond> = computed.workloads.iter().map(|own| own.arrival_rate).collect();
    for (own, run) in computed.workloads.iter_mut().zip(simulated.workloads) {
        computed.notes.extend(settle(own, run));
    }
    let after: Vec<PerSecond> = computed.workloads.iter().map(|own| own.arrival_rate).collect();
    let asked = calls(network, &before).into_iter().zip(calls(network, &after));
    for ((own, run), (before, after)) in computed.services.iter_mut().zip(simulated.services).zip(asked) {
        let more = if before > 0.0 { after / before } else { 1.0 };
        correct(own, run, more);
    }
    computed
}

/// The calls that each service receives where workloads ask so often, nothing is lost and nothing done again.
fn calls(network: &Network, rates: &[PerSecond]) -> Vec<PerSecond> {
    let flows = flows(network, rates, &Losses::none(network));
    let asked = |operations: &[usize]| operations.iter().map(|id| flows.asked(*id).sum::<f64>()).sum();
    network.services.iter().map(|service| asked(&service.operations)).collect()
}

/// All that was simulated, because of a verdict that only that knows.
fn taken(mut simulated: Prediction, computed: Prediction, why: &str) -> Prediction {
    for workload in &mut simulated.workloads {
        // More may have ended than have come since a run began to measure.
        workload.throughput = workload.throughput.min(workload.arrival_rate);
        workload.accuracy =
            half_width(workload).map_or(Accuracy::Overloaded, |half| Accuracy::approximate(NEAR + half));
    }
    simulated.services.iter_mut().for_each(|service| service.confidence = None);
    let mut notes = computed.notes;
    notes.push(format!(
        "the model {why}, which expects to be far off here: all figures are those of a brief simulation"
    ));
    Prediction { metastable: computed.metastable, notes, simulation: None, ..simulated }
}

/// Takes the simulated figures of a workload where they are expected to be closer; then says so.
fn settle(own: &mut WorkloadResult, run: WorkloadResult) -> Option<String> {
    let Accuracy::Approximate { p95_error } = own.accuracy else { return None };
    let error = NEAR + half_width(&run)?;
    let Accuracy::Simulated(confidence) = &run.accuracy else { return None };
    // What is contradicted is further off than it was expected to be.
    let contradicted = !within_known(own.response.p95(), run.response.p95(), confidence.response.p95());
    if error >= p95_error && !contradicted {
        return None;
    }
    // Where its times are not known, neither is how many of its requests fail.
    if confidence.error_rate.is_some_and(|width| (own.error_rate - run.error_rate).abs() > width) {
        (own.error_rate, own.throughput) = (run.error_rate, own.arrival_rate * (1.0 - run.error_rate));
    }
    if own.crowd.is_some() {
        // Users come as often as their answers let them.
        (own.arrival_rate, own.throughput) = (run.arrival_rate, run.throughput.min(run.arrival_rate));
    }
    (own.response, own.breakdown, own.accuracy) = (run.response, run.breakdown, Accuracy::approximate(error));
    let name = &own.name;
    if p95_error > super::TRUSTED {
        let expected = ratio::print(p95_error);
        return Some(format!(
            "{name}: analysis expects its p95 to be off by {expected}, so its times are those of a brief simulation"
        ));
    }
    contradicted.then(|| {
        format!("{name}: a brief simulation contradicts the p95 of analysis, so its times are those of the simulation")
    })
}

/// Takes the simulated figures of a service that contradict those that were computed, where workloads ask it so many times as often as
/// was computed.
fn correct(own: &mut ServiceResult, run: ServiceResult, more: f64) {
    receive(own, more);
    let Some(confidence) = run.confidence else { return };
    let Confidence { arrival_rate, error_rate, utilization, workers_utilization, amplification, .. } = *confidence;
    // How often first calls come follows from how workloads ask, nearly without error; how many more they bring is counted far more
    // closely than how many come in all.
    let again = match own.amplification.zip(run.amplification).zip(amplification) {
        Some(((own, run), width)) if width <= COUNTED * run && (own - run).abs() > width => run / own,
        _ => 1.0,
    };
    receive(own, again);
    own.amplification = own.amplification.map(|known| known * again);
    let flows =
        within(own.arrival_rate, run.arrival_rate, arrival_rate) && within(own.error_rate, run.error_rate, error_rate);
    if !flows {
        own.amplification = run.amplification.or(own.amplification);
        (own.arrival_rate, own.throughput, own.error_rate) = (run.arrival_rate, run.throughput, run.error_rate);
    }
    if !within_known(own.utilization, run.utilization, utilization) {
        (own.utilization, own.devices) = (run.utilization, run.devices);
    }
    if !within_known(own.workers_utilization, run.workers_utilization, workers_utilization) {
        own.workers_utilization = run.workers_utilization;
    }
    if !alike(&own.wait, &run.wait, &confidence.wait) || !alike(&own.response, &run.response, &confidence.response) {
        (own.wait, own.response, own.queue_length) = (run.wait, run.response, run.queue_length);
    }
}

/// A service that receives so many times as many calls.
fn receive(own: &mut ServiceResult, more: f64) {
    let fuller = |utilization: &mut f64| *utilization = (*utilization * more).min(1.0);
    own.arrival_rate *= more;
    own.throughput *= more;
    own.utilization.iter_mut().chain(&mut own.workers_utilization).for_each(fuller);
    own.devices.iter_mut().for_each(|(_, utilization)| fuller(utilization));
}

/// Whether a simulated figure does not contradict one; without a width it tells nothing.
fn within(own: f64, run: f64, width: Option<f64>) -> bool {
    width.is_none_or(|width| (own - run).abs() <= APART * width)
}

/// The same of figures that may not exist.
fn within_known(own: Option<f64>, run: Option<f64>, width: Option<f64>) -> bool {
    own.zip(run).is_none_or(|(own, run)| within(own, run, width))
}

/// Whether simulated times do not contradict mean and percentiles.
fn alike(own: &Times, run: &Times, widths: &Widths) -> bool {
    let own = std::iter::once(own.mean).chain(own.percentiles);
    let run = std::iter::once(run.mean).chain(run.percentiles);
    let widths = std::iter::once(widths.mean).chain(widths.percentiles);
    own.zip(run).zip(widths).all(|((own, run), width)| within_known(own, run, width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Network, compile};
    use crate::simulate::{Effort, simulate};
    use crate::{analytic, document};

    fn compiled(model: &str) -> Network {
        let no_files = |_: &str| Err("none".to_string());
        compile(&document::read(model, &no_files).unwrap_or_else(|wrong| panic!("{:?}", wrong.first())).system)
    }

    fn network(rate: &str) -> Network {
        compiled(&format!(
            "[service.a]\ncores = 1\noperations.o.work = \"10ms\"\n[service.b]\ncores = 1\noperations.o.work = \"1ms\"\n\
             [workload.w]\nentry = \"a.o\"\nrate = \"{rate}\"\n[workload.v]\nentry = \"b.o\"\nrate = \"100/s\"\n"
        ))
    }

    fn computed(rate: &str) -> Prediction {
        analytic::solve(&network(rate))
    }

    fn run(network: &Network) -> Prediction {
        let effort = Effort { requests: Some(40_000), replications: Some(8), ..Effort::default() };
        simulate(network, &effort, &|_| true).prediction
    }

    fn simulated(rate: &str) -> Prediction {
        run(&network(rate))
    }

    /// One whose counts tell nothing, but for how many calls are made again.
    fn vague(mut run: Prediction) -> Prediction {
        for confidence in run.services.iter_mut().filter_map(|service| service.confidence.as_mut()) {
            (confidence.arrival_rate, confidence.utilization) = (None, None);
        }
        run
    }

    fn doubted(mut prediction: Prediction, error: f64) -> Prediction {
        prediction.workloads[0].accuracy = Accuracy::Approximate { p95_error: error };
        prediction
    }

    #[test]
    fn the_figures_stand_that_are_expected_to_be_closer() {
        let (computed, run) = (computed("20/s"), simulated("50/s"));
        let taken = merged(&network("20/s"), doubted(computed.clone(), 0.5), run.clone());
        assert_eq!(taken.workloads[0].response, run.workloads[0].response);
        let width = half_width(&run.workloads[0]).unwrap();
        assert!(
            matches!(taken.workloads[0].accuracy, Accuracy::Approximate { p95_error } if (p95_error - NEAR - width).abs() < 1e-3)
        );
        assert!(taken.notes[0].starts_with("w: analysis expects its p95 to be off by 50%"), "{:?}", taken.notes);
        // What is exact stays, and what the simulation does not contradict.
        assert_eq!(taken.workloads[1], computed.workloads[1]);
        assert_eq!(
            (&taken.services[1].wait, taken.services[1].utilization),
            (&computed.services[1].wait, computed.services[1].utilization)
        );
        assert_eq!(taken.services[0].wait, run.services[0].wait);
        assert_eq!(taken.services[0].utilization, run.services[0].utilization);
        assert_eq!(taken.headroom, computed.headroom);
        let kept = merged(&network("20/s"), doubted(computed.clone(), NEAR), simulated("20/s"));
        assert_eq!(kept.workloads[0].response, computed.workloads[0].response);
        assert!(kept.notes.is_empty());
        // However sure analysis is: what is contradicted does not stand.
        let contradicted = merged(&network("20/s"), doubted(computed, NEAR), run.clone());
        assert_eq!(contradicted.workloads[0].response, run.workloads[0].response);
        assert!(contradicted.notes[0].starts_with("w: a brief simulation contradicts"), "{:?}", contradicted.notes);
    }

    #[test]
    fn a_verdict_is_that_of_the_simulation() {
        let (calm, full) = (computed("50/s"), computed("120/s"));
        let keeps_up = merged(&network("120/s"), full.clone(), simulated("50/s"));
        assert!(keeps_up.stable && keeps_up.simulation.is_none() && keeps_up.workloads[0].response.p95().is_some());
        assert!(keeps_up.notes[0].contains("keeps up in a simulation"), "{:?}", keeps_up.notes);
        let grows = merged(&network("50/s"), calm, simulated("120/s"));
        assert!(!grows.stable && grows.workloads[0].response.p95().is_none() && !grows.overloads.is_empty());
        assert_eq!(grows.workloads[0].accuracy, Accuracy::Overloaded);
        assert_eq!(merged(&network("120/s"), full.clone(), simulated("120/s")), full);
    }

    #[test]
    fn what_users_ask_of_services_follows_how_often_they_come() {
        let network = compiled(
            "[service.a]\noperations.o.steps = [ { work = \"10ms\" }, { call = \"b.o\", probability = 0.5 } ]\n\
             [service.b]\noperations.o.work = \"8ms\"\n[workload.w]\nentry = \"a.o\"\nusers = 3\nthink = \"50ms\"\n",
        );
        let (exact, run) = (analytic::solve(&network), vague(run(&network)));
        let mut slow = doubted(exact.clone(), 0.5);
        slow.workloads[0].arrival_rate *= 0.9;
        slow.services.iter_mut().for_each(|service| receive(service, 0.9));
        let taken = merged(&network, slow, run);
        for (own, exact) in taken.services.iter().zip(&exact.services) {
            let off = own.utilization.unwrap() / exact.utilization.unwrap() - 1.0;
            assert!(off.abs() < 0.02 && (own.arrival_rate / exact.arrival_rate - 1.0).abs() < 0.02, "{off}");
        }
    }

    #[test]
    fn calls_that_are_made_again_are_as_many_as_were_counted() {
        let network = compiled(
            "[service.a]\ncores = \"unlimited\"\noperations.o.steps = [ { call = \"b.o\", hedge = \"30ms\" } ]\n\
             [service.b]\ninstances = 20\nbalancer = \"random\"\noperations.o.work = \"10ms\"\n\
             [workload.w]\nentry = \"a.o\"\nrate = \"400/s\"\n",
        );
        let (computed, run) = (analytic::solve(&network), vague(run(&network)));
        let counted = run.services[1].amplification.unwrap();
        let mut few = computed.clone();
        receive(&mut few.services[1], 0.95);
        few.services[1].amplification = few.services[1].amplification.map(|known| 0.95 * known);
        let taken = merged(&network, few.clone(), run.clone());
        let more = taken.services[1].arrival_rate / few.services[1].arrival_rate;
        assert!((taken.services[1].amplification.unwrap() / counted - 1.0).abs() < 1e-12 && more > 1.03, "{more}");
        assert!(
            (taken.services[1].utilization.unwrap() / few.services[1].utilization.unwrap() / more - 1.0).abs() < 1e-12
        );
        // Where runs do not agree how many they are, analysis is as good.
        let mut apart = run;
        apart.services[1].confidence.as_mut().unwrap().amplification = Some(2.0 * COUNTED * counted);
        assert_eq!(merged(&network, few.clone(), apart).services[1].utilization, few.services[1].utilization);
    }
}

//! Queues without losses: M/M/1 to G/G/c, and priorities.

use super::{Calculation, Formula, Inputs, Unit, exponential_mean, needed};
use crate::discipline::fcfs::{self, Arrivals, Queue};
use crate::discipline::{Knowledge, Sojourn, priority};
use crate::distribution::Law;
use crate::system::Metric;

/// M/M/1, M/M/c, M/G/1, M/G/c and G/G/c.
pub(super) fn queue(formula: Formula, inputs: &Inputs) -> Result<Calculation, String> {
    let arrival_rate = needed(&inputs.arrival_rate, "arrival-rate", "80/s")?;
    let memoryless = matches!(formula, Formula::Mm1 | Formula::Mmc | Formula::ErlangC);
    let service = if memoryless {
        Law::exponential(exponential_mean(inputs, formula)?)
    } else {
        needed(&inputs.service, "service-time", "'{ mean = \"10ms\", cv = 2 }'")?
    };
    let single = matches!(formula, Formula::Mm1 | Formula::Mg1);
    let servers = if single { 1 } else { needed(&inputs.servers, "servers", "4")? };
    if single && inputs.servers.is_some_and(|n| n != 1) {
        return Err(format!(
            "{} has one server: use {} for several",
            formula.word(),
            if memoryless { "mmc" } else { "mgc" }
        ));
    }
    let arrivals = match (&inputs.arrivals, formula) {
        (Some(arrivals), Formula::Ggc) => arrivals.clone(),
        (Some(_), _) => return Err(format!("{} has Poisson arrivals: use ggc for others", formula.word())),
        (None, _) => Arrivals::Poisson,
    };
    let queue = Queue { arrival_rate, arrivals, service, servers };
    let mut calculation = Calculation::new(formula, assumes(&queue));
    calculation.input("arrival_rate", arrival_rate, Unit::Rate);
    calculation.input("service_time", queue.service.mean(), Unit::Time);
    calculation.input("service_scv", queue.service.scv(), Unit::Number);
    if queue.arrivals != Arrivals::Poisson {
        calculation.input("arrivals_scv", queue.arrivals.scv(), Unit::Number);
    }
    calculation.input("servers", f64::from(servers), Unit::Number);
    figures(&mut calculation, &queue);
    Ok(calculation)
}

fn figures(calculation: &mut Calculation, queue: &Queue) {
    calculation.result("offered_load", queue.offered_load(), Unit::Number);
    calculation.result("utilization", queue.utilization(), Unit::Ratio);
    let Some(waiting) = fcfs::solve(queue) else {
        calculation.stable = false;
        calculation.assumes.push_str(" The servers get more work than they can do: the queue grows without end.");
        let times = ["mean_wait", "mean_response"].map(String::from).into_iter();
        let percentiles =
            ["wait", "response"].iter().flat_map(|of| Metric::PERCENTILES.map(|(word, _)| format!("{of}_{word}")));
        calculation.result("wait_probability", 1.0, Unit::Ratio);
        for key in times.chain(percentiles) {
            calculation.result(&key, None, Unit::Time);
        }
        calculation.result("mean_queue_length", None, Unit::Number);
        return;
    };
    calculation.exact = waiting.knowledge == Knowledge::Exact;
    if let Knowledge::Approximate { p95_error } = waiting.knowledge {
        calculation.assumes.push_str(&format!(
            " No exact theory: a two-moment approximation, with p95 right to about {}%.",
            p95_error * 100.0
        ));
    }
    let wait = &waiting.delay;
    let visit = Sojourn { wait, service: &queue.service };
    calculation.result("wait_probability", wait.probability(), Unit::Ratio);
    calculation.result("mean_wait", wait.mean(), Unit::Time);
    calculation.result("mean_response", visit.mean(), Unit::Time);
    calculation.result("mean_queue_length", queue.arrival_rate * wait.mean(), Unit::Number);
    calculation.result("mean_jobs", queue.arrival_rate * visit.mean(), Unit::Number);
    for (word, level) in Metric::PERCENTILES {
        calculation.result(&format!("wait_{word}"), wait.quantile(level), Unit::Time);
    }
    for (word, level) in Metric::PERCENTILES {
        calculation.result(&format!("response_{word}"), visit.quantile(level), Unit::Time);
    }
}

fn assumes(queue: &Queue) -> String {
    let arrivals = match &queue.arrivals {
        Arrivals::Poisson => "Poisson arrivals".to_string(),
        Arrivals::Renewal(law) => format!("independent interarrival times ({}, scv {:.3})", law.name(), law.scv()),
        Arrivals::Scv(scv) => format!("interarrival times of scv {scv:.3}"),
    };
    format!(
        "Assumes {arrivals}, {} service, one queue for all servers, first come first served, nobody gives up.",
        queue.service.name()
    )
}

/// Priorities, the most urgent class first.
pub(super) fn priority(inputs: &Inputs) -> Result<Calculation, String> {
    if inputs.classes.is_empty() {
        return Err("--class is missing: add one for each class, the most urgent first, for example --class 20/s:10ms --class 30/s:20ms".to_string());
    }
    let servers = inputs.servers.unwrap_or(1);
    let classes: Vec<priority::Class> = inputs
        .classes
        .iter()
        .map(|(arrival_rate, service)| priority::Class { arrival_rate: *arrival_rate, service: service.clone() })
        .collect();
    let how = if inputs.preemptive { "interrupt others, which resume" } else { "do not interrupt a service" };
    let mut calculation = Calculation::new(
        Formula::Priority,
        format!("Assumes Poisson arrivals of each class, the most urgent class first; urgent requests {how}."),
    );
    calculation.input("servers", f64::from(servers), Unit::Number);
    for (k, class) in classes.iter().enumerate() {
        calculation.input(&format!("arrival_rate_{}", k + 1), class.arrival_rate, Unit::Rate);
        calculation.input(&format!("service_time_{}", k + 1), class.service.mean(), Unit::Time);
    }
    let load: f64 = classes.iter().map(|c| c.arrival_rate * c.service.mean()).sum::<f64>() / f64::from(servers);
    calculation.result("utilization", load, Unit::Ratio);
    let treated = priority::solve(&classes, &Arrivals::Poisson, servers, inputs.preemptive);
    calculation.exact = treated.iter().flatten().all(|treatment| treatment.knowledge == Knowledge::Exact);
    calculation.assumes.push_str(if calculation.exact {
        " Exact."
    } else {
        " Means are near, percentiles those of one server as fast as all, stretched to the mean."
    });
    for (k, (treatment, class)) in treated.iter().zip(&classes).enumerate() {
        let of = |what: &str| format!("{what}_{}", k + 1);
        calculation.stable &= treatment.is_some();
        let served = treatment.as_ref().map(|t| t.served(&class.service));
        let visit = treatment.as_ref().zip(served.as_ref()).map(|(t, service)| Sojourn { wait: &t.wait, service });
        calculation.result(&of("mean_wait"), visit.as_ref().map(|v| v.wait.mean()), Unit::Time);
        calculation.result(&of("mean_response"), visit.as_ref().map(Sojourn::mean), Unit::Time);
        for (word, level) in Metric::PERCENTILES {
            let wait = visit.as_ref().map(|v| v.wait.quantile(level));
            calculation.result(&of(&format!("wait_{word}")), wait, Unit::Time);
        }
        for (word, level) in Metric::PERCENTILES {
            let response = visit.as_ref().map(|v| v.quantile(level));
            calculation.result(&of(&format!("response_{word}")), response, Unit::Time);
        }
    }
    Ok(calculation)
}

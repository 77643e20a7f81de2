//! Queues that lose requests: limited places, impatience.

use super::{Calculation, Formula, Inputs, Unit, exponential_mean, needed};
use crate::discipline::Sojourn;
use crate::discipline::fcfs::{self, Arrivals, Impatient, Queue};
use crate::distribution::Law;
use crate::math::{erlang, roots};
use crate::system::Metric;

/// M/M/c/K.
pub(super) fn limited(inputs: &Inputs) -> Result<Calculation, String> {
    let arrival_rate = needed(&inputs.arrival_rate, "arrival-rate", "80/s")?;
    let mean = exponential_mean(inputs, Formula::Mmck)?;
    let servers = needed(&inputs.servers, "servers", "4")?;
    let capacity = needed(&inputs.capacity, "capacity", "20")?;
    if capacity < servers {
        return Err(format!(
            "--capacity {capacity} is below --servers {servers}: it counts the requests in service too"
        ));
    }
    let queue = Queue { arrival_rate, arrivals: Arrivals::Poisson, service: Law::exponential(mean), servers };
    let answer = fcfs::limited(&queue, capacity);
    let mut calculation = Calculation::new(
        Formula::Mmck,
        "Assumes Poisson arrivals and exponential service; who finds every place taken is lost. Exact. Waits and responses are of the admitted.",
    );
    calculation.input("arrival_rate", arrival_rate, Unit::Rate);
    calculation.input("service_time", mean, Unit::Time);
    calculation.input("servers", f64::from(servers), Unit::Number);
    calculation.input("capacity", f64::from(capacity), Unit::Number);
    let throughput = arrival_rate * (1.0 - answer.blocking);
    calculation.result("blocking_probability", answer.blocking, Unit::Ratio);
    calculation.result("throughput", throughput, Unit::Rate);
    calculation.result("utilization", throughput * mean / f64::from(servers), Unit::Ratio);
    calculation.result("wait_probability", answer.wait.probability(), Unit::Ratio);
    let visit = Sojourn { wait: &answer.wait, service: &queue.service };
    calculation.result("mean_wait", answer.wait.mean(), Unit::Time);
    calculation.result("mean_response", visit.mean(), Unit::Time);
    calculation.result("mean_queue_length", answer.queue_length, Unit::Number);
    calculation.result("mean_jobs", throughput * visit.mean(), Unit::Number);
    for (word, level) in Metric::PERCENTILES {
        calculation.result(&format!("wait_{word}"), answer.wait.quantile(level), Unit::Time);
    }
    for (word, level) in Metric::PERCENTILES {
        calculation.result(&format!("response_{word}"), visit.quantile(level), Unit::Time);
    }
    Ok(calculation)
}

/// The offered load, given or as arrival rate × service time.
fn offered_load(inputs: &Inputs) -> Result<f64, String> {
    match (inputs.offered_load, inputs.arrival_rate, &inputs.service) {
        (Some(load), _, _) => Ok(load),
        (None, Some(rate), Some(law)) => Ok(rate * law.mean()),
        _ => Err("--offered-load is missing: add for example --offered-load 12, or --arrival-rate and --service-time"
            .to_string()),
    }
}

/// Erlang B.
pub(super) fn erlang_b(inputs: &Inputs) -> Result<Calculation, String> {
    let load = offered_load(inputs)?;
    let servers = needed(&inputs.servers, "servers", "16")?;
    let mut calculation = Calculation::new(
        Formula::ErlangB,
        "Assumes Poisson arrivals and any service; who finds every server busy is lost. Exact.",
    );
    calculation.input("offered_load", load, Unit::Number);
    calculation.input("servers", f64::from(servers), Unit::Number);
    let blocking = erlang::erlang_b(servers, load);
    calculation.result("blocking_probability", blocking, Unit::Ratio);
    calculation.result("carried_load", load * (1.0 - blocking), Unit::Number);
    calculation.result("utilization", load * (1.0 - blocking) / f64::from(servers.max(1)), Unit::Ratio);
    if let Some(rate) = inputs.arrival_rate {
        calculation.result("throughput", rate * (1.0 - blocking), Unit::Rate);
    }
    Ok(calculation)
}

/// Erlang C from an offered load alone: the chance to wait, no times.
pub(super) fn erlang_c(inputs: &Inputs) -> Result<Calculation, String> {
    let load = offered_load(inputs)?;
    let servers = needed(&inputs.servers, "servers", "16")?;
    let mut calculation = Calculation::new(
        Formula::ErlangC,
        "Assumes Poisson arrivals and exponential service; who finds every server busy waits. Exact. Add --arrival-rate and --service-time for times.",
    );
    calculation.input("offered_load", load, Unit::Number);
    calculation.input("servers", f64::from(servers), Unit::Number);
    let probability = erlang::erlang_c(servers, load);
    calculation.stable = probability.is_some();
    calculation.result("utilization", load / f64::from(servers), Unit::Ratio);
    calculation.result("wait_probability", probability.unwrap_or(1.0), Unit::Ratio);
    let queue_length = probability.map(|p| p * load / (f64::from(servers) - load));
    calculation.result("mean_queue_length", queue_length, Unit::Number);
    Ok(calculation)
}

/// Erlang A.
pub(super) fn impatient(inputs: &Inputs) -> Result<Calculation, String> {
    let arrival_rate = needed(&inputs.arrival_rate, "arrival-rate", "80/s")?;
    let mean = exponential_mean(inputs, Formula::ErlangA)?;
    let servers = needed(&inputs.servers, "servers", "4")?;
    let patience = needed(&inputs.patience, "patience", "1s")?;
    let mut calculation = Calculation::new(
        Formula::ErlangA,
        format!(
            "Assumes Poisson arrivals, exponential service and {} patience. Exact. Waits are over all arrivals unless they say served; responses are of the served.",
            patience.name()
        ),
    );
    calculation.input("arrival_rate", arrival_rate, Unit::Rate);
    calculation.input("service_time", mean, Unit::Time);
    calculation.input("servers", f64::from(servers), Unit::Number);
    calculation.input("patience", patience.mean(), Unit::Time);
    let queue = Impatient::new(arrival_rate, mean, servers, &patience);
    let throughput = arrival_rate * queue.served();
    calculation.result("abandonment_probability", queue.abandonment(), Unit::Ratio);
    calculation.result("throughput", throughput, Unit::Rate);
    calculation.result("utilization", throughput * mean / f64::from(servers), Unit::Ratio);
    calculation.result("wait_probability", queue.wait_probability(), Unit::Ratio);
    let (all, served) = (queue.mean_wait(), queue.mean_wait_served());
    calculation.result("mean_wait", all, Unit::Time);
    calculation.result("mean_wait_served", served, Unit::Time);
    calculation.result("mean_response", served + mean, Unit::Time);
    calculation.result("mean_queue_length", arrival_rate * all, Unit::Number);
    let times: [(&str, &dyn Fn(f64) -> f64); 3] = [
        ("wait", &|t| queue.wait_exceeding(t)),
        ("wait_served", &|t| queue.served_wait_exceeding(t)),
        ("response", &|t| queue.response_exceeding(t)),
    ];
    for (what, tail) in times {
        for (word, level) in Metric::PERCENTILES {
            let time = roots::falling_to(1.0 - level, served + mean, tail);
            calculation.result(&format!("{what}_{word}"), time, Unit::Time);
        }
    }
    Ok(calculation)
}

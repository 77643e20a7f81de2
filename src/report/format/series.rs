//! A network through time as CSV: a row for each stretch of time and each workload or service.

use crate::prediction::Times;
use crate::simulate::Moment;
use std::io::{self, Write};

/// Times in seconds, rates per second, ratios from 0 to 1; empty where a figure does not exist.
///
/// # Errors
/// What the writer says.
pub fn csv(moments: &[Moment], out: &mut dyn Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record([
        "start",
        "end",
        "kind",
        "name",
        "arrival_rate",
        "throughput",
        "error_rate",
        "mean",
        "p50",
        "p95",
        "p99",
        "utilization",
        "queue_length",
        "workers_utilization",
    ])?;
    for Moment { start, end, prediction } in moments {
        let mut row = |kind: &str, name: &str, rates: [f64; 3], response: &Times, servers: [Option<f64>; 3]| {
            let times = [response.mean, response.percentile(0.5), response.p95(), response.percentile(0.99)];
            let text = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
            let mut fields = vec![start.to_string(), end.to_string(), kind.to_string(), name.to_string()];
            fields.extend(rates.map(|rate| rate.to_string()));
            fields.extend(times.into_iter().chain(servers).map(text));
            rows.write_record(fields)
        };
        for w in &prediction.workloads {
            row("workload", &w.name, [w.arrival_rate, w.throughput, w.error_rate], &w.response, [None; 3])?;
        }
        for s in &prediction.services {
            let servers = [s.utilization, s.queue_length, s.workers_utilization];
            row("service", &s.name, [s.arrival_rate, s.throughput, s.error_rate], &s.response, servers)?;
        }
    }
    rows.flush()
}

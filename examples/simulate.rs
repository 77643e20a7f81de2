//! Simulates a model with timeouts and retries, and prints each figure with its interval.
//!
//! `cargo run --release --example simulate`

#![allow(clippy::disallowed_macros)]

use plimsoll::prediction::Accuracy;
use plimsoll::simulate::{Effort, simulate};
use plimsoll::{document, network, unit};

const MODEL: &str = r#"
[service.web]
cores = 2
workers = 16
[service.web.operations.page]
steps = [ { work = "3ms" }, { call = "database.find", timeout = "100ms", retries = 1, backoff = "20ms" } ]

[service.database]
cores = 4
operations.find.work = { p50 = "8ms", p99 = "60ms" }

[workload.readers]
entry = "web.page"
rate = "250/s"
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let no_files = |name: &str| Err(format!("{name} is not here"));
    let document = document::read(MODEL, &no_files).map_err(|problems| problems[0].message.clone())?;
    let effort = Effort { seed: 7, requests: Some(500_000), ..Effort::default() };
    let goes_on = |_: &_| true;
    let prediction = simulate(&network::compile(&document.system), &effort, &goes_on).prediction;
    let readers = &prediction.workloads[0];
    if let (Accuracy::Simulated(confidence), Some(p95)) = (&readers.accuracy, readers.response.p95()) {
        let half = confidence.response.p95().map_or("unknown".to_string(), unit::duration::print);
        println!("p95 {} ± {half}", unit::duration::print(p95));
    }
    println!("errors {}", unit::ratio::print(readers.error_rate));
    for share in &readers.breakdown {
        println!("{:>10}: {} queueing", share.service, unit::duration::print(share.queueing));
    }
    Ok(())
}

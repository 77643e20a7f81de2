//! Reads a model from text, predicts, and asks a what-if by path.
//!
//! `cargo run --example solve`

#![allow(clippy::disallowed_macros)]

use plimsoll::system::{Change, Path};
use plimsoll::{document, network, predict, unit};

const MODEL: &str = r#"
[service.web]
instances = 2
cores = 2
[service.web.operations.page]
steps = [ { work = "3ms" }, { call = "database.find", network = "1ms" } ]

[service.database]
cores = 4
operations.find.work = { p50 = "4ms", p99 = "31ms" }

[workload.readers]
entry = "web.page"
rate = "300/s"
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let no_files = |name: &str| Err(format!("{name} is not here"));
    let document = document::read(MODEL, &no_files).map_err(|problems| problems[0].message.clone())?;
    let mut system = document.system;
    for factor in [1.0, 1.5, 2.0] {
        system.edit(&Path::parse("workload.readers.rate"), &Change::Times(factor))?;
        let prediction = predict::solve(&network::compile(&system));
        let readers = &prediction.workloads[0];
        let p95 = readers.response.p95().map_or("overloaded".to_string(), unit::duration::print);
        println!("{:>8}: p95 {p95}", unit::rate::print(readers.arrival_rate));
    }
    Ok(())
}

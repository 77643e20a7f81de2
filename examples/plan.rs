//! Finds the cheapest instance counts that meet an objective, and why not one fewer.
//!
//! `cargo run --example plan`

#![allow(clippy::disallowed_macros)]

use plimsoll::plan::{self, Losing, Survive};
use plimsoll::{document, network, predict};

const MODEL: &str = r#"
[service.web]
operations.page.steps = [ { work = "8ms" }, { call = "database.find" } ]
[service.database]
operations.find.work = "5ms"
[workload.readers]
entry = "web.page"
rate = "400/s"
[[objective]]
workload = "readers"
p95 = "60ms"
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let no_files = |name: &str| Err(format!("{name} is not here"));
    let document = document::read(MODEL, &no_files).map_err(|problems| problems[0].message.clone())?;
    let predict = |system: &plimsoll::system::System| predict::solve(&network::compile(system));
    let plan = plan::size(&[(None, document.system)], Survive::Nothing, &predict)
        .map_err(|error| format!("no plan: {error:?}"))?;
    for service in &plan.services {
        let why = match &service.because {
            Losing::Breaks { objective, .. } => format!("with one fewer, {objective} breaks"),
            other => format!("{other:?}"),
        };
        println!("{}: {} instances; {why}", service.name, service.instances);
    }
    Ok(())
}

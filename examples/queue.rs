//! One queue without a model: what four servers do, and how many it takes for a target.
//!
//! `cargo run --example queue`

#![allow(clippy::disallowed_macros)]

use plimsoll::calculator::{Formula, Inputs, Target, calculate};
use plimsoll::distribution::Law;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let service = Some(Law::lognormal(0.040, 2.0));
    let inputs = Inputs { arrival_rate: Some(80.0), service, servers: Some(4), ..Inputs::default() };
    let four = calculate(Formula::Mgc, &inputs)?;
    println!("with 4 servers: p95 {:.0} ms", four.figure("response_p95").unwrap_or(f64::NAN) * 1e3);

    let target = Some(Target { key: "response_p95".to_string(), at_most: 0.2 });
    let enough = calculate(Formula::Mgc, &Inputs { servers: None, target, ..inputs })?;
    println!("p95 of 200 ms takes {} servers", enough.figure("servers").unwrap_or(f64::NAN));
    println!("{}", enough.assumes);
    Ok(())
}

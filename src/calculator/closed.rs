//! Closed systems: users who think between requests.

use super::{Calculation, Formula, Inputs, Unit, needed};
use crate::math::mva;

/// Users × squared, times stations: more work than this is refused with a reason.
const MOST_WORK: f64 = 5e9;

/// Exact figures of a closed system with one class of users.
pub(super) fn mva(inputs: &Inputs) -> Result<Calculation, String> {
    let users = needed(&inputs.users, "users", "50")?;
    if inputs.stations.is_empty() {
        return Err("--demand is missing: add one for each station, for example --demand 20ms --demand 50ms:4 (four servers) --demand 1s:unlimited".to_string());
    }
    if f64::from(users).powi(2) * inputs.stations.len() as f64 > MOST_WORK {
        return Err(format!("{users} users at {} stations are too many for the exact solution", inputs.stations.len()));
    }
    let think = inputs.think.unwrap_or(0.0);
    let mut calculation = Calculation::new(
        Formula::Mva,
        "Assumes exponential service (or processor sharing with any) and independent users; the think time may have any law. Exact.",
    );
    calculation.input("users", f64::from(users), Unit::Number);
    calculation.input("think", think, Unit::Time);
    let solved = mva::solve(users, think, &inputs.stations);
    calculation.result("throughput", solved.throughput, Unit::Rate);
    calculation.result("mean_response", solved.response, Unit::Time);
    for (i, ((jobs, busy), station)) in solved.stations.iter().zip(&inputs.stations).enumerate() {
        calculation.result(&format!("jobs_{}", i + 1), *jobs, Unit::Number);
        calculation.result(&format!("residence_{}", i + 1), jobs / solved.throughput, Unit::Time);
        if station.servers.is_some() {
            calculation.result(&format!("utilization_{}", i + 1), *busy, Unit::Ratio);
        }
    }
    Ok(calculation)
}

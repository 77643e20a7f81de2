//! Closed systems: users who think between requests.

use super::{Calculation, Formula, Inputs, Unit};
use crate::discipline::{Delay, Sojourn};
use crate::distribution::Law;
use crate::math::birth_death;
use crate::math::mva::{self, Station};
use crate::system::Metric;

/// Users × squared, times stations: more work than this is refused with a reason.
const MOST_WORK: f64 = 5e9;

/// More populations than this take too much memory.
const MOST_POPULATIONS: f64 = 2e7;

const NO_USERS: &str = "--users is missing: add for example --users 50";
const NO_STATIONS: &str = "--demand is missing: add one for each station, for example --demand 20ms --demand 50ms:4 (four servers) --demand 1s:unlimited";

/// Exact figures of a closed system.
pub(super) fn mva(inputs: &Inputs) -> Result<Calculation, String> {
    match inputs.users.as_slice() {
        [] => Err(NO_USERS.to_string()),
        [users] => one_class(*users, inputs),
        _ => several_classes(inputs),
    }
}

fn one_class(users: u32, inputs: &Inputs) -> Result<Calculation, String> {
    if inputs.stations.is_empty() {
        return Err(NO_STATIONS.to_string());
    }
    if f64::from(users).powi(2) * inputs.stations.len() as f64 > MOST_WORK {
        return Err(format!("{users} users at {} stations are too many for the exact solution", inputs.stations.len()));
    }
    let think = inputs.think.first().copied().unwrap_or(0.0);
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
    if let ([Station { demand, servers: Some(servers), .. }], true) =
        (inputs.stations.as_slice(), users > 0 && think > 0.0)
    {
        finite_source(&mut calculation, users, think, *demand, *servers);
    }
    bounds(&mut calculation, users, think, &inputs.stations);
    Ok(calculation)
}

/// With one station the whole response time is known: M/M/c with a finite source, first come, first served.
fn finite_source(calculation: &mut Calculation, users: u32, think: f64, demand: f64, servers: u32) {
    let c = servers as usize;
    // An arrival finds the station as it is with one user fewer.
    let others = users as usize - 1;
    let found = birth_death::stationary(|n| (others - n.min(others)) as f64 / think, |n| n.min(c) as f64 / demand);
    let wait = match found.get(c..) {
        Some(weights) if !weights.is_empty() => {
            Delay::Erlangs { weights: weights.to_vec(), rate: f64::from(servers) / demand }
        }
        _ => Delay::None,
    };
    let service = Law::exponential(demand);
    let visit = Sojourn { wait: &wait, service: &service };
    calculation.assumes.push_str(" Percentiles are for first come, first served and exponential think times.");
    calculation.result("wait_probability", wait.probability(), Unit::Ratio);
    for (word, level) in Metric::PERCENTILES {
        calculation.result(&format!("response_{word}"), visit.quantile(level), Unit::Time);
    }
}

/// What the figures can be held against: only for single servers are the bounds known.
fn bounds(calculation: &mut Calculation, users: u32, think: f64, stations: &[Station]) {
    let demands: Vec<f64> = stations.iter().map(|station| station.demand).collect();
    let most = demands.iter().copied().fold(0.0, f64::max);
    if users == 0 || most <= 0.0 || stations.iter().any(|station| station.servers != Some(1)) {
        return;
    }
    calculation.result("saturation_users", (demands.iter().sum::<f64>() + think) / most, Unit::Number);
    let (asymptotic, balanced) = mva::bounds(users, think, &demands);
    for (name, bounds) in [("asymptotic", asymptotic), ("balanced", balanced)] {
        calculation.result(&format!("{name}_throughput_lower"), bounds.throughput.0, Unit::Rate);
        calculation.result(&format!("{name}_throughput_upper"), bounds.throughput.1, Unit::Rate);
        calculation.result(&format!("{name}_response_lower"), bounds.response.0, Unit::Time);
        calculation.result(&format!("{name}_response_upper"), bounds.response.1, Unit::Time);
    }
}

fn several_classes(inputs: &Inputs) -> Result<Calculation, String> {
    let (users, stations) = (&inputs.users, &inputs.shared_stations);
    if stations.is_empty() {
        return Err(NO_STATIONS.to_string());
    }
    if let Some(station) = stations.iter().find(|station| station.demands.len() != users.len()) {
        return Err(format!(
            "there are {} classes of users, and a station with {} demands: write one for each class, as --users 8,6 --demand 20ms,100ms",
            users.len(),
            station.demands.len()
        ));
    }
    if !inputs.think.is_empty() && inputs.think.len() != users.len() {
        return Err(format!("--think has {} times for {} classes of users", inputs.think.len(), users.len()));
    }
    let populations: f64 = users.iter().map(|n| f64::from(*n) + 1.0).product();
    if populations * stations.len() as f64 > MOST_POPULATIONS {
        return Err("so many users of several classes are too many for the exact solution".to_string());
    }
    let think = |k: usize| inputs.think.get(k).copied().unwrap_or(0.0);
    let classes: Vec<(u32, f64)> = users.iter().enumerate().map(|(k, n)| (*n, think(k))).collect();
    let mut calculation = Calculation::new(
        Formula::Mva,
        "Assumes processor sharing with any service, or exponential service that is the same for all classes at a station, one server at each. Exact.",
    );
    for (k, (users, think)) in classes.iter().enumerate() {
        calculation.input(&format!("users_{}", k + 1), f64::from(*users), Unit::Number);
        calculation.input(&format!("think_{}", k + 1), *think, Unit::Time);
    }
    let solved = mva::solve_classes(&classes, stations);
    for (k, class) in solved.iter().enumerate() {
        calculation.result(&format!("throughput_{}", k + 1), class.throughput, Unit::Rate);
        calculation.result(&format!("mean_response_{}", k + 1), class.response, Unit::Time);
        for (i, jobs) in class.jobs.iter().enumerate() {
            calculation.result(&format!("jobs_{}_station_{}", k + 1, i + 1), *jobs, Unit::Number);
        }
    }
    for (i, station) in stations.iter().enumerate().filter(|(_, station)| !station.delay) {
        let busy: f64 = solved.iter().zip(&station.demands).map(|(class, demand)| class.throughput * demand).sum();
        calculation.result(&format!("utilization_{}", i + 1), busy, Unit::Ratio);
    }
    Ok(calculation)
}

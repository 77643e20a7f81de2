//! Scalability, Little's law, caches.

use super::{Calculation, Formula, Inputs, Unit, needed};
use crate::math::cache;
use crate::math::usl::Usl;

/// Fits or evaluates the Universal Scalability Law.
pub(super) fn usl(inputs: &Inputs) -> Result<Calculation, String> {
    let mut calculation = Calculation::new(
        Formula::Usl,
        "Assumes X(N) = gamma N / (1 + alpha (N - 1) + beta N (N - 1)). It describes what was measured, and is a guess beyond it.",
    );
    calculation.exact = false;
    let law = match inputs.usl {
        Some((gamma, alpha, beta)) => Usl { gamma, alpha, beta },
        None if inputs.points.is_empty() => {
            return Err("--points is missing: add measured concurrency:throughput pairs, for example --points 1:20,4:78,8:130,16:190, or --gamma, --alpha and --beta".to_string());
        }
        None => Usl::fit(&inputs.points).ok_or("at least three points with numbers above zero are needed")?,
    };
    calculation.result("gamma", law.gamma, Unit::Number);
    calculation.result("alpha", law.alpha, Unit::Number);
    calculation.result("beta", law.beta, Unit::Number);
    if !inputs.points.is_empty() {
        calculation.result("sse", law.squared_error(&inputs.points), Unit::Number);
    }
    calculation.result("peak_concurrency", law.peak(), Unit::Number);
    calculation.result("peak_throughput", law.peak().map(|n| law.throughput(n)), Unit::Rate);
    let limit = (law.alpha > 0.0).then(|| law.gamma / law.alpha);
    calculation.result("amdahl_limit", limit, Unit::Rate);
    if let [users] = inputs.users.as_slice() {
        calculation.input("users", f64::from(*users), Unit::Number);
        calculation.result("throughput", law.throughput(f64::from(*users)), Unit::Rate);
    }
    Ok(calculation)
}

/// The third of jobs, throughput and response time.
pub(super) fn littles_law(inputs: &Inputs) -> Result<Calculation, String> {
    let mut calculation = Calculation::new(
        Formula::LittlesLaw,
        "Jobs present = throughput × response time, whatever the laws and the order of service, as long as the system neither grows nor shrinks. Exact.",
    );
    let (jobs, throughput, response) = match (inputs.jobs, inputs.throughput, inputs.response) {
        (None, Some(x), Some(r)) => (x * r, x, r),
        (Some(n), None, Some(r)) => (n, n / r, r),
        (Some(n), Some(x), None) => (n, x, n / x),
        _ => return Err("give two of --jobs, --throughput and --response-time".to_string()),
    };
    calculation.result("jobs", jobs, Unit::Number);
    calculation.result("throughput", throughput, Unit::Rate);
    calculation.result("response_time", response, Unit::Time);
    Ok(calculation)
}

/// Hit ratio of an LRU cache.
pub(super) fn cache(inputs: &Inputs) -> Result<Calculation, String> {
    let size = needed(&inputs.size, "size", "50000")?;
    let objects = needed(&inputs.objects, "objects", "2000000")?;
    let zipf = needed(&inputs.zipf, "zipf", "0.9")?;
    let mut calculation = Calculation::new(
        Formula::Cache,
        "Assumes a least-recently-used cache of equal objects, independent requests and Zipf popularity: Che's approximation, right to about 1% of the hit ratio from a hundred places on.",
    );
    calculation.exact = false;
    calculation.input("size", size as f64, Unit::Number);
    calculation.input("objects", objects as f64, Unit::Number);
    calculation.input("zipf", zipf, Unit::Number);
    let (time, hits) = cache::characteristic(size, objects, zipf);
    calculation.result("hit_ratio", hits, Unit::Ratio);
    calculation.result("characteristic_time", time, Unit::Number);
    Ok(calculation)
}

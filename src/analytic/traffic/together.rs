//! What visits wait for others of the same request, over what they would in batches of equal exponential work that come at once.
//!
//! | symbol | meaning                                                                        | unit    |
//! |--------|--------------------------------------------------------------------------------|---------|
//! | `n`    | others of its request that a visit meets                                       | 1       |
//! | `O, B` | what it waits for these, and would if others kept all servers busy             | seconds |
//! | `O_b`  | what it would wait in such batches, alone                                      | seconds |
//! | `C`    | chance that others keep all servers busy, as at M/M/c                          | 1       |
//! | `P`    | `Σ λ m_u m_v` over pairs of visits on different branches, by what is left      | seconds |
//! | `M`    | work that all visits bring, and `L` what is still to come of requests there    | 1       |
//!
//! ```text
//! light   a = (O + C B) / (O_b + C n τ / c)
//! heavy   b = P / (n τ M) · M / (M + L)
//! both    a + ρ (b - a)
//! ```
//!
//! In heavy traffic all that a request brings within the memory of the queue counts, whoever meets whom, and the wait is for the part of it
//! that is not still to come.

use super::returns::Returns;
use crate::analytic::follow::Company;
use crate::analytic::memory::Memory;
use crate::math::erlang;
use crate::network::StationId;
use crate::unit::PerSecond;

/// No wait is longer by more than this for what does not come at the same time.
const MOST: f64 = 20.0;

/// A station to which so many come, with so much work, in such batches.
pub(super) struct Together<'a> {
    pub station: StationId,
    pub rate: PerSecond,
    pub work: f64,
    pub batches: &'a [(PerSecond, u32)],
    pub memory: &'a Memory,
    /// Whether all are served at once.
    pub shared: bool,
    pub returns: Option<&'a Returns>,
}

impl Together<'_> {
    /// What is waited for others of the same request over what it would be in such batches.
    pub fn factor(&self, company: &Company) -> f64 {
        let Together { station, rate, work, batches, memory, shared, returns } = *self;
        let Memory { servers, utilization, .. } = *memory;
        let met = 0.5 * super::batched(batches, rate);
        if met <= 0.0 || work <= 0.0 {
            return 1.0;
        }
        let mean = work / rate;
        let to_come = returns.map_or(1.0, Returns::now);
        if company.is_at_once(station) {
            return 1.0 + utilization * (to_come - 1.0);
        }
        let waiting = |(often, size): &(PerSecond, u32)| {
            let beyond = (f64::from(*size) - servers).max(0.0);
            often * 0.5 * beyond * (beyond + 1.0)
        };
        let alone = batches.iter().map(waiting).sum::<f64>() / rate * mean / servers;
        let busy = erlang::erlang_c(servers as u32, utilization * servers).unwrap_or(1.0);
        // Where all are served at once those who come behind count as well.
        let each = if shared { 1.0 - 0.5 * utilization } else { 1.0 };
        let (waited, behind) = company.waited_at(station);
        let light = each * (waited + busy * behind) / (alone + busy * met * mean / servers);
        let heavy = (company.beside(station) / (met * mean * work) * to_come).min(MOST);
        if light.is_finite() { light + utilization * (heavy - light) } else { heavy }
    }
}

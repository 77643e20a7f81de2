//! What the architect means: services, what they call, how long things take, how much work arrives, what must hold.
//!
//! Everything is in SI units and carries names; there are no text positions here. What-ifs, sweeps and sizing are
//! edits of a [`System`] by path ([`Path`], [`Change`]); [`check`] finds what is wrong with one, without any text.

pub mod check;
mod edit;
mod names;
mod objective;
mod path;
mod service;
mod step;
mod workload;

pub use crate::discipline::contended::Contention;
pub use edit::{Change, EditError, Kind, Value};
pub use names::{nearest, nearest_advice};
pub use objective::{Metric, Objective, Scope};
pub use path::Path;
pub use service::{Balancer, Cache, Device, External, Hits, Pool, Scale, Service};
pub use step::{Backoff, Call, Operation, Step, Target, Wait};
pub use workload::{ArrivalLaw, Load, Workload};

/// A system under load.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct System {
    /// What it is called.
    pub name: String,
    /// One sentence about it.
    pub description: String,
    /// Currency of all prices.
    pub currency: String,
    /// Services, in the order of the model.
    pub services: Vec<Service>,
    /// Dependencies that nobody here scales.
    pub externals: Vec<External>,
    /// Pools of things that requests hold for a while.
    pub pools: Vec<Pool>,
    /// Caches.
    pub caches: Vec<Cache>,
    /// Where requests come from.
    pub workloads: Vec<Workload>,
    /// What must hold.
    pub objectives: Vec<Objective>,
    /// Named sets of changes.
    pub scenarios: Vec<Scenario>,
    /// Numbers that are known as a range only.
    pub uncertainties: Vec<Uncertainty>,
    /// What the model left unsaid and the language filled in: one sentence each.
    pub assumptions: Vec<String>,
}

/// A named set of changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What changes, in order.
    pub changes: Vec<(Path, Change)>,
}

/// A number that is known as a range only.
#[derive(Debug, Clone, PartialEq)]
pub struct Uncertainty {
    /// Where it stands.
    pub path: Path,
    /// The least it may be.
    pub low: f64,
    /// What a plain solve uses.
    pub likely: f64,
    /// The most it may be.
    pub high: f64,
}

impl System {
    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.name == name)
    }

    /// The system with the changes of a scenario.
    ///
    /// # Errors
    /// [`EditError`] when a change does not apply, or no scenario has this name.
    pub fn with_scenario(&self, name: &str) -> Result<System, EditError> {
        let scenario = self.scenarios.iter().find(|s| s.name == name).ok_or_else(|| {
            EditError::new(
                format!("there is no scenario \"{name}\""),
                nearest_advice(name, self.scenarios.iter().map(|s| s.name.as_str())),
            )
        })?;
        let mut changed = self.clone();
        for (path, change) in &scenario.changes {
            changed.edit(path, change)?;
        }
        Ok(changed)
    }

    /// Price of everything per hour; `None` when no service has a price.
    pub fn cost_per_hour(&self) -> Option<f64> {
        let priced: Vec<f64> =
            self.services.iter().filter_map(|s| s.price.map(|price| price * f64::from(s.instances))).collect();
        (!priced.is_empty()).then(|| priced.iter().sum())
    }
}

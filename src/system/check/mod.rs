//! What is wrong with a system, found without any text: calls to nowhere, cycles, weights that do not add up.

mod calls;

use super::{Call, Load, Metric, Path, Scope, Service, Step, System, Target, Wait, nearest_advice};
use std::collections::{HashMap, HashSet};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The model is not solved.
    Error,
    /// The model is solved, and this is said.
    Warning,
}

/// Something wrong in a system, with its place and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// A short word that names this kind of problem; `docs/diagnostics.md` explains each.
    pub code: &'static str,
    /// Where it is.
    pub path: Path,
    /// What is wrong, as one line.
    pub message: String,
    /// What is underlined, in a few words.
    pub label: String,
    /// What to write instead.
    pub advice: String,
}

/// Everything that is wrong in a system, in the order of the model.
pub fn check(system: &System) -> Vec<Problem> {
    let mut found = Checker::new(system);
    found.names();
    found.services();
    found.workloads();
    found.objectives();
    found.uncalled();
    if found.problems.iter().all(|p| p.severity == Severity::Warning) {
        found.cycles();
    }
    found.problems
}

struct Checker<'a> {
    system: &'a System,
    /// Services by name: asked for at every call.
    services: HashMap<&'a str, &'a Service>,
    problems: Vec<Problem>,
    called: HashSet<Target>,
    /// Least times of the targets looked at so far.
    fastest: HashMap<Target, f64>,
}

impl<'a> Checker<'a> {
    fn new(system: &'a System) -> Self {
        let services = system.services.iter().map(|service| (service.name.as_str(), service)).collect();
        Checker { system, services, problems: Vec::new(), called: HashSet::new(), fastest: HashMap::new() }
    }

    fn service(&self, name: &str) -> Option<&'a Service> {
        self.services.get(name).copied()
    }

    fn error(&mut self, code: &'static str, path: Path, message: String, label: &str, advice: String) {
        let label = label.to_string();
        self.problems.push(Problem { severity: Severity::Error, code, path, message, label, advice });
    }

    fn warn(&mut self, code: &'static str, path: Path, message: String, label: &str, advice: String) {
        let label = label.to_string();
        self.problems.push(Problem { severity: Severity::Warning, code, path, message, label, advice });
    }

    fn names(&mut self) {
        for external in &self.system.externals {
            if self.service(&external.name).is_some() {
                self.error(
                    "name",
                    Path::of(&["external", &external.name]),
                    format!("\"{}\" is a service and an external", external.name),
                    "this name is taken",
                    "give one of them another name".to_string(),
                );
            }
        }
        for pool in &self.system.pools {
            if let Some(owner) = &pool.per
                && self.service(owner).is_none()
            {
                let names = self.system.services.iter().map(|s| s.name.as_str());
                self.error(
                    "unknown-service",
                    Path::of(&["pool", &pool.name, "per"]),
                    format!("there is no service \"{owner}\""),
                    "no such service",
                    nearest_advice(owner, names),
                );
            }
        }
    }

    fn services(&mut self) {
        let system = self.system;
        for service in &system.services {
            let path = Path::of(&["service", &service.name]);
            if service.operations.is_empty() {
                self.error(
                    "no-operation",
                    path.clone(),
                    format!("service \"{}\" has no operation", service.name),
                    "nothing it can do",
                    format!("add [service.{}.operations.NAME] with work = \"3ms\"", service.name),
                );
            }
            for operation in &service.operations {
                let path = path.join("operations").join(&operation.name).join("steps");
                self.steps(&operation.steps, &path, &service.name);
            }
        }
    }

    fn steps(&mut self, steps: &[Step], path: &Path, service: &str) {
        for (i, step) in steps.iter().enumerate() {
            let path = path.join(i);
            match step {
                Step::Work(_) | Step::Delay(_) | Step::Fail(_) => {}
                Step::Call(call) => self.call(call, &path),
                Step::Send(target) => self.target(target, &path.join("send"), true),
                Step::Use { device, .. } => self.device(device, &path.join("use"), service),
                Step::Hold { pool, steps } => {
                    self.pool(pool, &path.join("hold"), service);
                    self.steps(steps, &path.join("steps"), service);
                }
                Step::Cache { cache, miss } => {
                    self.cache(cache, &path.join("cache"));
                    self.steps(miss, &path.join("miss"), service);
                }
                Step::Repeat { steps, .. } => self.steps(steps, &path.join("steps"), service),
                Step::Choose(ways) => {
                    self.weights(ways.iter().map(|(w, _)| *w), &path.join("choose"), "this `choose`");
                    for (j, (_, steps)) in ways.iter().enumerate() {
                        self.steps(steps, &path.join("choose").join(j).join("steps"), service);
                    }
                }
                Step::Parallel { branches, wait } => {
                    if let Wait::Some(k) = wait
                        && *k as usize > branches.len()
                    {
                        self.error(
                            "wait",
                            path.join("wait"),
                            format!("this `parallel` waits for {k} of {} branches", branches.len()),
                            "more than there are",
                            format!("write at most wait = {}", branches.len()),
                        );
                    }
                    for (j, steps) in branches.iter().enumerate() {
                        self.steps(steps, &path.join("parallel").join(j), service);
                    }
                }
            }
        }
    }

    fn call(&mut self, call: &Call, path: &Path) {
        self.target(&call.target, &path.join("call"), false);
        if let (Some(hedge), Some(timeout)) = (call.hedge, call.timeout)
            && hedge >= timeout
        {
            self.warn(
                "hedge",
                path.join("hedge"),
                "this second copy is never sent".to_string(),
                "the timeout comes first",
                "make `hedge` shorter than `timeout`".to_string(),
            );
        }
        if let Some(timeout) = call.timeout {
            let fastest = self.fastest(&call.target, 0) + call.network.as_ref().map_or(0.0, calls::least);
            if fastest > 0.0 && timeout <= fastest {
                self.warn(
                    "timeout",
                    path.join("timeout"),
                    format!(
                        "this call times out always: its fastest answer takes {}",
                        crate::unit::duration::print(fastest)
                    ),
                    "below the fastest answer",
                    "make it longer than the answer takes".to_string(),
                );
            }
        }
        if call.backoff.is_some() && call.retries == 0 {
            self.warn(
                "backoff",
                path.join("backoff"),
                "`backoff` without `retries` does nothing".to_string(),
                "never used",
                "add retries = 2, or take it out".to_string(),
            );
        }
    }

    fn target(&mut self, target: &Target, path: &Path, asynchronous: bool) {
        let system = self.system;
        self.called.insert(target.clone());
        let (message, advice) = match target {
            Target::External(name) if system.externals.iter().any(|e| e.name == *name) => return,
            Target::External(name) => match self.service(name) {
                Some(service) => {
                    let example = service.operations.first().map_or("NAME", |o| o.name.as_str());
                    (
                        format!("\"{name}\" is a service, and which operation is not said"),
                        format!("write \"{name}.{example}\""),
                    )
                }
                None => {
                    let names = system.externals.iter().map(|e| e.name.as_str());
                    let operations: Vec<String> = all_operations(system);
                    let candidates: Vec<&str> = names.chain(operations.iter().map(String::as_str)).collect();
                    (format!("there is no external \"{name}\""), nearest_advice(name, candidates.into_iter()))
                }
            },
            Target::Operation { service, operation } => match self.service(service) {
                Some(found) if found.operations.iter().any(|o| o.name == *operation) => return,
                Some(found) => {
                    let names: Vec<String> = found.operations.iter().map(|o| format!("{service}.{}", o.name)).collect();
                    (
                        format!("service \"{service}\" has no operation \"{operation}\""),
                        nearest_advice(&target.to_string(), names.iter().map(String::as_str)),
                    )
                }
                None => {
                    let names = all_operations(system);
                    (
                        format!("there is no service \"{service}\""),
                        nearest_advice(&target.to_string(), names.iter().map(String::as_str)),
                    )
                }
            },
        };
        let label = if asynchronous { "sent to nowhere" } else { "leads nowhere" };
        self.error("unknown-target", path.clone(), message, label, advice);
    }

    fn device(&mut self, device: &str, path: &Path, service: &str) {
        let Some(owner) = self.service(service) else { return };
        if owner.devices.iter().all(|d| d.name != device) {
            let advice = if owner.devices.is_empty() {
                format!("add devices.{device} = {{ servers = 1 }} to [service.{service}]")
            } else {
                nearest_advice(device, owner.devices.iter().map(|d| d.name.as_str()))
            };
            let message = format!("service \"{service}\" has no device \"{device}\"");
            self.error("unknown-device", path.clone(), message, "no such device", advice);
        }
    }

    fn pool(&mut self, pool: &str, path: &Path, service: &str) {
        let found = self.system.pools.iter().find(|p| p.name == pool);
        if let Some(owner) = found.and_then(|pool| pool.per.as_deref()).filter(|owner| *owner != service) {
            self.error(
                "pool-of-another",
                path.clone(),
                format!("pool \"{pool}\" is in each instance of {owner}, and this step runs in {service}"),
                "not in this service",
                format!("write per = \"{service}\" in [pool.{pool}], or leave `per` out: one pool for all"),
            );
        }
        if found.is_none() {
            let advice = if self.system.pools.is_empty() {
                format!("add [pool.{pool}] with size = 20")
            } else {
                nearest_advice(pool, self.system.pools.iter().map(|p| p.name.as_str()))
            };
            self.error("unknown-pool", path.clone(), format!("there is no pool \"{pool}\""), "no such pool", advice);
        }
    }

    fn cache(&mut self, cache: &str, path: &Path) {
        if self.system.caches.iter().all(|c| c.name != cache) {
            let advice = if self.system.caches.is_empty() {
                format!("add [cache.{cache}] with hit = 0.9")
            } else {
                nearest_advice(cache, self.system.caches.iter().map(|c| c.name.as_str()))
            };
            self.error(
                "unknown-cache",
                path.clone(),
                format!("there is no cache \"{cache}\""),
                "no such cache",
                advice,
            );
        }
    }

    fn weights(&mut self, weights: impl Iterator<Item = f64> + Clone, path: &Path, what: &str) {
        let sum: f64 = weights.clone().sum();
        if (sum - 1.0).abs() > 1e-6 {
            let last = weights.last().unwrap_or(0.0);
            let fixed = last + 1.0 - sum;
            let advice = if fixed > 0.0 {
                format!("change one of them, for example the last to {}", crate::unit::number::print_digits(fixed, 6))
            } else {
                "lower them until they add up to 1".to_string()
            };
            let sum = crate::unit::number::print_digits(sum, 6);
            let message = format!("the weights of {what} add up to {sum}");
            self.error("weights", path.clone(), message, "they should add up to 1", advice);
        }
    }

    fn workloads(&mut self) {
        let system = self.system;
        if system.workloads.is_empty() {
            self.error(
                "no-workload",
                Path::default(),
                "nothing uses this system".to_string(),
                "no workload",
                "add [workload.NAME] with entry = \"service.operation\" and rate = \"100/s\"".to_string(),
            );
        }
        for workload in &system.workloads {
            let path = Path::of(&["workload", &workload.name]);
            let single = workload.mix.len() == 1;
            for (target, _) in &workload.mix {
                let path = if single { path.join("entry") } else { path.join("mix").join(target) };
                self.target(target, &path, false);
            }
            if !single && !workload.mix.is_empty() {
                self.weights(workload.mix.iter().map(|(_, w)| *w), &path.join("mix"), "this `mix`");
            }
            if let Load::Profile { points, .. } = &workload.load {
                for pair in points.windows(2) {
                    if pair[1].0 <= pair[0].0 {
                        self.error(
                            "profile",
                            path.join("profile"),
                            "the times of this profile do not rise".to_string(),
                            "each point comes after the one before",
                            "sort the points by `at`".to_string(),
                        );
                        break;
                    }
                }
            }
        }
    }

    fn objectives(&mut self) {
        let system = self.system;
        for (i, objective) in system.objectives.iter().enumerate() {
            let path = Path::of(&["objective", &i.to_string()]);
            match &objective.scope {
                Scope::Workload(name) if system.workloads.iter().all(|w| w.name != *name) => {
                    let advice = nearest_advice(name, system.workloads.iter().map(|w| w.name.as_str()));
                    let message = format!("there is no workload \"{name}\"");
                    self.error("unknown-workload", path.join("workload"), message, "no such workload", advice);
                }
                Scope::Service(name) if self.service(name).is_none() => {
                    let advice = nearest_advice(name, system.services.iter().map(|s| s.name.as_str()));
                    let message = format!("there is no service \"{name}\"");
                    self.error("unknown-service", path.join("service"), message, "no such service", advice);
                }
                _ => {}
            }
            if objective.metric == Metric::Cost && system.services.iter().all(|s| s.price.is_none()) {
                self.error(
                    "no-price",
                    path.join("cost"),
                    "no service has a price".to_string(),
                    "cannot be known",
                    "add price = \"0.192/h\" to the services".to_string(),
                );
            }
        }
    }
}

fn all_operations(system: &System) -> Vec<String> {
    system.services.iter().flat_map(|s| s.operations.iter().map(move |o| format!("{}.{}", s.name, o.name))).collect()
}

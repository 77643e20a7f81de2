//! Edits of a system by path: what scenarios, `--set`, sweeps and sizing are made of.

use super::{Balancer, Call, Hits, Load, Operation, Path, Scale, Service, Step, System, nearest_advice};
use crate::discipline::Discipline;
use crate::distribution::{Distribution, Law};

/// What kind of value stands at a path, so that text can be read for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A length of time in seconds.
    Duration,
    /// A rate per second.
    Rate,
    /// A ratio from 0 to 1.
    Ratio,
    /// Any number.
    Number,
    /// A whole number.
    Count,
    /// A price per hour.
    Price,
    /// A law of a random time.
    Law,
    /// A discipline's word.
    Discipline,
    /// A balancer's word.
    Balancer,
}

/// A new value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number in SI units: duration, rate, ratio, price, plain number.
    Number(f64),
    /// A whole number.
    Count(u32),
    /// No limit.
    Unlimited,
    /// A law.
    Law(Law),
    /// A discipline.
    Discipline(Discipline),
    /// A balancer.
    Balancer(Balancer),
}

/// What happens to the value at a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It is replaced.
    Set(Value),
    /// It is multiplied; a law becomes so many times as long.
    Times(f64),
    /// It is moved by so much, in SI units.
    Plus(f64),
}

/// Why an edit does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditError {
    /// What is wrong.
    pub wrong: String,
    /// What to write instead.
    pub advice: String,
}

impl EditError {
    pub(super) fn new(wrong: impl Into<String>, advice: impl Into<String>) -> EditError {
        EditError { wrong: wrong.into(), advice: advice.into() }
    }
}

impl std::fmt::Display for EditError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.wrong, self.advice)
    }
}

impl std::error::Error for EditError {}

/// The place of one value in a system.
enum Field<'a> {
    Number(Kind, &'a mut f64),
    MaybeNumber(Kind, &'a mut Option<f64>),
    Count(&'a mut u32),
    MaybeCount(&'a mut Option<u32>),
    BigCount(&'a mut u64),
    Law(&'a mut Law),
    MaybeLaw(&'a mut Option<Law>),
    Discipline(&'a mut Discipline),
    Balancer(&'a mut Balancer),
}

impl Field<'_> {
    fn kind(&self) -> Kind {
        match self {
            Field::Number(kind, _) | Field::MaybeNumber(kind, _) => *kind,
            Field::Count(_) | Field::MaybeCount(_) | Field::BigCount(_) => Kind::Count,
            Field::Law(_) | Field::MaybeLaw(_) => Kind::Law,
            Field::Discipline(_) => Kind::Discipline,
            Field::Balancer(_) => Kind::Balancer,
        }
    }

    /// The value as a number: a law by its mean.
    fn number(&self) -> Option<f64> {
        match self {
            Field::Number(_, value) => Some(**value),
            Field::MaybeNumber(_, value) => **value,
            Field::Count(value) => Some(f64::from(**value)),
            Field::MaybeCount(value) => value.map(f64::from),
            Field::BigCount(value) => Some(**value as f64),
            Field::Law(law) => Some(law.mean()),
            Field::MaybeLaw(law) => law.as_ref().map(Law::mean),
            Field::Discipline(_) | Field::Balancer(_) => None,
        }
    }
}

impl System {
    /// What kind of value stands at a path.
    ///
    /// # Errors
    /// [`EditError`] when nothing that can change stands there.
    pub fn kind(&mut self, path: &Path) -> Result<Kind, EditError> {
        self.field(path).map(|field| field.kind())
    }

    /// The value at a path as a number in SI units, a law by its mean; `None` where it is absent or a word.
    ///
    /// # Errors
    /// [`EditError`] when nothing that can change stands there.
    pub fn number(&mut self, path: &Path) -> Result<Option<f64>, EditError> {
        self.field(path).map(|field| field.number())
    }

    /// Changes the value at a path.
    ///
    /// # Errors
    /// [`EditError`] when the path leads nowhere, or the change does not suit what stands there.
    pub fn edit(&mut self, path: &Path, change: &Change) -> Result<(), EditError> {
        let field = self.field(path)?;
        apply(field, path, change)
    }

    fn field(&mut self, path: &Path) -> Result<Field<'_>, EditError> {
        let words = path.words();
        let nowhere = |advice: String| EditError::new(format!("`{path}` leads nowhere"), advice);
        match words.as_slice() {
            ["service", name, rest @ ..] => {
                let names: Vec<String> = self.services.iter().map(|s| s.name.clone()).collect();
                match self.services.iter_mut().find(|s| s.name == *name) {
                    Some(service) => service_field(service, rest).map_err(nowhere),
                    None => Err(nowhere(nearest_advice(name, names.iter().map(String::as_str)))),
                }
            }
            ["external", name, key] => {
                let names: Vec<String> = self.externals.iter().map(|s| s.name.clone()).collect();
                let Some(external) = self.externals.iter_mut().find(|s| s.name == *name) else {
                    return Err(nowhere(nearest_advice(name, names.iter().map(String::as_str))));
                };
                match *key {
                    "latency" => Ok(Field::Law(&mut external.latency)),
                    "concurrency" => Ok(Field::MaybeCount(&mut external.concurrency)),
                    "limit" => Ok(Field::MaybeNumber(Kind::Rate, &mut external.limit)),
                    "failure" => Ok(Field::Number(Kind::Ratio, &mut external.failure)),
                    other => {
                        Err(nowhere(nearest_advice(other, ["latency", "concurrency", "limit", "failure"].into_iter())))
                    }
                }
            }
            ["pool", name, "size"] => {
                let names: Vec<String> = self.pools.iter().map(|s| s.name.clone()).collect();
                match self.pools.iter_mut().find(|s| s.name == *name) {
                    Some(pool) => Ok(Field::Count(&mut pool.size)),
                    None => Err(nowhere(nearest_advice(name, names.iter().map(String::as_str)))),
                }
            }
            ["cache", name, rest @ ..] => {
                let names: Vec<String> = self.caches.iter().map(|s| s.name.clone()).collect();
                let Some(cache) = self.caches.iter_mut().find(|s| s.name == *name) else {
                    return Err(nowhere(nearest_advice(name, names.iter().map(String::as_str))));
                };
                match (&mut cache.hits, rest) {
                    (Hits::Ratio(hit), ["hit"]) => Ok(Field::Number(Kind::Ratio, hit)),
                    (Hits::Lru { size, .. }, ["size"]) => Ok(Field::BigCount(size)),
                    (Hits::Lru { objects, .. }, ["objects"]) => Ok(Field::BigCount(objects)),
                    (Hits::Lru { zipf, .. }, ["popularity", "zipf"]) => Ok(Field::Number(Kind::Number, zipf)),
                    (Hits::Ratio(_), _) => Err(nowhere("this cache has `hit`".to_string())),
                    _ => Err(nowhere("this cache has `size`, `objects` and `popularity.zipf`".to_string())),
                }
            }
            ["workload", name, rest @ ..] => {
                let names: Vec<String> = self.workloads.iter().map(|s| s.name.clone()).collect();
                let Some(workload) = self.workloads.iter_mut().find(|s| s.name == *name) else {
                    return Err(nowhere(nearest_advice(name, names.iter().map(String::as_str))));
                };
                match (&mut workload.load, rest) {
                    (Load::Open { rate, .. }, ["rate"]) => Ok(Field::Number(Kind::Rate, rate)),
                    (Load::Closed { users, .. }, ["users"]) => Ok(Field::Count(users)),
                    (Load::Closed { think, .. }, ["think"]) => Ok(Field::Law(think)),
                    (_, ["priority"]) => Ok(Field::Count(&mut workload.priority)),
                    (_, ["growth"]) => Ok(Field::Number(Kind::Number, &mut workload.growth)),
                    (Load::Open { .. }, _) => Err(nowhere("an open workload has `rate`, `priority`, `growth`".into())),
                    (Load::Closed { .. }, _) => {
                        Err(nowhere("a closed workload has `users`, `think`, `priority`, `growth`".into()))
                    }
                    (Load::Profile { .. }, _) => Err(nowhere("a profiled workload has `priority`, `growth`".into())),
                }
            }
            ["objective", index, _metric] => {
                let count = self.objectives.len();
                match index.parse::<usize>().ok().and_then(|i| self.objectives.get_mut(i)) {
                    Some(objective) => Ok(Field::Number(Kind::Number, &mut objective.target)),
                    None => Err(nowhere(format!("the model has {count} objectives, counted from 0"))),
                }
            }
            _ => Err(nowhere(
                "a path starts with service, external, pool, cache, workload or objective and a name, for example \
                 workload.shoppers.rate"
                    .to_string(),
            )),
        }
    }
}

fn service_field<'a>(service: &'a mut Service, rest: &[&str]) -> Result<Field<'a>, String> {
    match rest {
        ["instances"] => Ok(Field::Count(&mut service.instances)),
        ["cores"] => Ok(Field::MaybeCount(&mut service.cores)),
        ["workers"] => Ok(Field::MaybeCount(&mut service.workers)),
        ["queue"] => Ok(Field::MaybeCount(&mut service.queue)),
        ["speed"] => Ok(Field::Number(Kind::Number, &mut service.speed)),
        ["price"] => Ok(Field::MaybeNumber(Kind::Price, &mut service.price)),
        ["zones"] => Ok(Field::Count(&mut service.zones)),
        ["discipline"] => Ok(Field::Discipline(&mut service.discipline)),
        ["balancer"] => Ok(Field::Balancer(&mut service.balancer)),
        ["scale", "min"] => match &mut service.scale {
            Scale::Between { min, .. } => Ok(Field::Count(min)),
            Scale::Fixed => Err("this service has scale = \"fixed\"".to_string()),
        },
        ["scale", "max"] => match &mut service.scale {
            Scale::Between { max, .. } => Ok(Field::Count(max)),
            Scale::Fixed => Err("this service has scale = \"fixed\"".to_string()),
        },
        ["contention", key @ ("alpha" | "beta")] => match &mut service.contention {
            Some(c) => Ok(Field::Number(Kind::Number, if *key == "alpha" { &mut c.alpha } else { &mut c.beta })),
            None => Err("this service has no `contention`".to_string()),
        },
        ["devices", name, key] => {
            let names: Vec<String> = service.devices.iter().map(|d| d.name.clone()).collect();
            match (service.devices.iter_mut().find(|d| d.name == *name), *key) {
                (Some(device), "servers") => Ok(Field::Count(&mut device.servers)),
                (Some(device), "discipline") => Ok(Field::Discipline(&mut device.discipline)),
                (Some(_), _) => Err("a device has `servers` and `discipline`".to_string()),
                (None, _) => Err(nearest_advice(name, names.iter().map(String::as_str))),
            }
        }
        ["operations", name, rest @ ..] => {
            let names: Vec<String> = service.operations.iter().map(|o| o.name.clone()).collect();
            match service.operations.iter_mut().find(|o| o.name == *name) {
                Some(operation) => operation_field(operation, rest),
                None => Err(nearest_advice(name, names.iter().map(String::as_str))),
            }
        }
        other => {
            const KEYS: [&str; 13] = [
                "instances",
                "cores",
                "workers",
                "queue",
                "speed",
                "price",
                "zones",
                "discipline",
                "balancer",
                "scale",
                "contention",
                "devices",
                "operations",
            ];
            Err(nearest_advice(other.first().copied().unwrap_or(""), KEYS.into_iter()))
        }
    }
}

fn operation_field<'a>(operation: &'a mut Operation, rest: &[&str]) -> Result<Field<'a>, String> {
    match rest {
        ["work"] => operation
            .steps
            .iter_mut()
            .find_map(|step| if let Step::Work(law) = step { Some(Field::Law(law)) } else { None })
            .ok_or_else(|| "this operation has no `work`".to_string()),
        ["steps", rest @ ..] => steps_field(&mut operation.steps, rest),
        _ => Err("an operation has `work` or `steps.N`, counted from 0".to_string()),
    }
}

fn steps_field<'a>(steps: &'a mut [Step], rest: &[&str]) -> Result<Field<'a>, String> {
    let count = steps.len();
    let [index, rest @ ..] = rest else {
        return Err(format!("there are {count} steps, counted from 0"));
    };
    let step = index.parse::<usize>().ok().and_then(|i| steps.get_mut(i));
    let step = step.ok_or_else(|| format!("there are {count} steps, counted from 0"))?;
    let lost = |has: &str| Err(format!("this step has {has}"));
    match (step, rest) {
        (Step::Work(law), ["work"]) | (Step::Delay(law), ["delay"]) => Ok(Field::Law(law)),
        (Step::Use { time, .. }, ["time"]) => Ok(Field::Law(time)),
        (Step::Fail(chance), ["fail"]) => Ok(Field::Number(Kind::Ratio, chance)),
        (Step::Repeat { times, .. }, ["repeat"]) => Ok(Field::Count(times)),
        (Step::Repeat { steps, .. } | Step::Hold { steps, .. }, ["steps", rest @ ..]) => steps_field(steps, rest),
        (Step::Cache { miss, .. }, ["miss", rest @ ..]) => steps_field(miss, rest),
        (Step::Call(call), [key]) => call_field(call, key),
        (Step::Parallel { branches, .. }, ["parallel", index, rest @ ..]) => {
            let branch = index.parse::<usize>().ok().and_then(|i| branches.get_mut(i));
            steps_field(branch.ok_or("there is no such branch")?, if rest.is_empty() { &["0"] } else { rest })
        }
        (Step::Choose(ways), ["choose", index, rest @ ..]) => {
            let way = index.parse::<usize>().ok().and_then(|i| ways.get_mut(i));
            let (weight, steps) = way.ok_or("there is no such way")?;
            match rest {
                ["weight"] => Ok(Field::Number(Kind::Ratio, weight)),
                ["steps", rest @ ..] => steps_field(steps, rest),
                _ => lost("`weight` and `steps`"),
            }
        }
        (Step::Work(_), _) => lost("`work`"),
        (Step::Delay(_), _) => lost("`delay`"),
        (Step::Use { .. }, _) => lost("`time`"),
        (Step::Fail(_), _) => lost("`fail`"),
        (Step::Repeat { .. }, _) => lost("`repeat` and `steps`"),
        (Step::Hold { .. }, _) => lost("`steps`"),
        (Step::Cache { .. }, _) => lost("`miss`"),
        (Step::Call(_), _) => lost("`times`, `probability`, `network`, `timeout`, `retries`, `backoff`, `hedge`"),
        (Step::Parallel { .. }, _) => lost("`parallel.N`"),
        (Step::Choose(_), _) => lost("`choose.N.weight` and `choose.N.steps`"),
        (Step::Send(_), _) => lost("nothing that can change"),
    }
}

fn call_field<'a>(call: &'a mut Call, key: &str) -> Result<Field<'a>, String> {
    match key {
        "times" => Ok(Field::Count(&mut call.times)),
        "probability" => Ok(Field::Number(Kind::Ratio, &mut call.probability)),
        "network" => Ok(Field::MaybeLaw(&mut call.network)),
        "timeout" => Ok(Field::MaybeNumber(Kind::Duration, &mut call.timeout)),
        "retries" => Ok(Field::Count(&mut call.retries)),
        "hedge" => Ok(Field::MaybeNumber(Kind::Duration, &mut call.hedge)),
        "backoff" => match &mut call.backoff {
            Some(backoff) => Ok(Field::Number(Kind::Duration, &mut backoff.base)),
            None => Err("this call has no `backoff`".to_string()),
        },
        other => Err(nearest_advice(
            other,
            ["times", "probability", "network", "timeout", "retries", "backoff", "hedge"].into_iter(),
        )),
    }
}

fn apply(field: Field<'_>, path: &Path, change: &Change) -> Result<(), EditError> {
    let unsuited = |advice: &str| EditError::new(format!("this change does not suit `{path}`"), advice);
    let absent = || EditError::new(format!("`{path}` has no value to change"), "set it in the model, or replace it");
    let moved = |old: f64| match change {
        Change::Times(factor) => Some(old * factor),
        Change::Plus(by) => Some(old + by),
        Change::Set(Value::Number(new)) => Some(*new),
        Change::Set(Value::Count(new)) => Some(f64::from(*new)),
        Change::Set(_) => None,
    };
    let counted = |old: f64| match moved(old) {
        Some(new) if new.round() >= 0.0 && new.round() <= f64::from(u32::MAX) => Ok(new.round() as u32),
        Some(new) => Err(EditError::new(format!("`{path}` would become {new}"), "a count is a whole number from 0")),
        None => Err(unsuited("write a whole number")),
    };
    match field {
        Field::Number(_, value) => {
            let new = moved(*value).ok_or_else(|| unsuited("write a number"))?;
            if new < 0.0 {
                return Err(EditError::new(format!("`{path}` would become {new}"), "it cannot fall below zero"));
            }
            *value = new;
        }
        Field::MaybeNumber(_, value) => match (change, *value) {
            (Change::Set(Value::Unlimited), _) => *value = None,
            (Change::Set(_), old) => {
                *value = Some(moved(old.unwrap_or(0.0)).ok_or_else(|| unsuited("write a number"))?)
            }
            (_, Some(old)) => *value = moved(old),
            (_, None) => return Err(absent()),
        },
        Field::Count(value) => *value = counted(f64::from(*value))?,
        Field::MaybeCount(value) => match (change, *value) {
            (Change::Set(Value::Unlimited), _) => *value = None,
            (Change::Set(_), old) => *value = Some(counted(f64::from(old.unwrap_or(0)))?),
            (_, Some(old)) => *value = Some(counted(f64::from(old))?),
            (_, None) => return Err(absent()),
        },
        Field::BigCount(value) => {
            *value = moved(*value as f64).ok_or_else(|| unsuited("write a whole number"))?.round().max(0.0) as u64;
        }
        Field::Law(law) => *law = changed_law(law, change).ok_or_else(|| unsuited("write a duration or a law"))?,
        Field::MaybeLaw(law) => match (change, law.as_ref()) {
            (Change::Set(Value::Law(new)), _) => *law = Some(new.clone()),
            (_, Some(old)) => *law = Some(changed_law(old, change).ok_or_else(|| unsuited("write a duration"))?),
            (_, None) => return Err(absent()),
        },
        Field::Discipline(value) => match change {
            Change::Set(Value::Discipline(new)) => *value = *new,
            _ => return Err(unsuited("write fcfs, ps, lifo, priority or preemptive")),
        },
        Field::Balancer(value) => match change {
            Change::Set(Value::Balancer(new)) => *value = *new,
            _ => return Err(unsuited("write shared, random, round-robin, least-outstanding or power-of-two")),
        },
    }
    Ok(())
}

/// A law so many times as long, or longer by so much in the mean with the same shape.
fn changed_law(law: &Law, change: &Change) -> Option<Law> {
    let mean = law.mean();
    match change {
        Change::Set(Value::Law(new)) => Some(new.clone()),
        Change::Set(Value::Number(new)) if mean > 0.0 && *new > 0.0 => Some(law.scaled(new / mean)),
        Change::Set(Value::Number(new)) => Some(Law::exponential(*new)),
        Change::Times(factor) if *factor > 0.0 => Some(law.scaled(*factor)),
        Change::Plus(by) if mean + by > 0.0 && mean > 0.0 => Some(law.scaled((mean + by) / mean)),
        Change::Times(_) | Change::Plus(_) => Some(Law::constant(0.0)),
        Change::Set(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{ArrivalLaw, Workload};

    fn shop() -> System {
        let mut web = Service::new("web");
        web.operations.push(Operation { name: "page".into(), steps: vec![Step::Work(Law::lognormal(0.006, 1.4))] });
        System {
            services: vec![web],
            workloads: vec![Workload {
                name: "shoppers".into(),
                mix: vec![],
                load: Load::Open { rate: 100.0, arrivals: ArrivalLaw::Poisson },
                priority: 1,
                growth: 0.0,
            }],
            ..System::default()
        }
    }

    #[test]
    fn values_are_replaced_multiplied_and_moved() {
        let mut system = shop();
        let rate = Path::parse("workload.shoppers.rate");
        system.edit(&rate, &Change::Times(4.0)).unwrap();
        system.edit(&rate, &Change::Plus(-50.0)).unwrap();
        assert_eq!(system.number(&rate), Ok(Some(350.0)));
        let work = Path::parse("service.web.operations.page.work");
        system.edit(&work, &Change::Times(2.0)).unwrap();
        assert!((system.number(&work).unwrap().unwrap() - 0.012).abs() < 1e-15);
        system.edit(&Path::parse("service.web.cores"), &Change::Set(Value::Unlimited)).unwrap();
        assert_eq!(system.services[0].cores, None);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_told_where_to_go() {
        let mut system = shop();
        let error = system.edit(&Path::parse("workload.shopers.rate"), &Change::Times(2.0)).unwrap_err();
        assert_eq!(error.advice, "did you mean \"shoppers\"?");
        let error = system.edit(&Path::parse("service.web.instance"), &Change::Times(2.0)).unwrap_err();
        assert_eq!(error.advice, "did you mean \"instances\"?");
        assert!(system.edit(&Path::parse("service.web.instances"), &Change::Plus(-5.0)).is_err());
        assert!(system.edit(&Path::parse("nonsense"), &Change::Plus(-5.0)).is_err());
    }
}

//! From a path to the place of its value.

use super::{EditError, Kind};
use crate::discipline::Discipline;
use crate::distribution::Law;
use crate::system::{
    Balancer, Cache, Call, External, Hits, Load, Operation, Path, Scale, Service, Step, System, Workload,
    nearest_advice,
};

/// The place of one value in a system.
pub(super) enum Field<'a> {
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
    pub(super) fn kind(&self) -> Kind {
        match self {
            Field::Number(kind, _) | Field::MaybeNumber(kind, _) => *kind,
            Field::Count(_) | Field::MaybeCount(_) | Field::BigCount(_) => Kind::Count,
            Field::Law(_) | Field::MaybeLaw(_) => Kind::Law,
            Field::Discipline(_) => Kind::Discipline,
            Field::Balancer(_) => Kind::Balancer,
        }
    }

    /// The value as a number: a law by its mean.
    pub(super) fn number(&self) -> Option<f64> {
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
    /// The place that a path leads to.
    pub(super) fn field(&mut self, path: &Path) -> Result<Field<'_>, EditError> {
        let words = path.words();
        let field =
            match words.as_slice() {
                ["service", name, rest @ ..] => named(&mut self.services, name, |service| &service.name)
                    .and_then(|found| service_field(found, rest)),
                ["external", name, key] => named(&mut self.externals, name, |external| &external.name)
                    .and_then(|found| external_field(found, key)),
                ["pool", name, "size"] => {
                    named(&mut self.pools, name, |pool| &pool.name).map(|pool| Field::Count(&mut pool.size))
                }
                ["cache", name, rest @ ..] => {
                    named(&mut self.caches, name, |cache| &cache.name).and_then(|found| cache_field(found, rest))
                }
                ["workload", name, rest @ ..] => named(&mut self.workloads, name, |workload| &workload.name)
                    .and_then(|found| workload_field(found, rest)),
                ["objective", index, _metric] => {
                    let count = self.objectives.len();
                    let objective = index.parse::<usize>().ok().and_then(|i| self.objectives.get_mut(i));
                    objective
                        .map(|objective| Field::Number(Kind::Number, &mut objective.target))
                        .ok_or_else(|| format!("the model has {count} objectives, counted from 0"))
                }
                _ => Err(
                    "a path starts with service, external, pool, cache, workload or objective and a name, for example \
                      workload.shoppers.rate"
                        .to_string(),
                ),
            };
        field.map_err(|advice| EditError::new(format!("`{path}` leads nowhere"), advice))
    }
}

/// The thing of this name, or the name that was probably meant.
fn named<'a, T>(list: &'a mut [T], name: &str, of: fn(&T) -> &String) -> Result<&'a mut T, String> {
    match list.iter().position(|thing| of(thing) == name) {
        Some(i) => Ok(&mut list[i]),
        None => Err(nearest_advice(name, list.iter().map(|thing| of(thing).as_str()))),
    }
}

fn external_field<'a>(external: &'a mut External, key: &str) -> Result<Field<'a>, String> {
    match key {
        "latency" => Ok(Field::Law(&mut external.latency)),
        "concurrency" => Ok(Field::MaybeCount(&mut external.concurrency)),
        "limit" => Ok(Field::MaybeNumber(Kind::Rate, &mut external.limit)),
        "failure" => Ok(Field::Number(Kind::Ratio, &mut external.failure)),
        other => Err(nearest_advice(other, ["latency", "concurrency", "limit", "failure"].into_iter())),
    }
}

fn cache_field<'a>(cache: &'a mut Cache, rest: &[&str]) -> Result<Field<'a>, String> {
    match (&mut cache.hits, rest) {
        (Hits::Ratio(hit), ["hit"]) => Ok(Field::Number(Kind::Ratio, hit)),
        (Hits::Lru { size, .. }, ["size"]) => Ok(Field::BigCount(size)),
        (Hits::Lru { objects, .. }, ["objects"]) => Ok(Field::BigCount(objects)),
        (Hits::Lru { zipf, .. }, ["popularity", "zipf"]) => Ok(Field::Number(Kind::Number, zipf)),
        (Hits::Ratio(_), _) => Err("this cache has `hit`".to_string()),
        _ => Err("this cache has `size`, `objects` and `popularity.zipf`".to_string()),
    }
}

fn workload_field<'a>(workload: &'a mut Workload, rest: &[&str]) -> Result<Field<'a>, String> {
    match (&mut workload.load, rest) {
        (Load::Open { rate, .. }, ["rate"]) => Ok(Field::Number(Kind::Rate, rate)),
        (Load::Closed { users, .. }, ["users"]) => Ok(Field::Count(users)),
        (Load::Closed { think, .. }, ["think"]) => Ok(Field::Law(think)),
        (_, ["priority"]) => Ok(Field::Count(&mut workload.priority)),
        (_, ["growth"]) => Ok(Field::Number(Kind::Number, &mut workload.growth)),
        (Load::Open { .. }, _) => Err("an open workload has `rate`, `priority`, `growth`".to_string()),
        (Load::Closed { .. }, _) => Err("a closed workload has `users`, `think`, `priority`, `growth`".to_string()),
        (Load::Profile { .. }, _) => Err("a profiled workload has `priority`, `growth`".to_string()),
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
            let device = named(&mut service.devices, name, |device| &device.name)?;
            match *key {
                "servers" => Ok(Field::Count(&mut device.servers)),
                "discipline" => Ok(Field::Discipline(&mut device.discipline)),
                _ => Err("a device has `servers` and `discipline`".to_string()),
            }
        }
        ["operations", name, rest @ ..] => {
            operation_field(named(&mut service.operations, name, |operation| &operation.name)?, rest)
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

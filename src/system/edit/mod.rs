//! Edits of a system by path: what scenarios, `--set`, sweeps and sizing are made of.

mod fields;

use super::{Balancer, Path, System};
use crate::discipline::Discipline;
use crate::distribution::{Distribution, Law};
use fields::Field;

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
    use crate::system::{ArrivalLaw, Load, Operation, Service, Step, Workload};

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

//! Workloads, objectives and scenarios.

use super::language::{ARRIVALS, BURST, OBJECTIVE, PROFILE_POINT, WORKLOAD};
use super::reader::{Keys, Node, Reader, shorten};
use super::values;
use crate::distribution::{Gamma, Law};
use crate::system::{
    ArrivalLaw, Balancer, Change, Kind, Load, Metric, Objective, Path, Scenario, Scope, System, Target, Value, Workload,
};
use crate::unit::number;
use toml::de::DeValue;

impl Reader<'_> {
    /// A workload from `[workload.NAME]`.
    pub(super) fn workload(&mut self, name: &str, node: Node<'_>) -> Option<Workload> {
        let keys = self.table(name, node, &WORKLOAD)?;
        let mix = self.mix(&keys);
        let load = self.load(name, &keys);
        let priority = self.optional_count(&keys, "priority", 0).unwrap_or(1);
        let growth = keys.get("growth").and_then(|n| self.growth(n)).unwrap_or(0.0);
        // What cannot be read stands in as nothing, so that the rest is checked against its name.
        let load = load.unwrap_or(Load::Open { rate: 0.0, arrivals: ArrivalLaw::Poisson });
        Some(Workload { name: name.to_string(), mix: mix.unwrap_or_default(), load, priority, growth })
    }

    fn mix(&mut self, keys: &Keys<'_>) -> Option<Vec<(Target, f64)>> {
        match (keys.get("entry"), keys.get("mix")) {
            (Some(entry), None) => self.target("entry", entry).map(|target| vec![(target, 1.0)]),
            (None, Some(mix)) => {
                let DeValue::Table(table) = mix.get_ref() else {
                    self.wrong_type("mix", mix, "a table from operations to shares");
                    return None;
                };
                let mut shares = Vec::new();
                for (name, node) in table {
                    let Some(target) = super::steps::target_of(name.get_ref()) else {
                        self.error(
                            "target",
                            name.span(),
                            "this is not an operation",
                            "not a name",
                            "write \"service.operation\"",
                        );
                        continue;
                    };
                    let share =
                        self.within("mix", |r| r.within(name.get_ref(), |r| r.quantity("mix", node, Kind::Ratio)));
                    shares.extend(share.map(|share| (target, share)));
                }
                Some(shares)
            }
            (Some(_), Some(mix)) => {
                self.error(
                    "workload",
                    mix.span(),
                    "a workload has `entry` or `mix`, not both",
                    "one too many",
                    "take one of them out",
                );
                None
            }
            (None, None) => {
                self.missing(keys, "entry", "\"service.operation\"");
                None
            }
        }
    }

    fn load(&mut self, name: &str, keys: &Keys<'_>) -> Option<Load> {
        let forms = ["rate", "users", "profile"];
        let given: Vec<&str> = forms.into_iter().filter(|form| keys.has(form)).collect();
        let belongs = |form: &str, key: &str| match key {
            "arrivals" => form == "rate",
            "think" => form == "users",
            "shape" | "period" => form == "profile",
            _ => true,
        };
        match given.as_slice() {
            [form] => {
                for key in ["arrivals", "think", "shape", "period"] {
                    if let (Some(node), false) = (keys.get(key), belongs(form, key)) {
                        self.error(
                            "workload",
                            node.span(),
                            format!("`{key}` does not go with `{form}`"),
                            "not used",
                            "take it out",
                        );
                    }
                }
                match *form {
                    "rate" => self.open_load(name, keys),
                    "users" => self.closed_load(keys),
                    _ => self.profile_load(keys),
                }
            }
            [] => {
                self.missing(keys, "rate", "\"100/s\"");
                None
            }
            [first, second, ..] => {
                let span = keys.get(second).map_or(keys.span.clone(), |n| n.span());
                self.error(
                    "workload",
                    span,
                    format!("a workload has `{first}` or `{second}`, not both"),
                    "one too many",
                    "take one of them out",
                );
                None
            }
        }
    }

    fn open_load(&mut self, name: &str, keys: &Keys<'_>) -> Option<Load> {
        let rate = self.optional(keys, "rate", Kind::Rate);
        let arrivals = match keys.get("arrivals") {
            Some(node) => self.arrivals(node),
            None => {
                self.assumptions.push(format!("requests of {name} arrive independently of each other (Poisson)"));
                Some(ArrivalLaw::Poisson)
            }
        };
        Some(Load::Open { rate: rate?, arrivals: arrivals? })
    }

    fn closed_load(&mut self, keys: &Keys<'_>) -> Option<Load> {
        let users = self.optional_count(keys, "users", 1);
        let think = match keys.get("think") {
            Some(node) => self.within("think", |reader| reader.law("think", node)),
            None => Some(Law::constant(0.0)),
        };
        Some(Load::Closed { users: users?, think: think? })
    }

    fn profile_load(&mut self, keys: &Keys<'_>) -> Option<Load> {
        let node = keys.get("profile")?;
        let items = self.list("profile", node)?;
        if items.is_empty() {
            self.error(
                "profile",
                node.span(),
                "this profile has no point",
                "empty",
                "list its points: [ { at = \"0s\", rate = \"100/s\" } ]",
            );
            return None;
        }
        let mut points = Vec::new();
        for item in items {
            let Some(keys) = self.table("profile", item, &PROFILE_POINT) else { continue };
            for (key, example) in [("at", "\"0s\""), ("rate", "\"100/s\"")] {
                if !keys.has(key) {
                    self.missing(&keys, key, example);
                }
            }
            let (at, rate) = (self.optional(&keys, "at", Kind::Duration), self.optional(&keys, "rate", Kind::Rate));
            if let (Some(at), Some(rate)) = (at, rate) {
                points.push((at, rate));
            }
        }
        let shape = keys.get("shape").and_then(|n| self.word("shape", n, &[("steps", ""), ("linear", "")]));
        let period = self.optional(keys, "period", Kind::Duration);
        Some(Load::Profile { points, linear: shape == Some("linear"), period })
    }

    fn arrivals(&mut self, node: Node<'_>) -> Option<ArrivalLaw> {
        if let DeValue::String(_) = node.get_ref() {
            let word = self.word("arrivals", node, &[("regular", ""), ("poisson", "")])?;
            return Some(if word == "regular" { ArrivalLaw::Renewal(Law::constant(1.0)) } else { ArrivalLaw::Poisson });
        }
        let keys = self.table("arrivals", node, &ARRIVALS)?;
        if let Some(burst) = keys.get("burst") {
            return self.burst(burst);
        }
        if keys.has("trace") {
            let mut times = self.samples(&keys, "trace")?;
            times.sort_by(f64::total_cmp);
            return Some(ArrivalLaw::Trace(times.into()));
        }
        if let Some(node) = keys.get("dist") {
            let word = self.arrival_word(node)?;
            return match self.named_law(word, &keys, Some(1.0))? {
                Law::Exponential(_) => Some(ArrivalLaw::Poisson),
                law => Some(ArrivalLaw::Renewal(law)),
            };
        }
        let Some(cv_node) = keys.get("cv") else {
            self.missing(&keys, "cv", "2.0");
            return None;
        };
        let cv = self.quantity("cv", cv_node, Kind::Number)?;
        if cv > 100.0 {
            self.out_of_range("cv", cv_node.span(), &cv.to_string(), "write a number up to 100");
            return None;
        }
        let law = if cv < 1e-3 { Law::constant(1.0) } else { Law::Gamma(Gamma { mean: 1.0, cv }) };
        Some(ArrivalLaw::Renewal(law))
    }

    fn burst(&mut self, node: Node<'_>) -> Option<ArrivalLaw> {
        let keys = self.table("burst", node, &BURST)?;
        for (key, example) in [("ratio", "5"), ("on", "\"2s\""), ("off", "\"20s\"")] {
            if !keys.has(key) {
                self.missing(&keys, key, example);
            }
        }
        let ratio = self.optional(&keys, "ratio", Kind::Number);
        let (on, off) = (self.optional(&keys, "on", Kind::Duration), self.optional(&keys, "off", Kind::Duration));
        let (ratio, on, off) = (ratio?, on?, off?);
        if on <= 0.0 || off <= 0.0 {
            self.out_of_range("burst", node.span(), "without on or off periods", "write times above zero");
            return None;
        }
        Some(ArrivalLaw::Burst { ratio, on, off })
    }

    /// `"6%/month"` as a ratio per month.
    fn growth(&mut self, node: Node<'_>) -> Option<f64> {
        let text = self.text("growth", node)?;
        let read = || {
            let (value, rest) = number::leading(&text)?;
            let (percent, time) = rest.split_once('/')?;
            let value = match percent.trim() {
                "%" => value / 100.0,
                "" => value,
                _ => return None,
            };
            match time.trim() {
                "month" => Some(value),
                "year" => Some((1.0 + value).powf(1.0 / 12.0) - 1.0),
                "week" => Some((1.0 + value).powf(365.0 / 84.0) - 1.0),
                _ => None,
            }
        };
        let growth = read().filter(|g| g.is_finite() && *g > -1.0);
        if growth.is_none() {
            self.error(
                "value",
                node.span(),
                format!("`growth` is \"{}\"", shorten(&text)),
                "cannot be read",
                "write percent by month or year, for example \"6%/month\"",
            );
        }
        growth
    }

    /// An objective from `[[objective]]`.
    pub(super) fn objective(&mut self, node: Node<'_>) -> Vec<Objective> {
        let Some(keys) = self.table("objective", node, &OBJECTIVE) else { return Vec::new() };
        let scope = match (keys.get("workload"), keys.get("service")) {
            (Some(node), None) => self.text("workload", node).map(Scope::Workload),
            (None, Some(node)) => self.text("service", node).map(Scope::Service),
            (None, None) => Some(Scope::Model),
            (Some(_), Some(node)) => {
                self.error(
                    "objective",
                    node.span(),
                    "an objective is about a workload or a service, not both",
                    "one too many",
                    "write two objectives",
                );
                None
            }
        };
        let mut objectives = Vec::new();
        for key in keys.section.keys {
            let kind = match key.name {
                "workload" | "service" | "share" => continue,
                "throughput" => Kind::Rate,
                "error_rate" | "utilization" | "availability" => Kind::Ratio,
                "cost" => Kind::Price,
                _ => Kind::Duration,
            };
            let Some(value) = self.optional(&keys, key.name, kind) else { continue };
            let metric = match key.name {
                "mean" => Metric::Mean,
                "throughput" => Metric::Throughput,
                "error_rate" => Metric::ErrorRate,
                "utilization" => Metric::Utilization,
                "cost" => Metric::Cost,
                "availability" => Metric::Availability,
                "within" => Metric::Within(value),
                word => Metric::Percentile(
                    Metric::PERCENTILES.iter().find(|(w, _)| *w == word).map_or(0.95, |(_, level)| *level),
                ),
            };
            let target = if let Metric::Within(_) = metric {
                let Some(share) = self.optional(&keys, "share", Kind::Ratio) else {
                    self.missing(&keys, "share", "\"99%\"");
                    continue;
                };
                share
            } else {
                value
            };
            objectives.extend(scope.clone().map(|scope| Objective { scope, metric, target }));
        }
        let known =
            keys.section.keys.iter().any(|k| !["workload", "service", "share"].contains(&k.name) && keys.has(k.name));
        if !known {
            let advice =
                "add what must hold, for example p95 = \"300ms\", error_rate = \"0.1%\" or utilization = \"70%\"";
            self.error("missing", keys.span.clone(), "this objective states no bound", "nothing to hold", advice);
        }
        objectives
    }

    /// A scenario from `[scenario.NAME]`; `system` tells what kind of value each path leads to.
    pub(super) fn scenario(&mut self, name: &str, node: Node<'_>, system: &mut System) -> Option<Scenario> {
        let DeValue::Table(table) = node.get_ref() else {
            self.wrong_type("scenario", node, "a table from paths to changes");
            return None;
        };
        let mut changes = Vec::new();
        self.collect_changes(table, &Path::default(), system, &mut changes);
        Some(Scenario { name: name.to_string(), changes })
    }

    /// Changes may be written with quoted paths, or nested as TOML does with dotted keys.
    fn collect_changes(
        &mut self,
        table: &toml::de::DeTable<'_>,
        at: &Path,
        system: &mut System,
        changes: &mut Vec<(Path, Change)>,
    ) {
        for (key, node) in table {
            let path = Path::parse(key.get_ref()).words().iter().fold(at.clone(), |path, word| path.join(word));
            match system.kind(&path) {
                Ok(kind) => changes.extend(self.change(&path, kind, node).map(|change| (path, change))),
                Err(error) => match node.get_ref() {
                    DeValue::Table(inner) if path.words().len() < 32 => {
                        self.collect_changes(inner, &path, system, changes);
                    }
                    _ => self.error("path", key.span(), error.wrong, "no such place", error.advice),
                },
            }
        }
    }

    /// What a scenario or `--set` does to a value of this kind.
    pub(super) fn change(&mut self, path: &Path, kind: Kind, node: Node<'_>) -> Option<Change> {
        if let DeValue::String(text) = node.get_ref()
            && let Some(relative) = relative_change(text, kind)
        {
            match relative {
                Ok(change) => return Some(change),
                Err(advice) => {
                    self.error(
                        "change",
                        node.span(),
                        format!("\"{}\" does not change `{path}`", shorten(text)),
                        "cannot be read",
                        advice,
                    );
                    return None;
                }
            }
        }
        let key = path.words().last().map_or_else(String::new, |word| (*word).to_string());
        let value = match kind {
            Kind::Law => Value::Law(self.law(&key, node)?),
            Kind::Count => match node.get_ref() {
                DeValue::String(text) if text == "unlimited" => Value::Unlimited,
                _ => {
                    let least = u32::from(!["queue", "priority", "retries", "times", "repeat"].contains(&key.as_str()));
                    Value::Count(self.count(&key, node, least)?)
                }
            },
            Kind::Discipline => Value::Discipline(self.discipline(node)?),
            Kind::Balancer => {
                let words: Vec<_> = Balancer::ALL.iter().map(|(_, word, meaning)| (*word, *meaning)).collect();
                Value::Balancer(self.word(&key, node, &words).and_then(Balancer::from_word)?)
            }
            kind => Value::Number(self.quantity(&key, node, kind)?),
        };
        Some(Change::Set(value))
    }
}

/// `"x3"` multiplies; `"+20%"` and `"-1"` add. `None` when the text is a plain value.
fn relative_change(text: &str, kind: Kind) -> Option<Result<Change, String>> {
    let text = text.trim();
    let advice = "write \"x3\" to multiply, \"+20%\" or \"-1\" to add";
    if let Some(factor) = text.strip_prefix(['x', '×', '*']) {
        return Some(match factor.trim().parse::<f64>() {
            Ok(factor) if factor.is_finite() && factor >= 0.0 => Ok(Change::Times(factor)),
            _ => Err(advice.to_string()),
        });
    }
    let sign = match text.chars().next() {
        Some('+') => 1.0,
        Some('-') => -1.0,
        _ => return None,
    };
    let rest = text[1..].trim();
    if let Some(percent) = rest.strip_suffix('%') {
        return Some(match percent.trim().parse::<f64>() {
            Ok(percent) if percent.is_finite() && sign * percent >= -100.0 => {
                Ok(Change::Times(1.0 + sign * percent / 100.0))
            }
            _ => Err("a value cannot lose more than 100%".to_string()),
        });
    }
    Some(values::parse(rest, kind).map(|by| Change::Plus(sign * by)).map_err(|mistake| mistake.advice))
}

//! Steps of an operation.

use super::language::{self, BACKOFF, STEPS, Section, WAY};
use super::reader::{Keys, Node, Reader, describe};
use crate::distribution::Law;
use crate::system::{Backoff, Call, Kind, Step, Target, Wait};
use toml::de::DeValue;

/// Steps nested deeper than this are refused: nobody means it, and nothing that follows need guard its stack.
const DEEPEST: usize = 40;

impl Reader<'_> {
    /// A list of steps.
    pub(super) fn steps(&mut self, key: &str, node: Node<'_>, depth: usize) -> Vec<Step> {
        if depth > DEEPEST {
            self.error(
                "depth",
                node.span(),
                "these steps are nested too deeply",
                format!("more than {DEEPEST} levels"),
                "move the inner steps into operations of their own",
            );
            return Vec::new();
        }
        let Some(items) = self.list(key, node) else { return Vec::new() };
        let mut steps = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            // A step that cannot be read keeps its place, so that the others keep their numbers.
            let step = self.within(&i.to_string(), |reader| reader.step(item, depth));
            steps.push(step.unwrap_or(Step::Delay(Law::constant(0.0))));
        }
        steps
    }

    fn step(&mut self, node: Node<'_>, depth: usize) -> Option<Step> {
        let DeValue::Table(table) = node.get_ref() else {
            let found = describe(node.get_ref());
            self.error(
                "step",
                node.span(),
                format!("a step is a table, this is {found}"),
                "not a step",
                "write for example { work = \"3ms\" } or { call = \"service.operation\" }",
            );
            return None;
        };
        let section = self.step_section(table, node)?;
        let keys = self.keys(table, node.span(), section);
        let kind = section.keys[0].name;
        let value = keys.get(kind)?;
        match kind {
            "work" => self.within(kind, |r| r.law(kind, value)).map(Step::Work),
            "delay" => self.within(kind, |r| r.law(kind, value)).map(Step::Delay),
            "fail" => self.within(kind, |r| r.quantity(kind, value, Kind::Ratio)).map(Step::Fail),
            "send" => self.target(kind, value).map(Step::Send),
            "call" => self.call(&keys, value),
            "parallel" => self.parallel(&keys, value, depth),
            "choose" => self.choose(value, depth),
            "use" => {
                let device = self.text(kind, value);
                let Some(time) = keys.get("time") else {
                    self.missing(&keys, "time", "\"4ms\"");
                    return None;
                };
                let time = self.within("time", |r| r.law("time", time));
                Some(Step::Use { device: device?, time: time? })
            }
            "hold" => {
                let pool = self.text(kind, value);
                let steps = self.inner_steps(&keys, "steps", depth);
                Some(Step::Hold { pool: pool?, steps: steps? })
            }
            "cache" => {
                let cache = self.text(kind, value);
                let miss = self.inner_steps(&keys, "miss", depth);
                Some(Step::Cache { cache: cache?, miss: miss? })
            }
            _ => {
                let times = self.within(kind, |r| r.count(kind, value, 0));
                let steps = self.inner_steps(&keys, "steps", depth);
                Some(Step::Repeat { times: times?, steps: steps? })
            }
        }
    }

    /// Which kind of step a table is, by the key that names it.
    fn step_section(&mut self, table: &toml::de::DeTable<'_>, node: Node<'_>) -> Option<&'static Section> {
        let named: Vec<&'static Section> =
            STEPS.iter().filter(|section| table.contains_key(section.keys[0].name)).collect();
        match named.as_slice() {
            [section] => Some(section),
            [] => {
                let words: Vec<&str> = STEPS.iter().map(|section| section.keys[0].name).collect();
                let first = table.keys().next().map_or("", |key| key.get_ref().as_ref());
                let advice = match crate::system::nearest(first, words.iter().copied()) {
                    Some(word) => format!("did you mean \"{word}\"?"),
                    None => format!("a step has one of {}", words.join(", ")),
                };
                self.error("step", node.span(), "this step does not say what it does", "not a step", advice);
                None
            }
            [first, second, ..] => {
                let message = format!("this step is {} and {}", first.name, second.name);
                self.error("step", node.span(), message, "one step does one thing", "write two steps");
                None
            }
        }
    }

    fn inner_steps(&mut self, keys: &Keys<'_>, key: &str, depth: usize) -> Option<Vec<Step>> {
        let Some(node) = keys.get(key) else {
            self.missing(keys, key, "[ { work = \"1ms\" } ]");
            return None;
        };
        Some(self.within(key, |reader| reader.steps(key, node, depth + 1)))
    }

    /// An operation or external by its name.
    pub(super) fn target(&mut self, key: &str, node: Node<'_>) -> Option<Target> {
        let text = self.text(key, node)?;
        let target = target_of(&text);
        if target.is_none() {
            self.error(
                "target",
                node.span(),
                format!("`{key}` is \"{text}\""),
                "not a name",
                "write \"service.operation\", or the name of an external",
            );
        }
        target
    }

    fn call(&mut self, keys: &Keys<'_>, value: Node<'_>) -> Option<Step> {
        let mut call = Call::to(self.target("call", value)?);
        if let Some(times) = self.optional_count(keys, "times", 0) {
            call.times = times;
        }
        if let Some(probability) = self.optional(keys, "probability", Kind::Ratio) {
            call.probability = probability;
        }
        if let Some(node) = keys.get("network") {
            call.network = self.within("network", |reader| reader.law("network", node));
        }
        call.timeout = self.positive(keys, "timeout");
        call.hedge = self.positive(keys, "hedge");
        call.retries = self.optional_count(keys, "retries", 0).unwrap_or(0);
        if call.retries > 1000 {
            let span = keys.get("retries").map_or(keys.span.clone(), |n| n.span());
            self.out_of_range("retries", span, &call.retries.to_string(), "write at most 1000 retries");
        }
        if let Some(node) = keys.get("backoff") {
            call.backoff = self.within("backoff", |reader| reader.backoff(node));
        }
        Some(Step::Call(Box::new(call)))
    }

    fn positive(&mut self, keys: &Keys<'_>, key: &str) -> Option<f64> {
        let value = self.optional(keys, key, Kind::Duration)?;
        if value == 0.0 {
            let span = keys.get(key).map_or(keys.span.clone(), |n| n.span());
            self.out_of_range(key, span, "zero", "write a time above zero, or take it out");
            return None;
        }
        Some(value)
    }

    fn backoff(&mut self, node: Node<'_>) -> Option<Backoff> {
        if let DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) = node.get_ref() {
            let base = self.quantity("backoff", node, Kind::Duration)?;
            return Some(Backoff { base, factor: 1.0, max: base, full_jitter: false });
        }
        let keys = self.table("backoff", node, &BACKOFF)?;
        if !keys.has("base") {
            self.missing(&keys, "base", "\"50ms\"");
        }
        let base = self.optional(&keys, "base", Kind::Duration);
        let factor = self.optional(&keys, "factor", Kind::Number).unwrap_or(1.0);
        let max = self.optional(&keys, "max", Kind::Duration).unwrap_or(f64::INFINITY);
        let jitter = keys.get("jitter").and_then(|n| self.word("jitter", n, &[("none", ""), ("full", "")]));
        Some(Backoff { base: base?, factor, max, full_jitter: jitter == Some("full") })
    }

    fn parallel(&mut self, keys: &Keys<'_>, value: Node<'_>, depth: usize) -> Option<Step> {
        if depth > DEEPEST {
            self.error(
                "depth",
                value.span(),
                "these steps are nested too deeply",
                format!("more than {DEEPEST} levels"),
                "move the inner steps into operations of their own",
            );
            return None;
        }
        let items = self.list("parallel", value)?;
        if items.is_empty() {
            self.error(
                "parallel",
                value.span(),
                "this `parallel` has no branch",
                "nothing to do",
                "list the branches, or take the step out",
            );
        }
        let mut branches = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            let branch = self.within("parallel", |r| r.within(&i.to_string(), |r| r.branch(item, depth + 1)));
            branches.extend(branch);
        }
        let wait = match keys.get("wait") {
            None => Wait::All,
            Some(node) => match node.get_ref() {
                DeValue::String(_) => match self.word("wait", node, &[("all", ""), ("any", "")])? {
                    "any" => Wait::Any,
                    _ => Wait::All,
                },
                _ => Wait::Some(self.count("wait", node, 1)?),
            },
        };
        Some(Step::Parallel { branches, wait })
    }

    fn branch(&mut self, node: Node<'_>, depth: usize) -> Option<Vec<Step>> {
        match node.get_ref() {
            DeValue::String(_) => {
                self.target("parallel", node).map(|target| vec![Step::Call(Box::new(Call::to(target)))])
            }
            DeValue::Array(_) => Some(self.steps("parallel", node, depth)),
            _ => self.within("0", |reader| reader.step(node, depth)).map(|step| vec![step]),
        }
    }

    fn choose(&mut self, value: Node<'_>, depth: usize) -> Option<Step> {
        let items = self.list("choose", value)?;
        if items.is_empty() {
            self.error(
                "choose",
                value.span(),
                "this `choose` has no way",
                "nothing to choose from",
                "list the ways, each with weight and steps",
            );
            return None;
        }
        let mut ways = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            let way = self.within("choose", |reader| {
                reader.within(&i.to_string(), |reader| {
                    let keys = reader.table("choose", item, &WAY)?;
                    if !keys.has("weight") {
                        reader.missing(&keys, "weight", "0.5");
                    }
                    let weight = reader.optional(&keys, "weight", Kind::Ratio);
                    let steps = match keys.get("steps") {
                        Some(node) => reader.within("steps", |r| r.steps("steps", node, depth + 1)),
                        None => {
                            reader.missing(&keys, "steps", "[ { work = \"1ms\" } ]");
                            Vec::new()
                        }
                    };
                    Some((weight?, steps))
                })
            });
            ways.extend(way);
        }
        Some(Step::Choose(ways))
    }

    /// The names of ways and laws a message can refer to.
    pub(super) fn arrival_word(&mut self, node: Node<'_>) -> Option<&'static str> {
        self.word("dist", node, &language::laws())
    }
}

/// `"orders.place"` is an operation, `"payments"` an external.
pub(super) fn target_of(text: &str) -> Option<Target> {
    let text = text.trim();
    match text.split_once('.') {
        Some((service, operation)) if !service.is_empty() && !operation.is_empty() => {
            Some(Target::Operation { service: service.to_string(), operation: operation.to_string() })
        }
        None if !text.is_empty() => Some(Target::External(text.to_string())),
        _ => None,
    }
}

//! Laws of random times: `"6ms"`, `{ mean = "6ms", cv = 1.4 }`, `{ p50 = "4ms", p99 = "31ms" }`, files of samples.

use super::language::{self, LAW};
use super::reader::{Keys, Node, Reader};
use crate::distribution::{
    Constant, Empirical, Erlang, Gamma, Hyperexponential, Law, Lognormal, Lomax, Pareto, Uniform, Weibull,
};
use crate::system::{Kind, Metric};
use crate::unit::duration;
use std::ops::Range;
use toml::de::DeValue;

/// More stages than this are constant for every purpose, and cost time.
const MOST_STAGES: u32 = 10_000;

impl Reader<'_> {
    /// A law of a random time.
    pub(super) fn law(&mut self, key: &str, node: Node<'_>) -> Option<Law> {
        match node.get_ref() {
            DeValue::Table(table) if !["low", "likely", "high"].iter().any(|k| table.contains_key(*k)) => {
                let keys = self.table(key, node, &LAW)?;
                self.law_table(key, &keys)
            }
            _ => self.quantity(key, node, Kind::Law).map(exponential_or_zero),
        }
    }

    fn law_table(&mut self, key: &str, keys: &Keys<'_>) -> Option<Law> {
        if keys.has("samples") {
            return self.samples(keys, "samples").and_then(|values| {
                let law = Empirical::new(values).map(Law::Empirical);
                if law.is_none() {
                    let span = keys.get("samples").map_or(keys.span.clone(), |n| n.span());
                    self.error(
                        "samples",
                        span,
                        "these samples hold no usable value",
                        "nothing to draw from",
                        "give a column of times from zero up",
                    );
                }
                law
            });
        }
        if keys.has("constant") {
            let value = self.optional(keys, "constant", Kind::Duration)?;
            self.no_others(key, keys, &["constant"]);
            return Some(Law::Constant(Constant { value }));
        }
        if let Some(node) = keys.get("dist") {
            let word = self.word("dist", node, &language::laws())?;
            return self.named_law(word, keys, None);
        }
        let percentiles: Vec<&str> =
            Metric::PERCENTILES.iter().map(|(word, _)| *word).filter(|word| keys.has(word)).collect();
        if !percentiles.is_empty() {
            return self.through_percentiles(key, keys, &percentiles);
        }
        if keys.has("cv") || keys.has("mean") {
            let mean = self.needed_duration(keys, "mean")?;
            let cv = self.cv(keys, 0.0)?;
            self.no_others(key, keys, &["mean", "cv"]);
            return Some(Law::lognormal(mean, cv));
        }
        let advice = "write { mean = \"6ms\", cv = 1.4 }, { constant = \"6ms\" } or { p50 = \"4ms\", p99 = \"31ms\" }";
        self.error(
            "law",
            keys.span.clone(),
            format!("`{key}` does not say which distribution it is"),
            "not complete",
            advice,
        );
        None
    }

    fn erlang(&mut self, keys: &Keys<'_>, mean: f64) -> Option<Law> {
        let node = self.needed(keys, "k", "4")?;
        let stages = self.count("k", node, 1)?;
        if stages > MOST_STAGES {
            let advice = "write at most 10000 stages, or a constant";
            self.out_of_range("k", node.span(), &stages.to_string(), advice);
            return None;
        }
        Some(Law::Erlang(Erlang { mean, stages }))
    }

    /// Uniform with this mean, as wide as `cv` says.
    fn uniform_around(&mut self, keys: &Keys<'_>, mean: f64) -> Option<Law> {
        let half = self.cv(keys, 0.0)? * 3f64.sqrt() * mean;
        if half > mean {
            let (wrong, advice) = ("a uniform law has a cv of at most 0.577", "write a smaller cv, or another law");
            self.error("range", keys.span.clone(), wrong, "out of range", advice);
            return None;
        }
        Some(uniform(mean - half, mean + half))
    }

    fn uniform_between(&mut self, keys: &Keys<'_>) -> Option<Law> {
        let (min, max) = (self.needed_duration(keys, "min"), self.needed_duration(keys, "max"));
        let (min, max) = (min?, max?);
        if min > max {
            self.error("range", keys.span.clone(), "`min` is above `max`", "out of order", "swap them");
            return None;
        }
        Some(uniform(min, max))
    }

    /// The law of this word. With `unit_mean` the mean is not in the table: the law is one of interarrival times.
    pub(super) fn named_law(&mut self, word: &str, keys: &Keys<'_>, unit_mean: Option<f64>) -> Option<Law> {
        let mean = match unit_mean {
            Some(mean) => mean,
            None if word == "uniform" => 0.0,
            None => self.needed_duration(keys, "mean")?,
        };
        if mean == 0.0 && word != "uniform" {
            return Some(Law::constant(0.0));
        }
        let allowed: &[&str] = match word {
            "exponential" | "constant" => &["dist", "mean"],
            "erlang" => &["dist", "mean", "k"],
            "uniform" if unit_mean.is_some() => &["dist", "cv"],
            "uniform" => &["dist", "min", "max"],
            "weibull" | "pareto" | "lomax" => &["dist", "mean", "shape"],
            _ => &["dist", "mean", "cv"],
        };
        self.no_others(word, keys, allowed);
        Some(match word {
            "exponential" => Law::exponential(mean),
            "constant" => Law::constant(mean),
            "erlang" => self.erlang(keys, mean)?,
            "gamma" => {
                let cv = self.cv(keys, 1e-3)?;
                Law::Gamma(Gamma { mean, cv })
            }
            "hyperexponential" => {
                let cv = self.cv(keys, 1.0)?;
                Law::Hyperexponential(Hyperexponential::new(mean, cv))
            }
            "uniform" if unit_mean.is_some() => self.uniform_around(keys, mean)?,
            "uniform" => self.uniform_between(keys)?,
            "weibull" => Law::Weibull(Weibull { mean, shape: self.shape(keys, 0.1, 100.0)? }),
            "pareto" => Law::Pareto(Pareto { mean, shape: self.shape(keys, 1.0, 1000.0)? }),
            "lomax" => Law::Lomax(Lomax { mean, shape: self.shape(keys, 1.0, 1000.0)? }),
            _ => {
                let cv = self.cv(keys, 0.0)?;
                Law::lognormal(mean, cv)
            }
        })
    }

    fn through_percentiles(&mut self, key: &str, keys: &Keys<'_>, words: &[&str]) -> Option<Law> {
        self.no_others(key, keys, words);
        let [first, second] = words else {
            self.error(
                "law",
                keys.span.clone(),
                format!("`{key}` gives {} percentiles", words.len()),
                "two are needed",
                "write two of p50 p75 p90 p95 p99 p999",
            );
            return None;
        };
        let (low, high) = (self.optional(keys, first, Kind::Duration), self.optional(keys, second, Kind::Duration));
        let (low, high) = (low?, high?);
        let level = |word: &str| Metric::PERCENTILES.iter().find(|(w, _)| *w == word).map_or(0.5, |(_, p)| *p);
        if low <= 0.0 || low > high {
            let message =
                format!("{first} of `{key}` is {} and {second} is {}", duration::print(low), duration::print(high));
            self.error("range", keys.span.clone(), message, "percentiles rise from above zero", "check which is which");
            return None;
        }
        if low == high {
            return Some(Law::constant(low));
        }
        Some(Law::Lognormal(Lognormal::through((level(first), low), (level(second), high))))
    }

    /// The values of a file of measurements.
    pub(super) fn samples(&mut self, keys: &Keys<'_>, key: &str) -> Option<Vec<f64>> {
        let node = keys.get(key)?;
        let file = self.text(key, node)?;
        let column = keys.get("column").and_then(|n| self.text("column", n));
        let unit_node = keys.get("unit");
        let scale = match unit_node.and_then(|n| self.text("unit", n)) {
            None if unit_node.is_some() => return None,
            None => {
                self.missing(keys, "unit", "\"ms\"");
                return None;
            }
            Some(unit) => match duration::unit(&unit) {
                Some(scale) => scale,
                None => {
                    let span = unit_node.map_or(keys.span.clone(), |n| n.span());
                    self.error(
                        "unit",
                        span,
                        format!("\"{unit}\" is not a unit of time"),
                        "not known",
                        "write ns, us, ms, s, min, h or d",
                    );
                    return None;
                }
            },
        };
        match (self.files)(&file).and_then(|text| column_values(&text, column.as_deref())) {
            Ok(values) => Some(values.into_iter().map(|v| v * scale).collect()),
            Err(why) => {
                self.error(
                    "samples",
                    node.span(),
                    format!("\"{file}\" cannot be used: {why}"),
                    "cannot be used",
                    "the path is relative to the model file; the file is CSV with a header",
                );
                None
            }
        }
    }

    /// Notes keys that do not go with the chosen form of a law.
    fn no_others(&mut self, what: &str, keys: &Keys<'_>, allowed: &[&str]) {
        for key in keys.table.keys() {
            let name: &str = key.get_ref();
            if keys.section.has(name) && !allowed.contains(&name) {
                let advice = format!("it goes with {}", allowed.join(", "));
                self.error(
                    "law",
                    key.span(),
                    format!("`{name}` does not go with this form of `{what}`"),
                    "not used",
                    advice,
                );
            }
        }
    }

    fn needed<'t>(&mut self, keys: &Keys<'t>, key: &str, example: &str) -> Option<Node<'t>> {
        let node = keys.get(key);
        if node.is_none() {
            self.missing(keys, key, example);
        }
        node
    }

    fn needed_duration(&mut self, keys: &Keys<'_>, key: &str) -> Option<f64> {
        let node = self.needed(keys, key, "\"6ms\"")?;
        self.quantity(key, node, Kind::Duration)
    }

    fn cv(&mut self, keys: &Keys<'_>, least: f64) -> Option<f64> {
        let node = self.needed(keys, "cv", "1.4")?;
        let cv = self.quantity("cv", node, Kind::Number)?;
        self.between("cv", cv, node.span(), least, 100.0)
    }

    fn shape(&mut self, keys: &Keys<'_>, least: f64, most: f64) -> Option<f64> {
        let node = self.needed(keys, "shape", "2.2")?;
        let shape = self.quantity("shape", node, Kind::Number)?;
        if shape == least {
            self.out_of_range("shape", node.span(), &shape.to_string(), &format!("write a shape above {least}"));
            return None;
        }
        self.between("shape", shape, node.span(), least, most)
    }

    fn between(&mut self, key: &str, value: f64, span: Range<usize>, least: f64, most: f64) -> Option<f64> {
        if (least..=most).contains(&value) {
            return Some(value);
        }
        self.out_of_range(key, span, &value.to_string(), &format!("write a number from {least} to {most}"));
        None
    }
}

fn exponential_or_zero(mean: f64) -> Law {
    if mean == 0.0 { Law::constant(0.0) } else { Law::exponential(mean) }
}

fn uniform(min: f64, max: f64) -> Law {
    if min == max { Law::constant(min) } else { Law::Uniform(Uniform { min, max }) }
}

/// The numbers of one column of a CSV text: the named one, or the only one.
pub(super) fn column_values(text: &str, column: Option<&str>) -> Result<Vec<f64>, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|e| e.to_string())?.clone();
    let index = match column {
        Some(name) => headers.iter().position(|h| h == name).ok_or_else(|| {
            format!("it has no column \"{name}\", but {}", headers.iter().collect::<Vec<_>>().join(", "))
        })?,
        None if headers.len() == 1 => 0,
        None => return Err(format!("it has {} columns; say which with `column`", headers.len())),
    };
    let mut values = Vec::new();
    // A file without a header starts with its first value.
    if let (None, Some(first)) = (column, headers.get(index).and_then(|h| h.parse::<f64>().ok())) {
        values.push(first);
    }
    for (line, record) in reader.records().enumerate() {
        let record = record.map_err(|e| e.to_string())?;
        let Some(field) = record.get(index).filter(|f| !f.is_empty()) else { continue };
        match field.parse::<f64>() {
            Ok(value) if value.is_finite() => values.push(value),
            _ => return Err(format!("\"{field}\" in row {} is not a number", line + 2)),
        }
    }
    if values.is_empty() { Err("it holds no value".to_string()) } else { Ok(values) }
}

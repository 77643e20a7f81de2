//! Values of the language: quantities, also uncertain ones, and counts.

use super::reader::{Keys, Node, Reader, describe, shorten};
use crate::system::{Kind, Uncertainty};
use crate::unit::{Mistake, duration, number, price, rate, ratio};
use toml::de::DeValue;

/// The largest count that is read: more of anything is a slip of the finger.
const MOST: f64 = 1e9;

/// Times and rates beyond these bounds are slips too, and would overflow what is made of them.
const LONGEST: f64 = 1e9;

/// Words from elsewhere, and what they are called here.
const SYNONYMS: [(&str, &str); 10] = [
    ("fifo", "fcfs"),
    ("lcfs", "lifo"),
    ("rr", "round-robin"),
    ("least-connections", "least-outstanding"),
    ("jsq", "least-outstanding"),
    ("p2c", "power-of-two"),
    ("deterministic", "constant"),
    ("normal", "lognormal"),
    ("first", "any"),
    ("egalitarian", "ps"),
];

impl Reader<'_> {
    /// A quantity of this kind: text with a unit, `"6ms ± 30%"`, or `{ low, likely, high }`.
    pub(super) fn quantity(&mut self, key: &str, node: Node<'_>, kind: Kind) -> Option<f64> {
        let value = match node.get_ref() {
            DeValue::String(text) => self.text_quantity(key, node, text, kind),
            DeValue::Table(table) if ["low", "likely", "high"].iter().any(|k| table.contains_key(*k)) => {
                self.range(key, node, kind)
            }
            DeValue::Integer(_) | DeValue::Float(_) => self.bare_number(key, node, kind),
            _ => {
                self.wrong_type(key, node, wanted(kind));
                None
            }
        }?;
        self.bounded(key, node, kind, value)
    }

    fn text_quantity(&mut self, key: &str, node: Node<'_>, text: &str, kind: Kind) -> Option<f64> {
        let split = text.split_once('±').or_else(|| text.split_once("+-")).or_else(|| text.split_once("+/-"));
        let parsed = match split {
            None => parse(text, kind).map(|value| (value, None)),
            Some((value, spread)) => parse(value.trim(), kind).and_then(|value| {
                let spread = spread.trim();
                let spread = if spread.ends_with('%') { ratio::parse(spread)? * value } else { parse(spread, kind)? };
                Ok((value, Some(spread.abs())))
            }),
        };
        match parsed {
            Ok((value, spread)) => {
                if let Some(spread) = spread {
                    self.uncertain((value - spread).max(0.0), value, value + spread);
                }
                Some(value)
            }
            Err(mistake) => {
                self.mistake(key, node.span(), &mistake);
                None
            }
        }
    }

    fn range(&mut self, key: &str, node: Node<'_>, kind: Kind) -> Option<f64> {
        let DeValue::Table(table) = node.get_ref() else { return None };
        let mut read = |name: &str| match table.get(name).map(|n| (n, n.get_ref())) {
            Some((inner, DeValue::String(text))) => match parse(text, kind) {
                Ok(value) => Some(value),
                Err(mistake) => {
                    self.mistake(name, inner.span(), &mistake);
                    None
                }
            },
            Some((inner, DeValue::Integer(_) | DeValue::Float(_))) => self.bare_number(name, inner, kind),
            Some((inner, _)) => {
                self.wrong_type(name, inner, wanted(kind));
                None
            }
            None => {
                let advice = format!("add {name}, as in {{ low = …, likely = …, high = … }}");
                self.error("missing", node.span(), format!("`{key}` needs `{name}`"), "not complete", advice);
                None
            }
        };
        let (low, likely, high) = (read("low"), read("likely"), read("high"));
        for name in table.keys() {
            if !["low", "likely", "high"].contains(&name.get_ref().as_ref()) {
                self.unknown_key(
                    name.get_ref(),
                    name.span(),
                    "an uncertain value",
                    ["low", "likely", "high"].into_iter(),
                );
            }
        }
        let (low, likely, high) = (low?, likely?, high?);
        if !(low <= likely && likely <= high) {
            self.error(
                "range",
                node.span(),
                format!("the range of `{key}` is out of order"),
                "low ≤ likely ≤ high",
                "sort the three values",
            );
            return None;
        }
        self.uncertain(low, likely, high);
        Some(likely)
    }

    fn uncertain(&mut self, low: f64, likely: f64, high: f64) {
        let path = self.place.clone();
        self.uncertainties.push(Uncertainty { path, low, likely, high });
    }

    fn bare_number(&mut self, key: &str, node: Node<'_>, kind: Kind) -> Option<f64> {
        let value = float(node.get_ref());
        let text = describe(node.get_ref());
        match (kind, value) {
            (_, None) => {
                self.out_of_range(
                    key,
                    node.span(),
                    &text,
                    "write a number that is not larger than a computer can hold",
                );
                None
            }
            (Kind::Ratio | Kind::Number | Kind::Count, value) => value,
            (Kind::Duration | Kind::Law, _) => {
                self.error(
                    "unit",
                    node.span(),
                    format!("`{key}` has no unit"),
                    "a bare number",
                    format!("write a unit, for example \"{text}ms\""),
                );
                None
            }
            (Kind::Rate, _) => {
                self.error(
                    "unit",
                    node.span(),
                    format!("`{key}` has no unit"),
                    "a bare number",
                    format!("write what it counts by, for example \"{text}/s\""),
                );
                None
            }
            _ => {
                self.error(
                    "unit",
                    node.span(),
                    format!("`{key}` has no unit"),
                    "a bare number",
                    format!("write what it is paid by, for example \"{text}/h\""),
                );
                None
            }
        }
    }

    /// Holds a value to what its kind can mean.
    fn bounded(&mut self, key: &str, node: Node<'_>, kind: Kind, value: f64) -> Option<f64> {
        if value < 0.0 {
            let found = describe(node.get_ref());
            self.out_of_range(key, node.span(), &found, "it cannot fall below zero");
            return None;
        }
        let (highest, advice) = match kind {
            Kind::Ratio => (1.0, "write a ratio from 0 to 1, for example 0.7 or \"70%\""),
            Kind::Duration | Kind::Law => (LONGEST, "write a duration below 30 years"),
            Kind::Rate => (1e15, "write a rate below 1000000G/s"),
            _ => (1e15, "write a smaller number"),
        };
        if !(0.0..=highest).contains(&value) {
            let found = describe(node.get_ref());
            self.out_of_range(key, node.span(), &found, advice);
            return None;
        }
        Some(value)
    }

    /// A whole number of at least `least`.
    pub(super) fn count(&mut self, key: &str, node: Node<'_>, least: u32) -> Option<u32> {
        let value = match node.get_ref() {
            DeValue::Float(_) | DeValue::Boolean(_) => {
                self.wrong_type(key, node, "a whole number");
                return None;
            }
            _ => self.quantity(key, node, Kind::Count)?,
        };
        if value.fract() != 0.0 || !(f64::from(least)..=MOST).contains(&value) {
            let found = describe(node.get_ref());
            self.out_of_range(
                key,
                node.span(),
                &found,
                &format!("write a whole number from {least} to a thousand million"),
            );
            return None;
        }
        Some(value as u32)
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str, node: Node<'_>) -> Option<String> {
        match node.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.wrong_type(key, node, "a text in quotes");
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word(
        &mut self,
        key: &str,
        node: Node<'_>,
        words: &[(&'static str, &'static str)],
    ) -> Option<&'static str> {
        let text = self.text(key, node)?;
        if let Some((word, _)) = words.iter().find(|(word, _)| *word == text) {
            return Some(word);
        }
        let known = |word: &str| words.iter().any(|(w, _)| *w == word);
        let advice = match SYNONYMS.iter().find(|(other, word)| *other == text && known(word)) {
            Some((_, word)) => format!("write \"{word}\""),
            None => crate::system::nearest_advice(&text, words.iter().map(|(word, _)| *word)),
        };
        self.error(
            "word",
            node.span(),
            format!("`{key}` cannot be \"{}\"", shorten(&text)),
            "not one of its words",
            advice,
        );
        None
    }

    /// The items of a list.
    pub(super) fn list<'t>(&mut self, key: &str, node: Node<'t>) -> Option<Vec<Node<'t>>> {
        match node.get_ref() {
            DeValue::Array(items) => Some(items.iter().collect()),
            _ => {
                self.wrong_type(key, node, "a list in brackets [ … ]");
                None
            }
        }
    }

    /// An optional quantity of a table, its place noted for what is uncertain in it.
    pub(super) fn optional(&mut self, keys: &Keys<'_>, key: &str, kind: Kind) -> Option<f64> {
        let node = keys.get(key)?;
        self.within(key, |reader| reader.quantity(key, node, kind))
    }

    /// An optional count of a table.
    pub(super) fn optional_count(&mut self, keys: &Keys<'_>, key: &str, least: u32) -> Option<u32> {
        let node = keys.get(key)?;
        self.within(key, |reader| reader.count(key, node, least))
    }
}

/// A number of the text as a double; `None` when it is not finite.
pub(super) fn float(value: &DeValue<'_>) -> Option<f64> {
    let value = match value {
        DeValue::Integer(number) => match number.radix() {
            10 => number.as_str().parse().ok()?,
            radix => i64::from_str_radix(number.as_str(), radix).ok()? as f64,
        },
        DeValue::Float(number) => number.as_str().parse::<f64>().ok()?,
        _ => return None,
    };
    f64::is_finite(value).then_some(value)
}

/// Reads a text as a quantity of this kind.
pub(super) fn parse(text: &str, kind: Kind) -> Result<f64, Mistake> {
    match kind {
        Kind::Duration | Kind::Law => duration::parse(text),
        Kind::Rate => rate::parse(text),
        Kind::Ratio => ratio::parse(text),
        Kind::Price => price::parse(text),
        Kind::Number | Kind::Count => number::parse(text),
        Kind::Discipline | Kind::Balancer => Err(Mistake::new("a word is wanted", "write one of its words")),
    }
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Duration => "a duration such as \"12ms\"",
        Kind::Rate => "a rate such as \"120/s\"",
        Kind::Ratio => "a ratio such as 0.7 or \"70%\"",
        Kind::Number => "a number",
        Kind::Count => "a whole number",
        Kind::Price => "a price such as \"0.192/h\"",
        Kind::Law => "a duration such as \"6ms\", or a distribution such as { mean = \"6ms\", cv = 1.4 }",
        Kind::Discipline | Kind::Balancer => "a word in quotes",
    }
}

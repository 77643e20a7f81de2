//! Reading a TOML table key by key: what is required, what is optional, and what does not belong there.

use super::diagnostic::{Diagnostic, Severity};
use super::language::Section;
use crate::system::{Path, Uncertainty, nearest_advice};
use crate::unit::Mistake;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with its place.
pub(super) type Node<'t> = &'t Spanned<DeValue<'t>>;

/// Gives the text of a file named in a model, or why it cannot be read.
pub type Files<'f> = &'f dyn Fn(&str) -> Result<String, String>;

/// What is collected while a text is read.
pub(super) struct Reader<'f> {
    pub diagnostics: Vec<Diagnostic>,
    pub uncertainties: Vec<Uncertainty>,
    pub assumptions: Vec<String>,
    pub files: Files<'f>,
    /// Where the piece now read begins in the text.
    pub start: usize,
    /// Where the value now read stands, for the uncertainties.
    pub place: Path,
}

impl<'f> Reader<'f> {
    /// A reader that has read nothing, at a place of the model.
    pub fn at(place: Path, files: Files<'f>) -> Reader<'f> {
        Reader { diagnostics: Vec::new(), uncertainties: Vec::new(), assumptions: Vec::new(), files, start: 0, place }
    }

    /// Notes an error.
    pub fn error(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            code,
            span: span.start + self.start..span.end + self.start,
            message: message.into(),
            label: label.into(),
            advice: advice.into(),
        });
    }

    /// Notes a value whose text is not what it should be.
    pub fn mistake(&mut self, key: &str, span: Range<usize>, mistake: &Mistake) {
        self.error("value", span, format!("`{key}`: {}", mistake.wrong), "cannot be read", mistake.advice.clone());
    }

    /// Notes a value of another type than expected.
    pub fn wrong_type(&mut self, key: &str, node: Node<'_>, wanted: &str) {
        let found = describe(node.get_ref());
        self.error(
            "type",
            node.span(),
            format!("`{key}` is {found}"),
            format!("should be {wanted}"),
            format!("write {wanted}"),
        );
    }

    /// Notes a value outside its range.
    pub fn out_of_range(&mut self, key: &str, span: Range<usize>, found: &str, advice: &str) {
        self.error("range", span, format!("`{key}` is {found}"), "out of range", advice);
    }

    /// Notes a key that is missing from a table.
    pub fn missing(&mut self, keys: &Keys<'_>, key: &str, example: &str) {
        let what = keys.section.name;
        let advice = format!("add {key} = {example}");
        self.error(
            "missing",
            keys.span.clone(),
            format!("{what} needs `{key}`"),
            format!("`{key}` is missing"),
            advice,
        );
    }

    /// The keys of a table value; notes anything else.
    pub fn table<'t>(&mut self, key: &str, node: Node<'t>, section: &'static Section) -> Option<Keys<'t>> {
        match node.get_ref() {
            DeValue::Table(table) => Some(self.keys(table, node.span(), section)),
            _ => {
                self.wrong_type(key, node, "a table in braces { … }");
                None
            }
        }
    }

    /// The keys of a table; notes those that do not belong there.
    pub fn keys<'t>(&mut self, table: &'t DeTable<'t>, span: Range<usize>, section: &'static Section) -> Keys<'t> {
        for key in table.keys() {
            if !section.has(key.get_ref()) {
                self.unknown_key(key.get_ref(), key.span(), section.name, section.keys.iter().map(|k| k.name));
            }
        }
        Keys { table, span, section }
    }

    /// Notes a key that does not belong where it stands.
    pub fn unknown_key<'a>(
        &mut self,
        key: &str,
        span: Range<usize>,
        what: &str,
        known: impl Iterator<Item = &'a str> + Clone,
    ) {
        let advice = nearest_advice(key, known);
        self.error("unknown-key", span, format!("{what} has no key \"{}\"", shorten(key)), "not known", advice);
    }

    /// Reads something with the place moved one word down.
    pub fn within<T>(&mut self, word: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let down = self.place.join(word);
        let up = std::mem::replace(&mut self.place, down);
        let value = read(self);
        self.place = up;
        value
    }
}

/// The keys of one table.
pub(super) struct Keys<'t> {
    pub table: &'t DeTable<'t>,
    pub span: Range<usize>,
    pub section: &'static Section,
}

impl<'t> Keys<'t> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Node<'t>> {
        debug_assert!(self.section.has(key), "{key} is not in the table of {}", self.section.name);
        self.table.get(key)
    }

    /// Whether a key is there.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

/// A value in a few words for a message.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{}\"", shorten(text)),
        DeValue::Integer(number) => shorten(number.as_str()),
        DeValue::Float(number) => shorten(number.as_str()),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_string(),
        DeValue::Array(_) => "a list".to_string(),
        DeValue::Table(_) => "a table".to_string(),
    }
}

/// A text short enough for a message, on one line.
pub(super) fn shorten(text: &str) -> String {
    let clean: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > 60 { format!("{clean}…") } else { clean }
}

//! From a path in a system back to the place in the text.

use crate::system::Path;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The bytes of the value at a path; of the deepest part of it that stands in the text.
///
/// For a named table it is the name in its header, so that a whole section is not underlined.
pub(super) fn locate(root: &DeTable<'_>, path: &Path) -> Range<usize> {
    let words = path.words();
    let mut span = 0..0;
    let mut at: Option<&Spanned<DeValue<'_>>> = None;
    let mut table = Some(root);
    let mut i = 0;
    while i < words.len() {
        let word = words[i];
        if let Some(entries) = table {
            if let Some((key, value)) = entries.get_key_value(word) {
                // The last word of a table's path is shown at its key, that of a plain value at the value.
                span = match value.get_ref() {
                    DeValue::Table(_) if i + 1 == words.len() => key.span(),
                    _ => value.span(),
                };
                at = Some(value);
            } else if word == "steps" {
                // The short form of an operation: step 0 is its work, the others its calls.
                let step = words.get(i + 1).and_then(|w| w.parse::<usize>().ok());
                return short_form(entries, step).unwrap_or(span);
            } else {
                break;
            }
        } else if let Some(DeValue::Array(items)) = at.map(Spanned::get_ref) {
            let Some(item) = word.parse::<usize>().ok().and_then(|n| items.get(n)) else { break };
            span = item.span();
            at = Some(item);
        } else {
            // A branch of `parallel` written as a bare step stands for a list of one.
            break;
        }
        table = match at.map(Spanned::get_ref) {
            Some(DeValue::Table(entries)) => Some(entries),
            _ => None,
        };
        // A bare step as a branch: the index into its list of one is skipped.
        if table.is_some() && words.get(i + 1) == Some(&"0") && i > 1 && words[i - 1] == "parallel" {
            i += 1;
        }
        i += 1;
    }
    span
}

fn short_form(operation: &DeTable<'_>, step: Option<usize>) -> Option<Range<usize>> {
    let step = step?;
    let has_work = operation.contains_key("work");
    if step == 0 && has_work {
        return operation.get("work").map(Spanned::span);
    }
    match operation.get("calls").map(Spanned::get_ref) {
        Some(DeValue::Array(calls)) => calls.get(step - usize::from(has_work)).map(Spanned::span),
        _ => None,
    }
}

//! A large text as trees of TOML one after the other: the parser takes forty times the memory of what it parses.

use super::locate;
use crate::system::Path;
use std::collections::HashSet;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Bytes of a piece, at least.
const SIZE: usize = 256 * 1024;

/// Tables of named tables, which may stand in several pieces.
const NAMED: [&str; 6] = ["service", "external", "pool", "cache", "workload", "scenario"];

/// A part of a text that is TOML by itself.
pub(super) struct Piece<'t> {
    /// Where it begins in the text; the places of its values count from there.
    pub start: usize,
    pub table: DeTable<'t>,
    /// Whether it is all of the text.
    pub whole: bool,
}

impl Piece<'_> {
    /// The bytes of the text at a path of the model.
    pub fn locate(&self, path: &Path) -> Range<usize> {
        let span = locate::locate(&self.table, path);
        span.start + self.start..span.end + self.start
    }

    /// How many of the first two words of a path stand here.
    fn depth(&self, path: &Path) -> usize {
        let words = path.words();
        match words.first().and_then(|key| self.table.get(*key)).map(|value| value.get_ref()) {
            None => 0,
            Some(DeValue::Table(entries)) if words.get(1).is_some_and(|name| entries.contains_key(*name)) => 2,
            Some(_) => 1,
        }
    }
}

/// The pieces of a text, one parsed after the other. `None` stands for one that is not right by itself: the text has to
/// be parsed as a whole then, for the parser to judge.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Option<Piece<'_>>> {
    let starts = starts(text);
    let mut seen = HashSet::new();
    (0..starts.len()).map(move |i| {
        let (start, end) = (starts[i], starts.get(i + 1).copied().unwrap_or(text.len()));
        let table = DeTable::parse(&text[start..end]).ok()?.into_inner();
        stands_alone(&table, &mut seen).then_some(Piece { start, table, whole: starts.len() == 1 })
    })
}

/// The whole text as one piece, with what could be understood of it.
pub(super) fn whole(text: &str) -> (Piece<'_>, Vec<toml::de::Error>) {
    let (root, errors) = DeTable::parse_recoverable(text);
    (Piece { start: 0, table: root.into_inner(), whole: true }, errors)
}

/// The bytes of a text at paths of the model.
pub(super) fn locate_all(text: &str, paths: &[&Path]) -> Vec<Range<usize>> {
    let mut places = vec![(0, 0..0); paths.len()];
    for piece in pieces(text) {
        let Some(piece) = piece else {
            let (whole, _) = whole(text);
            return paths.iter().map(|path| whole.locate(path)).collect();
        };
        for (place, path) in places.iter_mut().zip(paths) {
            let depth = piece.depth(path);
            if depth > place.0 {
                *place = (depth, piece.locate(path));
            }
        }
    }
    places.into_iter().map(|(_, place)| place).collect()
}

/// Where the pieces of a text begin: a large one may be cut where another service begins.
fn starts(text: &str) -> Vec<usize> {
    let mut starts = vec![0];
    let mut before = "";
    for (end, header) in text.match_indices("\n[service.") {
        let rest = &text[end + header.len()..];
        let name = &rest[..rest.find(['.', ']', '\n']).unwrap_or(rest.len())];
        if name != before && end + 1 >= starts[starts.len() - 1] + SIZE {
            starts.push(end + 1);
        }
        before = name;
    }
    starts
}

/// Whether nothing of a table stood in a table before.
fn stands_alone(table: &DeTable<'_>, seen: &mut HashSet<(String, String)>) -> bool {
    table.iter().all(|(key, value)| match value.get_ref() {
        DeValue::Table(entries) if NAMED.contains(&key.get_ref().as_ref()) => {
            entries.keys().all(|name| seen.insert((key.get_ref().to_string(), name.get_ref().to_string())))
        }
        _ => seen.insert((key.get_ref().to_string(), String::new())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(from: usize, to: usize) -> String {
        let one = |i: usize| format!("[service.s{i}]\ninstances = 2\n[service.s{i}.operations.run]\nwork = \"1ms\"\n");
        (from..to).map(one).collect()
    }

    #[test]
    fn pieces_are_as_good_as_the_whole() {
        let text = format!("[model]\nname = \"large\"\n{}[workload.w]\nentry = \"s1.run\"\n", services(0, 20_000));
        let parts: Vec<Piece<'_>> = pieces(&text).map(Option::unwrap).collect();
        assert!(parts.len() > 3);
        let (whole, errors) = whole(&text);
        assert!(errors.is_empty());
        let paths =
            ["model.name", "service.s3", "service.s19999.instances", "workload.w.entry", "workload.x", "nothing"]
                .map(Path::parse);
        let together: Vec<Range<usize>> = paths.iter().map(|path| whole.locate(path)).collect();
        assert_eq!(locate_all(&text, &paths.each_ref()), together);
    }

    #[test]
    fn what_stands_in_two_pieces_is_for_the_parser() {
        let large = services(0, 20_000);
        let again = format!("{large}[service.s0]\ninstances = 3\n");
        let lists = format!("[[objective]]\np95 = \"1s\"\n{large}[[objective]]\np95 = \"2s\"\n");
        let quoted = format!("[model]\ndescription = \"\"\"\n{large}\"\"\"\n");
        for (text, wrong) in [(again, true), (lists, false), (quoted, false)] {
            assert!(pieces(&text).any(|piece| piece.is_none()));
            assert_eq!(!whole(&text).1.is_empty(), wrong);
        }
    }
}

//! A text as trees of TOML: a large one in pieces, because the parser takes forty times the memory of what it parses at
//! once.

use super::locate;
use super::reader::Node;
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
}

/// The pieces of a text, in order.
pub(super) struct Pieces<'t>(Vec<Piece<'t>>);

impl<'t> Pieces<'t> {
    /// Parses a text; with errors what could be understood.
    pub fn parse(text: &'t str) -> (Pieces<'t>, Vec<toml::de::Error>) {
        if let Some(pieces) = Pieces::apart(text) {
            return (pieces, Vec::new());
        }
        let (root, errors) = DeTable::parse_recoverable(text);
        (Pieces(vec![Piece { start: 0, table: root.into_inner() }]), errors)
    }

    /// The pieces of a large text between headers of services; `None` when it does not fall apart so, by what it means
    /// or because something is wrong with it.
    fn apart(text: &'t str) -> Option<Pieces<'t>> {
        let mut starts = vec![0];
        for (end, _) in text.match_indices("\n[service.") {
            if end + 1 >= starts[starts.len() - 1] + SIZE {
                starts.push(end + 1);
            }
        }
        if starts.len() == 1 {
            return None;
        }
        let mut pieces = Vec::with_capacity(starts.len());
        for (i, &start) in starts.iter().enumerate() {
            let end = starts.get(i + 1).copied().unwrap_or(text.len());
            pieces.push(Piece { start, table: DeTable::parse(&text[start..end]).ok()?.into_inner() });
        }
        // What stands in two pieces is for the parser to judge.
        let mut seen = HashSet::new();
        for piece in &pieces {
            for (key, value) in &piece.table {
                let apart = match value.get_ref() {
                    DeValue::Table(entries) if NAMED.contains(&key.get_ref().as_ref()) => {
                        entries.keys().all(|name| seen.insert((key.get_ref().as_ref(), name.get_ref().as_ref())))
                    }
                    _ => seen.insert((key.get_ref().as_ref(), "")),
                };
                if !apart {
                    return None;
                }
            }
        }
        Some(Pieces(pieces))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Piece<'t>> {
        self.0.iter()
    }

    /// The values of a key of the root, with the beginnings of their pieces.
    pub fn all(&self, key: &str) -> impl Iterator<Item = (usize, Node<'_>)> {
        self.0.iter().filter_map(move |piece| Some((piece.start, piece.table.get(key)?)))
    }

    /// The bytes of the text at a path of the model.
    pub fn locate(&self, path: &Path) -> Range<usize> {
        let words = path.words();
        let named = |piece: &&Piece<'t>| match words.first().and_then(|key| piece.table.get(*key)).map(|v| v.get_ref())
        {
            Some(DeValue::Table(entries)) => words.get(1).is_none_or(|name| entries.contains_key(*name)),
            value => value.is_some(),
        };
        let Some(piece) = self.0.iter().find(named).or(self.0.first()) else { return 0..0 };
        let span = locate::locate(&piece.table, path);
        span.start + piece.start..span.end + piece.start
    }
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
        let (pieces, errors) = Pieces::parse(&text);
        assert!(errors.is_empty() && pieces.0.len() > 3);
        let (whole, _) = DeTable::parse_recoverable(&text);
        for path in
            ["model.name", "service.s3", "service.s19999.instances", "workload.w.entry", "workload.x", "nothing"]
        {
            let path = Path::parse(path);
            assert_eq!(pieces.locate(&path), locate::locate(whole.get_ref(), &path), "{path}");
        }
        assert_eq!(pieces.all("service").count(), pieces.0.len());
    }

    #[test]
    fn what_stands_in_two_pieces_is_read_at_once() {
        let large = services(0, 20_000);
        let again = format!("{large}[service.s0]\ninstances = 3\n");
        let lists = format!("[[objective]]\np95 = \"1s\"\n{large}[[objective]]\np95 = \"2s\"\n");
        let quoted = format!("[model]\ndescription = \"\"\"\n{large}\"\"\"\n");
        for (text, wrong) in [(again, true), (lists, false), (quoted, false)] {
            let (pieces, errors) = Pieces::parse(&text);
            assert_eq!((pieces.0.len(), errors.is_empty()), (1, !wrong));
        }
    }
}

//! Paths into a model: `workload.shoppers.rate`, `service.orders.operations.place.steps.0.work`.

use std::fmt;

/// Where something stands in a model, as dotted words; words with a dot in them are quoted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Path {
    words: Vec<String>,
}

impl Path {
    /// Reads a dotted path; quotes keep a dot inside a word: `service."a.b".cores`.
    pub fn parse(text: &str) -> Path {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in text.trim().chars() {
            match c {
                '"' => quoted = !quoted,
                '.' if !quoted => words.push(String::new()),
                '[' if !quoted => words.push(String::new()),
                ']' if !quoted => {}
                c => {
                    if let Some(word) = words.last_mut() {
                        word.push(c);
                    }
                }
            }
        }
        Path { words }
    }

    /// A path of these words.
    pub fn of(words: &[&str]) -> Path {
        Path { words: words.iter().map(|w| (*w).to_string()).collect() }
    }

    /// This path and one word more.
    pub fn join(&self, word: impl fmt::Display) -> Path {
        let mut words = self.words.clone();
        words.push(word.to_string());
        Path { words }
    }

    /// The path without its last word; `None` for the root.
    pub fn parent(&self) -> Option<Path> {
        let (_, rest) = self.words.split_last()?;
        Some(Path { words: rest.to_vec() })
    }

    /// Its words.
    pub fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.words.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            if word.contains('.') { write!(f, "\"{word}\"")? } else { f.write_str(word)? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        for text in ["workload.w.rate", "service.\"a.b\".cores", "objective.0.p95"] {
            assert_eq!(Path::parse(text).to_string(), text);
        }
        assert_eq!(Path::parse("a[2].b").words(), ["a", "2", "b"]);
    }
}

//! What is wrong with a text, where, and what to write instead.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};
use std::ops::Range;

pub use crate::system::check::Severity;

/// A diagnostic with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A short word for its kind; `docs/diagnostics.md` explains each.
    pub code: &'static str,
    /// Bytes of the text that are underlined.
    pub span: Range<usize>,
    /// What is wrong, as one line.
    pub message: String,
    /// What stands under the underlined text.
    pub label: String,
    /// What to write instead.
    pub advice: String,
}

/// More than so many are counted, not shown: the first ones explain the rest.
const MOST_SHOWN: usize = 50;

/// How diagnostics look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Colours, for a terminal.
    pub color: bool,
    /// Width in columns; 100 where unknown.
    pub width: Option<usize>,
}

/// Prints diagnostics with the text they are about.
pub fn render(diagnostics: &[Diagnostic], source: &str, name: &str, style: Style) -> String {
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(style.width.unwrap_or(100)).decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics.iter().take(MOST_SHOWN) {
        out.push_str(&renderer.render(&[group(diagnostic, source, name)]));
        out.push_str("\n\n");
    }
    if diagnostics.len() > MOST_SHOWN {
        out.push_str(&format!("… and {} more\n\n", diagnostics.len() - MOST_SHOWN));
    }
    out
}

fn group<'a>(diagnostic: &'a Diagnostic, source: &'a str, name: &'a str) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let span = clip(&diagnostic.span, source);
    let annotation = AnnotationKind::Primary.span(span).label(diagnostic.label.as_str());
    let group = title.element(Snippet::source(source).path(name).fold(true).annotation(annotation));
    if diagnostic.advice.is_empty() { group } else { group.element(Level::HELP.message(diagnostic.advice.as_str())) }
}

/// The span within one line of the text and on character boundaries: what an underline can show.
fn clip(span: &Range<usize>, source: &str) -> Range<usize> {
    let mut start = span.start.min(source.len());
    while !source.is_char_boundary(start) {
        start -= 1;
    }
    let line_end = source[start..].find(['\n', '\r']).map_or(source.len(), |at| start + at);
    let mut end = span.end.clamp(start, line_end);
    while !source.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// Line and column of a byte, both from 1.
pub fn line_and_column(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..clip(&(at..at), source).start];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |text| text.chars().count()) + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_shows_place_reason_and_way_out() {
        let source = "[service.web]\ninstanses = 3\n";
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            code: "unknown-key",
            span: 14..23,
            message: "a service has no key \"instanses\"".into(),
            label: "not known".into(),
            advice: "did you mean \"instances\"?".into(),
        };
        let text = render(&[diagnostic], source, "shop.toml", Style::default());
        assert!(text.contains("error[unknown-key]: a service has no key"), "{text}");
        assert!(text.contains("shop.toml:2:1") && text.contains("^^^^^^^^^ not known"), "{text}");
        assert!(text.contains("did you mean \"instances\"?"), "{text}");
    }

    #[test]
    fn spans_outside_the_text_or_inside_a_character_do_not_panic() {
        for span in [0..99, 99..200, 1..2] {
            let diagnostic = Diagnostic {
                severity: Severity::Warning,
                code: "x",
                span,
                message: String::new(),
                label: String::new(),
                advice: String::new(),
            };
            render(&[diagnostic], "µ\n", "m", Style::default());
        }
    }
}

//! What is printed, as text: pure functions from data to strings with styles in them.
//!
//! Recorded text is cleaned here, before it is measured and painted.

mod bar;
pub(crate) mod config;
pub(crate) mod corpus;
pub(crate) mod diff;
mod exchange;
pub(crate) mod faults;
pub(crate) mod flows;
mod head;
pub(crate) mod list;
pub(crate) mod replay;
mod rows;
pub(crate) mod simulate;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod timeline;
pub(crate) mod top;
pub(crate) mod why;

use anstyle::Style;
use zerver_analysis::display as value;
pub(crate) use zerver_tui::width;

/// The text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{style}{text}{style:#}") }
}

/// The text cut to so many columns, with an ellipsis where something is missing.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    zerver_tui::fit(text, columns, "…")
}

/// The text in lines of so many columns, broken between words; a word that is longer stays whole.
pub(crate) fn fold(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The same, with words that are longer broken too.
pub(crate) fn broken(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in fold(text, columns) {
        let mut rest = line.as_str();
        while width(rest) > columns {
            let (piece, more) = rest.split_at(zerver_tui::prefix(rest, columns).len());
            lines.push(piece.to_owned());
            rest = more;
        }
        lines.push(rest.to_owned());
    }
    lines
}

/// So many spaces as a text lacks to take `columns`.
pub(crate) fn filler(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text)))
}

/// `1 call`, `2 calls`.
pub(crate) fn count(n: u64, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_folded_between_words() {
        assert_eq!(fold("a bc def", 4), ["a bc", "def"]);
        assert_eq!(fold("longer than it", 4), ["longer", "than", "it"]);
        assert_eq!(fold("", 4), [""]);
        assert_eq!(fold("a b", usize::MAX), ["a b"]);
        assert_eq!(broken("a longer one", 4), ["a", "long", "er", "one"]);
        assert_eq!(broken("漢字漢", 3), ["漢", "字", "漢"]);
        assert_eq!(broken("漢x", 0), ["漢", "x", ""]);
    }

    #[test]
    fn texts_are_cut_by_columns_not_by_bytes() {
        for (text, columns, wanted) in [
            ("todo", 4, "todo"),
            ("todos", 4, "tod…"),
            ("漢字漢字", 8, "漢字漢字"),
            ("漢字漢字", 7, "漢字漢…"),
            ("漢字漢字", 6, "漢字…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            let got = fit(text, columns);
            assert_eq!(got, wanted);
            assert!(width(&got) <= columns);
        }
    }
}

//! Text: styled, truncated, folded and counted.

use anstyle::Style;
pub(crate) use zerver_tui::width;

/// Returns the text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{style}{text}{style:#}") }
}

/// Truncates the text to a number of columns, with an ellipsis.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    zerver_tui::fit(text, columns, "…")
}

/// Breaks the text between words into lines of a number of columns. Longer words are kept whole.
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

/// Breaks the text into lines of a number of columns. Longer words are broken too.
pub(crate) fn fold_words(text: &str, columns: usize) -> Vec<String> {
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

/// Returns the spaces that fill a text up to a number of columns.
pub(crate) fn fill(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text)))
}

/// Returns `1 call`, `2 calls`, `1,204 calls`.
pub(crate) fn count(n: u64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { more })
}

/// Returns a number with commas between groups of three digits.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// Formats a size, such as `1.5 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..1_024 => format!("{n} B"),
        1_024..1_048_576 => format!("{:.1} KiB", n as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", n as f64 / 1_048_576.0),
        _ => format!("{:.2} GiB", n as f64 / 1_073_741_824.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_folded_between_words() {
        assert_eq!(fold("a bc def", 4), ["a bc", "def"]);
        assert_eq!(fold("longer than it", 4), ["longer", "than", "it"]);
        assert_eq!(fold("", 4), [""]);
        assert_eq!(fold("a b", usize::MAX), ["a b"]);
        assert_eq!(fold_words("a longer one", 4), ["a", "long", "er", "one"]);
        assert_eq!(fold_words("漢字漢", 3), ["漢", "字", "漢"]);
        assert_eq!(fold_words("漢x", 0), ["漢", "x", ""]);
    }

    #[test]
    fn counts_are_grouped_and_have_a_plural() {
        let calls = |n| count(n, "call", "calls");
        assert_eq!([calls(0), calls(1), calls(999)], ["0 calls", "1 call", "999 calls"]);
        assert_eq!([calls(1_000), calls(1_053_980)], ["1,000 calls", "1,053,980 calls"]);
    }

    #[test]
    fn text_is_truncated_by_columns_not_by_bytes() {
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

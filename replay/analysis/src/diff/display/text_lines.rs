//! Compares two texts line by line, and changed lines word by word.

use similar::{ChangeTag, TextDiff};

/// Maximum length compared, in bytes, from the first difference on.
const MAX_LEN: usize = 8 * 1024;
/// Maximum context before the first difference in its line, in bytes.
const MAX_BEFORE: usize = 256;

/// A line that is in two texts or in one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLine {
    /// True if the first text has it.
    pub in_a: bool,
    /// True if the second text has it.
    pub in_b: bool,
    /// Parts without the line break, each with true if it changed.
    pub parts: Vec<(bool, String)>,
}

/// Returns the lines of two texts with their changed parts marked. Texts over 8 KiB are cut to that length, starting at
/// the first line that differs.
pub fn changed_lines(a: &str, b: &str) -> Vec<TextLine> {
    changed_lines_after(a, b).1
}

/// Returns the number of equal lines that [`changed_lines`] leaves out before its first line, and its result.
pub(crate) fn changed_lines_after(a: &str, b: &str) -> (usize, Vec<TextLine>) {
    let from = if a.len().max(b.len()) > MAX_LEN && a != b { differing(a, b) } else { 0 };
    let left_out = a[..from].matches('\n').count();
    let (a, b) = (start(&a[from..]), start(&b[from..]));
    let diff = TextDiff::from_lines(a, b);
    let ops = diff.ops().iter();
    let lines = ops
        .flat_map(|op| diff.iter_inline_changes(op).collect::<Vec<_>>())
        .map(|change| TextLine {
            in_a: change.tag() != ChangeTag::Insert,
            in_b: change.tag() != ChangeTag::Delete,
            parts: change
                .iter_strings_lossy()
                .map(|(changed, part)| (changed, part.trim_end_matches(['\n', '\r']).to_owned()))
                .filter(|(_, part)| !part.is_empty())
                .collect(),
        })
        .collect();
    (left_out, lines)
}

/// Returns the start of the first line that differs, or a point closer to the difference.
fn differing(a: &str, b: &str) -> usize {
    let same = std::iter::zip(a.bytes(), b.bytes()).take_while(|(a, b)| a == b).count();
    let same = a.floor_char_boundary(same);
    let line = a[..same].rfind('\n').map_or(0, |at| at + 1);
    a.ceil_char_boundary(line.max(same.saturating_sub(MAX_BEFORE))).min(same)
}

fn start(text: &str) -> &str {
    let mut end = text.len().min(MAX_LEN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, wanted: &str) {
        let show = |line: &TextLine| {
            let mark = match (line.in_a, line.in_b) {
                (true, true) => ' ',
                (true, false) => '-',
                _ => '+',
            };
            let parts: Vec<String> = line
                .parts
                .iter()
                .map(|(changed, part)| if *changed { format!("<{part}>") } else { part.clone() })
                .collect();
            format!("{mark}{}\n", parts.concat())
        };
        let got: String = changed_lines(a, b).iter().map(show).collect();
        assert_eq!(got, wanted);
    }

    #[test]
    fn changed_words_of_a_line_are_marked() {
        check("buy some milk\nend\n", "buy some bread\nend\n", "-buy some <milk>\n+buy some <bread>\n end\n");
        check("", "new", "+new\n");
        check("same", "same", " same\n");
        let long = "ü".repeat(10_000);
        assert_eq!(changed_lines(&long, &long).len(), 1);
        // However far away the difference is.
        let lines = "a line\n".repeat(10_000);
        check(&format!("{lines}one"), &format!("{lines}two"), "-one\n+two\n");
        let (a, b) = (format!("{long} one"), format!("{long} two"));
        let seen: Vec<_> = changed_lines(&a, &b).into_iter().flat_map(|line| line.parts).collect();
        assert!(seen.iter().any(|(changed, part)| *changed && part == "two"), "{seen:?}");
    }
}

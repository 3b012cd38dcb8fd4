//! Two texts compared line by line, and within lines that changed word by word.

use similar::{ChangeTag, TextDiff};

/// Of longer texts the start is compared.
const MAX_LEN: usize = 8 * 1024;

/// A line of two texts, or of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLine {
    /// Whether the first text has it.
    pub in_a: bool,
    /// Whether the second text has it.
    pub in_b: bool,
    /// Its parts, without the line's end, and for each whether it is what changed.
    pub parts: Vec<(bool, String)>,
}

/// The lines of two texts: those of both, and those that only one has, with what changed in them. Only the first 8 KiB
/// of each count.
pub fn changed_lines(a: &str, b: &str) -> Vec<TextLine> {
    let (a, b) = (start(a), start(b));
    let diff = TextDiff::from_lines(a, b);
    let ops = diff.ops().iter();
    ops.flat_map(|op| diff.iter_inline_changes(op).collect::<Vec<_>>())
        .map(|change| TextLine {
            in_a: change.tag() != ChangeTag::Insert,
            in_b: change.tag() != ChangeTag::Delete,
            parts: change
                .iter_strings_lossy()
                .map(|(changed, part)| (changed, part.trim_end_matches(['\n', '\r']).to_owned()))
                .filter(|(_, part)| !part.is_empty())
                .collect(),
        })
        .collect()
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
    fn what_changed_in_a_line_is_marked() {
        check("buy some milk\nend\n", "buy some bread\nend\n", "-buy some <milk>\n+buy some <bread>\n end\n");
        check("", "new", "+new\n");
        check("same", "same", " same\n");
        let long = "ü".repeat(10_000);
        assert_eq!(changed_lines(&long, &long).len(), 1);
    }
}

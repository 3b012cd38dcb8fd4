//! Shows both sides of a difference so that they never look alike: the first difference is visible, however narrow the
//! space.

use zerver_trace::text::clean;
use zerver_trace::{Node, Recorded, Value};

use crate::value::display;
use crate::{RecordedJson, ReportedValue};

/// Text for a second secret that differs from the first.
const OTHER_SECRET: &str = "●●●● (another secret)";

/// Splits a text into parts that must stay whole. For each part: its end in bytes, and its width in columns.
pub type Clusters = fn(&str) -> Vec<(usize, usize)>;

/// Measures a text by characters of one column each.
pub fn characters(text: &str) -> Vec<(usize, usize)> {
    text.char_indices().map(|(at, c)| (at + c.len_utf8(), 1)).collect()
}

/// Cuts two different texts to the given columns so that their first difference stays visible, with as much context
/// before it as fits. `ellipsis` marks what was cut. The results are safe for a terminal if the texts were.
pub fn side_by_side(
    a: &str,
    b: &str,
    columns: (usize, usize),
    ellipsis: &str,
    clusters: Clusters,
) -> (String, String) {
    let width = |text: &str| width(text, clusters);
    let start = |text: &str, columns| start(text, columns, clusters);
    let fit = |text: &str, columns, ellipsis| fit(text, columns, ellipsis, clusters);
    let narrow = columns.0.min(columns.1);
    if width(a) <= columns.0 && width(b) <= columns.1 {
        return (a.to_owned(), b.to_owned());
    }
    let same = common_prefix(a, b);
    let before = if same == a.len() && same == b.len() { 0 } else { same };
    // There must be room for the differing character, the next one and an ellipsis. Room that the rest does not need
    // goes to the context before it.
    let rest = width(&a[before..]).max(width(&b[before..]));
    let context = (narrow / 3).max(narrow.saturating_sub(width(ellipsis).saturating_add(rest)));
    let from = if width(&a[..before]) <= narrow / 2 { 0 } else { start(&a[..before], context) };
    let side = |text: &str, columns| {
        let lead = if from > 0 { ellipsis } else { "" };
        fit(&format!("{lead}{}", &text[from..]), columns, ellipsis)
    };
    let cut = (side(a, columns.0), side(b, columns.1));
    if cut.0 != cut.1 || a == b {
        return cut;
    }
    // In a very narrow space, show only what differs.
    let rest = |text: &str| text[same..].chars().take(narrow.max(1)).collect::<String>();
    match (rest(a), rest(b)) {
        (a, b) if a != b => (a, b),
        _ => (a.to_owned(), b.to_owned()),
    }
}

/// Returns both sides of a finding, safe for a terminal.
pub fn finding_sides(a: &ReportedValue, b: &ReportedValue) -> (String, String) {
    let plain = |side: &ReportedValue| clean(&side.to_string()).into_owned();
    let exact = |side: &ReportedValue| match side {
        ReportedValue::Value(value) => value.root().to_exact_text(),
        ReportedValue::Text(text) => Node::Str(text).to_exact_text(),
        ReportedValue::Absent | ReportedValue::Secret => side.to_string(),
    };
    distinguish((plain(a), plain(b)), || (exact(a), exact(b)))
}

/// Returns both sides of a difference; `plain` are the usual texts.
pub fn json_sides(
    a: Option<&RecordedJson>,
    b: Option<&RecordedJson>,
    plain: (String, String),
) -> (String, String) {
    let exact = |side: Option<&RecordedJson>| match side {
        None => "nothing".to_owned(),
        Some(RecordedJson::Masked) => display::SECRET.to_owned(),
        Some(RecordedJson::Value(recorded) | RecordedJson::Wire(recorded)) => {
            match Recorded::value(recorded).map(Value::root) {
                Some(root) => root.to_exact_text(),
                None => display::value(recorded),
            }
        }
    };
    distinguish(plain, || (exact(a), exact(b)))
}

/// Returns the plain texts if they differ, and the exact ones otherwise.
fn distinguish(plain: (String, String), exact: impl FnOnce() -> (String, String)) -> (String, String) {
    if plain.0 != plain.1 {
        return plain;
    }
    let (a, b) = exact();
    match a == b && a == display::SECRET {
        true => (a, OTHER_SECRET.to_owned()),
        false => (a, b),
    }
}

/// Returns the length of the common prefix, in bytes.
fn common_prefix(a: &str, b: &str) -> usize {
    let pairs = std::iter::zip(a.char_indices(), b.chars());
    pairs.take_while(|((_, a), b)| a == b).last().map_or(0, |((at, c), _)| at + c.len_utf8())
}

/// Returns where the last `columns` columns of a text begin.
fn start(text: &str, columns: usize, clusters: Clusters) -> usize {
    let mut left = columns;
    let mut from = text.len();
    let all = clusters(text);
    for (at, (_, wide)) in all.iter().enumerate().rev() {
        match left.checked_sub(*wide) {
            Some(less) => (left, from) = (less, at.checked_sub(1).map_or(0, |before| all[before].0)),
            None => break,
        }
    }
    from
}

fn width(text: &str, clusters: Clusters) -> usize {
    clusters(text).iter().map(|(_, wide)| wide).sum()
}

/// Returns the start of a text, with an ellipsis if it was cut.
fn fit(text: &str, columns: usize, ellipsis: &str, clusters: Clusters) -> String {
    if width(text, clusters) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(ellipsis, clusters));
    let mut taken = 0;
    let fitting = clusters(text).into_iter().take_while(|(_, wide)| {
        taken += wide;
        taken <= room
    });
    let mut out = text[..fitting.last().map_or(0, |(end, _)| end)].to_owned();
    if columns > 0 {
        out.push_str(ellipsis);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clusters(text: &str) -> Vec<(usize, usize)> {
        let columns = |c: char| if ('\u{1100}'..='\u{ffff}').contains(&c) && c != '…' { 2 } else { 1 };
        text.char_indices().map(|(at, c)| (at + c.len_utf8(), columns(c))).collect()
    }

    fn check(a: &str, b: &str, columns: usize, wanted: (&str, &str)) {
        let (a, b) = side_by_side(a, b, (columns, columns), "…", clusters);
        assert_eq!((a.as_str(), b.as_str()), wanted);
    }

    #[test]
    fn the_difference_is_visible() {
        check("a", "b", 5, ("a", "b"));
        check("the same until here: one", "the same until here: two", 12, ("…l here: one", "…l here: two"));
        check("one and more of it", "two and more of it", 8, ("one and…", "two and…"));
        check("abc…", "abcdef", 4, ("…c…", "…cd…"));
        check("0123456789", "0123456789abc", 8, ("…6789", "…6789abc"));
        check("漢字漢字漢字漢字a", "漢字漢字漢字漢字b", 7, ("…漢字a", "…漢字b"));
        check("same", "same", 3, ("sa…", "sa…"));
    }

    #[test]
    fn sides_that_print_alike_are_distinguished() {
        let value = |node: Node<'_>| {
            let mut encoder = zerver_trace::value::Encoder::new();
            encoder.node(&node, &mut |_| None).unwrap();
            ReportedValue::Value(encoder.finish().unwrap())
        };
        let nothing = || value(Node::None);
        for (a, b, wanted) in [
            (value(Node::Uint(1)), value(Node::Str("1")), ("1", "\"1\"")),
            (nothing(), value(Node::Some(Box::new(Node::None))), ("none", "some(none)")),
            (value(Node::F32(0.1)), value(Node::F64(0.1)), ("0.1f32", "0.1")),
            (nothing(), ReportedValue::text("none"), ("none", "\"none\"")),
            (ReportedValue::Absent, ReportedValue::text("nothing"), ("nothing", "\"nothing\"")),
            (ReportedValue::text("\u{1b}"), ReportedValue::text("\\u{1b}"), ("\"\\u{1b}\"", "\"\\\\u{1b}\"")),
            (value(Node::Bytes(b"\xff")), value(Node::Bytes(b"\\xff")), ("b\"\\xff\"", "b\"\\\\xff\"")),
            (ReportedValue::Secret, ReportedValue::Secret, (display::SECRET, OTHER_SECRET)),
        ] {
            let (a, b) = finding_sides(&a, &b);
            assert_eq!((a.as_str(), b.as_str()), wanted);
        }
    }

    proptest! {
        #[test]
        fn texts_that_differ_never_look_alike(a in "[ab…漢]{0,40}", b in "[ab…漢]{0,40}", n in 1usize..30, m in 1usize..30) {
            let (x, y) = side_by_side(&a, &b, (n, m), "…", clusters);
            // Equal texts may be cut differently if their columns differ.
            if a != b || n == m {
                prop_assert_eq!(x == y, a == b, "{:?} {:?}", x, y);
            }
            if n.min(m) > 8 {
                prop_assert!(width(&x, clusters) <= n && width(&y, clusters) <= m, "{:?} {:?}", x, y);
            }
        }
    }
}

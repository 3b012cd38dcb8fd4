//! Width of text in columns, and truncation to a width. The terminal UI and the command line share this one
//! implementation.
//!
//! Text is measured by grapheme cluster (UAX 29), as terminals and the drawing library do: an emoji with a variation
//! selector takes two columns, although its characters take one and zero.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Iterates over the clusters of a text as (end offset, cluster, width).
pub(crate) fn clusters(text: &str) -> impl Iterator<Item = (usize, &str, usize)> {
    text.grapheme_indices(true).map(|(at, cluster)| (at + cluster.len(), cluster, cluster.width()))
}

/// Returns the longest prefix that fits in `columns`, but at least one cluster.
pub fn prefix(text: &str, columns: usize) -> &str {
    let (mut taken, mut kept) = (0, 0);
    for (end, _, wide) in clusters(text) {
        taken += wide;
        if taken > columns && kept > 0 {
            break;
        }
        kept = end;
    }
    &text[..kept]
}

/// Returns the width of a text in columns.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { clusters(text).map(|(_, _, columns)| columns).sum() }
}

/// Truncates a text to `columns`, ending in an ellipsis if anything was cut.
pub fn fit(text: &str, columns: usize, ellipsis: &str) -> String {
    if text.len() <= columns && text.is_ascii() {
        return text.to_owned();
    }
    let room = columns.checked_sub(width(ellipsis));
    // `kept` is the end of the longest prefix that leaves room for an ellipsis.
    let (mut taken, mut kept) = (0, 0);
    for (end, _, wide) in clusters(text) {
        taken += wide;
        if taken > columns {
            return room.map_or_else(String::new, |_| format!("{}{ellipsis}", &text[..kept]));
        }
        if room.is_some_and(|room| taken <= room) {
            kept = end;
        }
    }
    text.to_owned()
}

/// Truncates a text to `columns`, beginning with an ellipsis if anything was cut.
pub(crate) fn fit_end(text: &str, columns: usize, ellipsis: &str) -> String {
    let (all, room) = (width(text), columns.saturating_sub(width(ellipsis)));
    if all <= columns {
        return text.to_owned();
    }
    let mut cut = 0;
    let from = clusters(text).find_map(|(end, _, wide)| {
        cut += wide;
        (all - cut <= room).then_some(end)
    });
    format!("{ellipsis}{}", &text[from.unwrap_or(text.len())..])
}

/// Truncates two differing texts to `columns` each so that the difference stays visible; see
/// [`zerver_replay::side_by_side()`].
pub fn side_by_side(a: &str, b: &str, columns: (usize, usize), ellipsis: &str) -> (String, String) {
    let ends = |text: &str| clusters(text).map(|(end, _, wide)| (end, wide)).collect();
    zerver_replay::side_by_side(a, b, columns, ellipsis, ends)
}

/// Returns a short prefix that is wider than `columns` even if nothing in it is escaped, or the whole text if it is
/// narrower. Nothing beyond the prefix is visible.
pub(crate) fn start(text: &str, columns: usize) -> &str {
    let near = &text[..text.floor_char_boundary((columns + 1).saturating_mul(MAX_CLUSTER))];
    let mut taken = 0;
    for (end, _, wide) in clusters(near) {
        taken += wide;
        if taken > columns {
            return &text[..end];
        }
    }
    near
}

/// Maximum length of a realistic cluster, in bytes: a family emoji has 25, the flag of a region 28.
const MAX_CLUSTER: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLUSTERS: [(&str, usize); 14] = [
        ("a", 1),
        ("漢", 2),
        ("e\u{301}", 1),
        ("1\u{fe0f}\u{20e3}", 2),
        ("❤\u{fe0f}", 2),
        ("🎉", 2),
        ("👨\u{200d}👩\u{200d}👧", 2),
        ("👍🏽", 2),
        ("🇩🇪", 2),
        ("🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}", 2),
        ("\u{1112}\u{1161}\u{11ab}", 2),
        ("a\u{300}\u{301}\u{302}\u{303}", 1),
        ("…", 1),
        ("ｱ", 1),
    ];

    #[test]
    fn grapheme_clusters_are_measured_as_a_whole() {
        for (cluster, columns) in CLUSTERS {
            assert_eq!(width(cluster), columns, "{cluster:?}");
            let text = cluster.repeat(5);
            assert_eq!(width(&text), columns * 5, "{cluster:?}");
            assert_eq!(fit(&text, columns * 5, "…"), text);
            assert_eq!(
                fit(&text, columns * 5 - 1, "…"),
                format!("{}…", cluster.repeat(if columns == 1 { 3 } else { 4 }))
            );
            assert_eq!(fit(&text, 0, "…"), "");
            assert_eq!(start(&text, columns * 2), cluster.repeat(3));
        }
    }

    #[test]
    fn the_end_of_a_text_is_kept() {
        for (text, columns, wanted) in [
            ("pod-17", 6, "pod-17"),
            ("pod-17", 4, "…-17"),
            ("漢字", 3, "…字"),
            ("漢字", 2, "…"),
            ("pod", 1, "…"),
        ] {
            assert_eq!(fit_end(text, columns, "…"), wanted);
        }
    }

    #[test]
    fn text_is_truncated_by_columns() {
        for (text, columns, wanted) in [
            ("todo", 4, "todo"),
            ("todos", 4, "tod…"),
            ("漢字漢字", 8, "漢字漢字"),
            ("漢字漢字", 7, "漢字漢…"),
            ("漢字漢字", 6, "漢字…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
            ("", 0, ""),
        ] {
            assert_eq!(fit(text, columns, "…"), wanted);
        }
        assert_eq!(fit("todos", 4, ".."), "to..");
        assert_eq!(fit("todos", 1, ".."), "");
    }

    proptest! {
        #[test]
        fn truncated_text_fits(
            parts in prop::collection::vec(prop_oneof![
                prop::sample::select(CLUSTERS.map(|(cluster, _)| cluster.to_owned()).to_vec()),
                any::<char>().prop_map(String::from),
                prop::sample::select(vec!["\u{fe0f}", "\u{200d}", "\u{1f1e9}", "\u{301}", "\t"]).prop_map(String::from),
            ], 0..20),
            columns in 0usize..30,
        ) {
            let text = parts.concat();
            let got = fit(&text, columns, "…");
            prop_assert!(width(&got) <= columns, "{got:?}");
            prop_assert_eq!(got == text, width(&text) <= columns);
            prop_assert!(got == text || columns == 0 || got.ends_with('…'));
            prop_assert!(text.starts_with(start(&text, columns)));
            // The two results differ, and fit unless there is almost no room.
            let (a, b) = side_by_side(&text, &format!("{text}z"), (columns, columns), "…");
            prop_assert_ne!(&a, &b);
            prop_assert!(columns <= 8 || (width(&a) <= columns && width(&b) <= columns), "{a:?} {b:?}");
        }
    }
}

//! Changed values as `before -> after`, or one above the other if that is too long.

use zerver_analysis::{Difference, changed_lines};
use zerver_trace::text::clean;
use zerver_tui::side_by_side;

use crate::view::{fill, fit, paint, style, width};

/// Number of unchanged characters to show around a change.
const AROUND: usize = 16;
/// Maximum number of lines of a text.
const MAX_LINES: usize = 40;

/// Returns a difference on one line of `room` columns, or on several.
pub(super) fn lines(difference: &Difference, room: usize, is_verbose: bool) -> Vec<String> {
    let name = difference.label();
    let (a, b) = difference.sides();
    let columns = width(&name) + 2 + width(&a) + 4 + width(&b);
    let named = paint(style::NOTED, &name);
    if columns <= room {
        let (a, b) = (paint(style::BAD, &a), paint(style::GOOD, &b));
        return vec![format!("{named}  {a} {} {b}", paint(style::FAINT, "->"))];
    }
    let mut out = vec![paint(style::NOTED, &fit(&name, room))];
    match difference.texts() {
        Some((a, b)) => out.extend(texts(a, b, room, is_verbose)),
        None => {
            out.extend(above(&a, &b, room, is_verbose));
        }
    }
    out
}

/// Returns one side above the other, truncated around the difference.
fn above(a: &str, b: &str, room: usize, is_verbose: bool) -> [String; 2] {
    let room = if is_verbose { usize::MAX } else { room.saturating_sub(4) };
    let (a, b) = side_by_side(a, b, (room, room), "…");
    [("-", a, style::BAD), ("+", b, style::GOOD)]
        .map(|(sign, side, style)| format!("  {} {}", paint(style, sign), paint(style, &side)))
}

/// Returns the changed lines of two texts, with the changes emphasized.
fn texts(a: &str, b: &str, room: usize, is_verbose: bool) -> Vec<String> {
    let changed = changed_lines(a, b);
    let mut out = Vec::new();
    // The visible part of each side.
    let mut visible = [String::new(), String::new()];
    for line in changed.iter().filter(|line| line.in_a != line.in_b) {
        if out.len() == MAX_LINES && !is_verbose {
            out.push(paint(style::FAINT, "  more lines differ; -v shows all"));
            break;
        }
        let (sign, style) = if line.in_a { ("-", style::BAD) } else { ("+", style::GOOD) };
        let mut left = if is_verbose { usize::MAX } else { room.saturating_sub(4) };
        let mut drawn = format!("  {} ", paint(style, sign));
        let last = line.parts.len().saturating_sub(1);
        for (at, (is_changed, part)) in line.parts.iter().enumerate() {
            let is_near = *is_changed || is_verbose || (last == 0);
            let part = if is_near { clean(part).into_owned() } else { shortened(part, at > 0, at < last) };
            let part = fit(&part, left);
            left = left.saturating_sub(width(&part));
            visible[usize::from(line.in_b)] += &part;
            drawn += &if *is_changed { paint(style, &part) } else { part };
        }
        out.push(drawn);
        visible[usize::from(line.in_b)].push('\n');
    }
    if visible[0] == visible[1] {
        // They differ only further on, in long words.
        return above(&clean(a), &clean(b), room, is_verbose).to_vec();
    }
    out
}

/// Shortens an unchanged part: keeps its beginning after a change, and its end before one.
fn shortened(part: &str, after: bool, before: bool) -> String {
    let chars: Vec<char> = part.chars().collect();
    let (head, tail) = (if after { AROUND } else { 0 }, if before { AROUND } else { 0 });
    if chars.len() <= head + tail + 1 {
        return clean(part).into_owned();
    }
    let text = |chars: &[char]| clean(&chars.iter().collect::<String>()).into_owned();
    format!("{}…{}", text(&chars[..head]), text(&chars[chars.len() - tail..]))
}

/// Returns a text truncated to a number of columns, and the spaces that fill them.
pub(super) fn padded(text: &str, columns: usize) -> (String, String) {
    let text = fit(text, columns);
    let filler = fill(&text, columns);
    (text, filler)
}

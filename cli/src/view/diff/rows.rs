//! Steps and effects side by side: their durations in both requests, and a bar to the left if faster or to the right if
//! slower.

use anstyle::Style;
use zerver_analysis::{Diff, DiffRow, RowStatus};

use super::changes::padded;
use crate::view::bar::bar;
use crate::view::layout::Layout;
use crate::view::{count, paint, style, width};
use zerver_trace::duration;

/// Number of rows above which rows without a difference are left out.
const MAX_ROWS: usize = 40;

pub(super) fn rows(diff: &Diff, layout: Layout) -> String {
    let lines = diff.display_rows();
    let most_ns = lines.iter().map(|line| line.delta_ns().unsigned_abs()).max().unwrap_or(0);
    let is_folded = |line: &DiffRow| {
        let is_small = line.delta_ns().unsigned_abs() * 100 < most_ns || line.delta_ns() == 0;
        lines.len() > MAX_ROWS && !layout.is_verbose && is_small && line.status == RowStatus::Same
    };
    let titles = ["a", "b", "b-a"].map(str::to_owned);
    let cells = |line: &DiffRow| {
        let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), duration::show);
        [time(line.a_ns()), time(line.b_ns()), duration::show_signed(line.delta_ns())]
    };
    let mut columns = titles.each_ref().map(|title| width(title));
    for cell in lines.iter().map(cells) {
        for (at, cell) in cell.iter().enumerate() {
            columns[at] = columns[at].max(width(cell));
        }
    }
    let half = (layout.columns / 12).clamp(4, 16);
    let taken = columns.iter().sum::<usize>() + 2 * 3 + 2 + 2 + 2 * half + 1;
    let widest = lines.iter().map(columns_of).max().unwrap_or(0);
    let room = layout.columns.saturating_sub(taken + 2).max(12).min(widest);
    let numbers = |cells: &[String; 3]| -> String {
        cells.iter().zip(columns).map(|(cell, columns)| format!("  {cell:>columns$}")).collect()
    };

    let mut out = format!("{}\n", paint(style::FAINT, &numbers(&titles)));
    let mut folded = 0;
    for line in &lines {
        if is_folded(line) {
            folded += 1;
            continue;
        }
        let (text, filler) = text(line, room);
        let bars = bars(line.delta_ns(), most_ns, half);
        let mark = mark(line.status);
        let drawn = format!("{}  {mark} {text}{filler}  {bars}", numbers(&cells(line)));
        out += drawn.trim_end();
        out.push('\n');
    }
    if folded > 0 {
        let rows = count(folded, "row", "rows");
        out += &format!(
            "  {}\n",
            paint(style::FAINT, &format!("{rows} without a difference left out; -v shows all"))
        );
    }
    out
}

/// Returns the name as displayed, with its style.
fn name(line: &DiffRow) -> (Style, String) {
    if line.is_effect {
        (style::PLAIN, format!("  ↳ {}", line.name))
    } else {
        (style::STRONG, line.name.clone())
    }
}

fn columns_of(line: &DiffRow) -> usize {
    width(&name(line).1) + if line.summary.is_empty() { 0 } else { 2 + width(&line.summary) }
}

/// Returns name and changes in a number of columns, and the spaces that fill them.
fn text(line: &DiffRow, columns: usize) -> (String, String) {
    let wanted = if line.summary.is_empty() { 0 } else { (2 + width(&line.summary)).min(columns / 2) };
    let (style, name) = name(line);
    let (name, _) = padded(&name, columns - wanted);
    let (changes, _) = padded(&line.summary, columns.saturating_sub(width(&name) + 2));
    let mut text = paint(style, &name);
    let mut taken = width(&name);
    if !changes.is_empty() {
        text += &format!("  {}", paint(style::FAINT, &changes));
        taken += 2 + width(&changes);
    }
    (text, " ".repeat(columns.saturating_sub(taken)))
}

fn mark(mark: RowStatus) -> String {
    match mark {
        RowStatus::OnlyA => paint(style::BAD, "-"),
        RowStatus::OnlyB => paint(style::GOOD, "+"),
        RowStatus::Differs => paint(style::WARN, "≠"),
        RowStatus::Same => " ".to_owned(),
    }
}

/// Returns a bar to the left of the axis for faster, to the right for slower.
fn bars(delta_ns: i128, most_ns: u128, half: usize) -> String {
    let size = |ns: u128| u64::try_from(ns).unwrap_or(u64::MAX);
    let axis = paint(style::FAINT, "│");
    // A difference too small for the thinnest line has no bar.
    let is_visible = delta_ns.unsigned_abs() * 16 * half as u128 >= most_ns && delta_ns != 0;
    if !is_visible {
        return format!("{}{axis}", " ".repeat(half));
    }
    if delta_ns > 0 {
        let right = bar((0, size(delta_ns.unsigned_abs())), size(most_ns), half);
        return format!("{}{axis}{}", " ".repeat(half), paint(style::BAD, &right));
    }
    let halves = (delta_ns.unsigned_abs() * 2 * half as u128).div_ceil(most_ns.max(1)) as usize;
    let left = "▐".repeat(halves % 2) + &"█".repeat(halves / 2);
    format!("{}{}{axis}", " ".repeat(half.saturating_sub(width(&left))), paint(style::GOOD, &left))
}

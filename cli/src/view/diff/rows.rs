//! Steps and effects side by side: how long each took in both, and to the left or to the right how much it is faster or
//! slower.

use anstyle::Style;
use zerver_replay::{Diff, Difference, Row, What};
use zerver_trace::text::clean;

use super::changes::padded;
use crate::view::bar::bar;
use crate::view::timeline::Look;
use crate::view::{count, paint, style, width};
use zerver_trace::duration::Unit;

/// With more rows than this, those in which nothing differs are left out.
const MAX_ROWS: usize = 40;

/// A row before it is laid out.
struct Line {
    a_ns: Option<u64>,
    b_ns: Option<u64>,
    mark: (Style, &'static str),
    name: (Style, String),
    said: String,
}

impl Line {
    fn delta_ns(&self) -> i128 {
        i128::from(self.b_ns.unwrap_or(0)) - i128::from(self.a_ns.unwrap_or(0))
    }
}

pub(super) fn rows(diff: &Diff, unit: Unit, look: Look) -> String {
    let lines = collect(diff);
    let most_ns = lines.iter().map(|line| line.delta_ns().unsigned_abs()).max().unwrap_or(0);
    let is_folded = |line: &Line| {
        let is_small = line.delta_ns().unsigned_abs() * 100 < most_ns || line.delta_ns() == 0;
        lines.len() > MAX_ROWS && !look.is_verbose && is_small && line.mark.1 == " "
    };
    let titles = [format!("a {}", unit.name), format!("b {}", unit.name), "b-a".to_owned()];
    let cells = |line: &Line| {
        let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), |ns| unit.show(ns));
        [time(line.a_ns), time(line.b_ns), unit.signed(line.delta_ns())]
    };
    let mut columns = titles.each_ref().map(|title| width(title));
    for cell in lines.iter().map(cells) {
        for (at, cell) in cell.iter().enumerate() {
            columns[at] = columns[at].max(width(cell));
        }
    }
    let half = (look.columns / 12).clamp(4, 16);
    let taken = columns.iter().sum::<usize>() + 2 * 3 + 2 + 2 + 2 * half + 1;
    let widest = lines.iter().map(Line::columns).max().unwrap_or(0);
    let room = look.columns.saturating_sub(taken + 2).max(12).min(widest);
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
        let (text, filler) = line.text(room);
        let bars = bars(line.delta_ns(), most_ns, half);
        let mark = paint(line.mark.0, line.mark.1);
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

impl Line {
    fn columns(&self) -> usize {
        width(&self.name.1) + if self.said.is_empty() { 0 } else { 2 + width(&self.said) }
    }

    /// Name and changes in so many columns, and the spaces that lack.
    fn text(&self, columns: usize) -> (String, String) {
        let wanted = if self.said.is_empty() { 0 } else { (2 + width(&self.said)).min(columns / 2) };
        let (name, _) = padded(&self.name.1, columns - wanted);
        let (said, _) = padded(&self.said, columns.saturating_sub(width(&name) + 2));
        let mut text = paint(self.name.0, &name);
        let mut taken = width(&name);
        if !said.is_empty() {
            text += &format!("  {}", paint(style::FAINT, &said));
            taken += 2 + width(&said);
        }
        (text, " ".repeat(columns.saturating_sub(taken)))
    }
}

/// To the left of the line what became faster, to the right what became slower.
fn bars(delta_ns: i128, most_ns: u128, half: usize) -> String {
    let size = |ns: u128| u64::try_from(ns).unwrap_or(u64::MAX);
    let axis = paint(style::FAINT, "│");
    // What would not fill the thinnest line is none.
    let is_seen = delta_ns.unsigned_abs() * 16 * half as u128 >= most_ns && delta_ns != 0;
    if !is_seen {
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

fn collect(diff: &Diff) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut differences = diff.differences.iter().filter(|difference| difference.row.is_some()).peekable();
    for (at, row) in diff.rows.iter().enumerate() {
        let mut of = |place: (usize, Option<usize>)| -> Vec<&Difference> {
            let mut found = Vec::new();
            while let Some(difference) = differences.next_if(|difference| difference.row == Some(place)) {
                found.push(difference);
            }
            found
        };
        let of_run = of((at, None));
        lines.push(run_line(diff, row, &of_run));
        for (place, pair) in row.effects.iter().enumerate() {
            let a = row.run.a.zip(pair.a).map(|(run, at)| &diff.a.timeline.runs[run].effects[at]);
            let b = row.run.b.zip(pair.b).map(|(run, at)| &diff.b.timeline.runs[run].effects[at]);
            let Some(any) = b.or(a) else { continue };
            let of_effect = of((at, Some(place)));
            lines.push(Line {
                a_ns: a.map(|effect| effect.duration_ns),
                b_ns: b.map(|effect| effect.duration_ns),
                mark: mark(a.is_some(), b.is_some(), &of_effect),
                name: (style::PLAIN, format!("  ↳ {}", clean(&any.label()))),
                said: said(&of_effect),
            });
        }
    }
    lines
}

fn run_line(diff: &Diff, row: &Row, differences: &[&Difference]) -> Line {
    let a = row.run.a.map(|at| &diff.a.timeline.runs[at]);
    let b = row.run.b.map(|at| &diff.b.timeline.runs[at]);
    let name = b.or(a).map(|run| clean(&run.step.name).into_owned()).unwrap_or_default();
    let queue = |run: Option<&zerver_replay::Run>| run.map_or(0, |run| run.queue_ns);
    let mut said = said(differences);
    if differences.iter().any(|difference| difference.what == What::Queue) {
        let (from, to) = super::changes::span(queue(a), queue(b));
        let queue = format!("queue {from} -> {to}");
        said = if said.is_empty() { queue } else { format!("{queue}, {said}") };
    }
    Line {
        a_ns: a.map(|run| run.cpu_ns),
        b_ns: b.map(|run| run.cpu_ns),
        mark: mark(a.is_some(), b.is_some(), differences),
        name: (style::STRONG, name),
        said,
    }
}

fn mark(in_a: bool, in_b: bool, differences: &[&Difference]) -> (Style, &'static str) {
    match (in_a, in_b) {
        (true, false) => (style::BAD, "-"),
        (false, true) => (style::GOOD, "+"),
        _ if differences.iter().any(|difference| !difference.what.is_time()) => (style::WARN, "≠"),
        _ => (style::PLAIN, " "),
    }
}

/// What differs in a row, in few words.
fn said(differences: &[&Difference]) -> String {
    let mut words: Vec<String> = Vec::new();
    for difference in differences.iter().filter(|difference| !difference.what.is_time()) {
        let word = match difference.what {
            What::Step | What::Effect => continue,
            What::Slot => clean(&difference.path).into_owned(),
            What::Decision => super::changes::change(difference),
            what => what.as_str().trim_start_matches("effect ").to_owned(),
        };
        if !words.contains(&word) && words.len() < 8 {
            words.push(word);
        }
    }
    words.join(", ")
}

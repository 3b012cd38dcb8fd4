//! How the list is drawn: only the rows that show.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::duration;

use super::header::{draw_load, draw_measures, thousands};
use super::preview;
use super::screen::Requests;
use crate::draw::{Pen, rule, thumb, wall};
use crate::index::{Row, Seq, Sort, Verdict};
use crate::state::Shared;
use crate::state::State;

/// Beside a list in a terminal of this width, the chosen request is shown.
const WIDE: u16 = 150;
/// In a terminal of fewer rows, only the list is shown.
const LOW: u16 = 10;
/// What a filter may be, where none has been typed.
const HINT: &str = "letters of a path; status:5xx flow:name slower:10ms is:failed slot.Name.field=value";

/// What is where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Areas {
    measures: Rect,
    load: Rect,
    filter: Rect,
    heads: Rect,
    pub(super) rows: Rect,
    pub(super) preview: Option<Rect>,
    log: Option<Rect>,
}

pub(super) fn areas(requests: &Requests, shared: &Shared, area: Rect) -> Areas {
    let mut rest = area;
    let top = |height: u16, rest: &mut Rect| {
        let height = height.min(rest.height);
        let taken = Rect { height, ..*rest };
        (rest.y, rest.height) = (rest.y + height, rest.height - height);
        taken
    };
    let measures = top(u16::from(area.height >= LOW), &mut rest);
    let has_load = shared.scheduler.health().is_some() && area.height >= LOW;
    let load = top(u16::from(has_load), &mut rest);
    let is_filtered = requests.prompt.is_some() || !requests.filter.is_empty();
    let filter = top(u16::from(is_filtered), &mut rest);
    let is_log = shared.service.as_ref().is_some_and(|service| service.is_shown) && area.height >= LOW;
    let log = is_log.then(|| {
        let height = rest.height / 2;
        rest.height -= height;
        Rect { y: rest.bottom(), height, ..rest }
    });
    let preview = (area.width >= WIDE).then(|| {
        let width = area.width * 2 / 5;
        rest.width -= width;
        Rect { x: rest.right(), width, ..rest }
    });
    let heads = top(1, &mut rest);
    Areas { measures, load, filter, heads, rows: rest, preview, log }
}

pub(super) fn draw(requests: &Requests, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let areas = areas(requests, shared, area);
    draw_measures(requests, shared, areas.measures, buffer);
    draw_load(shared, areas.load, buffer);
    draw_filter(requests, shared, areas.filter, buffer);
    let columns = Columns::new(usize::from(areas.rows.width));
    columns.draw_heads(requests.list.sort(), shared, areas.heads, buffer);
    let len = requests.list.len(&shared.index);
    let height = usize::from(areas.rows.height);
    let mut scroll = requests.scroll(shared);
    scroll.keep(len, height);
    let shown: Vec<Row<'_>> = (scroll.first..scroll.first + height)
        .map_while(|place| shared.index.row(requests.list.nth(place, &shared.index)?))
        .collect();
    let longest_ns = shown.iter().map(|row| row.duration_ns).max().unwrap_or(0);
    for (line, row) in (0..areas.rows.height).zip(&shown) {
        columns.draw_row(row, longest_ns, requests, shared, areas.rows, line, buffer);
        if scroll.first + usize::from(line) == scroll.cursor {
            let area = Rect { y: areas.rows.y + line, height: 1, ..areas.rows };
            buffer.set_style(area.intersection(buffer.area), theme.chosen);
        }
    }
    if shown.is_empty() {
        draw_nothing(shared, areas.rows, buffer);
    }
    thumb(areas.rows, scroll.first, len, theme, buffer);
    if let Some(area) = areas.preview {
        wall(area, theme.border, theme, buffer);
        let inner = Rect { x: area.x + 1, width: area.width - 1, ..area };
        let chosen = requests.chosen(shared).and_then(|seq| shared.index.row(seq));
        preview::draw(chosen.as_ref(), shared, inner, buffer);
    }
    if let Some(area) = areas.log {
        draw_log(shared, area, buffer);
    }
}

fn draw_nothing(shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let mut say = |row: u16, text: &str| {
        Pen::new(buffer, area, row, theme.glyphs.ellipsis).skip(2).put(text, theme.faint);
    };
    if shared.index.len() > 0 {
        say(1, "No request passes the filter. Esc takes it away.");
    } else if !shared.index.is_whole() {
        say(1, "Reading the store.");
    } else if let Some(service) = &shared.service {
        match &service.state {
            Some(State::Serving(addr)) => match &service.example {
                Some(command) => {
                    say(1, "No requests yet. Send one:");
                    say(2, &zerver_trace::text::clean(command));
                }
                None => say(1, &format!("No requests yet. The service listens on {addr}.")),
            },
            _ => say(1, "No requests yet."),
        }
    } else {
        say(1, "No requests have been recorded here. They show as soon as they are.");
    }
}

fn draw_filter(requests: &Requests, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let mut said = String::new();
    if requests.scan.asked > 0 {
        let of = if requests.scan.is_cut { " newest" } else { "" };
        said = format!(
            "slots of {} of{of} {} read ",
            thousands(requests.scan.looked),
            thousands(requests.scan.asked)
        );
    }
    let said = requests.error.clone().unwrap_or(said);
    let style = if requests.error.is_some() { theme.bad } else { theme.faint };
    let room = crate::draw::width(&said).min(usize::from(area.width) / 2);
    let line = Rect { width: area.width.saturating_sub(room as u16 + 1), ..area };
    let mut pen = Pen::new(buffer, line, 0, theme.glyphs.ellipsis);
    pen.put(" /", theme.key);
    match &requests.prompt {
        Some(prompt) => {
            prompt.draw(&mut pen, theme);
            if prompt.is_empty() {
                pen.skip(1).put(HINT, theme.faint);
            }
        }
        None => drop(pen.put(&requests.filter, theme.text)),
    }
    let rest = Rect { x: line.right(), width: area.width - line.width, ..area };
    Pen::new(buffer, rest, 0, theme.glyphs.ellipsis).recorded(&said, style);
}

fn draw_log(shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some(service) = &shared.service else { return };
    let is_bad = matches!(service.state, Some(State::BuildFailed { .. } | State::Ended(_)));
    let style = if is_bad { theme.bad } else { theme.border };
    rule(
        area,
        if is_bad { "what went wrong; L hides it" } else { "what it says; L hides it" },
        style,
        theme,
        buffer,
    );
    let inner = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    // Errors are read from their start, all else from its end.
    let start = service.lines.iter().position(|line| line.starts_with("error")).filter(|_| is_bad);
    let first =
        start.unwrap_or(service.lines.len()).min(service.lines.len().saturating_sub(inner.height.into()));
    for (row, line) in (0..inner.height).zip(service.lines.iter().skip(first)) {
        let style = match line {
            line if line.starts_with("error") => theme.bad,
            line if line.starts_with("warning") => theme.warn,
            _ => theme.text,
        };
        Pen::new(buffer, inner, row, theme.glyphs.ellipsis).skip(1).recorded(line, style);
    }
}

const ID: usize = 13;
const AGE: usize = 4;
const METHOD: usize = 6;
const STATUS: usize = 6;
const TOOK: usize = 9;

/// How wide the columns are; those of no width are left out.
struct Columns {
    path: usize,
    bar: usize,
    flow: usize,
    class: usize,
    verdict: usize,
}

impl Columns {
    fn new(width: usize) -> Self {
        // The mark, and two blanks between columns.
        let mut rest = width.saturating_sub(2 + ID + 2 + AGE + 2 + METHOD + 2 + STATUS + 2 + TOOK + 1);
        let mut take = |wanted: usize, least: usize| {
            let given = if rest >= least + wanted + 2 { wanted } else { 0 };
            rest -= if given > 0 { given + 2 } else { 0 };
            given
        };
        let verdict = take(9, 10);
        let flow = take(14, 14);
        let bar = take(10, 24);
        let class = take(11, 34);
        let wide_bar = take(10, 44);
        let bar = bar + if wide_bar > 0 { wide_bar + 2 } else { 0 };
        let flow_more = if flow > 0 { rest.saturating_sub(40).min(16) } else { 0 };
        rest -= flow_more;
        Self { path: rest.saturating_sub(2), bar, flow: flow + flow_more, class, verdict }
    }

    fn draw_heads(&self, sort: Sort, shared: &Shared, area: Rect, buffer: &mut Buffer) {
        let (style, glyphs) = (shared.theme.faint, shared.theme.glyphs);
        let head = |text: &str, by: Sort, arrow: &str| {
            if sort == by { format!("{text}{arrow}") } else { text.to_owned() }
        };
        let mut pen = Pen::new(buffer, area, 0, glyphs.ellipsis);
        pen.skip(2).left("id", ID, style).skip(2);
        pen.right(&head("age", Sort::Newest, glyphs.ascending), AGE, style).skip(2);
        pen.left("method", METHOD, style).skip(2);
        pen.left("path", self.path, style).skip(2);
        pen.right(&head("status", Sort::Status, glyphs.descending), STATUS, style).skip(2);
        pen.right(&head("took", Sort::Slowest, glyphs.descending), TOOK, style);
        for (text, columns) in
            [("", self.bar), ("flow", self.flow), ("class", self.class), ("verdict", self.verdict)]
        {
            if columns > 0 {
                pen.skip(2).left(text, columns, style);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a row, and where and how it is drawn")]
    fn draw_row(
        &self,
        row: &Row<'_>,
        longest_ns: u64,
        requests: &Requests,
        shared: &Shared,
        area: Rect,
        line: u16,
        buffer: &mut Buffer,
    ) {
        let (theme, glyphs) = (&shared.theme, shared.theme.glyphs);
        let verdict = requests.usual.verdict(row);
        let is_marked = |seq: Seq| requests.marks.contains(&seq);
        let mut pen = Pen::new(buffer, area, line, glyphs.ellipsis);
        // The first of two, as in their diff; what new code changes; what was marked.
        let (sign, style) = if shared.compared == Some(row.id) {
            (glyphs.pair[0], theme.focus)
        } else if shared.check.changed.contains(&row.id) {
            (glyphs.differs, theme.bad)
        } else if is_marked(row.seq) {
            (glyphs.mark, theme.mark)
        } else {
            (" ", theme.text)
        };
        pen.put(sign, style).skip(1);
        pen.left(&row.id.short(12), ID, theme.id).skip(2);
        pen.right(&duration::age(shared.now_unix_ns, row.started_unix_ns), AGE, theme.faint).skip(2);
        pen.recorded_left(row.method, METHOD, theme.text).skip(2);
        let filter = requests.list.filter();
        let letters = || (|text: &str| filter.letters(text), theme.matched());
        pen.recorded_marked(row.path, self.path, theme.text, letters()).skip(2);
        let (status, style) = match row.status {
            0 => ("-".to_owned(), theme.bad),
            status => (status.to_string(), theme.status(status)),
        };
        pen.right(&status, STATUS, style).skip(2);
        let slow = matches!(verdict, Verdict::Slow { .. });
        pen.right(
            &shared.say(&duration::show(row.duration_ns)),
            TOOK,
            if slow { theme.warn } else { theme.text },
        );
        if self.bar > 0 {
            let bar = bar(row.duration_ns, longest_ns, self.bar, glyphs);
            pen.skip(2).left(&bar, self.bar, if slow { theme.warn } else { theme.effect });
        }
        if self.flow > 0 {
            let flow = if row.flow.is_empty() { "-" } else { row.flow };
            pen.skip(2).recorded_marked(flow, self.flow, theme.faint, letters());
        }
        if self.class > 0 {
            pen.skip(2).left(row.class.as_str(), self.class, theme.faint);
        }
        if self.verdict > 0 {
            pen.skip(2);
            match verdict {
                Verdict::Usual => {}
                Verdict::Slow { tenths } => {
                    let times = if tenths < 100 {
                        format!("{}.{}", tenths / 10, tenths % 10)
                    } else {
                        (tenths / 10).to_string()
                    };
                    pen.left(&format!("{times}x slow"), self.verdict, theme.warn);
                }
                Verdict::Failed => drop(pen.recorded_left(row.outcome, self.verdict, theme.bad)),
            }
        }
    }
}

/// A length from the left, in eighths of a column; never nothing.
fn bar(ns: u64, longest_ns: u64, columns: usize, glyphs: &crate::theme::Glyphs) -> String {
    let eighths = (u128::from(ns) * columns as u128 * 8 / u128::from(longest_ns.max(1))) as usize;
    let eighths = eighths.clamp(1, columns * 8);
    let mut out = glyphs.eighths[7].repeat(eighths / 8);
    if let Some(rest) = (eighths % 8).checked_sub(1) {
        out.push_str(glyphs.eighths[rest]);
    }
    out
}

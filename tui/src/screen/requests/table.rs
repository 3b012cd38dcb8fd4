//! The table of requests, with columns that adapt to the width.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::text::clean;
use zerver_trace::{RequestId, duration};

use super::state::RequestsScreen;
use crate::draw::{Pen, fit_end};
use crate::index::{RequestRow, Seq, SortOrder, Verdict};
use crate::state::SharedState;

const AGE: usize = 4;
const METHOD: usize = 6;
const STATUS: usize = 7;
const TOOK: usize = 9;
/// Minimum width of a node, in a fleet, and the share of the width that it may take.
const MIN_NODE: usize = 4;
const NODE_SHARE: usize = 8;

/// Column widths; columns of width 0 are left out.
pub(super) struct TableColumns {
    /// Number of digits of the ids, which differs from the width.
    id_digits: usize,
    id: usize,
    node: usize,
    path: usize,
    bar: usize,
    flow: usize,
    class: usize,
    verdict: usize,
}

impl TableColumns {
    /// Lays out the columns for ids of `id_digits` digits, and for names of nodes of a width, which is 0 without a fleet.
    pub(super) fn new(width: usize, id_digits: usize, node_width: usize) -> Self {
        let id = RequestId::from_u128(0).short(id_digits).len();
        // One column for the mark, and two blanks between columns.
        let mut rest = width.saturating_sub(2 + id + 2 + AGE + 2 + METHOD + 2 + STATUS + 2 + TOOK + 1);
        let mut take = |wanted: usize, least: usize| {
            let given = if rest >= least + wanted + 2 { wanted } else { 0 };
            rest -= if given > 0 { given + 2 } else { 0 };
            given
        };
        let node = match node_width {
            0 => 0,
            wide => take(wide.min(width / NODE_SHARE).max(MIN_NODE), 10),
        };
        // With nodes, paths need more room than the remarks.
        let verdict = take(9, if node == 0 { 10 } else { 16 });
        let flow = take(14, 20);
        // The query string tells more than a bar.
        let bar = take(10, 30);
        let class = take(11, 34);
        let wide_bar = take(10, 44);
        let bar = bar + if wide_bar > 0 { wide_bar + 2 } else { 0 };
        let flow_more = if flow > 0 { rest.saturating_sub(40).min(16) } else { 0 };
        rest -= flow_more;
        Self {
            id_digits,
            id,
            node,
            path: rest.saturating_sub(2),
            bar,
            flow: flow + flow_more,
            class,
            verdict,
        }
    }

    pub(super) fn draw_headings(
        &self,
        sort: SortOrder,
        shared: &SharedState,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let (style, glyphs) = (shared.theme.secondary, shared.theme.glyphs);
        let head = |text: &str, by: SortOrder, arrow: &str| {
            if sort == by { format!("{text}{arrow}") } else { text.to_owned() }
        };
        let mut pen = Pen::new(buffer, area, 0, glyphs.ellipsis);
        pen.skip(2).left("id", self.id, style).skip(2);
        pen.right(&head("age", SortOrder::Newest, glyphs.ascending), AGE, style).skip(2);
        if self.node > 0 {
            pen.left("node", self.node, style).skip(2);
        }
        pen.left("method", METHOD, style).skip(2);
        pen.left("path", self.path, style).skip(2);
        pen.right(&head("status", SortOrder::Status, glyphs.descending), STATUS, style).skip(2);
        pen.right(&head("took", SortOrder::Slowest, glyphs.descending), TOOK, style);
        for (text, columns) in
            [("", self.bar), ("flow", self.flow), ("class", self.class), ("verdict", self.verdict)]
        {
            if columns > 0 {
                pen.skip(2).left(text, columns, style);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a row, and where and how it is drawn")]
    pub(super) fn draw_row(
        &self,
        row: &RequestRow<'_>,
        longest_ns: u64,
        requests: &RequestsScreen,
        shared: &SharedState,
        area: Rect,
        line: u16,
        buffer: &mut Buffer,
    ) {
        let (theme, glyphs) = (&shared.theme, shared.theme.glyphs);
        let verdict = requests.baseline.verdict(row);
        let is_marked = |seq: Seq| requests.marks.contains(&seq);
        let mut pen = Pen::new(buffer, area, line, glyphs.ellipsis);
        // Priority: first request of a comparison, changed by new code, marked.
        let (sign, style) = if shared.diff_base == Some(row.id) {
            (glyphs.pair[0], theme.focus)
        } else if shared.replay_check.changed.contains(&row.id) {
            (glyphs.differs, theme.bad)
        } else if is_marked(row.seq) {
            (glyphs.mark, theme.mark)
        } else {
            (" ", theme.text)
        };
        pen.put(sign, style).skip(1);
        pen.left(&row.id.short(self.id_digits), self.id, theme.id).skip(2);
        pen.right(&duration::age(shared.now_unix_ns, row.started_unix_ns), AGE, theme.secondary).skip(2);
        if self.node > 0 {
            // The ends of names differ.
            let node = clean(requests.queries.node(row.id).unwrap_or("-"));
            pen.left(&fit_end(&node, self.node, glyphs.ellipsis), self.node, theme.secondary).skip(2);
        }
        pen.recorded_left(row.method, METHOD, theme.text).skip(2);
        let filter = requests.list.filter();
        let in_flow = |text: &str| filter.matched_positions(text);
        let target = format!("{}{}", row.path, requests.queries.get(row.id));
        let in_path = |_: &str| filter.matched_positions(&clean(row.path));
        pen.recorded_marked(&target, self.path, theme.text, (in_path, theme.matched())).skip(2);
        let (status, style) = match row.status {
            0 => ("-".to_owned(), theme.bad),
            status => (status.to_string(), theme.status(status)),
        };
        pen.right(&status, STATUS, style).skip(2);
        let slow = matches!(verdict, Verdict::Slow { .. });
        pen.right(
            &shared.drawable(&duration::show(row.duration_ns)),
            TOOK,
            if slow { theme.warn } else { theme.text },
        );
        if self.bar > 0 {
            let bar = bar(row.duration_ns, longest_ns, self.bar, glyphs);
            pen.skip(2).left(&bar, self.bar, if slow { theme.warn } else { theme.effect });
        }
        if self.flow > 0 {
            let flow = if row.flow.is_empty() { "-" } else { row.flow };
            pen.skip(2).recorded_marked(flow, self.flow, theme.secondary, (in_flow, theme.matched()));
        }
        if self.class > 0 {
            pen.skip(2).left(row.class.as_str(), self.class, theme.secondary);
        }
        if self.verdict > 0 {
            pen.skip(2);
            match verdict {
                Verdict::Normal => {}
                Verdict::Slow { tenths } => {
                    let times = if tenths < 100 {
                        format!("{}.{}", tenths / 10, tenths % 10)
                    } else {
                        (tenths / 10).to_string()
                    };
                    let slow = format!("{times}x slow");
                    let text = if slow.len() > self.verdict { format!("{times}x") } else { slow };
                    pen.left(&text, self.verdict, theme.warn);
                }
                Verdict::Failed => {
                    pen.recorded_left(row.outcome, self.verdict, theme.failure(row.status));
                }
            }
        }
    }
}

/// Returns a bar with eighths of a column, never empty.
fn bar(ns: u64, longest_ns: u64, columns: usize, glyphs: &crate::theme::Glyphs) -> String {
    let eighths = (u128::from(ns) * columns as u128 * 8 / u128::from(longest_ns.max(1))) as usize;
    let eighths = eighths.clamp(1, columns * 8);
    let mut out = glyphs.eighths[7].repeat(eighths / 8);
    if let Some(rest) = (eighths % 8).checked_sub(1) {
        out.push_str(glyphs.eighths[rest]);
    }
    out
}

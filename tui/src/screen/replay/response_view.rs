//! Recorded and replayed response, as lines that are generated once and drawn often.

use zerver_analysis::display;
use zerver_replay::Report;
use zerver_replay::value::json_lines::json_lines;
use zerver_trace::text::clean;

use crate::draw::{StyledLine, Tone};
use crate::screen::diff::push_body_changes;
use crate::state::LoadedTrace;

/// Maximum number of lines of a body.
const MAX_LINES: usize = 500;
/// Width up to which a list or an object takes one line.
const COLUMNS: usize = 60;

/// Returns both statuses and what differs between the bodies, or the body if it is the same.
pub(super) fn response_lines(loaded: &LoadedTrace, report: &Report) -> Vec<StyledLine> {
    let Some(replied) = &report.response else {
        return vec![StyledLine::new("none: the replay did not finish", Tone::Warn)];
    };
    let head = StyledLine::new("recorded ", Tone::Secondary)
        .with(loaded.trace.status.to_string(), Tone::Status(loaded.trace.status))
        .with(", replayed ", Tone::Secondary)
        .with(replied.status.to_string(), Tone::Status(replied.status));
    if let Some(stream) = &replied.stream {
        return vec![
            head,
            StyledLine::new(
                clean(&format!("streamed by {stream}, which a replay does not run")),
                Tone::Secondary,
            ),
        ];
    }
    let Some(body) = &replied.body else {
        let remark = format!("{} bytes of binary data", replied.body_bytes);
        return vec![head, StyledLine::new(remark, Tone::Secondary)];
    };
    let then = display::wire(&loaded.trace.response_body.bytes).join("\n");
    let now: Vec<_> = body.split('\n').map(clean).collect();
    let mut changes = Vec::new();
    push_body_changes(&then, &now.join("\n"), &mut changes);
    if changes.is_empty() {
        let mut lines = vec![head.with("; the same body", Tone::Secondary)];
        lines.extend(body_lines(body));
        return lines;
    }
    [vec![head], changes].concat()
}

/// Returns a body as lines; JSON is indented.
fn body_lines(body: &str) -> Vec<StyledLine> {
    match json_lines(body.as_bytes(), COLUMNS) {
        Some(lines) => lines
            .iter()
            .take(MAX_LINES)
            .map(|line| StyledLine::new(format!("{}{}", "  ".repeat(line.depth()), line.text), Tone::Text))
            .collect(),
        None => body.lines().take(MAX_LINES).map(|line| StyledLine::new(line, Tone::Text)).collect(),
    }
}

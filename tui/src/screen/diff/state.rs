//! State of the diff screen: the two requests, and the focus.

use ratatui::layout::Rect;
use zerver_analysis::{Diff, IgnoredHeaders};
use zerver_trace::RequestId;

use super::diff_lines::{DiffLines, verdict};
use super::layout::{self, Areas};
use crate::draw::{Scroll, StyledLine};
use crate::message::Command;
use crate::state::SharedState;

/// The diff screen.
#[derive(Debug, Default)]
pub(crate) struct DiffScreen {
    pub(super) ids: Option<(RequestId, RequestId)>,
    /// Diff; `None` until both traces are loaded.
    pub(super) diff_lines: Option<DiffLines>,
    pub(super) pane: Pane,
    pub(super) rows: Scroll,
    pub(super) details: Scroll,
}

/// Part of the screen that has the focus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Rows,
    Details,
}

/// Returns the areas of the screen.
pub(super) fn areas(diff_lines: &DiffLines, shared: &SharedState, area: Rect) -> Areas {
    let verdict = verdict(diff_lines, shared, area.width).len();
    layout::areas(area, verdict, diff_lines.lines.len(), details(diff_lines, shared, area).len())
}

/// Returns the differences as lines of the width that the screen has for them.
pub(super) fn details(diff_lines: &DiffLines, shared: &SharedState, area: Rect) -> Vec<StyledLine> {
    let columns = layout::details_columns(area.width);
    diff_lines.details.iter().flat_map(|line| line.folded(columns, &shared.theme)).collect()
}

impl DiffScreen {
    /// Compares two other requests.
    pub(crate) fn open(&mut self, shared: &SharedState, a: RequestId, b: RequestId) -> Vec<Command> {
        if self.ids == Some((a, b)) {
            return Vec::new();
        }
        *self = Self { ids: Some((a, b)), ..Self::default() };
        self.settle(shared);
        // Traces that could not be read are requested again.
        let missing = |id: &RequestId| shared.traces.loaded(*id).is_none();
        [a, b].into_iter().filter(missing).map(Command::LoadTrace).collect()
    }

    pub(super) fn settle(&mut self, shared: &SharedState) {
        if self.diff_lines.is_some() {
            return;
        }
        let Some((a, b)) = self.ids else { return };
        if let (Some(a), Some(b)) = (shared.traces.loaded(a), shared.traces.loaded(b)) {
            let diff = Diff::of(&a.trace, &b.trace, &IgnoredHeaders::default());
            self.diff_lines = Some(DiffLines::new([a, b], diff));
        }
    }

    /// Returns the list that has the focus, with its length and height.
    pub(super) fn scrolled(
        &mut self,
        shared: &SharedState,
        area: Rect,
    ) -> Option<(&mut Scroll, usize, usize)> {
        let diff_lines = self.diff_lines.as_ref()?;
        let areas = areas(diff_lines, shared, area);
        Some(match self.pane {
            Pane::Rows => (&mut self.rows, diff_lines.lines.len(), usize::from(areas.rows.height)),
            Pane::Details => {
                let len = details(diff_lines, shared, area).len();
                (&mut self.details, len, usize::from(areas.details.height))
            }
        })
    }
}

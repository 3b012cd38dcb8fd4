//! Which two requests are compared, and what is looked at.

use ratatui::layout::Rect;
use zerver_analysis::{Diff, Ignored};
use zerver_trace::RequestId;

use super::diff_lines::{DiffLines, verdict};
use super::layout::{self, Areas};
use crate::draw::Scroll;
use crate::message::Command;
use crate::state::SharedState;

/// Two requests compared.
#[derive(Debug, Default)]
pub(crate) struct DiffScreen {
    pub(super) ids: Option<(RequestId, RequestId)>,
    /// None until both traces have come.
    pub(super) diff_lines: Option<DiffLines>,
    pub(super) pane: Pane,
    pub(super) rows: Scroll,
    pub(super) details: Scroll,
}

/// What has the keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Rows,
    Details,
}

/// Where the parts of the screen are.
pub(super) fn areas(diff_lines: &DiffLines, shared: &SharedState, area: Rect) -> Areas {
    let verdict = verdict(diff_lines, shared, area.width).len();
    layout::areas(area, verdict, diff_lines.lines.len(), diff_lines.details.len())
}

impl DiffScreen {
    /// Compares two others.
    pub(crate) fn open(&mut self, shared: &SharedState, a: RequestId, b: RequestId) -> Vec<Command> {
        if self.ids == Some((a, b)) {
            return Vec::new();
        }
        *self = Self { ids: Some((a, b)), ..Self::default() };
        self.settle(shared);
        // One that could not be read is asked for again.
        let missing = |id: &RequestId| shared.traces.loaded(*id).is_none();
        [a, b].into_iter().filter(missing).map(Command::LoadTrace).collect()
    }

    pub(super) fn settle(&mut self, shared: &SharedState) {
        if self.diff_lines.is_some() {
            return;
        }
        let Some((a, b)) = self.ids else { return };
        if let (Some(a), Some(b)) = (shared.traces.loaded(a), shared.traces.loaded(b)) {
            let diff = Diff::of(&a.trace, &b.trace, &Ignored::default());
            self.diff_lines = Some(DiffLines::new(&a.trace, &b.trace, diff));
        }
    }

    /// The part that has the keys, with its length and height.
    pub(super) fn scrolled(
        &mut self,
        shared: &SharedState,
        area: Rect,
    ) -> Option<(&mut Scroll, usize, usize)> {
        let diff_lines = self.diff_lines.as_ref()?;
        let areas = areas(diff_lines, shared, area);
        Some(match self.pane {
            Pane::Rows => (&mut self.rows, diff_lines.lines.len(), usize::from(areas.rows.height)),
            Pane::Details => (&mut self.details, diff_lines.details.len(), usize::from(areas.details.height)),
        })
    }
}

//! Which two requests are compared, and what is looked at.

use ratatui::layout::Rect;
use zerver_replay::{Diff, Ignored};
use zerver_trace::RequestId;

use super::diff_lines::{Account, verdict};
use super::layout::{self, Areas};
use crate::draw::Scroll;
use crate::message::Command;
use crate::state::SharedState;

/// Two requests compared.
#[derive(Debug, Default)]
pub(crate) struct DiffScreen {
    pub(super) ids: Option<(RequestId, RequestId)>,
    /// None until both traces have come.
    pub(super) account: Option<Account>,
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
pub(super) fn areas(account: &Account, shared: &SharedState, area: Rect) -> Areas {
    let verdict = verdict(account, shared, area.width).len();
    layout::areas(area, verdict, account.lines.len(), account.details.len())
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
        let missing = |id: &RequestId| shared.traces.story(*id).is_none();
        [a, b].into_iter().filter(missing).map(Command::LoadTrace).collect()
    }

    pub(super) fn settle(&mut self, shared: &SharedState) {
        if self.account.is_some() {
            return;
        }
        let Some((a, b)) = self.ids else { return };
        if let (Some(a), Some(b)) = (shared.traces.story(a), shared.traces.story(b)) {
            let diff = Diff::of(&a.trace, &b.trace, &Ignored::default());
            self.account = Some(Account::of(&a.trace, &b.trace, diff));
        }
    }

    /// The part that has the keys, with its length and height.
    pub(super) fn scrolled(
        &mut self,
        shared: &SharedState,
        area: Rect,
    ) -> Option<(&mut Scroll, usize, usize)> {
        let account = self.account.as_ref()?;
        let areas = areas(account, shared, area);
        Some(match self.pane {
            Pane::Rows => (&mut self.rows, account.lines.len(), usize::from(areas.rows.height)),
            Pane::Details => (&mut self.details, account.details.len(), usize::from(areas.details.height)),
        })
    }
}

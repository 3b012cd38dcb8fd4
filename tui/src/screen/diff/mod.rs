//! Two requests compared: why the second took longer, step by step on one scale, and what differs.

mod account;
mod view;

use crossterm::event::{KeyCode, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_analysis::{Diff, IgnoredHeaders};
use zerver_trace::RequestId;

use self::account::Account;
pub(super) use self::account::inline;
use crate::draw::{Pointed, Scroll};
use crate::keys::{self, Action, Key, key, named, row};
use crate::message::{Command, Message, Show};
use crate::screen::Screen;
use crate::shared::Shared;

const KEYS: &[Key] = &[
    row(
        &[named(KeyCode::Tab), named(KeyCode::BackTab)],
        Action::NextPane,
        "To what differs, or to the steps",
        Some("other part"),
    ),
    row(&[named(KeyCode::Enter)], Action::Open, "Open the step in the timeline of the second", Some("open")),
    row(&[key('x')], Action::Swap, "Exchange the two", Some("swap")),
    row(&[key('r')], Action::Replay, "Run the second again with today's code", None),
    row(&[key('d')], Action::Diff, "Compare the second with another", None),
    row(&[named(KeyCode::Esc), named(KeyCode::Backspace)], Action::Back, "Back", Some("back")),
];

/// Two requests compared.
#[derive(Debug, Default)]
pub(crate) struct DiffScreen {
    ids: Option<(RequestId, RequestId)>,
    /// None until both traces have come.
    account: Option<Account>,
    pane: Pane,
    rows: Scroll,
    details: Scroll,
}

/// What has the keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Pane {
    #[default]
    Rows,
    Details,
}

impl DiffScreen {
    /// Compares two others.
    pub(crate) fn open(&mut self, shared: &Shared, a: RequestId, b: RequestId) -> Vec<Command> {
        if self.ids == Some((a, b)) {
            return Vec::new();
        }
        *self = Self { ids: Some((a, b)), ..Self::default() };
        self.settle(shared);
        // One that could not be read is asked for again.
        let missing = |id: &RequestId| shared.traces.story(*id).is_none();
        [a, b].into_iter().filter(missing).map(Command::Load).collect()
    }

    fn settle(&mut self, shared: &Shared) {
        if self.account.is_some() {
            return;
        }
        let Some((a, b)) = self.ids else { return };
        if let (Some(a), Some(b)) = (shared.traces.story(a), shared.traces.story(b)) {
            let diff = Diff::of(&a.trace, &b.trace, &IgnoredHeaders::default());
            self.account = Some(Account::of(&a.trace, &b.trace, diff));
        }
    }

    /// The part that has the keys, with its length and height.
    fn scrolled(&mut self, shared: &Shared, area: Rect) -> Option<(&mut Scroll, usize, usize)> {
        let account = self.account.as_ref()?;
        let areas = view::areas(account, shared, area);
        Some(match self.pane {
            Pane::Rows => (&mut self.rows, account.lines.len(), usize::from(areas.rows.height)),
            Pane::Details => (&mut self.details, account.details.len(), usize::from(areas.details.height)),
        })
    }
}

impl Screen for DiffScreen {
    fn name(&self) -> &'static str {
        "diff"
    }

    fn keys(&self) -> Vec<&'static [Key]> {
        vec![KEYS, keys::MOVING]
    }

    fn request(&self, _shared: &Shared) -> Option<RequestId> {
        self.ids.map(|(_, b)| b)
    }

    fn act(&mut self, shared: &mut Shared, action: Action) -> Vec<Command> {
        if let Some((scroll, len, height)) = self.scrolled(shared, shared.body())
            && scroll.act(action, len, height)
        {
            return Vec::new();
        }
        match (action, self.ids) {
            (Action::Back, _) => vec![Command::Show(Show::Back)],
            (Action::NextPane, _) => {
                self.pane = if self.pane == Pane::Rows { Pane::Details } else { Pane::Rows };
                Vec::new()
            }
            (Action::Swap, Some((a, b))) => self.open(shared, b, a),
            (Action::Open, Some((a, b))) => {
                let line = self.account.as_ref().and_then(|account| account.lines.get(self.rows.cursor));
                let show = line.map(|line| Show::Step(if line.b.is_some() { b } else { a }, line.step));
                show.map(Command::Show).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn take(&mut self, shared: &mut Shared, _message: &Message) -> Vec<Command> {
        self.settle(shared);
        Vec::new()
    }

    fn mouse(&mut self, shared: &mut Shared, area: Rect, event: MouseEvent) -> Vec<Command> {
        let Some(account) = &self.account else { return Vec::new() };
        let areas = view::areas(account, shared, area);
        let at = (event.column, event.row).into();
        let (pane, part) = match (areas.rows.contains(at), areas.details.contains(at)) {
            (true, _) => (Pane::Rows, areas.rows),
            (_, true) => (Pane::Details, areas.details),
            _ => return Vec::new(),
        };
        let before = std::mem::replace(&mut self.pane, pane);
        let Some((scroll, len, _)) = self.scrolled(shared, area) else { return Vec::new() };
        match scroll.mouse(event, part, len) {
            Pointed::Nowhere => self.pane = before,
            Pointed::Again if (before, pane) == (Pane::Rows, Pane::Rows) => {
                return self.act(shared, Action::Open);
            }
            _ => {}
        }
        Vec::new()
    }

    fn draw(&self, shared: &Shared, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}

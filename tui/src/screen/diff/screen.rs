//! Keys, mouse and messages of the diff screen.

use crossterm::event::{KeyCode, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::RequestId;

use super::state::{DiffScreen, Pane, areas};
use super::view;
use crate::draw::MouseHit;
use crate::keys::{self, Action, KeyBinding, binding, key, named};
use crate::message::{Command, Message, Navigation};
use crate::screen::interface::Screen;
use crate::state::SharedState;

const KEYS: &[KeyBinding] = &[
    binding(
        &[named(KeyCode::Tab), named(KeyCode::BackTab)],
        Action::NextPane,
        "Switch between steps and differences",
        Some("pane"),
    ),
    binding(&[named(KeyCode::Enter)], Action::Open, "Open the step in the timeline of b", Some("open step")),
    binding(&[key('x')], Action::Swap, "Swap a and b", Some("swap")),
    binding(
        &[named(KeyCode::Esc), named(KeyCode::Backspace)],
        Action::Back,
        "Back to the previous screen",
        Some("back"),
    ),
    binding(&[key('r')], Action::Replay, "Replay b with the current code", Some("replay b")),
    binding(&[key('d')], Action::Diff, "Compare b with another request", None),
];

impl DiffScreen {
    /// Returns the key tables of all states.
    pub(crate) fn all_keys() -> Vec<&'static [KeyBinding]> {
        vec![KEYS, keys::MOVING]
    }
}

impl Screen for DiffScreen {
    fn name(&self) -> &'static str {
        "diff"
    }

    fn keys(&self, _shared: &SharedState) -> Vec<&'static [KeyBinding]> {
        vec![KEYS, keys::MOVING]
    }

    fn is_available(&self, _shared: &SharedState, action: Action) -> bool {
        match (action, &self.diff_lines) {
            (Action::Swap, _) => self.ids.is_some(),
            (Action::Open, Some(diff_lines)) => !diff_lines.lines.is_empty(),
            (_, diff_lines) => diff_lines.is_some(),
        }
    }

    fn current_request(&self, _shared: &SharedState) -> Option<RequestId> {
        self.ids.map(|(_, b)| b)
    }

    fn on_action(&mut self, shared: &mut SharedState, action: Action) -> Vec<Command> {
        if let Some((scroll, len, height)) = self.scrolled(shared, shared.body())
            && scroll.apply(action, len, height)
        {
            return Vec::new();
        }
        match (action, self.ids) {
            (Action::Back, _) => vec![Command::Navigate(Navigation::Back)],
            (Action::NextPane, _) => {
                self.pane = if self.pane == Pane::Rows { Pane::Details } else { Pane::Rows };
                Vec::new()
            }
            (Action::Swap, Some((a, b))) => self.open(shared, b, a),
            (Action::Open, Some((a, b))) => {
                let line =
                    self.diff_lines.as_ref().and_then(|diff_lines| diff_lines.lines.get(self.rows.cursor));
                let show = line.map(|line| Navigation::Step(if line.b.is_some() { b } else { a }, line.step));
                show.map(Command::Navigate).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn on_message(&mut self, shared: &mut SharedState, _message: &Message) -> Vec<Command> {
        self.settle(shared);
        Vec::new()
    }

    fn on_mouse(&mut self, shared: &mut SharedState, area: Rect, event: MouseEvent) -> Vec<Command> {
        let Some(diff_lines) = &self.diff_lines else { return Vec::new() };
        let areas = areas(diff_lines, shared, area);
        let at = (event.column, event.row).into();
        let (pane, part) = match (areas.rows.contains(at), areas.details.contains(at)) {
            (true, _) => (Pane::Rows, areas.rows),
            (_, true) => (Pane::Details, areas.details),
            _ => return Vec::new(),
        };
        let before = std::mem::replace(&mut self.pane, pane);
        let Some((scroll, len, _)) = self.scrolled(shared, area) else { return Vec::new() };
        match scroll.mouse(event, part, len) {
            MouseHit::Miss => self.pane = before,
            MouseHit::Reselected if (before, pane) == (Pane::Rows, Pane::Rows) => {
                return self.on_action(shared, Action::Open);
            }
            _ => {}
        }
        Vec::new()
    }

    fn draw(&self, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}

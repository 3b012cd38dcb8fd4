//! Keys, mouse and messages of the replay screen.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::RequestId;

use super::edit_targets::EditTarget;
use super::open_prompt::OpenPrompt;
use super::state::{Pane, ReplayScreen, RunState};
use super::view;
use crate::draw::{MouseHit, Scroll};
use crate::keys::{self, Action, KeyBinding, binding, key, named};
use crate::message::{Command, Message, Navigation};
use crate::screen::interface::Screen;
use crate::state::Notice;
use crate::state::SharedState;
use crate::text_input::TextInput;

const ITEM_KEYS: &[KeyBinding] = &[
    binding(
        &[named(KeyCode::Tab), named(KeyCode::BackTab)],
        Action::NextPane,
        "Switch to the differences",
        Some("pane"),
    ),
    binding(&[named(KeyCode::Enter)], Action::Open, "Edit the selected item", Some("edit")),
];

const FINDING_KEYS: &[KeyBinding] = &[
    binding(
        &[named(KeyCode::Tab), named(KeyCode::BackTab)],
        Action::NextPane,
        "Switch to the editable items",
        Some("pane"),
    ),
    binding(
        &[named(KeyCode::Enter)],
        Action::Open,
        "Open the step of the difference in the timeline",
        Some("open step"),
    ),
];

const KEYS: &[KeyBinding] = &[
    binding(
        &[key('f')],
        Action::InjectFault,
        "Inject a fault into the effect: timeout, error, delay, garbage",
        Some("fault"),
    ),
    binding(
        &[key('a')],
        Action::SupplyMissing,
        "Supply what is missing: an effect's answer, or a secret",
        Some("supply"),
    ),
    binding(&[key('x')], Action::RevertEdit, "Revert the edit of the selected item", Some("revert")),
    binding(&[key('u')], Action::UndoEdit, "Undo the last change", Some("undo")),
    binding(&[key('Y')], Action::CopyReplay, "Copy the replay with its edits as a command", Some("copy")),
    binding(&[key('s')], Action::ChooseStep, "Choose the first step to see the edit", Some("step")),
    binding(&[key('r')], Action::Rerun, "Replay again", Some("again")),
    binding(
        &[named(KeyCode::Esc), named(KeyCode::Backspace)],
        Action::Back,
        "Back to the previous screen",
        Some("back"),
    ),
    binding(
        &[key('e')],
        Action::EditValue,
        "Edit a slot (JSON or .field=JSON), an answer, a header, the body",
        None,
    ),
    binding(&[key('E')], Action::EditInEditor, "Edit it in $EDITOR", None),
    binding(&[key('d')], Action::Diff, "Compare the request with another", None),
];

impl ReplayScreen {
    /// Returns the key tables of all states.
    pub(crate) fn all_keys() -> Vec<&'static [KeyBinding]> {
        vec![ITEM_KEYS, FINDING_KEYS, KEYS, keys::MOVING]
    }
}

impl Screen for ReplayScreen {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn keys(&self, _shared: &SharedState) -> Vec<&'static [KeyBinding]> {
        let first = if self.pane == Pane::Findings { FINDING_KEYS } else { ITEM_KEYS };
        vec![first, KEYS, keys::MOVING]
    }

    fn is_available(&self, _shared: &SharedState, action: Action) -> bool {
        let selected = self.items().get(self.item_scroll.cursor);
        match action {
            Action::Open if self.pane == Pane::Findings => self.has_findings(),
            Action::InjectFault => selected.is_some_and(|item| !item.faults.is_empty()),
            Action::ChooseStep => !self.drafts.has_no_slots(),
            Action::RevertEdit => selected.is_some_and(|item| self.drafts.draft_for(&item.target).is_some()),
            Action::SupplyMissing => self.missing_secret().is_some() || self.unanswered_effect().is_some(),
            Action::UndoEdit => !self.history.is_empty(),
            Action::Rerun | Action::NextPane | Action::CopyReplay => self.id.is_some(),
            _ if action.is_moving() && self.pane == Pane::Findings => self.has_findings(),
            _ => selected.is_some(),
        }
    }

    fn current_request(&self, _shared: &SharedState) -> Option<RequestId> {
        self.id
    }

    fn on_text_key(&mut self, _shared: &mut SharedState, key: &KeyEvent) -> Option<Vec<Command>> {
        let prompt = self.prompt.as_mut()?;
        match key.code {
            KeyCode::Enter => return Some(self.submit()),
            KeyCode::Esc => return Some(self.cancel_prompt()),
            _ if prompt.input.press(key) => prompt.error = None,
            // Keys that leave the screen always work.
            _ => return None,
        }
        Some(Vec::new())
    }

    fn text_hints(&self) -> Option<&'static [(&'static str, &'static str)]> {
        self.prompt.as_ref().map(|_| &[("enter", "replay"), ("esc", "cancel"), ("^u", "clear")][..])
    }

    fn on_paste(&mut self, _shared: &mut SharedState, text: &str) -> Vec<Command> {
        if let Some(prompt) = &mut self.prompt {
            prompt.input.paste(text);
        }
        Vec::new()
    }

    fn on_action(&mut self, shared: &mut SharedState, action: Action) -> Vec<Command> {
        let (scroll, len, height) = self.scrolled(shared.body());
        if scroll.apply(action, len, height) {
            return Vec::new();
        }
        match action {
            Action::Back => return vec![Command::Navigate(Navigation::Back)],
            Action::NextPane => {
                self.pane = if self.pane == Pane::Items { Pane::Findings } else { Pane::Items };
            }
            Action::Open if self.pane == Pane::Findings => {
                return self.open_finding(shared).into_iter().collect();
            }
            Action::Open | Action::EditValue => self.edit_value(shared),
            Action::EditInEditor => {
                let Some((target, text)) = self.selected() else { return Vec::new() };
                if matches!(target, EditTarget::Secret(_)) {
                    shared.notice =
                        Some(Notice::error("secrets are never written to a file; press e to type it here"));
                    return Vec::new();
                }
                self.prompt = Some(OpenPrompt::new(target, ""));
                return vec![Command::EditText(text.unwrap_or_default())];
            }
            Action::ChooseStep => return self.choose_next_step(shared),
            Action::RevertEdit => {
                let target = self.selected().map(|(target, _)| target);
                let before = self.drafts.clone();
                if target.is_some_and(|target| self.drafts.revert(&target)) {
                    self.remember(before);
                    return self.rerun().into_iter().collect();
                }
            }
            Action::UndoEdit => return self.undo(shared),
            Action::CopyReplay => return self.copy_command().into_iter().collect(),
            Action::InjectFault => return self.inject_next_fault(shared),
            Action::SupplyMissing => self.prompt_for_missing(shared),
            Action::Rerun => return self.rerun().into_iter().collect(),
            _ => {}
        }
        Vec::new()
    }

    fn on_message(&mut self, shared: &mut SharedState, message: &Message) -> Vec<Command> {
        self.settle(shared);
        match message {
            // Results of older replays are ignored.
            Message::Replayed(number, result) if *number == self.number => {
                self.finding_scroll = Scroll::default();
                match result {
                    Ok(replayed) => {
                        self.run = RunState::Done(Arc::clone(replayed));
                        self.response.clear();
                        self.settle(shared);
                        self.sent = None;
                        if self.prompt.is_none() {
                            self.prompt_for_missing(shared);
                        }
                    }
                    Err(refusal) => {
                        self.run = RunState::Refused(refusal.clone());
                        self.on_refusal(refusal);
                    }
                }
            }
            Message::Edited(edited) => {
                let Some(mut prompt) = self.prompt.take() else { return Vec::new() };
                let text = match edited {
                    // Every line of a body matters, but editors append a final newline.
                    Ok(text) if prompt.target == EditTarget::Body => {
                        text.strip_suffix('\n').unwrap_or(text).to_owned()
                    }
                    Ok(text) => text.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned(),
                    Err(error) => {
                        prompt.error = Some(error.clone());
                        self.prompt = Some(prompt);
                        return Vec::new();
                    }
                };
                prompt.input = TextInput::new(&text);
                return self.submit_text(prompt, &text);
            }
            _ => {}
        }
        Vec::new()
    }

    fn on_mouse(&mut self, shared: &mut SharedState, area: Rect, event: MouseEvent) -> Vec<Command> {
        let areas = self.areas(area);
        let at = (event.column, event.row).into();
        let (pane, part) = match (areas.items.contains(at), areas.findings.contains(at)) {
            (true, _) => (Pane::Items, areas.items),
            (_, true) => (Pane::Findings, areas.findings),
            _ => return Vec::new(),
        };
        let before = std::mem::replace(&mut self.pane, pane);
        let (scroll, len, _) = self.scrolled(area);
        match scroll.mouse(event, part, len) {
            MouseHit::Miss => self.pane = before,
            MouseHit::Reselected if before == pane => return self.on_action(shared, Action::Open),
            _ => {}
        }
        Vec::new()
    }

    fn draw(&self, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}

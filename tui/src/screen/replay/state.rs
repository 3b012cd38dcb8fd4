//! State of the replay screen: the request, the edits, and the last result.

use std::sync::Arc;

use ratatui::layout::Rect;
use zerver_replay::{Finding, ReplayError};
use zerver_trace::RequestId;

use super::drafts::Drafts;
use super::edit_targets::{EditItem, EditItems, EditTarget};
use super::layout::{self, Areas, Contents};
use super::open_prompt::{OpenPrompt, SubmittedPrompt};
use super::response_view::response_lines;
use crate::draw::{Scroll, StyledLine};
use crate::keys::Action;
use crate::message::{Command, Navigation};
use crate::replay_command::replay_command;
use crate::screen::Tab;
use crate::services::ReplayResult;
use crate::state::{LoadedTrace, Notice, SharedState};

/// Maximum number of changes that can be undone.
const MAX_UNDO: usize = 100;

/// The replay screen.
#[derive(Debug, Default)]
pub(crate) struct ReplayScreen {
    pub(super) id: Option<RequestId>,
    pub(super) drafts: Drafts,
    /// Earlier edits, for undo.
    pub(super) history: Vec<Drafts>,
    /// Editable items; `None` until the trace is loaded.
    pub(super) items: Option<EditItems>,
    /// Number of the latest replay.
    pub(super) number: u64,
    pub(super) run: RunState,
    /// Lines about the response of the last completed replay; empty until the trace is loaded.
    pub(super) response: Vec<StyledLine>,
    pub(super) prompt: Option<OpenPrompt>,
    /// Prompt submitted for the replay that is running.
    pub(super) sent: Option<SubmittedPrompt>,
    pub(super) pane: Pane,
    pub(super) item_scroll: Scroll,
    pub(super) finding_scroll: Scroll,
}

/// Progress of the replay.
#[derive(Debug, Default)]
pub(super) enum RunState {
    #[default]
    None,
    /// Running; the previous result stays visible.
    Running(Option<Arc<ReplayResult>>),
    Done(Arc<ReplayResult>),
    Refused(ReplayError),
}

/// Part of the screen that has the focus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Items,
    Findings,
}

impl ReplayScreen {
    /// Replays a request.
    pub(crate) fn open(&mut self, shared: &SharedState, id: RequestId) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.id != Some(id) {
            *self = Self { id: Some(id), number: self.number, ..Self::default() };
            if shared.traces.loaded(id).is_none() {
                commands.push(Command::LoadTrace(id));
            }
        }
        self.settle(shared);
        commands.extend(self.rerun());
        commands
    }

    /// Lists the editable items once the trace is loaded, and compares the responses once there is a result.
    pub(super) fn settle(&mut self, shared: &SharedState) {
        if self.items.is_none() {
            self.items = self.loaded(shared).map(|loaded| EditItems::from_trace(loaded));
        }
        if self.response.is_empty()
            && let (Some(loaded), Some(replayed)) = (self.loaded(shared), self.report())
        {
            self.response = response_lines(loaded, &replayed.report);
        }
    }

    pub(super) fn items(&self) -> &[EditItem] {
        self.items.as_ref().map_or(&[], |items| &items.all)
    }

    pub(crate) const fn is_running(&self) -> bool {
        matches!(self.run, RunState::Running(_))
    }

    pub(super) fn rerun(&mut self) -> Option<Command> {
        let id = self.id?;
        self.number += 1;
        self.run = RunState::Running(self.report().cloned());
        Some(Command::Replay { number: self.number, id, edits: self.drafts.edits() })
    }

    /// Returns the result of the last completed replay.
    pub(super) fn report(&self) -> Option<&Arc<ReplayResult>> {
        match &self.run {
            RunState::Running(report) => report.as_ref(),
            RunState::Done(report) => Some(report),
            RunState::None | RunState::Refused(_) => None,
        }
    }

    pub(super) fn loaded<'s>(&self, shared: &'s SharedState) -> Option<&'s Arc<LoadedTrace>> {
        shared.traces.loaded(self.id?)
    }

    /// Returns the selected target and the text to edit: its current edit, or the recorded value.
    pub(super) fn selected(&self) -> Option<(EditTarget, Option<String>)> {
        let item = self.items().get(self.item_scroll.cursor)?;
        let draft = match &item.target {
            // A fault is not an answer.
            EditTarget::Effect(effect) => self.drafts.answer_to(effect),
            target => self.drafts.draft_for(target),
        };
        Some((item.target.clone(), draft.map(str::to_owned).or_else(|| item.editable.clone())))
    }

    /// Injects the next fault into the selected effect.
    pub(super) fn inject_next_fault(&mut self, shared: &mut SharedState) -> Vec<Command> {
        let item = self.items.as_ref().and_then(|items| items.all.get(self.item_scroll.cursor));
        let Some(EditItem { target: EditTarget::Effect(effect), faults, .. }) = item else {
            shared.notice = Some(Notice::error("only effects can fail; select one below the slots"));
            return Vec::new();
        };
        let before = self.drafts.clone();
        self.drafts.cycle_fault(effect, faults);
        self.remember(before);
        self.rerun().into_iter().collect()
    }

    pub(super) fn edit_value(&mut self, shared: &mut SharedState) {
        let Some((target, text)) = self.selected() else {
            shared.notice = Some(Notice::error("nothing to edit"));
            return;
        };
        let text = text.unwrap_or_default();
        if text.contains('\n') {
            let key = shared.key_map.name_of(Tab::Replay, &Self::all_keys(), Action::EditInEditor);
            shared.notice =
                Some(Notice::error(format!("the value has several lines; {key} opens it in $EDITOR")));
            return;
        }
        self.prompt = Some(OpenPrompt::new(target, &text));
    }

    pub(super) fn choose_next_step(&mut self, shared: &mut SharedState) -> Vec<Command> {
        let Some(loaded) = self.loaded(shared) else { return Vec::new() };
        if self.drafts.has_no_slots() {
            shared.notice = Some(Notice::error("edit a slot first, then choose the step that sees it"));
            return Vec::new();
        }
        let before = self.drafts.clone();
        self.drafts.next_step(&loaded.trace.flow);
        self.remember(before);
        self.rerun().into_iter().collect()
    }

    /// Keeps edits for undo.
    pub(super) fn remember(&mut self, before: Drafts) {
        if self.history.len() >= MAX_UNDO {
            self.history.remove(0);
        }
        self.history.push(before);
    }

    /// Takes back the last change of the edits, and replays without it.
    pub(super) fn undo(&mut self, shared: &mut SharedState) -> Vec<Command> {
        let Some(before) = self.history.pop() else {
            shared.notice = Some(Notice::error("nothing to undo"));
            return Vec::new();
        };
        self.drafts = before;
        self.rerun().into_iter().collect()
    }

    /// Returns the replay as a command for a shell. Secrets are left out.
    pub(super) fn copy_command(&self) -> Option<Command> {
        let is_secret = |name: &str| {
            let is_it = |item: &EditItem| item.target == EditTarget::Secret(name.to_owned());
            self.items().iter().any(is_it)
        };
        let command = replay_command(self.id?, &self.drafts.edits(), is_secret);
        let lacks = if command.is_partial { "; its comments name what is missing" } else { "" };
        Some(Command::Copy { text: command.text, description: format!("the replay as a command{lacks}") })
    }

    /// Opens the step of the selected finding in the timeline.
    pub(super) fn open_finding(&self, shared: &SharedState) -> Option<Command> {
        let finding = self.report()?.report.findings.get(self.finding_scroll.cursor)?;
        let steps = &self.loaded(shared)?.trace.flow.steps;
        let step = steps.iter().position(|step| step.name == finding.step)?;
        Some(Command::Navigate(Navigation::Step(self.id?, step as u16)))
    }

    pub(super) fn has_findings(&self) -> bool {
        self.report().is_some_and(|replayed| !replayed.report.findings.is_empty())
    }

    /// Returns the areas of the screen.
    pub(super) fn areas(&self, area: Rect) -> Areas {
        let report = self.report().map(|replayed| &replayed.report);
        let contents = Contents {
            items: self.items().len(),
            findings: report.map_or(0, |report| report.findings.len()),
            is_typing: self.prompt.is_some(),
            has_ended: report.is_some_and(|report| report.edited_outcome.is_some()),
            has_finding: self.pane == Pane::Findings,
        };
        layout::areas(area, &contents)
    }

    /// Returns the list that has the focus, with its length and height.
    pub(super) fn scrolled(&mut self, area: Rect) -> (&mut Scroll, usize, usize) {
        let areas = self.areas(area);
        let items = self.items().len();
        let findings = self.report().map_or(0, |replayed| replayed.report.findings.len());
        match self.pane {
            Pane::Items => (&mut self.item_scroll, items, usize::from(areas.items.height)),
            Pane::Findings => (&mut self.finding_scroll, findings, usize::from(areas.findings.height)),
        }
    }

    /// Returns the header whose secret is missing, if that prevented the replay.
    pub(super) fn missing_secret(&self) -> Option<&str> {
        let missing = &self.report()?.report.missing_inputs;
        self.items().iter().find_map(|item| match &item.target {
            EditTarget::Secret(name) => {
                missing.iter().any(|missing| missing.is_header(name)).then_some(name.as_str())
            }
            _ => None,
        })
    }

    /// Returns the finding of an effect without an answer.
    pub(super) fn unanswered_effect(&self) -> Option<&Finding> {
        let findings = &self.report()?.report.findings;
        findings.iter().find(|finding| finding.class.ends_replay())
    }
}

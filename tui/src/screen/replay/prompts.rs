//! Prompts for edits, and for what a replay lacks: an answer that was not recorded, or a secret of which an exported
//! trace has only the hash.

use zerver_analysis::{EffectEnd, Timeline, display};
use zerver_replay::{Finding, ReplayError};

use super::edit_targets::EditTarget;
use super::open_prompt::{OpenPrompt, SubmittedPrompt};
use super::state::ReplayScreen;
use crate::message::Command;
use crate::state::SharedState;

impl ReplayScreen {
    /// Opens a prompt for what the last replay lacked, if anything.
    pub(super) fn prompt_for_missing(&mut self, shared: &SharedState) {
        if let Some(name) = self.missing_secret() {
            self.prompt = Some(OpenPrompt::new(EditTarget::Secret(name.to_owned()), ""));
        } else if let Some(finding) = self.unanswered_effect() {
            let effect = finding.field.clone();
            let draft = self.drafts.answer_to(&effect).map(str::to_owned);
            // An answer to the same kind of effect shows the expected form.
            let like = || self.loaded(shared).and_then(|loaded| answer_like(&loaded.timeline, finding));
            let like = if draft.is_none() { like() } else { None };
            let is_example = like.is_some();
            let text = draft.or(like).unwrap_or_default();
            self.prompt =
                Some(OpenPrompt { is_example, ..OpenPrompt::new(EditTarget::Effect(effect), &text) });
        }
    }

    /// Submits the text typed.
    pub(super) fn submit(&mut self) -> Vec<Command> {
        let Some(prompt) = self.prompt.take() else { return Vec::new() };
        let text = prompt.input.text();
        self.submit_text(prompt, &text)
    }

    /// Replays with a text. A text that is invalid, or is refused by the replay, returns to the prompt for correction.
    pub(super) fn submit_text(&mut self, mut prompt: OpenPrompt, text: &str) -> Vec<Command> {
        let before = self.drafts.clone();
        if let Err(error) = self.drafts.set(&prompt.target, text) {
            prompt.error = Some(error);
            self.prompt = Some(prompt);
            return Vec::new();
        }
        let commands = self.rerun().into_iter().collect();
        if prompt.before.is_none() {
            self.remember(before.clone());
        }
        prompt.before.get_or_insert(before);
        prompt.is_example = false;
        // A text of several lines does not fit the prompt.
        self.sent = (!text.contains('\n')).then_some(SubmittedPrompt { number: self.number, prompt });
        commands
    }

    /// Reopens the prompt after its replay was refused, with the reason.
    pub(super) fn on_refusal(&mut self, refusal: &ReplayError) {
        let sent = self.sent.take().filter(|sent| sent.number == self.number && self.prompt.is_none());
        if let Some(SubmittedPrompt { mut prompt, .. }) = sent {
            let why = refusal.causes.first().and_then(|cause| cause.lines().next());
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            prompt.error = Some(format!("{}{why}", refusal.message));
            self.prompt = Some(prompt);
        }
    }

    /// Closes the prompt and reverts an edit that was refused.
    pub(super) fn cancel_prompt(&mut self) -> Vec<Command> {
        match self.prompt.take().and_then(|prompt| prompt.before) {
            Some(before) => {
                self.drafts = before;
                // The refused edit leaves no trace.
                self.history.pop();
                self.rerun().into_iter().collect()
            }
            None => Vec::new(),
        }
    }
}

/// Returns a recorded answer to the same kind of effect in the same step, as JSON.
fn answer_like(timeline: &Timeline, finding: &Finding) -> Option<String> {
    let kind = finding.field.split(' ').next()?;
    let runs = timeline.runs.iter().filter(|run| run.step.name == finding.step);
    let mut effects = runs.flat_map(|run| &run.effects).filter(|effect| effect.kind == kind);
    effects.find_map(|effect| match &effect.end {
        EffectEnd::Ok { output, .. } => display::json(output),
        _ => None,
    })
}

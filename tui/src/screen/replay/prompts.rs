//! What is asked of whoever sits there, and the line in which it is typed: an answer that was not recorded, a secret of
//! which an exported trace has only the hash.

use zerver_analysis::{End, Timeline, shown};
use zerver_replay::{Finding, Refusal};

use super::edit_targets::EditTarget;
use super::open_prompt::{OpenPrompt, SubmittedPrompt};
use super::state::ReplayScreen;
use crate::message::Command;
use crate::state::SharedState;

impl ReplayScreen {
    /// Asks for what the last run lacked, if anything.
    pub(super) fn ask(&mut self, shared: &SharedState) {
        if let Some(name) = self.unknown_secret() {
            self.prompt_line = Some(OpenPrompt::of(EditTarget::Secret(name.to_owned()), ""));
        } else if let Some(finding) = self.unanswered() {
            let effect = finding.field.clone();
            let draft = self.drafts.answer_to(&effect).map(str::to_owned);
            // What the step got for the same kind of effect shows the form of an answer.
            let like = || self.loaded(shared).and_then(|loaded| answer_like(&loaded.timeline, finding));
            let like = if draft.is_none() { like() } else { None };
            let is_like = like.is_some();
            let text = draft.or(like).unwrap_or_default();
            self.prompt_line =
                Some(OpenPrompt { is_like, ..OpenPrompt::of(EditTarget::Effect(effect), &text) });
        }
    }

    /// Takes what was typed, and runs with it.
    pub(super) fn submit(&mut self) -> Vec<Command> {
        let Some(prompt_line) = self.prompt_line.take() else { return Vec::new() };
        let text = prompt_line.prompt.text();
        self.put(prompt_line, &text)
    }

    /// Runs with a text. A line that does not fit stays to be changed: at once, or when the run with it is refused.
    pub(super) fn put(&mut self, mut prompt_line: OpenPrompt, text: &str) -> Vec<Command> {
        let before = self.drafts.clone();
        if let Err(error) = self.drafts.put(&prompt_line.target, text) {
            prompt_line.error = Some(error);
            self.prompt_line = Some(prompt_line);
            return Vec::new();
        }
        let commands = self.again().into_iter().collect();
        prompt_line.before.get_or_insert(before);
        prompt_line.is_like = false;
        // A text of several lines is none to be typed here.
        self.sent = (!text.contains('\n')).then_some(SubmittedPrompt { number: self.number, prompt_line });
        commands
    }

    /// Nothing was run: what was typed is there again, with what is wrong with it.
    pub(super) fn refused(&mut self, refusal: &Refusal) {
        let sent = self.sent.take().filter(|sent| sent.number == self.number && self.prompt_line.is_none());
        if let Some(SubmittedPrompt { mut prompt_line, .. }) = sent {
            let why = refusal.causes.first().and_then(|cause| cause.lines().next());
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            prompt_line.error = Some(format!("{}{why}", refusal.what));
            self.prompt_line = Some(prompt_line);
        }
    }

    /// Leaves the line; what was refused with it is not to be different any more.
    pub(super) fn leave(&mut self) -> Vec<Command> {
        match self.prompt_line.take().and_then(|prompt_line| prompt_line.before) {
            Some(before) => {
                self.drafts = before;
                self.again().into_iter().collect()
            }
            None => Vec::new(),
        }
    }
}

/// What was recorded for an effect of the same kind in the same step, as JSON.
fn answer_like(timeline: &Timeline, finding: &Finding) -> Option<String> {
    let kind = finding.field.split(' ').next()?;
    let runs = timeline.runs.iter().filter(|run| run.step.name == finding.step);
    let mut effects = runs.flat_map(|run| &run.effects).filter(|effect| effect.kind == kind);
    effects.find_map(|effect| match &effect.end {
        End::Ok { output, .. } => shown::json(output),
        _ => None,
    })
}

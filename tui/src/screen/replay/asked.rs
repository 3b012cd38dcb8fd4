//! What is asked of whoever sits there, and the line in which it is typed: an answer that was not recorded, a secret of
//! which an exported trace has only the hash.

use zerver_analysis::{EffectEnd, Timeline, display};
use zerver_replay::{Finding, FindingClass, ReplayError};

use super::drafts::Drafts;
use super::{About, ReplayScreen};
use crate::message::Command;
use crate::prompt::Prompt;
use crate::shared::Shared;

/// A line that is being typed.
#[derive(Debug)]
pub(super) struct Typing {
    pub(super) about: About,
    pub(super) prompt: Prompt,
    pub(super) error: Option<String>,
    /// Whether it is what an effect of the same kind got.
    pub(super) is_like: bool,
    /// What was to be different before this was typed, if the run with it was refused: leaving goes back to it.
    pub(super) before: Option<Drafts>,
}

/// A line that was typed, until the run with it has come to an end.
#[derive(Debug)]
pub(super) struct Sent {
    /// The number of the run.
    pub(super) number: u64,
    pub(super) typing: Typing,
}

impl Typing {
    pub(super) fn of(about: About, text: &str) -> Self {
        let prompt = if matches!(about, About::Secret(_)) { Prompt::secret() } else { Prompt::new(text) };
        Self { about, prompt, error: None, is_like: false, before: None }
    }
}

impl ReplayScreen {
    /// Asks for what the last run lacked, if anything.
    pub(super) fn ask(&mut self, shared: &Shared) {
        if let Some(name) = self.unknown_secret() {
            self.typing = Some(Typing::of(About::Secret(name.to_owned()), ""));
        } else if let Some(finding) = self.unanswered() {
            let effect = finding.field.clone();
            let draft = self.drafts.answer_to(&effect).map(str::to_owned);
            // What the step got for the same kind of effect shows the form of an answer.
            let like = || self.story(shared).and_then(|story| answer_like(&story.timeline, finding));
            let like = if draft.is_none() { like() } else { None };
            let is_like = like.is_some();
            let text = draft.or(like).unwrap_or_default();
            self.typing = Some(Typing { is_like, ..Typing::of(About::Effect(effect), &text) });
        }
    }

    /// Takes what was typed, and runs with it.
    pub(super) fn typed(&mut self) -> Vec<Command> {
        let Some(typing) = self.typing.take() else { return Vec::new() };
        let text = typing.prompt.text();
        self.put(typing, &text)
    }

    /// Runs with a text. A line that does not fit stays to be changed: at once, or when the run with it is refused.
    pub(super) fn put(&mut self, mut typing: Typing, text: &str) -> Vec<Command> {
        let before = self.drafts.clone();
        if let Err(error) = self.drafts.put(&typing.about, text) {
            typing.error = Some(error);
            self.typing = Some(typing);
            return Vec::new();
        }
        let commands = self.again().into_iter().collect();
        typing.before.get_or_insert(before);
        typing.is_like = false;
        // A text of several lines is none to be typed here.
        self.sent = (!text.contains('\n')).then_some(Sent { number: self.number, typing });
        commands
    }

    /// Nothing was run: what was typed is there again, with what is wrong with it.
    pub(super) fn refused(&mut self, refusal: &ReplayError) {
        let sent = self.sent.take().filter(|sent| sent.number == self.number && self.typing.is_none());
        if let Some(Sent { mut typing, .. }) = sent {
            let why = refusal.causes.first().and_then(|cause| cause.lines().next());
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            typing.error = Some(format!("{}{why}", refusal.message));
            self.typing = Some(typing);
        }
    }

    /// Leaves the line; what was refused with it is not to be different any more.
    pub(super) fn leave(&mut self) -> Vec<Command> {
        match self.typing.take().and_then(|typing| typing.before) {
            Some(before) => {
                self.drafts = before;
                self.again().into_iter().collect()
            }
            None => Vec::new(),
        }
    }

    /// The header without which the request could not be run, because its secret is not here.
    pub(super) fn unknown_secret(&self) -> Option<&str> {
        let why = &self.report()?.report.missing_inputs;
        self.subjects().iter().find_map(|subject| match &subject.about {
            About::Secret(name) => {
                let start = format!("the request's header {name}:");
                why.iter().any(|why| why.starts_with(&start)).then_some(name.as_str())
            }
            _ => None,
        })
    }

    /// The effect that has no answer.
    pub(super) fn unanswered(&self) -> Option<&Finding> {
        let findings = &self.report()?.report.findings;
        findings.iter().find(|finding| finding.class.ends_replay())
    }
}

/// What was recorded for an effect of the same kind in the same step, as JSON.
fn answer_like(timeline: &Timeline, finding: &Finding) -> Option<String> {
    let kind = finding.field.split(' ').next()?;
    let runs = timeline.runs.iter().filter(|run| run.step.name == finding.step);
    let mut effects = runs.flat_map(|run| &run.effects).filter(|effect| effect.kind == kind);
    effects.find_map(|effect| match &effect.end {
        EffectEnd::Ok { output, .. } => display::json(output),
        _ => None,
    })
}

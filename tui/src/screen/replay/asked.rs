//! What is asked of whoever sits there, and the line in which it is typed: an answer that was not recorded, a secret of
//! which an exported trace has only the hash.

use zerver_replay::{End, Finding, FindingClass, Timeline, shown};

use super::drafts::Drafts;
use super::{About, ReplayScreen};
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

    /// The header without which the request could not be run, because its secret is not here.
    pub(super) fn unknown_secret(&self) -> Option<&str> {
        let why = &self.report()?.report.impossible;
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
        findings.iter().find(|finding| finding.class == FindingClass::Unanswered)
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

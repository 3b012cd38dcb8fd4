//! Edits of a replay that the user has made so far.

use zerver_replay::{AnswerEdit, Edits, Fault, SlotEdit};
use zerver_trace::FlowInfo;

use super::edit_targets::EditTarget;

/// Edits by target.
#[derive(Debug, Clone, Default)]
pub(super) struct Drafts {
    /// Edits of slots, with the text typed.
    slots: Vec<SlotDraft>,
    /// Answers for effects.
    answers: Vec<AnswerEdit>,
    /// Faults injected into effects, each with its label.
    faults: Vec<(&'static str, Fault)>,
    headers: Vec<(String, String)>,
    body: Option<String>,
    /// First step that sees the edited slots, if one was chosen.
    at: Option<String>,
}

#[derive(Debug, Clone)]
struct SlotDraft {
    typed: String,
    edit: SlotEdit,
}

impl Drafts {
    /// Returns the edit of a target as text.
    pub(super) fn draft_for(&self, target: &EditTarget) -> Option<&str> {
        match target {
            EditTarget::Slot(slot) => self.slot(slot),
            EditTarget::Effect(effect) => {
                let fault = self.faults.iter().find(|(_, fault)| fault.effect == *effect);
                fault.map(|(word, _)| *word).or_else(|| self.answer_to(effect))
            }
            EditTarget::Header(name) => Some(&self.headers.iter().find(|(other, _)| other == name)?.1),
            EditTarget::Secret(name) => {
                self.headers.iter().any(|(other, _)| other == name).then_some("●●●● (as typed)")
            }
            EditTarget::Body => self.body.as_deref(),
        }
    }

    fn slot(&self, slot: &str) -> Option<&str> {
        Some(&self.slots.iter().find(|draft| draft.edit.slot == slot)?.typed)
    }

    pub(super) fn answer_to(&self, effect: &str) -> Option<&str> {
        Some(&self.answers.iter().find(|answer| answer.effect == *effect)?.json)
    }

    /// Sets the edit of a target. The error is a message for the user.
    pub(super) fn set(&mut self, target: &EditTarget, typed: &str) -> Result<(), String> {
        match target {
            EditTarget::Slot(slot) => return self.set_slot(slot, typed),
            EditTarget::Effect(effect) => return self.set_answer(effect, typed),
            EditTarget::Header(name) | EditTarget::Secret(name) => {
                self.revert(target);
                self.headers.push((name.clone(), typed.trim().to_owned()));
            }
            EditTarget::Body => self.body = Some(typed.to_owned()),
        }
        Ok(())
    }

    /// Replaces the fault of an effect by the next one; after the last, by none.
    pub(super) fn cycle_fault(&mut self, effect: &str, faults: &[(&'static str, Fault)]) {
        let now = self.faults.iter().find(|(_, fault)| fault.effect == effect).map(|(word, _)| *word);
        let next =
            now.map_or(0, |now| faults.iter().position(|(word, _)| *word == now).map_or(0, |at| at + 1));
        self.revert(&EditTarget::Effect(effect.to_owned()));
        self.faults.extend(faults.get(next).cloned());
    }

    /// Returns the chosen step.
    pub(super) fn at(&self) -> Option<&str> {
        self.at.as_deref()
    }

    pub(super) fn has_no_slots(&self) -> bool {
        self.slots.is_empty()
    }

    /// Sets a slot to JSON, or a part of it with `.field=JSON`.
    fn set_slot(&mut self, slot: &str, typed: &str) -> Result<(), String> {
        let typed = typed.trim();
        let text = if typed.starts_with('.') { format!("{slot}{typed}") } else { format!("{slot}={typed}") };
        let edit: SlotEdit = text.parse().map_err(|error: zerver_replay::EditError| error.to_string())?;
        self.revert(&EditTarget::Slot(slot.to_owned()));
        self.slots.push(SlotDraft { typed: typed.to_owned(), edit });
        Ok(())
    }

    /// Sets the answer of an effect.
    fn set_answer(&mut self, effect: &str, typed: &str) -> Result<(), String> {
        let edit = AnswerEdit::new(effect, typed.trim()).map_err(|error| error.to_string())?;
        self.revert(&EditTarget::Effect(effect.to_owned()));
        self.answers.push(edit);
        Ok(())
    }

    /// Removes the edit of a target. Returns false if there was none.
    pub(super) fn revert(&mut self, target: &EditTarget) -> bool {
        let was = self.draft_for(target).is_some();
        match target {
            EditTarget::Slot(slot) => self.slots.retain(|draft| draft.edit.slot != *slot),
            EditTarget::Effect(effect) => {
                self.faults.retain(|(_, fault)| fault.effect != *effect);
                self.answers.retain(|answer| answer.effect != *effect);
            }
            EditTarget::Header(name) | EditTarget::Secret(name) => {
                self.headers.retain(|(other, _)| other != name)
            }
            EditTarget::Body => self.body = None,
        }
        if self.slots.is_empty() {
            self.at = None;
        }
        was
    }

    /// Moves on to the next step that reads an edited slot; after the last, to the default, the step after the writer.
    pub(super) fn next_step(&mut self, flow: &FlowInfo) {
        let reads = |step: &&zerver_trace::StepInfo| {
            let mut names =
                step.reads.iter().filter_map(|read| Some(&flow.slots.get(usize::from(read.slot))?.name));
            names.any(|name| self.slot(name).is_some())
        };
        let steps: Vec<&str> = flow.steps.iter().filter(reads).map(|step| step.name.as_str()).collect();
        let here = self.at.as_ref().and_then(|at| steps.iter().position(|step| step == at));
        let next = here.map_or(0, |here| here + 1);
        self.at = steps.get(next).map(|step| (*step).to_owned());
    }

    pub(super) fn edits(&self) -> Edits {
        Edits {
            slots: self.slots.iter().map(|draft| draft.edit.clone()).collect(),
            at: self.at.clone(),
            answers: self.answers.clone(),
            headers: self.headers.clone(),
            body: self.body.clone().map(String::into_bytes),
            faults: self.faults.iter().map(|(_, fault)| fault.clone()).collect(),
            live: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use zerver_replay::FaultKind;

    use super::*;
    use zerver_testkit::sample;

    #[test]
    fn drafts_become_edits() {
        let mut drafts = Drafts::default();
        let (todo, get) = (EditTarget::Slot("Todo".into()), EditTarget::Effect("kv get todo:1".into()));
        assert!(drafts.set(&todo, "{\"id\": ").unwrap_err().contains("not JSON"));
        assert!(drafts.set(&get, "nonsense").is_err());
        assert_eq!(drafts.edits(), Edits::default());
        drafts.set(&todo, "{\"id\": 1}").unwrap();
        drafts.set(&todo, ".title=\"x\"").unwrap();
        drafts.set(&get, "null").unwrap();
        let edits = drafts.edits();
        assert_eq!(edits.slots, ["Todo.title=\"x\"".parse().unwrap()]);
        assert_eq!(edits.answers, ["kv get todo:1=null".parse().unwrap()]);
        assert_eq!(drafts.draft_for(&todo), Some(".title=\"x\""));
        drafts.set(&EditTarget::Header("accept".into()), " text/html").unwrap();
        drafts.set(&EditTarget::Header("accept".into()), "*/*").unwrap();
        drafts.set(&EditTarget::Body, "{}\n").unwrap();
        let secret = EditTarget::Secret("cookie".into());
        drafts.set(&secret, "sesame").unwrap();
        assert_eq!(drafts.draft_for(&secret), Some("●●●● (as typed)"));
        assert_eq!(drafts.edits().headers[1], ("cookie".to_owned(), "sesame".to_owned()));
        assert!(drafts.revert(&secret) && !drafts.revert(&secret));
        let edits = drafts.edits();
        assert_eq!(edits.headers, [("accept".to_owned(), "*/*".to_owned())]);
        assert_eq!(edits.body.as_deref(), Some(&b"{}\n"[..]));
    }

    #[test]
    fn faults_of_an_effect_are_cycled() {
        let mut drafts = Drafts::default();
        let effect = EditTarget::Effect("kv get a".into());
        let fault = |kind| Fault { effect: "kv get a".into(), kind };
        let faults = [("timeout", fault(FaultKind::Timeout)), ("malformed", fault(FaultKind::Malformed))];
        drafts.set(&effect, "null").unwrap();
        for wanted in [Some("timeout"), Some("malformed"), None, Some("timeout")] {
            drafts.cycle_fault("kv get a", &faults);
            assert_eq!(drafts.draft_for(&effect), wanted);
            assert_eq!(drafts.edits().faults.len(), usize::from(wanted.is_some()));
            assert!(drafts.edits().answers.is_empty(), "a fault replaces the answer");
        }
        assert!(drafts.revert(&effect) && drafts.edits().is_empty());
    }

    #[test]
    fn the_first_step_to_see_an_edit_can_be_chosen() {
        let flow = sample::slow().flow;
        let mut drafts = Drafts::default();
        let claims = EditTarget::Slot("Claims".into());
        drafts.set(&claims, "1").unwrap();
        for wanted in [Some("verify_roles"), None, Some("verify_roles")] {
            drafts.next_step(&flow);
            assert_eq!(drafts.at(), wanted);
        }
        assert!(drafts.revert(&claims) && !drafts.revert(&claims));
        assert_eq!(drafts.at(), None);
    }
}

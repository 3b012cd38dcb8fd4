//! What is to be different in a replay, as far as somebody has said so.

use zerver_replay::{Edits, SlotEdit};
use zerver_trace::FlowInfo;

/// What is to be different.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    /// Slots, each with what was typed about it.
    slots: Vec<Draft>,
    /// Effects, each with what it is to give.
    answers: Vec<(String, String)>,
    /// The step that sees the slots first, where one was chosen.
    at: Option<String>,
}

#[derive(Debug)]
struct Draft {
    typed: String,
    edit: SlotEdit,
}

impl Drafts {
    /// What was typed about a slot.
    pub(super) fn of(&self, slot: &str) -> Option<&str> {
        Some(&self.slots.iter().find(|draft| draft.edit.slot == slot)?.typed)
    }

    pub(super) fn answer_to(&self, effect: &str) -> Option<&str> {
        Some(&self.answers.iter().find(|(other, _)| other == effect)?.1)
    }

    /// The step that was chosen.
    pub(super) fn at(&self) -> Option<&str> {
        self.at.as_deref()
    }

    pub(super) fn is_unchanged(&self) -> bool {
        self.slots.is_empty()
    }

    /// Puts JSON into a slot, or `.field=JSON` into a part of it. Says what is wrong with it.
    pub(super) fn put(&mut self, slot: &str, typed: &str) -> Result<(), String> {
        let typed = typed.trim();
        let text = if typed.starts_with('.') { format!("{slot}{typed}") } else { format!("{slot}={typed}") };
        let edit: SlotEdit = text.parse().map_err(|error: zerver_replay::EditError| error.to_string())?;
        self.forget(slot);
        self.slots.push(Draft { typed: typed.to_owned(), edit });
        Ok(())
    }

    /// Gives an effect its answer.
    pub(super) fn put_answer(&mut self, effect: &str, typed: &str) -> Result<(), String> {
        // The same check as of a slot: that it is JSON.
        let checked: Result<SlotEdit, _> = format!("answer={typed}").parse();
        checked.map_err(|error| error.to_string())?;
        self.answers.retain(|(other, _)| other != effect);
        self.answers.push((effect.to_owned(), typed.trim().to_owned()));
        Ok(())
    }

    /// Takes back what was typed about a slot; says whether anything was.
    pub(super) fn forget(&mut self, slot: &str) -> bool {
        let before = self.slots.len();
        self.slots.retain(|draft| draft.edit.slot != slot);
        if self.slots.is_empty() {
            self.at = None;
        }
        self.slots.len() < before
    }

    /// Goes on to the next step which reads one of the slots; after the last, to none: the one after the writer.
    pub(super) fn next_step(&mut self, flow: &FlowInfo) {
        let reads = |step: &&zerver_trace::StepInfo| {
            let mut names =
                step.reads.iter().filter_map(|read| Some(&flow.slots.get(usize::from(read.slot))?.name));
            names.any(|name| self.of(name).is_some())
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
            answers: self.answers.iter().map(|(effect, json)| format!("{effect}={json}")).collect(),
            ..Edits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn drafts_become_edits() {
        let mut drafts = Drafts::default();
        assert!(drafts.put("Todo", "{\"id\": ").unwrap_err().contains("is no JSON"));
        assert!(drafts.put_answer("kv get todo:1", "nonsense").is_err());
        assert_eq!(drafts.edits(), Edits::default());
        drafts.put("Todo", "{\"id\": 1}").unwrap();
        drafts.put("Todo", ".title=\"x\"").unwrap();
        drafts.put_answer("kv get todo:1", "null").unwrap();
        let edits = drafts.edits();
        assert_eq!(edits.slots, ["Todo.title=\"x\"".parse().unwrap()]);
        assert_eq!(edits.answers, ["kv get todo:1=null"]);
        assert_eq!(drafts.of("Todo"), Some(".title=\"x\""));
    }

    #[test]
    fn steps_that_read_the_slot_come_one_after_another() {
        let flow = sample::slow().flow;
        let mut drafts = Drafts::default();
        drafts.put("Claims", "1").unwrap();
        for wanted in [Some("verify_roles"), None, Some("verify_roles")] {
            drafts.next_step(&flow);
            assert_eq!(drafts.at(), wanted);
        }
        assert!(drafts.forget("Claims") && !drafts.forget("Claims"));
        assert_eq!(drafts.at(), None);
    }
}

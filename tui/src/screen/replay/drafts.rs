//! What is to be different in a replay, as far as somebody has said so.

use zerver_replay::{AnswerEdit, Edits, Fault, SlotEdit};
use zerver_trace::FlowInfo;

use super::About;

/// What is to be different.
#[derive(Debug, Clone, Default)]
pub(super) struct Drafts {
    /// Slots, each with what was typed about it.
    slots: Vec<Draft>,
    /// Effects, each with what it is to give.
    answers: Vec<AnswerEdit>,
    /// What goes wrong with effects, each with a word for it.
    faults: Vec<(&'static str, Fault)>,
    headers: Vec<(String, String)>,
    body: Option<String>,
    /// The step that sees the slots first, where one was chosen.
    at: Option<String>,
}

#[derive(Debug, Clone)]
struct Draft {
    typed: String,
    edit: SlotEdit,
}

impl Drafts {
    /// What was said about something.
    pub(super) fn of(&self, about: &About) -> Option<&str> {
        match about {
            About::Slot(slot) => self.slot(slot),
            About::Effect(effect) => {
                let fault = self.faults.iter().find(|(_, fault)| fault.effect == *effect);
                fault.map(|(word, _)| *word).or_else(|| self.answer_to(effect))
            }
            About::Header(name) => Some(&self.headers.iter().find(|(other, _)| other == name)?.1),
            About::Secret(name) => {
                self.headers.iter().any(|(other, _)| other == name).then_some("●●●● (as typed)")
            }
            About::Body => self.body.as_deref(),
        }
    }

    fn slot(&self, slot: &str) -> Option<&str> {
        Some(&self.slots.iter().find(|draft| draft.edit.slot == slot)?.typed)
    }

    pub(super) fn answer_to(&self, effect: &str) -> Option<&str> {
        Some(&self.answers.iter().find(|answer| answer.effect == *effect)?.json)
    }

    /// Takes what was typed. Says what is wrong with it.
    pub(super) fn put(&mut self, about: &About, typed: &str) -> Result<(), String> {
        match about {
            About::Slot(slot) => return self.put_slot(slot, typed),
            About::Effect(effect) => return self.put_answer(effect, typed),
            About::Header(name) | About::Secret(name) => {
                self.forget(about);
                self.headers.push((name.clone(), typed.trim().to_owned()));
            }
            About::Body => self.body = Some(typed.to_owned()),
        }
        Ok(())
    }

    /// Lets the next thing go wrong with an effect, of those that may; after the last, nothing.
    pub(super) fn fail(&mut self, effect: &str, faults: &[(&'static str, Fault)]) {
        let now = self.faults.iter().find(|(_, fault)| fault.effect == effect).map(|(word, _)| *word);
        let next =
            now.map_or(0, |now| faults.iter().position(|(word, _)| *word == now).map_or(0, |at| at + 1));
        self.forget(&About::Effect(effect.to_owned()));
        self.faults.extend(faults.get(next).cloned());
    }

    /// The step that was chosen.
    pub(super) fn at(&self) -> Option<&str> {
        self.at.as_deref()
    }

    pub(super) fn is_unchanged(&self) -> bool {
        self.slots.is_empty()
    }

    /// Puts JSON into a slot, or `.field=JSON` into a part of it. Says what is wrong with it.
    fn put_slot(&mut self, slot: &str, typed: &str) -> Result<(), String> {
        let typed = typed.trim();
        let text = if typed.starts_with('.') { format!("{slot}{typed}") } else { format!("{slot}={typed}") };
        let edit: SlotEdit = text.parse().map_err(|error: zerver_replay::EditError| error.to_string())?;
        self.forget(&About::Slot(slot.to_owned()));
        self.slots.push(Draft { typed: typed.to_owned(), edit });
        Ok(())
    }

    /// Gives an effect its answer.
    fn put_answer(&mut self, effect: &str, typed: &str) -> Result<(), String> {
        let edit = AnswerEdit::new(effect, typed.trim()).map_err(|error| error.to_string())?;
        self.forget(&About::Effect(effect.to_owned()));
        self.answers.push(edit);
        Ok(())
    }

    /// Takes back what was said about something; says whether anything was.
    pub(super) fn forget(&mut self, about: &About) -> bool {
        let was = self.of(about).is_some();
        match about {
            About::Slot(slot) => self.slots.retain(|draft| draft.edit.slot != *slot),
            About::Effect(effect) => {
                self.faults.retain(|(_, fault)| fault.effect != *effect);
                self.answers.retain(|answer| answer.effect != *effect);
            }
            About::Header(name) | About::Secret(name) => self.headers.retain(|(other, _)| other != name),
            About::Body => self.body = None,
        }
        if self.slots.is_empty() {
            self.at = None;
        }
        was
    }

    /// Goes on to the next step which reads one of the slots; after the last, to none: the one after the writer.
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
    use crate::sample;

    #[test]
    fn drafts_become_edits() {
        let mut drafts = Drafts::default();
        let (todo, get) = (About::Slot("Todo".into()), About::Effect("kv get todo:1".into()));
        assert!(drafts.put(&todo, "{\"id\": ").unwrap_err().contains("is no JSON"));
        assert!(drafts.put(&get, "nonsense").is_err());
        assert_eq!(drafts.edits(), Edits::default());
        drafts.put(&todo, "{\"id\": 1}").unwrap();
        drafts.put(&todo, ".title=\"x\"").unwrap();
        drafts.put(&get, "null").unwrap();
        let edits = drafts.edits();
        assert_eq!(edits.slots, ["Todo.title=\"x\"".parse().unwrap()]);
        assert_eq!(edits.answers, ["kv get todo:1=null".parse().unwrap()]);
        assert_eq!(drafts.of(&todo), Some(".title=\"x\""));
        drafts.put(&About::Header("accept".into()), " text/html").unwrap();
        drafts.put(&About::Header("accept".into()), "*/*").unwrap();
        drafts.put(&About::Body, "{}\n").unwrap();
        let secret = About::Secret("cookie".into());
        drafts.put(&secret, "sesame").unwrap();
        assert_eq!(drafts.of(&secret), Some("●●●● (as typed)"));
        assert_eq!(drafts.edits().headers[1], ("cookie".to_owned(), "sesame".to_owned()));
        assert!(drafts.forget(&secret) && !drafts.forget(&secret));
        let edits = drafts.edits();
        assert_eq!(edits.headers, [("accept".to_owned(), "*/*".to_owned())]);
        assert_eq!(edits.body.as_deref(), Some(&b"{}\n"[..]));
    }

    #[test]
    fn one_thing_after_another_goes_wrong_with_an_effect() {
        let mut drafts = Drafts::default();
        let effect = About::Effect("kv get a".into());
        let fault = |wrong| Fault { effect: "kv get a".into(), kind: wrong };
        let faults = [("timeout", fault(FaultKind::Timeout)), ("malformed", fault(FaultKind::Malformed))];
        drafts.put(&effect, "null").unwrap();
        for wanted in [Some("timeout"), Some("malformed"), None, Some("timeout")] {
            drafts.fail("kv get a", &faults);
            assert_eq!(drafts.of(&effect), wanted);
            assert_eq!(drafts.edits().faults.len(), usize::from(wanted.is_some()));
            assert!(drafts.edits().answers.is_empty(), "no answer where it fails");
        }
        assert!(drafts.forget(&effect) && drafts.edits().is_empty());
    }

    #[test]
    fn steps_that_read_the_slot_come_one_after_another() {
        let flow = sample::slow().flow;
        let mut drafts = Drafts::default();
        let claims = About::Slot("Claims".into());
        drafts.put(&claims, "1").unwrap();
        for wanted in [Some("verify_roles"), None, Some("verify_roles")] {
            drafts.next_step(&flow);
            assert_eq!(drafts.at(), wanted);
        }
        assert!(drafts.forget(&claims) && !drafts.forget(&claims));
        assert_eq!(drafts.at(), None);
    }
}

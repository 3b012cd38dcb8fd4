//! What of a request may be different when it is run again: its slots, its effects, its headers and its body.

use std::collections::HashMap;

use zerver_analysis::display;
use zerver_replay::{Fault, fault_trials};
use zerver_trace::Recorded;
use zerver_trace::text::clean;

use super::About;
use crate::draw::width;
use crate::shared::Story;

/// What stands for a secret.
const SECRET: &str = "●●●● (secret)";
/// Names take so many columns at most, where there is room.
const MAX_NAME: usize = 60;

/// All of it, in the order in which it is listed.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    pub(super) all: Vec<Subject>,
    /// How wide the names are.
    pub(super) columns: usize,
}

/// One thing that may be different.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) about: About,
    /// Made safe to be drawn.
    pub(super) name: String,
    /// What was recorded, in a line.
    pub(super) value: String,
    /// The same as somebody edits it; none for secrets and for what was not recorded.
    pub(super) editable: Option<String>,
    /// What may go wrong with it, each with a word for it.
    pub(super) faults: Vec<(&'static str, Fault)>,
}

impl Subjects {
    pub(super) fn of(story: &Story) -> Self {
        let mut all: Vec<Subject> = story
            .timeline
            .slots
            .iter()
            .map(|slot| Subject {
                about: About::Slot(slot.name.clone()),
                name: clean(&slot.name).into_owned(),
                value: display::slot(slot),
                editable: display::editable(slot),
                faults: Vec::new(),
            })
            .collect();
        all.extend(effects(story));
        for header in &story.trace.request_headers {
            let text = crate::curl::text(&header.value);
            let is_plain = matches!(header.value, Recorded::Plain { .. });
            let name = header.name.clone();
            all.push(Subject {
                name: clean(&format!("{name}:")).into_owned(),
                about: if is_plain { About::Header(name) } else { About::Secret(name) },
                value: text.as_deref().map_or_else(|| SECRET.to_owned(), |text| clean(text).into_owned()),
                editable: text.filter(|_| is_plain),
                faults: Vec::new(),
            });
        }
        let body = &story.trace.request_body;
        let text = crate::curl::text(&body.bytes).filter(|_| body.kept_len == body.full_len);
        all.push(Subject {
            about: About::Body,
            name: "body".to_owned(),
            value: match body.full_len {
                0 => "empty".to_owned(),
                _ => display::wire(&body.bytes).join("\\n"),
            },
            editable: text,
            faults: Vec::new(),
        });
        let columns = all.iter().map(|subject| width(&subject.name)).max().unwrap_or(0).min(MAX_NAME);
        Self { all, columns }
    }
}

fn effects(story: &Story) -> Vec<Subject> {
    let mut ends = HashMap::new();
    for effect in story.timeline.runs.iter().flat_map(|run| &run.effects) {
        let output = match &effect.end {
            zerver_analysis::EffectEnd::Ok { output, .. } => display::json(output),
            _ => None,
        };
        let end = output.clone().unwrap_or_else(|| effect.end.to_string());
        ends.extend(effect.attempts.iter().map(|attempt| (attempt.call, (end.clone(), output.clone()))));
    }
    let mut subjects: Vec<(u32, Subject)> = Vec::new();
    for trial in fault_trials(&story.trace) {
        match subjects.last_mut() {
            Some((call, subject)) if *call == trial.call => subject.faults.push((trial.word, trial.fault)),
            _ => {
                let (value, editable) = ends.get(&trial.call).cloned().unwrap_or_default();
                let subject = Subject {
                    about: About::Effect(trial.fault.effect.clone()),
                    name: clean(&trial.effect).into_owned(),
                    value: clean(&value).into_owned(),
                    editable,
                    faults: vec![(trial.word, trial.fault)],
                };
                subjects.push((trial.call, subject));
            }
        }
    }
    subjects.into_iter().map(|(_, subject)| subject).collect()
}

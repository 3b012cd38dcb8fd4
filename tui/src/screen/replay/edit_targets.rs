//! What of a request may be different when it is run again: its slots, its effects, its headers and its body.

use std::collections::HashMap;

use zerver_analysis::shown;
use zerver_replay::{Fault, trials};
use zerver_trace::Recorded;
use zerver_trace::text::clean;

use crate::draw::width;
use crate::state::LoadedTrace;

/// What stands for a secret.
const SECRET: &str = "●●●● (secret)";
/// Names take so many columns at most, where there is room.
const MAX_NAME: usize = 60;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EditTarget {
    /// A slot, by its name.
    Slot(String),
    /// An effect, as it is called in a finding, or the number of a call.
    Effect(String),
    /// A header of the request, by its name.
    Header(String),
    /// The same, where it is a secret: what is typed is not shown.
    Secret(String),
    /// The body of the request.
    Body,
}

/// All of it, in the order in which it is listed.
#[derive(Debug, Default)]
pub(super) struct EditItems {
    pub(super) all: Vec<EditItem>,
    /// How wide the names are.
    pub(super) columns: usize,
}

/// One thing that may be different.
#[derive(Debug)]
pub(super) struct EditItem {
    pub(super) target: EditTarget,
    /// Made safe to be drawn.
    pub(super) name: String,
    /// What was recorded, in a line.
    pub(super) value: String,
    /// The same as somebody edits it; none for secrets and for what was not recorded.
    pub(super) editable: Option<String>,
    /// What may go wrong with it, each with a word for it.
    pub(super) faults: Vec<(&'static str, Fault)>,
}

impl EditItems {
    pub(super) fn from_trace(loaded: &LoadedTrace) -> Self {
        let mut all: Vec<EditItem> = loaded
            .timeline
            .slots
            .iter()
            .map(|slot| EditItem {
                target: EditTarget::Slot(slot.name.clone()),
                name: clean(&slot.name).into_owned(),
                value: shown::slot(slot),
                editable: shown::editable(slot),
                faults: Vec::new(),
            })
            .collect();
        all.extend(effects(loaded));
        for header in &loaded.trace.request_headers {
            let text = crate::curl_command::text(&header.value);
            let is_plain = matches!(header.value, Recorded::Plain { .. });
            let name = header.name.clone();
            all.push(EditItem {
                name: clean(&format!("{name}:")).into_owned(),
                target: if is_plain { EditTarget::Header(name) } else { EditTarget::Secret(name) },
                value: text.as_deref().map_or_else(|| SECRET.to_owned(), |text| clean(text).into_owned()),
                editable: text.filter(|_| is_plain),
                faults: Vec::new(),
            });
        }
        let body = &loaded.trace.request_body;
        let text = crate::curl_command::text(&body.bytes).filter(|_| body.kept_len == body.full_len);
        all.push(EditItem {
            target: EditTarget::Body,
            name: "body".to_owned(),
            value: match body.full_len {
                0 => "empty".to_owned(),
                _ => shown::wire(&body.bytes).join("\\n"),
            },
            editable: text,
            faults: Vec::new(),
        });
        let columns = all.iter().map(|item| width(&item.name)).max().unwrap_or(0).min(MAX_NAME);
        Self { all, columns }
    }
}

fn effects(loaded: &LoadedTrace) -> Vec<EditItem> {
    let mut ends = HashMap::new();
    for effect in loaded.timeline.runs.iter().flat_map(|run| &run.effects) {
        let output = match &effect.end {
            zerver_analysis::End::Ok { output, .. } => shown::json(output),
            _ => None,
        };
        let end = output.clone().unwrap_or_else(|| effect.end.to_string());
        ends.extend(effect.attempts.iter().map(|attempt| (attempt.call, (end.clone(), output.clone()))));
    }
    let mut items: Vec<(u32, EditItem)> = Vec::new();
    for trial in trials(&loaded.trace) {
        match items.last_mut() {
            Some((call, item)) if *call == trial.call => item.faults.push((trial.word, trial.fault)),
            _ => {
                let (value, editable) = ends.get(&trial.call).cloned().unwrap_or_default();
                let item = EditItem {
                    target: EditTarget::Effect(trial.fault.effect.clone()),
                    name: clean(&trial.effect).into_owned(),
                    value: clean(&value).into_owned(),
                    editable,
                    faults: vec![(trial.word, trial.fault)],
                };
                items.push((trial.call, item));
            }
        }
    }
    items.into_iter().map(|(_, item)| item).collect()
}

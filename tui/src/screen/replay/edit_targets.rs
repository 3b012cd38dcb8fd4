//! Everything about a request that can be edited for a replay: slots, effects, headers and the body.

use std::collections::HashMap;

use zerver_analysis::display;
use zerver_replay::{Fault, fault_trials};
use zerver_trace::Recorded;
use zerver_trace::text::clean;

use crate::draw::width;
use crate::state::LoadedTrace;

/// Text shown instead of a secret.
const SECRET: &str = "●●●● (secret)";
/// Maximum width of a name.
const MAX_NAME: usize = 60;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EditTarget {
    /// Slot, by name.
    Slot(String),
    /// Effect, by its label in findings, or by call number.
    Effect(String),
    /// Request header, by name.
    Header(String),
    /// Secret request header; the text typed is hidden.
    Secret(String),
    /// Request body.
    Body,
}

impl EditTarget {
    /// Returns the heading of the group that it belongs to.
    pub(super) const fn group(&self) -> &'static str {
        match self {
            Self::Slot(_) => "slots",
            Self::Effect(_) => "effects",
            Self::Header(_) | Self::Secret(_) => "headers",
            Self::Body => "",
        }
    }
}

/// Editable items, in display order.
#[derive(Debug, Default)]
pub(super) struct EditItems {
    pub(super) all: Vec<EditItem>,
    /// Width of the names.
    pub(super) columns: usize,
}

/// An editable item.
#[derive(Debug)]
pub(super) struct EditItem {
    pub(super) target: EditTarget,
    /// Name, sanitized.
    pub(super) name: String,
    /// Recorded value on one line.
    pub(super) value: String,
    /// Recorded value as text to edit; `None` for secrets and values not recorded.
    pub(super) editable: Option<String>,
    /// Faults that can be injected, each with a label.
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
                value: display::slot(slot),
                editable: display::editable(slot),
                faults: Vec::new(),
            })
            .collect();
        all.extend(effects(loaded));
        for header in &loaded.trace.request_headers {
            let text = zerver_analysis::recorded_text(&header.value);
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
        let text = zerver_analysis::recorded_text(&body.bytes).filter(|_| body.kept_len == body.full_len);
        all.push(EditItem {
            target: EditTarget::Body,
            name: "body".to_owned(),
            value: match body.full_len {
                0 => "empty".to_owned(),
                _ => display::wire(&body.bytes).join("\\n"),
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
            zerver_analysis::EffectEnd::Ok { output, .. } => display::json(output),
            _ => None,
        };
        let end = output.clone().unwrap_or_else(|| effect.end.to_string());
        ends.extend(effect.attempts.iter().map(|attempt| (attempt.call, (end.clone(), output.clone()))));
    }
    let mut items: Vec<(u32, EditItem)> = Vec::new();
    for trial in fault_trials(&loaded.trace) {
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

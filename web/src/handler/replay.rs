//! Replays of a request, with the edits of a form. Nothing is sent anywhere: effects are answered from the recording.

use std::collections::BTreeMap;
use std::sync::TryLockError;

use maud::Markup;
use zerver_analysis::{EffectEnd, display};
use zerver_replay::value::display::SECRET;
use zerver_replay::{AnswerEdit, Edits, Fault, FaultKind, SlotEdit, fault_trials};
use zerver_trace::duration::HumanDuration;
use zerver_trace::{Node, Recorded};

use super::page_error::PageError;
use super::state::WebState;
use crate::loaded_trace::LoadedTrace;
use crate::url::Params;
use crate::view::replay::{FieldKind, FormField, ReplayForm, replay_form};

/// Maximum number of effects in the form.
const MAX_EFFECTS: usize = 200;

/// Returns the form, filled in as the URL says.
pub(super) fn form(state: &WebState, loaded: &LoadedTrace, typed: &Params) -> Markup {
    let fields = fields(loaded);
    replay_form(&ReplayForm {
        loaded,
        fields: &fields,
        typed,
        mistake: None,
        result: None,
        now_unix_ns: state.now_unix_ns(),
    })
}

/// Replays the request, and returns the form with the report.
pub(super) fn run(state: &WebState, id: &str, typed: &Params) -> Result<Markup, PageError> {
    let loaded = state.load(id)?;
    let fields = fields(&loaded);
    let (mistake, result) = match edits(&loaded, &fields, typed) {
        Err(mistake) => (Some(mistake), None),
        Ok(edits) => match state.replaying.try_lock() {
            Err(TryLockError::WouldBlock) => {
                (Some("Another replay is running. Try again when it has ended.".to_owned()), None)
            }
            // A replay that panicked has left nothing behind.
            locked @ (Ok(_) | Err(TryLockError::Poisoned(_))) => {
                let result = state.services.replay(loaded.trace.clone(), edits);
                drop(locked);
                (None, Some(result))
            }
        },
    };
    let form = ReplayForm {
        loaded: &loaded,
        fields: &fields,
        typed,
        mistake,
        result: result.as_ref(),
        now_unix_ns: state.now_unix_ns(),
    };
    Ok(state.request_frame(&loaded, "replay").around(&replay_form(&form)))
}

/// Returns everything that can be edited.
fn fields(loaded: &LoadedTrace) -> Vec<FormField> {
    let slots = loaded.timeline.slots.iter().map(|slot| FormField {
        kind: FieldKind::Slot,
        name: slot.name.clone(),
        label: slot.name.clone(),
        recorded: display::slot(slot),
        editable: display::editable(slot),
        faults: Vec::new(),
        is_secret: slot.is_masked(),
    });
    let headers = loaded.trace.request_headers.iter().map(|header| {
        let is_secret = !matches!(header.value, Recorded::Plain { .. });
        FormField {
            kind: FieldKind::Header,
            name: header.name.clone(),
            label: header.name.clone(),
            recorded: if is_secret { SECRET.to_owned() } else { text(&header.value) },
            editable: (!is_secret).then(|| text(&header.value)),
            faults: Vec::new(),
            is_secret,
        }
    });
    let body = &loaded.trace.request_body;
    let is_whole = body.kept_len == body.full_len && matches!(body.bytes, Recorded::Plain { .. });
    let body = FormField {
        editable: is_whole.then(|| text(&body.bytes)),
        kind: FieldKind::Body,
        name: String::new(),
        label: "body".to_owned(),
        recorded: if body.full_len == 0 {
            "empty".to_owned()
        } else {
            display::wire(&body.bytes).join("\\n")
        },
        faults: Vec::new(),
        is_secret: false,
    };
    slots.chain(effects(loaded)).chain(headers).chain([body]).collect()
}

fn effects(loaded: &LoadedTrace) -> Vec<FormField> {
    let mut ends = BTreeMap::new();
    for effect in loaded.timeline.runs.iter().flat_map(|run| &run.effects) {
        let output = match &effect.end {
            EffectEnd::Ok { output, .. } => display::json(output),
            _ => None,
        };
        let end = output.clone().unwrap_or_else(|| effect.end.to_string());
        ends.extend(effect.attempts.iter().map(|attempt| (attempt.call, (end.clone(), output.clone()))));
    }
    let mut fields: Vec<(u32, FormField)> = Vec::new();
    for trial in fault_trials(&loaded.trace) {
        let is_full = fields.len() >= MAX_EFFECTS;
        match fields.last_mut() {
            Some((call, field)) if *call == trial.call => field.faults.push(trial.word),
            _ if is_full => break,
            _ => {
                let (recorded, editable) = ends.get(&trial.call).cloned().unwrap_or_default();
                let field = FormField {
                    kind: FieldKind::Effect,
                    name: trial.fault.effect.clone(),
                    label: trial.effect,
                    recorded,
                    editable,
                    faults: vec![trial.word],
                    is_secret: false,
                };
                fields.push((trial.call, field));
            }
        }
    }
    fields.into_iter().map(|(_, field)| field).collect()
}

fn text(recorded: &Recorded) -> String {
    match recorded.value().map(zerver_trace::Value::root) {
        Some(Node::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(other) => other
            .as_bytes()
            .map_or_else(|| other.to_string(), |bytes| String::from_utf8_lossy(&bytes).into_owned()),
        None => String::new(),
    }
}

/// Returns the edits that a form describes; the error is for the user.
fn edits(loaded: &LoadedTrace, fields: &[FormField], typed: &Params) -> Result<Edits, String> {
    let mut edits =
        Edits { at: Some(typed.get("at").to_owned()).filter(|at| !at.is_empty()), ..Edits::default() };
    let trials = fault_trials(&loaded.trace);
    for field in fields {
        let of = |part: &str| typed.get(&field.input(part));
        let mistake = |error: &dyn std::fmt::Display| format!("{}: {error}", field.label);
        match field.kind {
            FieldKind::Slot if !of("slot").trim().is_empty() => {
                let typed = of("slot").trim();
                let assignment = if typed.starts_with('.') {
                    format!("{}{typed}", field.name)
                } else {
                    format!("{}={typed}", field.name)
                };
                edits.slots.push(assignment.parse::<SlotEdit>().map_err(|error| mistake(&error))?);
            }
            FieldKind::Effect => {
                if !of("answer").trim().is_empty() {
                    edits.answers.push(
                        AnswerEdit::new(&field.name, of("answer").trim()).map_err(|error| mistake(&error))?,
                    );
                }
                if !of("fault").is_empty() {
                    let is_it = |trial: &&zerver_replay::FaultTrial| {
                        trial.fault.effect == field.name && trial.word == of("fault")
                    };
                    let trial = trials
                        .iter()
                        .find(is_it)
                        .ok_or_else(|| mistake(&format!("there is no fault called {:?}", of("fault"))))?;
                    edits.faults.push(trial.fault.clone());
                }
                if !of("latency").trim().is_empty() {
                    let HumanDuration { ns } =
                        of("latency").trim().parse().map_err(|error: String| mistake(&error))?;
                    edits.faults.push(Fault { effect: field.name.clone(), kind: FaultKind::Latency { ns } });
                }
            }
            FieldKind::Header if !of("header").is_empty() => {
                edits.headers.push((field.name.clone(), of("header").trim().to_owned()));
            }
            // Forms send line breaks as CR LF.
            FieldKind::Body if !of("body").is_empty() => {
                edits.body = Some(of("body").replace("\r\n", "\n").into_bytes())
            }
            FieldKind::Slot | FieldKind::Header | FieldKind::Body => {}
        }
    }
    Ok(edits)
}

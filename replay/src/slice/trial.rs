//! A run of the request with changed inputs, and what it shows about the value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Uri};
use zerver_engine::{Arrival, Request};
use zerver_trace::{Decision, EffectError, FlowInfo, Outcome, Recorded, RequestId, Value};

use super::inputs::{Input, Place, Root, path_params, percent_encoded, query_pairs, text_of};
use super::leaves::{Leaf, NewContent, replaced};
use super::recorded_value::{part, whole_response};
use super::value_path::{ValuePath, ValueRoot};
use crate::edits::prepared_edits::{MarkedInputs, PreparedEdits};
use crate::observed::{Observed, ObservedRun};
use crate::replay::Replay;
use crate::run::clock::ReplayClock;
use crate::run::context::Progress;
use crate::run::input::ReplayInput;
use crate::run::recorded_answers::RecordedAnswers;
use crate::run::run_result::RunResult;
use crate::run::runner::{LiveAccess, Runner};

/// A run of a step, as far as it shows which steps and effects ran: step, decision, and kinds of effects.
type PathPart = (String, Decision, Vec<String>);

/// Observation of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Observation {
    /// The value; `None` if the run did not produce it.
    pub(super) value: Option<Value>,
    /// Steps that ran until the value was produced.
    pub(super) path: Vec<PathPart>,
    /// Reason why the run says nothing about the value: a step failed, or an effect had no answer.
    pub(super) halted: Option<String>,
    /// True if it is an effect that had no answer.
    pub(super) is_unanswered: bool,
    /// Values of the slots, by position.
    pub(super) slots: BTreeMap<u16, Value>,
    /// Recorded numbers of the calls that were made with other arguments.
    pub(super) asked_differently: BTreeSet<u32>,
}

/// Runs the request, with and without changes.
pub(super) struct Laboratory<'l> {
    pub(super) replay: &'l Replay<'l>,
    pub(super) recorded: &'l Observed<'l>,
    pub(super) input: &'l ReplayInput,
    pub(super) target: &'l ValuePath,
    /// Position of the slot that the target names, in today's flow.
    pub(super) target_slot: Option<u16>,
    pub(super) roots: &'l [Root],
}

impl Laboratory<'_> {
    /// Runs the request with these contents of inputs. With `is_positional`, calls get the answers that were recorded at
    /// their position, so that other arguments alone change nothing.
    ///
    /// # Errors
    /// Fails with the reason if an input cannot have such a content.
    pub(super) fn observe(
        &self,
        changes: &[(&Input, NewContent)],
        is_positional: bool,
    ) -> Result<Observation, String> {
        let mut by_root: BTreeMap<usize, Vec<(&Leaf, &NewContent)>> = BTreeMap::new();
        for (input, content) in changes {
            by_root.entry(input.root).or_default().push((&input.leaf, content));
        }
        let mut changed: BTreeMap<usize, Value> = BTreeMap::new();
        for (root, changes) in by_root {
            let before = self.roots[root].value.as_ref().map_err(Clone::clone)?;
            changed.insert(root, replaced(before, &changes).ok_or("it cannot have another content there")?);
        }
        let mut arrival = self.input.arrival.clone();
        let mut marked = MarkedInputs { is_positional, ..MarkedInputs::default() };
        for (root, value) in &changed {
            self.apply(&self.roots[*root], value, &mut arrival, &mut marked)?;
        }
        let input = ReplayInput {
            arrival,
            received_ns: self.input.received_ns,
            unknown: Vec::new(),
            applied: Vec::new(),
        };
        let run = self.run(&input, marked)?;
        Ok(self.observation(&run))
    }

    pub(super) fn run(&self, input: &ReplayInput, marked: MarkedInputs) -> Result<RunResult, String> {
        let replay = self.replay;
        let mut prepared = PreparedEdits::marked(marked, replay.context.rule());
        let answers = RecordedAnswers::new(self.recorded, &replay.recording.secrets);
        let clock =
            ReplayClock::new(self.recorded, input.received_ns, Some(replay.ends(self.recorded, input)));
        let access = LiveAccess { timers: replay.context.timers, ..LiveAccess::default() };
        let runner = Runner::new(answers, &mut prepared, clock, access);
        let mut quiet = |_: Progress<'_>| {};
        runner.run(replay.flow, input, &mut quiet).map_err(|error| error.message)
    }

    fn apply(
        &self,
        root: &Root,
        value: &Value,
        arrival: &mut Arrival,
        marked: &mut MarkedInputs,
    ) -> Result<(), String> {
        let text = || text_of(value).ok_or("it is text");
        match &root.place {
            Place::Param(name) => {
                let (name, text) = (name.clone(), text()?);
                self.edit_request(arrival, |request, pattern| set_param(request, pattern, &name, &text))?;
            }
            Place::Query(at) => {
                let (at, text) = (*at, text()?);
                self.edit_request(arrival, |request, _| set_query(request, at, &text))?;
            }
            Place::Header(at) => {
                let headers = &self.replay.recording.trace.request_headers;
                let name = &headers[*at].name;
                let text = HeaderValue::from_str(&text()?).map_err(|error| error.to_string())?;
                // The other headers of the same name stay.
                let before = headers[..*at].iter().filter(|header| header.name == *name).count();
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
                self.edit_request(arrival, |request, _| {
                    let mut values: Vec<HeaderValue> =
                        request.headers.get_all(&name).iter().cloned().collect();
                    *values.get_mut(before).ok_or("the request has no such header")? = text;
                    request.headers.remove(&name);
                    for value in values {
                        request.headers.append(name.clone(), value);
                    }
                    Ok(())
                })?;
            }
            Place::Body => {
                let body = value.root().as_bytes().map(|bytes| bytes.into_owned());
                let body = body.unwrap_or_default();
                self.edit_request(arrival, |request, _| {
                    if request.headers.contains_key("content-length") {
                        request.headers.insert("content-length", HeaderValue::from(body.len()));
                    }
                    request.body = body.into();
                    Ok(())
                })?;
            }
            Place::ArrivalTime => arrival.unix_ns = value.to_typed().map_err(|_| "it is a number")?,
            Place::Random => arrival.seed = value.to_typed().map_err(|_| "it is a number")?,
            Place::RequestId => {
                arrival.id =
                    RequestId::from_u128(arrival.id.as_u128() ^ u128::from(text()?.len() as u64 | 1));
            }
            Place::Answer(call) => drop(marked.answers.insert(*call, Ok(value.clone()))),
            Place::Error(call) => {
                let error = root.error.as_ref().ok_or("it has no error")?;
                let error = EffectError { message: text()?, ..error.clone() };
                marked.answers.insert(*call, Err(error));
            }
            Place::Slot(slot) => {
                let flow = self.replay.flow;
                let decoded = flow.decode_slot(*slot, value).ok_or("no step writes it")?;
                let decoded = decoded.map_err(|error| error.to_string())?;
                let writer = writer(flow.info(), *slot).ok_or("no step writes it")?;
                marked.slots.push((*slot, writer + 1, decoded));
            }
        }
        Ok(())
    }

    fn edit_request(
        &self,
        arrival: &mut Arrival,
        edit: impl FnOnce(&mut Request, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut request = (*arrival.request).clone();
        edit(&mut request, &self.replay.flow.info().pattern)?;
        if !(self.replay.route)(&mut request) {
            return Err("the flow does not accept such a request".to_owned());
        }
        arrival.request = Arc::new(request);
        Ok(())
    }

    fn observation(&self, run: &RunResult) -> Observation {
        let flow = self.replay.flow.info();
        let facts = run.observed(flow);
        let mut observed = Observation::default();
        let mut produced_at = None;
        for (at, of) in facts.runs.iter().enumerate() {
            observed.asked_differently.extend(self.asked_differently(of));
            for write in &of.writes {
                let slot = flow.slots.iter().position(|slot| slot.path == write.path);
                if let (Some(slot), Recorded::Plain { value, .. }) = (slot, &*write.value) {
                    observed.slots.insert(slot as u16, value.clone());
                    if self.target_slot == Some(slot as u16) {
                        produced_at = Some((at, value.clone()));
                    }
                }
            }
            if let ValueRoot::Arguments(number) = self.target.root {
                for call in &of.calls {
                    if call.number == number
                        && let Recorded::Plain { value, .. } = &*call.args
                    {
                        produced_at = Some((at, value.clone()));
                    }
                }
            }
        }
        let (runs, whole) = match (&self.target.root, produced_at) {
            (ValueRoot::Slot(_) | ValueRoot::Arguments(_), Some((at, value))) => (at + 1, Some(value)),
            (ValueRoot::Slot(_) | ValueRoot::Arguments(_), None) => (facts.runs.len(), None),
            _ => (facts.runs.len(), self.response(&facts)),
        };
        observed.path = facts.runs[..runs]
            .iter()
            .map(|run| {
                let kinds = run.calls.iter().map(|call| call.kind.to_string()).collect();
                (run.name.clone().into_owned(), run.decision, kinds)
            })
            .collect();
        observed.value = whole.and_then(|whole| part(&whole, &self.target.path));
        observed.is_unanswered = run.unanswered.is_some();
        observed.halted = match (&run.unanswered, &run.outcome) {
            _ if observed.value.is_some() && !self.is_response() => None,
            (Some(unanswered), _) => Some(format!("no answer to {} was recorded", unanswered.label)),
            (None, Some(Outcome::Failed(failure))) => {
                let step = failure.step.and_then(|step| flow.steps.get(usize::from(step)));
                Some(format!("{} fails", step.map_or("the request", |step| &step.name)))
            }
            (None, Some(Outcome::Panicked { step, .. })) => {
                let step = flow.steps.get(usize::from(*step));
                Some(format!("{} panics", step.map_or("a step", |step| &step.name)))
            }
            (None, Some(Outcome::TimedOut { .. })) => Some("the deadline passes".to_owned()),
            _ => None,
        };
        observed
    }

    /// Returns the recorded numbers of the calls that a run of a step has made with other arguments.
    fn asked_differently(&self, run: &ObservedRun<'_>) -> Vec<u32> {
        let is_it = |known: &&ObservedRun<'_>| known.name == run.name && known.occurrence == run.occurrence;
        let Some(known) = self.recorded.runs.iter().find(is_it) else { return Vec::new() };
        let plain = |recorded| self.replay.recording.secrets.plain(recorded).ok();
        let calls = known.calls.iter().zip(&run.calls);
        let differs = calls.filter(|(known, call)| {
            known.kind == call.kind
                && plain(&known.args).map(Value::tokens) != plain(&call.args).map(Value::tokens)
        });
        differs.map(|(known, _)| known.number).collect()
    }

    /// Returns true if the value is a part of the response.
    pub(super) const fn is_response(&self) -> bool {
        matches!(self.target.root, ValueRoot::Status | ValueRoot::Header(_) | ValueRoot::Body)
    }

    /// Returns the part of a response that the target names, as a whole.
    fn response(&self, facts: &Observed<'_>) -> Option<Value> {
        let response = facts.response.as_ref()?;
        whole_response(
            &self.target.root,
            response.status,
            response.headers.iter().map(|header| (header.name.as_str(), &header.value)),
            &response.body.bytes,
            &|recorded| self.replay.recording.secrets.plain(recorded).ok().cloned(),
        )
    }
}

/// Returns the step that writes a slot.
pub(super) fn writer(flow: &FlowInfo, slot: u16) -> Option<u16> {
    let is_writer = |step: &zerver_trace::StepInfo| step.writes.iter().any(|write| write.slot == slot);
    flow.steps.iter().position(is_writer).map(|at| at as u16)
}

fn set_param(request: &mut Request, pattern: &str, name: &str, text: &str) -> Result<(), String> {
    let path = request.uri.path().to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let braces = [format!("{{{name}}}"), format!("{{*{name}}}")];
    let mut out = Vec::new();
    for (at, of) in pattern.split('/').enumerate() {
        if of == braces[1] {
            out.push(text.split('/').map(percent_encoded).collect::<Vec<_>>().join("/"));
            break;
        }
        let before = parts.get(at).copied().unwrap_or_default().to_owned();
        out.push(if of == braces[0] { percent_encoded(text) } else { before });
    }
    set_path_and_query(request, &out.join("/"), request.uri.query().map(ToOwned::to_owned).as_deref())?;
    // A router sets them again.
    for (of, value) in &mut request.params {
        if **of == *name {
            text.clone_into(value);
        }
    }
    let known = path_params(pattern, request.uri.path());
    known
        .iter()
        .any(|(of, value)| of == name && value == text)
        .then_some(())
        .ok_or_else(|| "it is a part of the path".to_owned())
}

fn set_query(request: &mut Request, at: usize, text: &str) -> Result<(), String> {
    let query = request.uri.query().unwrap_or_default().to_owned();
    let mut pairs: Vec<String> =
        query.split('&').filter(|pair| !pair.is_empty()).map(ToOwned::to_owned).collect();
    let pair = pairs.get_mut(at).ok_or("the query has no such parameter")?;
    let name = pair.split('=').next().unwrap_or_default().to_owned();
    *pair = format!("{name}={}", percent_encoded(text));
    debug_assert_eq!(query_pairs(&query).len(), pairs.len());
    let path = request.uri.path().to_owned();
    set_path_and_query(request, &path, Some(&pairs.join("&")))
}

fn set_path_and_query(request: &mut Request, path: &str, query: Option<&str>) -> Result<(), String> {
    let mut parts = std::mem::take(&mut request.uri).into_parts();
    let target = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    parts.path_and_query = Some(target.parse().map_err(|_| "it is a part of the target")?);
    request.uri = Uri::from_parts(parts).map_err(|_| "it is a part of the target")?;
    Ok(())
}

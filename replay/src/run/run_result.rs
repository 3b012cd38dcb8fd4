//! Result of one run of today's code.

use std::collections::{BTreeMap, BTreeSet};

use zerver_engine::Response;
use zerver_trace::{Answer, EffectErrorKind, Event, FlowInfo, Outcome, SharedValue};

use crate::observed::{Observed, ObservedResponse};
use crate::report::{AppliedEdit, Consequence, ConsequenceState};
use crate::run::recorded_answers::NoAnswer;

/// Result of one run of today's code.
pub(crate) struct RunResult {
    pub(crate) events: Vec<Event<SharedValue>>,
    /// Labels of the calls that change something, except those of undos.
    pub(crate) performed: BTreeMap<u32, String>,
    /// `None` if the run did not end.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) response: Option<Response>,
    /// Number of calls answered by the recording or by an edit.
    pub(crate) replayed: u32,
    /// Calls performed for real.
    pub(crate) live: BTreeSet<u32>,
    /// Reworded calls that were answered, and the recorded calls that they correspond to.
    pub(crate) reworded: BTreeMap<u32, u32>,
    /// Call for which there was no answer, where the run ended.
    pub(crate) unanswered: Option<Unanswered>,
    pub(crate) applied: Vec<AppliedEdit>,
    /// Time of the end.
    pub(crate) ended_ns: u64,
    /// Notes on edits that were not reached and on unknown durations.
    pub(crate) notes: Vec<String>,
}

impl RunResult {
    /// Converts the run to the form in which it is compared.
    pub(crate) fn observed<'f>(&self, flow: &'f FlowInfo) -> Observed<'f> {
        let mut facts = Observed::of_run(flow, &self.events);
        facts.outcome.clone_from(&self.outcome);
        facts.response = self.response.as_ref().and_then(ObservedResponse::of);
        facts
    }
}

impl RunResult {
    /// Returns what became of the effects that change something, if the request failed.
    pub(crate) fn consequences(&self) -> Vec<Consequence> {
        if matches!(self.outcome, None | Some(Outcome::Done)) {
            return Vec::new();
        }
        let mut states: BTreeMap<u32, ConsequenceState> = BTreeMap::new();
        let mut undos = BTreeMap::new();
        for event in &self.events {
            match event {
                Event::EffectCompleted { call, answer, .. } => {
                    let state = match answer {
                        Answer::Ok(_) => ConsequenceState::Kept,
                        Answer::Err(error) if error.kind == EffectErrorKind::Timeout => {
                            ConsequenceState::Unknown
                        }
                        Answer::Err(error) if error.kind == EffectErrorKind::UnknownOutcome => {
                            ConsequenceState::Unknown
                        }
                        Answer::Canceled => ConsequenceState::Unknown,
                        Answer::Err(_) => continue,
                    };
                    states.insert(*call, state);
                }
                Event::UndoRegistered { undo, call: Some(call), .. } => {
                    undos.insert(*undo, *call);
                }
                Event::UndoEnded { undo, failure, .. } => {
                    let state = match failure {
                        None => ConsequenceState::Undone,
                        Some(_) => ConsequenceState::NotUndone,
                    };
                    undos.get(undo).map(|call| states.insert(*call, state));
                }
                _ => {}
            }
        }
        let of_call = |(call, effect): (&u32, &String)| {
            Some(Consequence { call: *call, effect: effect.clone(), state: *states.get(call)? })
        };
        self.performed.iter().filter_map(of_call).collect()
    }
}

pub(crate) struct Unanswered {
    /// Index of the step run that made the call.
    pub(crate) run: usize,
    pub(crate) label: String,
    pub(crate) reason: NoAnswer,
}

//! The result of one run of today's code.

use std::collections::{BTreeMap, BTreeSet};

use zerver_engine::Response;
use zerver_trace::{Event, FlowInfo, Outcome, SharedValue};

use crate::observed::{Observed, ObservedResponse};
use crate::report::AppliedEdit;
use crate::run::recorded_answers::NoAnswer;

/// What a run came to.
pub(crate) struct RunResult {
    pub(crate) events: Vec<Event<SharedValue>>,
    /// None where it came to no end.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) response: Option<Response>,
    /// How many calls were answered by the recording or by an edit.
    pub(crate) fed: u32,
    /// The calls that were performed for real.
    pub(crate) live: BTreeSet<u32>,
    /// Calls that were answered although their text is not the recorded one, and the recorded calls that they are.
    pub(crate) reworded: BTreeMap<u32, u32>,
    /// What nothing had an answer to; the run ended there.
    pub(crate) unanswered: Option<Unanswered>,
    pub(crate) applied: Vec<AppliedEdit>,
    /// When it ended.
    pub(crate) ended_ns: u64,
    /// Edits that it did not come to, and times that are not known.
    pub(crate) notes: Vec<String>,
}

impl RunResult {
    /// What it did, to be compared.
    pub(crate) fn facts<'f>(&self, flow: &'f FlowInfo) -> Observed<'f> {
        let mut facts = Observed::of_run(flow, &self.events);
        facts.outcome.clone_from(&self.outcome);
        facts.response = self.response.as_ref().and_then(|response| ObservedResponse::of(response));
        facts
    }
}

pub(crate) struct Unanswered {
    /// The position of the run that asked.
    pub(crate) run: usize,
    pub(crate) label: String,
    pub(crate) reason: NoAnswer,
}

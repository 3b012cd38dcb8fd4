//! Fault injection: failures and latencies that a replay gives to effects.

use std::collections::BTreeMap;
use std::time::Duration;

use bincode::{Decode, Encode};
use zerver_trace::{Answer, EffectError, EffectErrorKind, Trace, duration};

use crate::edits::edit_error::EditError;
use crate::observed::Observed;

/// Minimum latency added to a slow effect, in nanoseconds.
const SLOWER_NS: u64 = 1_000_000_000;
/// Minimum factor by which a slow effect takes longer.
const SLOWER_TIMES: u64 = 10;

/// A fault injected into an effect.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Fault {
    /// Effect as a timeline names it, which matches every call with this name, or number of a call.
    pub effect: String,
    /// Kind of the fault.
    pub kind: FaultKind,
}

/// Kind of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FaultKind {
    /// No answer arrives: the call ends at its time limit or with the request.
    Timeout,
    /// The target is unreachable.
    Unreachable,
    /// The answer is malformed.
    Malformed,
    /// The interpreter fails with this message.
    Error(String),
    /// The answer takes longer.
    Latency {
        /// Time until the answer, in nanoseconds.
        ns: u64,
    },
}

impl Fault {
    /// Parses `EFFECT=timeout`, `EFFECT=unreachable`, `EFFECT=malformed` or `EFFECT=error:TEXT`.
    ///
    /// # Errors
    /// Fails if the text has another form.
    pub fn failing(text: &str) -> Result<Self, EditError> {
        let found = text.match_indices('=').find_map(|(at, _)| {
            let wrong = match &text[at + 1..] {
                "timeout" => FaultKind::Timeout,
                "unreachable" => FaultKind::Unreachable,
                "malformed" => FaultKind::Malformed,
                other => FaultKind::Error(other.strip_prefix("error:")?.trim().to_owned()),
            };
            Some(Self { effect: text[..at].trim().to_owned(), kind: wrong })
        });
        found.filter(|fault| !fault.effect.is_empty()).ok_or_else(|| {
            EditError::new(format!(
                "no fault in {text:?}; write EFFECT=timeout, =unreachable, =malformed or =error:TEXT, with the \
                 effect as `zerver trace` prints it"
            ))
        })
    }
}

impl FaultKind {
    /// Returns the error that the effect ends with; `None` if it gets an answer or never ends.
    pub(crate) fn error(&self) -> Option<EffectError> {
        let (kind, message) = match self {
            Self::Timeout | Self::Latency { .. } => return None,
            Self::Unreachable => (EffectErrorKind::Unreachable, "unreachable, as injected by this replay"),
            Self::Malformed => (EffectErrorKind::Malformed, "malformed answer, as injected by this replay"),
            Self::Error(message) => (EffectErrorKind::Internal, message.as_str()),
        };
        Some(EffectError::new(kind, message))
    }

    /// Returns the kind in words: `timeout`, `error: disk full`, `250.00 ms`.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Timeout => "timeout".to_owned(),
            Self::Unreachable => "unreachable".to_owned(),
            Self::Malformed => "malformed".to_owned(),
            Self::Error(message) => format!("error: {message}"),
            Self::Latency { ns } => duration::show(*ns),
        }
    }
}

/// Returns the error that a driver reports when an effect reaches its time limit.
pub(crate) fn out_of_time(limit: Duration) -> EffectError {
    EffectError::new(EffectErrorKind::Timeout, format!("no answer within {limit:?}"))
}

/// Returns the error that a driver reports when the deadline of a composed effect passes.
pub(crate) fn past_deadline() -> EffectError {
    EffectError::new(EffectErrorKind::Timeout, "no answer before the deadline of its effect")
}

/// A fault to try on one call of a recorded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultTrial {
    /// Number of the call.
    pub call: u32,
    /// Effect as a timeline names it.
    pub effect: String,
    /// Fault in a word: `timeout`, `error`, `slow` or `malformed`.
    pub word: &'static str,
    /// Fault to inject.
    pub fault: Fault,
}

/// Returns the faults to try on a recorded request. Each effect times out, is unreachable, is slow (ten times its
/// recorded time and at least a second longer), and has a malformed answer.
pub fn fault_trials(trace: &Trace) -> Vec<FaultTrial> {
    let observed = Observed::of_trace(trace);
    let mut uses: BTreeMap<&str, u32> = BTreeMap::new();
    observed.calls().for_each(|call| *uses.entry(call.label()).or_default() += 1);
    let mut fault_trials = Vec::new();
    for call in observed.calls() {
        let is_one = uses[call.label()] == 1;
        let effect = if is_one { call.label().to_owned() } else { call.number.to_string() };
        let took_ns = call.took_ns().filter(|_| !matches!(call.answer, Some(Answer::Canceled)));
        let slow = took_ns.map(|ns| FaultKind::Latency {
            ns: ns.saturating_mul(SLOWER_TIMES).max(ns.saturating_add(SLOWER_NS)),
        });
        let wrongs = [
            Some(("timeout", FaultKind::Timeout)),
            Some(("error", FaultKind::Unreachable)),
            slow.map(|slow| ("slow", slow)),
            Some(("malformed", FaultKind::Malformed)),
        ];
        fault_trials.extend(wrongs.into_iter().flatten().map(|(word, wrong)| FaultTrial {
            call: call.number,
            effect: call.label().to_owned(),
            word,
            fault: Fault { effect: effect.clone(), kind: wrong },
        }));
    }
    fault_trials
}

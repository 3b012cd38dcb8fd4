//! What goes wrong with an effect, for whoever asks what would happen then.

use std::collections::BTreeMap;
use std::time::Duration;

use bincode::{Decode, Encode};
use zerver_trace::{Answer, EffectError, EffectErrorKind, Trace, duration};

use crate::edits::edit_error::EditError;
use crate::observed::Observed;

/// How much longer a slow effect takes, at least.
const SLOWER_NS: u64 = 1_000_000_000;
/// How many times as long a slow effect takes, at least.
const SLOWER_TIMES: u64 = 10;

/// Something that goes wrong with an effect.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Fault {
    /// The effect as a timeline names it: every one of this name. Or the number of one call.
    pub effect: String,
    /// What goes wrong.
    pub kind: FaultKind,
}

/// What goes wrong with an effect.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FaultKind {
    /// No answer comes: it ends when its time is over, or with the request.
    Timeout,
    /// Whom it asks cannot be reached.
    Unreachable,
    /// What comes back cannot be understood.
    Malformed,
    /// Its interpreter fails, with this message.
    Error(String),
    /// Its answer takes so long.
    Latency {
        /// How long, in nanoseconds.
        ns: u64,
    },
}

impl Fault {
    /// `EFFECT=timeout`, `EFFECT=unreachable`, `EFFECT=malformed`, `EFFECT=error:TEXT`.
    ///
    /// # Errors
    /// When it is none of these.
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
                "{text:?} fails nothing; write EFFECT=timeout, =unreachable, =malformed or =error:TEXT, with the \
                 effect as `zerver trace` prints it"
            ))
        })
    }
}

impl FaultKind {
    /// The error that the effect ends with; none where it has an answer, or nothing comes.
    pub(crate) fn error(&self) -> Option<EffectError> {
        let (kind, message) = match self {
            Self::Timeout | Self::Latency { .. } => return None,
            Self::Unreachable => (EffectErrorKind::Unreachable, "it cannot be reached, in this replay"),
            Self::Malformed => {
                (EffectErrorKind::Malformed, "its answer cannot be understood, in this replay")
            }
            Self::Error(message) => (EffectErrorKind::Internal, message.as_str()),
        };
        Some(EffectError::new(kind, message))
    }

    /// In words: `timeout`, `error: disk full`, `250.00 ms`.
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

/// The error of an effect whose time is over, as a driver has it.
pub(crate) fn out_of_time(limit: Duration) -> EffectError {
    EffectError::new(EffectErrorKind::Timeout, format!("no answer within {limit:?}"))
}

/// The error of an effect that is part of one whose deadline has passed, as a driver has it.
pub(crate) fn past_deadline() -> EffectError {
    EffectError::new(EffectErrorKind::Timeout, "no answer before the deadline of its effect")
}

/// One thing that may go wrong with one effect of a recorded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultTrial {
    /// The number of the call.
    pub call: u32,
    /// The effect, as a timeline names it.
    pub effect: String,
    /// What goes wrong, in a word: `timeout`, `error`, `slow`, `malformed`.
    pub word: &'static str,
    /// What to ask a replay for.
    pub fault: Fault,
}

/// All that may go wrong with a recorded request: each effect times out, cannot be reached, is slow (ten times its
/// recorded time, and a second more at least), and gives what cannot be understood.
pub fn fault_trials(trace: &Trace) -> Vec<FaultTrial> {
    let facts = Observed::of_trace(trace);
    let mut uses: BTreeMap<&str, u32> = BTreeMap::new();
    facts.calls().for_each(|call| *uses.entry(call.label()).or_default() += 1);
    let mut fault_trials = Vec::new();
    for call in facts.calls() {
        let is_one = uses[call.label()] == 1;
        let effect = if is_one { call.label().to_owned() } else { call.number.to_string() };
        let took_ns = call.took_ns().filter(|_| !matches!(call.answer, Some(Answer::Cancelled)));
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

//! Names of effects in edits, looked up among the calls of a recording.

use crate::observed::{Observed, ObservedCall};
use crate::replay_error::ReplayError;

/// Whether a call has this name or this number.
pub(crate) fn is_asked(effect: &str, facts: &Observed<'_>) -> bool {
    facts.calls().any(|call| call.label() == effect || call.number.to_string() == effect)
}

pub(crate) fn unknown_effect<'c>(
    effect: &str,
    calls: impl Iterator<Item = &'c ObservedCall<'c>>,
) -> ReplayError {
    let mut names: Vec<&str> = calls.map(ObservedCall::label).collect();
    names.dedup();
    ReplayError::new(format!("nothing asked for {effect}")).suggest(effect, &names)
}

//! Looks up the effect names of edits among calls.

use crate::observed::{Observed, ObservedCall};
use crate::replay_error::ReplayError;

/// Returns true if a call has this label or number.
pub(crate) fn is_asked(effect: &str, observed: &Observed<'_>) -> bool {
    observed.calls().any(|call| call.label() == effect || call.number.to_string() == effect)
}

pub(crate) fn unknown_effect<'c>(
    effect: &str,
    calls: impl Iterator<Item = &'c ObservedCall<'c>>,
) -> ReplayError {
    let mut names: Vec<&str> = calls.map(ObservedCall::label).collect();
    names.dedup();
    ReplayError::new(format!("no step requested {effect}")).suggest(effect, &names)
}

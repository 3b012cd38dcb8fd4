//! Decisions of the policy of a target about a call.

use std::fmt;

use bincode::{Decode, Encode};
use serde::Serialize;

/// Decision of the policy of a target, or of a step's own policy, about one call. A replay does not decide again: it
/// takes the recorded decisions as it takes the recorded answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyDecision {
    /// The circuit breaker was open, and refused the call.
    BreakerRefused,
    /// The circuit breaker let the call through to find out whether the target has recovered.
    BreakerProbe,
    /// The end of the call opened the circuit breaker.
    BreakerOpened,
    /// The end of the call closed the circuit breaker.
    BreakerClosed,
    /// The call is repeated because of the policy of its target, not of its effect.
    Retried,
    /// The call would have been repeated, but the retry budget was exhausted.
    BudgetExhausted,
    /// The target asked for a pause before the next attempt, and gets it.
    RetryAfterObeyed,
    /// The target asked for a pause that is too long, so the call is not repeated.
    RetryAfterTooLong,
    /// The call would have had to wait too long for its place under the rate limit, and was refused.
    RateRefused,
    /// The time limit of the target ended the call, not one of its own.
    TargetTimeout,
    /// The call is the second of a hedge, and answered first.
    HedgeWon,
    /// The call is the second of a hedge, and the first answered first.
    HedgeLost,
    /// The target is not one that the service may reach.
    EgressRefused,
    /// The connection was closed before a byte of the answer came back, and the call was sent once more.
    Resent,
    /// The call would have had to wait too long for a place among the calls in flight, and was refused.
    PlaceRefused,
}

impl PolicyDecision {
    /// All decisions, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::BreakerRefused,
        Self::BreakerProbe,
        Self::BreakerOpened,
        Self::BreakerClosed,
        Self::Retried,
        Self::BudgetExhausted,
        Self::RetryAfterObeyed,
        Self::RetryAfterTooLong,
        Self::RateRefused,
        Self::TargetTimeout,
        Self::HedgeWon,
        Self::HedgeLost,
        Self::EgressRefused,
        Self::Resent,
        Self::PlaceRefused,
    ];

    /// Returns the word used in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BreakerRefused => "breaker_refused",
            Self::BreakerProbe => "breaker_probe",
            Self::BreakerOpened => "breaker_opened",
            Self::BreakerClosed => "breaker_closed",
            Self::Retried => "retried",
            Self::BudgetExhausted => "budget_exhausted",
            Self::RetryAfterObeyed => "retry_after_obeyed",
            Self::RetryAfterTooLong => "retry_after_too_long",
            Self::RateRefused => "rate_refused",
            Self::TargetTimeout => "target_timeout",
            Self::HedgeWon => "hedge_won",
            Self::HedgeLost => "hedge_lost",
            Self::EgressRefused => "egress_refused",
            Self::Resent => "resent",
            Self::PlaceRefused => "place_refused",
        }
    }
}

/// Formats as words for a person: `circuit breaker opened`.
impl fmt::Display for PolicyDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BreakerRefused => "refused by the circuit breaker",
            Self::BreakerProbe => "probe of the circuit breaker",
            Self::BreakerOpened => "circuit breaker opened",
            Self::BreakerClosed => "circuit breaker closed",
            Self::Retried => "repeated by the policy of its target",
            Self::BudgetExhausted => "not repeated: retry budget exhausted",
            Self::RetryAfterObeyed => "repeated after the time in retry-after",
            Self::RetryAfterTooLong => "not repeated: retry-after too long",
            Self::RateRefused => "refused by the rate limit",
            Self::TargetTimeout => "time limit of its target",
            Self::HedgeWon => "second attempt answered first",
            Self::HedgeLost => "first attempt answered first",
            Self::EgressRefused => "refused by the egress rules",
            Self::Resent => "sent again on another connection",
            Self::PlaceRefused => "refused: no place in time",
        })
    }
}

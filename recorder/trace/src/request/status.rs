//! The part of a status that tells who was at fault.

use crate::Outcome;

/// Returns true if the status is 4xx: the client was at fault, and the service did what it should.
pub const fn is_client_error(status: u16) -> bool {
    matches!(status, 400..=499)
}

/// Returns true if the status says all that the outcome does: a step responded, or refused what the client sent.
pub fn implies_outcome(status: u16, outcome: &str) -> bool {
    let done = Outcome::Done.as_str();
    outcome == done || (outcome == "failed" && is_client_error(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_is_news_if_the_service_was_at_fault_or_no_step_responded() {
        for (status, outcome, is_implied) in [
            (200, "done", true),
            (503, "done", true),
            (404, "failed", true),
            (502, "failed", false),
            (429, "rejected", false),
            (0, "gone", false),
        ] {
            assert_eq!(implies_outcome(status, outcome), is_implied, "{status} {outcome}");
        }
    }
}

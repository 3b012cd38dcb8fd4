//! Limits the traces that the tail policy keeps per second, by the reason to keep them.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use zerver_trace::Outcome;

/// Class of requests with a separate budget, so that none displaces another: neither a scanner nor a flood of wrong
/// passwords hides the failures of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BudgetClass {
    /// The service failed: a 5xx, a panic, or a missed deadline.
    Failure,
    /// The request was slow for its flow.
    Slow,
    /// The scheduler shed the request.
    Shed,
    /// The client caused the failure: the flow answered with a 4xx, or the client left.
    Client,
    /// No flow matched: there is no such path or method, or the request was malformed.
    NoFlow,
}

impl BudgetClass {
    /// Returns the class of a failed request. `None` if the request did not fail.
    pub(crate) fn for_failure(outcome: &Outcome, status: u16, has_flow: bool) -> Option<Self> {
        Some(match outcome {
            Outcome::Rejected { .. } if !has_flow => Self::NoFlow,
            // The body was refused. A shed request has status 429 or 503.
            Outcome::Rejected { .. } if matches!(status, 400..=499) && status != 429 => Self::Client,
            Outcome::Rejected { .. } => Self::Shed,
            Outcome::Panicked { .. } | Outcome::TimedOut { .. } => Self::Failure,
            // A gRPC call fails with status 200.
            Outcome::Failed(failure) if status < 400 && failure.kind.status() >= 500 => Self::Failure,
            Outcome::Failed(_) | Outcome::ClientLeft { .. } if status < 500 => Self::Client,
            Outcome::Failed(_) | Outcome::ClientLeft { .. } => Self::Failure,
            Outcome::Done if status >= 500 => Self::Failure,
            Outcome::Done => return None,
        })
    }

    /// Budget per second, given `TailPolicy::max_per_second`.
    const fn budget(self, max_per_second: u32) -> u32 {
        match self {
            Self::Failure | Self::Slow => max_per_second,
            Self::Shed | Self::Client => max_per_second.div_ceil(10),
            Self::NoFlow => max_per_second.div_ceil(100),
        }
    }
}

/// The budgets of the current second, by the clock of the requests. Shared by all workers.
#[derive(Debug)]
pub(crate) struct RateBudgets {
    max_per_second: AtomicU32,
    /// For each [`BudgetClass`], the second in the upper half and the count in the lower half.
    counted: [AtomicU64; 5],
}

impl RateBudgets {
    pub(crate) fn new(max_per_second: u32) -> Self {
        Self { max_per_second: AtomicU32::new(max_per_second), counted: Default::default() }
    }

    pub(crate) fn set_max_per_second(&self, max_per_second: u32) {
        self.max_per_second.store(max_per_second, Ordering::Relaxed);
    }

    pub(crate) fn try_spend(&self, class: BudgetClass, unix_ns: u64) -> bool {
        let limit = class.budget(self.max_per_second.load(Ordering::Relaxed));
        let second = (unix_ns / 1_000_000_000) << 32;
        let count =
            |counted: u64| if (counted >> 32) << 32 == second { counted & u64::from(u32::MAX) } else { 0 };
        self.counted[class as usize]
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |counted| {
                (count(counted) < u64::from(limit)).then(|| second | (count(counted) + 1))
            })
            .is_ok()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use zerver_trace::{FailureInfo, FailureKind, Name};

    use super::*;

    pub(crate) fn failed() -> Outcome {
        failed_as(FailureKind::NotFound)
    }

    fn failed_as(kind: FailureKind) -> Outcome {
        Outcome::Failed(FailureInfo {
            kind,
            what: Name::from("todo"),
            key: String::new(),
            message: String::new(),
            step: None,
            call: None,
            causes: Vec::new(),
        })
    }

    #[test]
    fn a_failure_belongs_to_the_class_of_its_cause() {
        let failed = failed();
        let rejected = Outcome::Rejected { reason: String::new() };
        let check = |outcome: &Outcome, status, has_flow, class| {
            assert_eq!(
                BudgetClass::for_failure(outcome, status, has_flow),
                class,
                "{outcome:?} {status} {has_flow}"
            );
        };
        for status in [200, 302, 404] {
            check(&Outcome::Done, status, true, None);
        }
        for status in [500, 502, 504] {
            check(&Outcome::Done, status, true, Some(BudgetClass::Failure));
            check(&failed, status, true, Some(BudgetClass::Failure));
        }
        check(&Outcome::Panicked { step: 0, message: String::new() }, 500, true, Some(BudgetClass::Failure));
        // Status 0: the client left before the response.
        for status in [0, 504] {
            check(&Outcome::TimedOut { step: 0 }, status, true, Some(BudgetClass::Failure));
        }
        for status in [400, 401, 404, 409, 422, 429] {
            check(&failed, status, true, Some(BudgetClass::Client));
        }
        // The status of a gRPC call that failed, and of a service that returned an error instead of a response.
        for status in [200, 0] {
            check(&failed_as(FailureKind::Unavailable), status, true, Some(BudgetClass::Failure));
            check(&failed, status, true, Some(BudgetClass::Client));
        }
        // The flow rendered its failure as the client's.
        check(&failed_as(FailureKind::Unavailable), 404, true, Some(BudgetClass::Client));
        check(&Outcome::ClientLeft { step: 0 }, 0, true, Some(BudgetClass::Client));
        for status in [400, 408, 413] {
            check(&rejected, status, true, Some(BudgetClass::Client));
        }
        for status in [429, 503] {
            check(&rejected, status, true, Some(BudgetClass::Shed));
        }
        for status in [400, 404, 405, 414, 421, 431] {
            check(&rejected, status, false, Some(BudgetClass::NoFlow));
        }
    }
}

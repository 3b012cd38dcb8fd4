//! Operations of a cache and their answers.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zerver_engine::{EffectKind, Failure, FailureKind};
use zerver_trace::value::Encoder;
use zerver_trace::{Value, ValueError};

use super::flight::Lease;
use crate::effects::kv::{Key, Stored};

/// An operation of a cache: the effect of kind `cache`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Op {
    /// Reads the value of a key, or waits for the request that is obtaining it.
    Get {
        /// Key.
        key: Key,
    },
    /// Sets the value of a key.
    Put {
        /// Key.
        key: Key,
        /// Value.
        value: Stored,
        /// Time after which the value expires, in milliseconds.
        expires_in_ms: u64,
        /// The right to obtain the value, which ends with this operation.
        #[serde(skip)]
        lease: Lease,
    },
    /// Deletes the value of a key.
    Evict {
        /// Key.
        key: Key,
    },
}

/// An answer of a cache.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Answer {
    /// The value.
    Hit(Stored),
    /// The value, which another request has obtained meanwhile.
    Waited(Stored),
    /// There is no value, and the request that reads it obtains it.
    Miss {
        /// The right to obtain the value.
        #[serde(skip)]
        lease: Lease,
        /// Error of the store, if that is why there is no value.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        error: Option<String>,
    },
    /// The request that was obtaining the value failed.
    Failed(SharedFailure),
    /// The value was stored.
    Stored,
    /// The store did not accept the value.
    NotStored {
        /// Error of the store.
        error: String,
    },
    /// The value was deleted, if there was one.
    Evicted,
}

/// The failure of one request, for those that waited for its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedFailure {
    status: u16,
    text: String,
}

/// Kinds of failures that effects lead to. Others are reported as `internal`.
const KINDS: [FailureKind; 13] = [
    FailureKind::Invalid,
    FailureKind::Unauthorized,
    FailureKind::Forbidden,
    FailureKind::NotFound,
    FailureKind::Conflict,
    FailureKind::Gone,
    FailureKind::PreconditionFailed,
    FailureKind::TooLarge,
    FailureKind::Unprocessable,
    FailureKind::Limited,
    FailureKind::BadUpstream,
    FailureKind::Unavailable,
    FailureKind::Timeout,
];

/// The request that this one waited for failed.
#[derive(Debug, thiserror::Error)]
#[error("another request failed to obtain the value: {0}")]
struct OtherFailed(String);

impl SharedFailure {
    /// Returns the part of a failure that other requests get.
    pub(super) fn of(failure: &Failure) -> Self {
        let causes = failure.causes().iter().map(|cause| format!(": {cause}"));
        Self { status: failure.status(), text: failure.to_string() + &causes.collect::<String>() }
    }

    /// Returns the failure of a request that waited.
    pub(super) fn to_failure(&self) -> Failure {
        let kind =
            KINDS.into_iter().find(|kind| kind.status() == self.status).unwrap_or(FailureKind::Internal);
        Failure::new(kind, "cache").because(&OtherFailed(self.text.clone()))
    }
}

impl Op {
    /// Returns the key.
    pub const fn key(&self) -> &Key {
        match self {
            Self::Get { key } | Self::Put { key, .. } | Self::Evict { key } => key,
        }
    }
}

impl EffectKind for Op {
    const KIND: &'static str = "cache";
    type Output = Answer;

    fn summary(&self) -> String {
        self.to_string()
    }

    fn output_summary(answer: &Answer) -> String {
        answer.to_string()
    }

    fn encode_output(answer: &Answer, out: &mut Encoder) -> Result<(), ValueError> {
        match answer {
            Answer::Hit(value) => out.variant_of("Hit", |out| value.record(out)),
            other => out.put(other),
        }
    }

    fn is_safe(&self) -> bool {
        matches!(self, Self::Get { .. })
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    /// Returns the key of a value that is stored, so that a replay in which the value differs goes on and reports it.
    fn identity(&self) -> Option<Value> {
        match self {
            Self::Put { key, .. } => Value::from_serialize(&("put", key)).ok(),
            Self::Get { .. } | Self::Evict { .. } => None,
        }
    }

    /// Returns true if the request that this one waited for failed in a way that may pass.
    fn is_temporary(answer: &Answer) -> bool {
        matches!(answer, Answer::Failed(failure) if matches!(failure.status, 502..=504))
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get { key } => write!(f, "get {key}"),
            Self::Put { key, expires_in_ms, .. } => {
                write!(f, "put {key} for {:?}", Duration::from_millis(*expires_in_ms))
            }
            Self::Evict { key } => write!(f, "evict {key}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hit(_) => f.write_str("hit"),
            Self::Waited(_) => f.write_str("waited for another request"),
            Self::Miss { error: None, .. } => f.write_str("miss"),
            Self::Miss { error: Some(error), .. } => write!(f, "miss, because the store failed: {error}"),
            Self::Failed(failure) => write!(f, "waited for another request, which failed: {}", failure.text),
            Self::Stored => f.write_str("stored"),
            Self::NotStored { error } => write!(f, "not stored: {error}"),
            Self::Evicted => f.write_str("evicted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use zerver_engine::Call;

    use super::*;

    #[test]
    fn an_answer_is_recorded_as_it_serializes() {
        let value = || Stored::new(vec![Some("a"), None]);
        for answer in [
            Answer::Hit(value()),
            Answer::Waited(value()),
            Answer::Miss { lease: Lease::none(), error: None },
        ] {
            let serialized = Value::from_serialize(&answer).unwrap();
            let shown = answer.to_string();
            assert_eq!(Value::from_recordable(&*Call::output::<Op>(answer)).unwrap(), serialized);
            assert_eq!(serialized.to_typed::<Answer>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_failure_that_is_shared_keeps_its_status() {
        let failure = Failure::limited("rates", 7);
        let shared = SharedFailure::of(&failure).to_failure();
        assert_eq!(shared.status(), 429);
        assert_eq!(shared.causes(), ["another request failed to obtain the value: limited rates"]);
        assert_eq!(SharedFailure::of(&Failure::internal("bug")).to_failure().status(), 500);
    }
}

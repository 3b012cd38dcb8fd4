//! A trace: all events of one request, as the store gives it back.

use std::borrow::Cow;
use std::sync::Arc;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::{Class, Event, FailureInfo, FlowInfo, Header, Redaction, RequestId, Value};

/// A value in a trace.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Recorded {
    /// As it was.
    Plain {
        /// The value.
        value: Value,
        /// A line for a person, where the bare value would not do.
        summary: Option<String>,
    },
    /// A secret, encrypted under the key beside the store.
    Sealed {
        /// Equal for equal values under one key.
        hash: [u8; 16],
        /// Nonce and ciphertext.
        sealed: Vec<u8>,
        /// The value with the secrets in it masked; none where the whole of it is secret.
        masked: Option<Box<Masked>>,
    },
    /// A secret in an exported trace: it can be compared and not read.
    Hashed {
        /// Equal for equal values under one key.
        hash: [u8; 16],
        /// The value with the secrets in it masked; none where the whole of it is secret.
        masked: Option<Box<Masked>>,
    },
    /// It could not be recorded.
    Missing(MissingReason),
}

/// A value that holds a secret, with a mask in the place of each: `<secret:3f9a2c71d0e4>`, where equal secrets have
/// equal masks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Masked {
    /// The masked value.
    pub value: Value,
    /// The masked line for a person.
    pub summary: Option<String>,
}

impl Recorded {
    /// The value as far as it may be shown: with masks in the place of secrets; none where all of it is secret, or
    /// missing.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Plain { value, .. } => Some(value),
            Self::Sealed { masked, .. } | Self::Hashed { masked, .. } => {
                masked.as_ref().map(|masked| &masked.value)
            }
            Self::Missing(_) => None,
        }
    }

    /// The line for a person, as far as it may be shown.
    pub fn summary(&self) -> Option<&str> {
        match self {
            Self::Plain { summary, .. } => summary.as_deref(),
            Self::Sealed { masked, .. } | Self::Hashed { masked, .. } => masked.as_ref()?.summary.as_deref(),
            Self::Missing(_) => None,
        }
    }

    /// Whether it is a secret, or holds one.
    pub const fn is_secret(&self) -> bool {
        matches!(self, Self::Sealed { .. } | Self::Hashed { .. })
    }
}

/// Why a value is not there.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum MissingReason {
    /// Larger, or nested deeper, than what is recorded.
    TooLarge,
    /// Its `Serialize` failed.
    Failed(String),
}

/// All that is known of one request.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Trace {
    /// Its id.
    pub id: RequestId,
    /// Its flow.
    pub flow: Arc<FlowInfo>,
    /// Its class.
    pub class: Class,
    /// When its head had arrived, in nanoseconds since the Unix epoch.
    pub started_unix_ns: u64,
    /// From then to the response, in nanoseconds.
    pub duration_ns: u64,
    /// What its steps took for randomness.
    pub seed: u64,
    /// The build that ran it; see the runtime's `build_id`.
    pub build: String,
    /// Why it was kept.
    pub kept: Kept,
    /// Its method.
    pub method: String,
    /// Its path without the query, for lists; masked where it holds a secret.
    pub path: String,
    /// Its path and query.
    pub target: Recorded,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// Who connected.
    pub peer: String,
    /// The headers of the request.
    pub request_headers: Vec<Header<Recorded>>,
    /// The body of the request.
    pub request_body: RecordedBody,
    /// The status of the response; 0 where there was nobody to send one to.
    pub status: u16,
    /// The headers of the response.
    pub response_headers: Vec<Header<Recorded>>,
    /// The body of the response.
    pub response_body: RecordedBody,
    /// How it ended.
    pub outcome: Outcome,
    /// What happened, in order.
    pub events: Vec<Event<Recorded>>,
    /// How many events were left out because there were too many.
    pub events_dropped: u32,
    /// The worker of its connection; none where that is not known.
    pub worker: Option<u16>,
    /// The scheme and authority of its target.
    pub origin: Origin,
    /// What the recorder changed in it.
    pub redaction: Redaction,
    /// Whether the client had left before it had all of the response.
    pub is_undelivered: bool,
}

/// The scheme and authority that the target of a request names, as they came.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Origin<V = Recorded> {
    /// Not recorded: the trace was written under a schema before 3.
    NotRecorded,
    /// The target is only a path, as usual in HTTP/1; the `Host` header has the authority.
    Absent,
    /// `http://host:port`: `:scheme` and `:authority` of HTTP/2, or those of a target in absolute form.
    Named(V),
}

impl Origin {
    /// The scheme and the authority as far as they may be shown; none if the target names none or it was not recorded.
    pub fn visible(&self) -> Option<(String, String)> {
        let Self::Named(recorded) = self else { return None };
        let text = match recorded.value().and_then(|value| value.root().as_bytes().map(Cow::into_owned)) {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => return Some((String::new(), "●●●● (secret)".to_owned())),
        };
        let (scheme, authority) = text.split_once("://").unwrap_or(("", &text));
        Some((scheme.to_owned(), authority.to_owned()))
    }
}

/// A body in a trace.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RecordedBody {
    /// How long the whole body was, in bytes.
    pub full_len: u64,
    /// How many bytes of it were recorded.
    pub kept_len: u64,
    /// The bytes, as a value.
    pub bytes: Recorded,
}

/// Why a trace was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// Everything is.
    All,
    /// It failed.
    Failed,
    /// It was slow for its flow.
    Slow,
    /// The request asked for it.
    Requested,
    /// It is one of the sampled share.
    Sampled,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Outcome {
    /// A step answered.
    Done,
    /// A step gave up, or an effect failed and nothing was made of it.
    Failed(FailureInfo),
    /// A step panicked.
    Panicked {
        /// The step: position in the flow.
        step: u16,
        /// The panic's message.
        message: String,
    },
    /// The deadline of the request passed.
    TimedOut {
        /// The step it was at.
        step: u16,
    },
    /// The client went away.
    Gone {
        /// The step it was at.
        step: u16,
    },
    /// It was answered before any step ran.
    Rejected {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// The word used in lists and filters.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Panicked { .. } => "panicked",
            Self::TimedOut { .. } => "timed_out",
            Self::Gone { .. } => "gone",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// Whether it ended otherwise than with an answer from a step.
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::Done)
    }
}

/// What a list shows of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Summary {
    /// Its id.
    pub id: RequestId,
    /// The slug of its flow; empty for a request which no flow took.
    pub flow: String,
    /// Its method.
    pub method: String,
    /// Its path without the query.
    pub path: String,
    /// The status of the response; 0 where there was nobody to send one to.
    pub status: u16,
    /// From its head to its response, in nanoseconds.
    pub duration_ns: u64,
    /// Its class.
    pub class: Class,
    /// When its head had arrived, in nanoseconds since the Unix epoch.
    pub started_unix_ns: u64,
    /// [`Outcome::as_str`].
    pub outcome: String,
    /// Whether it counts as failed: a status of 500 and above, or an outcome other than done.
    pub is_failed: bool,
    /// The worker of its connection; none where that is not known.
    pub worker: Option<u16>,
    /// The authority that its target names, masked where it holds a secret; empty where it names none or that was not
    /// recorded.
    pub authority: String,
}

impl Summary {
    /// Whether a step answered it with a status of 2xx or 3xx.
    pub fn has_succeeded(&self) -> bool {
        !self.is_failed && self.outcome == "done" && matches!(self.status, 200..=399)
    }
}

impl Trace {
    /// What a list shows of it.
    pub fn summary(&self) -> Summary {
        Summary {
            id: self.id,
            flow: self.flow.name.clone(),
            method: self.method.clone(),
            path: self.path.clone(),
            status: self.status,
            duration_ns: self.duration_ns,
            class: self.class,
            started_unix_ns: self.started_unix_ns,
            outcome: self.outcome.as_str().to_owned(),
            is_failed: self.outcome.is_failure() || self.status >= 500,
            worker: self.worker,
            authority: self.origin.visible().map_or_else(String::new, |(_, authority)| authority),
        }
    }

    /// Whether a step answered it with a status of 2xx or 3xx.
    pub const fn has_succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Done) && matches!(self.status, 200..=399)
    }

    /// Whether everything that happened is in it.
    pub const fn is_complete(&self) -> bool {
        self.events_dropped == 0
    }
}

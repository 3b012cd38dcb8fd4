//! The content of a part, and which of it is secret.

use std::ops::Range;

use zerver_trace::{MissingReason, Recorded};

use crate::format::codec;
use crate::secrets::sealer::Sealer;
use crate::secrets::trace_secrets::TraceSecrets;

/// A part that has not occurred in this block before.
#[derive(Debug)]
pub(crate) struct NewPart {
    pub(crate) content: PartContent,
    /// True if the whole part is a secret.
    pub(crate) is_secret: bool,
    /// Secrets inside the part, which are masked in every trace.
    pub(crate) own_secrets: OwnSecrets,
    /// Secrets that may have been copied to other parts of a trace.
    pub(crate) secrets: TraceSecrets,
}

/// Secrets of a part by itself, regardless of the rest of its trace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OwnSecrets {
    Nothing,
    /// Only these ranges of the text.
    Spans(Vec<Range<usize>>),
    /// The fields of the value that have sensitive names.
    Named,
}

/// Content of a part.
#[derive(Debug)]
pub(crate) enum PartContent {
    Text(String),
    Value(Recorded),
}

impl PartContent {
    pub(super) fn each_text(&self, mut f: impl FnMut(&[u8])) {
        match self {
            Self::Text(text) => f(text.as_bytes()),
            Self::Value(Recorded::Plain { value, summary }) => {
                f(value.tokens());
                summary.iter().for_each(|line| f(line.as_bytes()));
            }
            Self::Value(Recorded::Missing(MissingReason::Failed(why))) => f(why.as_bytes()),
            Self::Value(_) => {}
        }
    }

    pub(super) fn encode(&self, instead: Option<&Self>, prefix: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(prefix);
        match instead.unwrap_or(self) {
            Self::Text(text) => codec::encode_into(text, out),
            Self::Value(recorded) => codec::encode_into(recorded, out),
        }
    }

    /// Returns the content sealed as a whole. `None` if it does not need a seal.
    pub(super) fn sealed(&self, sealer: &mut Sealer) -> Option<Self> {
        match self {
            Self::Value(Recorded::Plain { value, summary }) => {
                Some(Self::Value(sealer.seal(value, summary.as_deref(), None)))
            }
            // The error of a `Serialize` may quote the value.
            Self::Value(Recorded::Missing(MissingReason::Failed(_))) => {
                let why = "could not be serialized".to_owned();
                Some(Self::Value(Recorded::Missing(MissingReason::Failed(why))))
            }
            _ => None,
        }
    }
}

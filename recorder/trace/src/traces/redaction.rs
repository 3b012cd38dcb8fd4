//! Record of the changes that the recorder made to a trace, so that it could be stored and shown. Readers must rely on
//! this record and not on the texts, because a client can send text that looks like any mark.

use bincode::{Decode, Encode};

/// Changes that the recorder made to a trace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Redaction {
    /// Identifies the key of the trace's hashes without revealing it, or `None` if unknown. Hashes under different keys
    /// cannot be compared.
    pub key: Option<[u8; 8]>,
    /// Texts that were changed. Changes to values and bodies are recorded in those themselves.
    pub texts: Vec<RedactedText>,
}

/// A text that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct RedactedText {
    /// Place of the text.
    pub place: TextPlace,
    /// True if the text was longer, or the list had more entries.
    pub is_cut: bool,
    /// True if secrets in the text are masked.
    pub is_masked: bool,
}

/// Place of a text in a trace that is not a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum TextPlace {
    /// [`crate::FailureInfo::what`].
    What,
    /// [`crate::FailureInfo::key`].
    Key,
    /// [`crate::FailureInfo::message`], the message of a panic, or the reason of a rejection.
    Message,
    /// An entry of [`crate::FailureInfo::causes`].
    Cause(u16),
    /// The list of [`crate::FailureInfo::causes`].
    Causes,
    /// The message of the error that ended this call.
    EffectError(u32),
    /// The reason for which the request was reclassified.
    ReclassificationReason,
}

impl Redaction {
    /// Returns the change to a text, or `None` if the text was not changed.
    pub fn text(&self, place: TextPlace) -> Option<&RedactedText> {
        self.texts.iter().find(|text| text.place == place)
    }

    /// Returns true if the hashes of two traces can be compared.
    pub fn has_same_key(&self, other: &Self) -> bool {
        self.key.is_some() && self.key == other.key
    }
}

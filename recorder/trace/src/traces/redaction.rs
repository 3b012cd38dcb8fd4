//! What the recorder changed in a trace so that it can be kept and shown. It is said here and never read from the texts:
//! what a client sends may look like any mark.

use bincode::{Decode, Encode};

/// What the recorder changed in a trace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Redaction {
    /// Names the key under which its secrets are hashed, without telling it; none where that is not known. Hashes under
    /// different keys say nothing about each other.
    pub key: Option<[u8; 8]>,
    /// The texts that are not as they were. Values and bodies say so themselves.
    pub texts: Vec<RedactedText>,
}

/// A text that is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct RedactedText {
    /// Which one.
    pub place: TextPlace,
    /// Whether it was longer, or the list had more.
    pub is_cut: bool,
    /// Whether masks stand in it in the place of secrets.
    pub is_masked: bool,
}

/// A text of a trace that is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum TextPlace {
    /// [`crate::FailureInfo::what`].
    What,
    /// [`crate::FailureInfo::key`].
    Key,
    /// [`crate::FailureInfo::message`], the message of a panic, or the reason of a rejection.
    Message,
    /// One of [`crate::FailureInfo::causes`].
    Cause(u16),
    /// The list of [`crate::FailureInfo::causes`].
    Causes,
    /// The message of the error with which this call ended.
    EffectError(u32),
    /// Why the request was moved to another class.
    ReclassificationReason,
}

impl Redaction {
    /// What was changed in a text; nothing, for most.
    pub fn text(&self, place: TextPlace) -> Option<&RedactedText> {
        self.texts.iter().find(|text| text.place == place)
    }

    /// Whether hashes in two traces can be held against each other.
    pub fn has_same_key(&self, other: &Self) -> bool {
        self.key.is_some() && self.key == other.key
    }
}

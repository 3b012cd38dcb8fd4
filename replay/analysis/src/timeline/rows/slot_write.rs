//! Values written into slots.

use zerver_replay::RecordedJson;
use zerver_trace::Recorded;

/// A value written into a slot.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotWrite {
    /// Index of the slot in the flow.
    pub slot: u16,
    /// Name of the slot.
    pub name: String,
    /// True if the slot is secret, whatever the value.
    pub is_secret: bool,
    /// Time of the write.
    pub at_ns: u64,
    /// Value.
    pub value: Recorded,
}

impl SlotWrite {
    /// Returns true if the value must not be shown.
    pub fn is_masked(&self) -> bool {
        self.is_secret || (self.value.is_secret() && self.value.value().is_none())
    }

    /// Returns the value for JSON documents, masked if it is secret.
    pub fn json(&self) -> RecordedJson {
        match &self.value {
            // Keep the hash, and drop what the value shows.
            Recorded::Sealed { hash, .. } | Recorded::Hashed { hash, .. } if self.is_secret => {
                RecordedJson::Value(Recorded::Hashed { hash: *hash, masked: None })
            }
            Recorded::Plain { .. } if self.is_secret => RecordedJson::Masked,
            value => RecordedJson::Value(value.clone()),
        }
    }
}

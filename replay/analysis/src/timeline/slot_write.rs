//! A value that was written into a slot.

use zerver_replay::RecordedJson;
use zerver_trace::Recorded;

/// A slot that got its value.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotWrite {
    /// Its position in the flow's slots.
    pub slot: u16,
    /// Its name.
    pub name: String,
    /// Whether it is a secret, whatever the value says.
    pub is_secret: bool,
    /// When.
    pub at_ns: u64,
    /// The value.
    pub value: Recorded,
}

impl SlotWrite {
    /// Whether the value must not be shown.
    pub fn is_masked(&self) -> bool {
        self.is_secret || (self.value.is_secret() && self.value.value().is_none())
    }

    /// The value for other programs: masked where it is a secret.
    pub fn json(&self) -> RecordedJson {
        match &self.value {
            // Its hash, but nothing of what it holds.
            Recorded::Sealed { hash, .. } | Recorded::Hashed { hash, .. } if self.is_secret => {
                RecordedJson::Value(Recorded::Hashed { hash: *hash, masked: None })
            }
            Recorded::Plain { .. } if self.is_secret => RecordedJson::Masked,
            value => RecordedJson::Value(value.clone()),
        }
    }
}

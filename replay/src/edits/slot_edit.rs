//! Edits of slots.

use std::str::FromStr;

use bincode::{Decode, Encode};

use crate::edits::edit_error::EditError;

/// `Slot.path=JSON`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SlotEdit {
    /// The slot's name.
    pub slot: String,
    /// The way into its value.
    pub path: Vec<String>,
    /// What is to be there.
    pub json: String,
}

impl FromStr for SlotEdit {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        let Some((place, json)) = text.split_once('=') else {
            return Err(EditError::new(format!("{text:?} sets nothing; write Slot=JSON or Slot.path=JSON")));
        };
        let mut parts = place.trim().split('.').map(str::to_owned);
        let slot = parts.next().unwrap_or_default();
        let path: Vec<String> = parts.collect();
        if slot.is_empty() || path.iter().any(String::is_empty) {
            return Err(EditError::new(format!(
                "{place:?} names no slot; write Slot=JSON or Slot.path=JSON"
            )));
        }
        serde_json::from_str::<serde::de::IgnoredAny>(json).map_err(|error| {
            EditError::new(format!(
                "{json:?} is no JSON: {error}; text wants quotes, as in '{place}=\"text\"'"
            ))
        })?;
        Ok(Self { slot, path, json: json.to_owned() })
    }
}

impl SlotEdit {
    pub(crate) fn what(&self) -> String {
        let path = self.path.iter().flat_map(|part| [".", part.as_str()]);
        std::iter::once(self.slot.as_str()).chain(path).collect()
    }
}

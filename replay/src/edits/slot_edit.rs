//! Edits that change slots.

use std::str::FromStr;

use bincode::{Decode, Encode};

use crate::edits::edit_error::EditError;

/// `Slot.path=JSON`: sets a slot or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SlotEdit {
    /// Name of the slot.
    pub slot: String,
    /// Path within its value.
    pub path: Vec<String>,
    /// New value, as JSON.
    pub json: String,
}

impl FromStr for SlotEdit {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        let Some((place, json)) = text.split_once('=') else {
            return Err(EditError::new(format!(
                "not an assignment: {text:?}; write Slot=JSON or Slot.path=JSON"
            )));
        };
        let mut parts = place.trim().split('.').map(str::to_owned);
        let slot = parts.next().unwrap_or_default();
        let path: Vec<String> = parts.collect();
        if slot.is_empty() || path.iter().any(String::is_empty) {
            return Err(EditError::new(format!("no slot in {place:?}; write Slot=JSON or Slot.path=JSON")));
        }
        serde_json::from_str::<serde::de::IgnoredAny>(json).map_err(|error| {
            EditError::new(format!(
                "not JSON: {json:?}: {error}; put text in quotes, as in '{place}=\"text\"'"
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

//! Edits that replace the answer of an effect.

use std::str::FromStr;

use bincode::{Decode, Encode};

use crate::edits::edit_error::EditError;
use crate::edits::json_forms::GivenValue;

/// `EFFECT=JSON`: replaces the answer of one call.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AnswerEdit {
    /// Effect as a timeline names it, or number of a call.
    pub effect: String,
    /// New output, as JSON.
    pub json: String,
}

impl FromStr for AnswerEdit {
    type Err = EditError;

    /// Splits at the first `=` that is followed by JSON. Names of effects and texts may contain `=` as well.
    fn from_str(text: &str) -> Result<Self, EditError> {
        let is_json = |json: &str| serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok();
        let found = text.match_indices('=').find(|(at, _)| is_json(&text[at + 1..]));
        let Some((effect, json)) = found.map(|(at, _)| (text[..at].trim(), &text[at + 1..])) else {
            return Err(EditError::new(format!(
                "no JSON in {text:?}; write EFFECT=JSON, with the effect as `zerver trace` prints it: \
                 'kv get todo:1=\"Absent\"'"
            )));
        };
        if effect.is_empty() {
            return Err(EditError::new(format!("no effect in {text:?}; write EFFECT=JSON")));
        }
        Self::new(effect, json)
    }
}

impl AnswerEdit {
    /// Creates an edit.
    ///
    /// # Errors
    /// Fails if `json` is not JSON or has no value that could be recorded.
    pub fn new(effect: &str, json: &str) -> Result<Self, EditError> {
        GivenValue::read(json).map_err(|error| {
            EditError::new(format!("not JSON: {json:?}: {error}; put text in quotes, as in \"text\""))
        })?;
        Ok(Self { effect: effect.to_owned(), json: json.to_owned() })
    }
}

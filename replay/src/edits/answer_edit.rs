//! Edits of what effects give.

use std::str::FromStr;

use bincode::{Decode, Encode};

use crate::edits::edit_error::EditError;
use crate::edits::json_forms::GivenValue;

/// `EFFECT=JSON`: another answer of an effect, once.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AnswerEdit {
    /// The effect as a timeline names it, or the number of one call.
    pub effect: String,
    /// What it gives.
    pub json: String,
}

impl FromStr for AnswerEdit {
    type Err = EditError;

    /// Splits at the first `=` that has JSON behind it: names of effects may have one in them, and so may texts.
    fn from_str(text: &str) -> Result<Self, EditError> {
        let is_json = |json: &str| serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok();
        let found = text.match_indices('=').find(|(at, _)| is_json(&text[at + 1..]));
        let Some((effect, json)) = found.map(|(at, _)| (text[..at].trim(), &text[at + 1..])) else {
            return Err(EditError::new(format!(
                "{text:?} answers nothing; write EFFECT=JSON, with the effect as `zerver trace` prints it: \
                 'kv get todo:1=\"Absent\"'"
            )));
        };
        if effect.is_empty() {
            return Err(EditError::new(format!("{text:?} names no effect; write EFFECT=JSON")));
        }
        Self::new(effect, json)
    }
}

impl AnswerEdit {
    /// Another answer of an effect.
    ///
    /// # Errors
    /// When `json` is not JSON, or stands for no value.
    pub fn new(effect: &str, json: &str) -> Result<Self, EditError> {
        GivenValue::read(json).map_err(|error| {
            EditError::new(format!("{json:?} is no JSON: {error}; text wants quotes, as in \"text\""))
        })?;
        Ok(Self { effect: effect.to_owned(), json: json.to_owned() })
    }
}

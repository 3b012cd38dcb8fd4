//! Attributes as values of a trace, with secrets masked. There is no key to hash them with, so they are gone. Those of a live span
//! are left to the recorder, which has one.

use serde::ser::{Serialize, SerializeMap, Serializer};
use zerver_trace::secret::{Author, MASK, Rule, Sensitivity};

use crate::otlp::{AttributeValue, Attributes};

/// Maximum length of a text, in characters.
const MAX_TEXT: usize = 16 << 10;

/// Masks secrets in what another tracer has recorded. Without a rule, it masks nothing.
#[derive(Debug)]
pub(super) struct Masks(Option<Rule>);

impl Default for Masks {
    fn default() -> Self {
        Self(Some(Rule::default()))
    }
}

impl Masks {
    /// For values in which the recorder will find the secrets.
    pub(super) const NONE: Self = Self(None);

    /// Returns a text without its secrets, cut to a maximum length.
    pub(super) fn text(&self, text: &str) -> String {
        let masked = self.0.as_ref().and_then(|rule| rule.masked(text, Author::Service, |_| MASK.to_owned()));
        cut(masked.as_deref().unwrap_or(text), MAX_TEXT)
    }

    fn is_secret(&self, name: &str) -> bool {
        let Some(rule) = &self.0 else { return false };
        let header = name.rsplit_once(".header.").map(|(_, header)| header);
        rule.name(name) != Sensitivity::NotSecret || header.is_some_and(|header| rule.is_header(header))
    }
}

/// Attributes that serialize with their secrets masked.
pub(super) struct Masked<'a> {
    pub(super) attributes: &'a Attributes,
    pub(super) masks: &'a Masks,
}

impl Serialize for Masked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.attributes.0.len()))?;
        for (name, value) in &self.attributes.0 {
            match self.masks.is_secret(name)
                && !matches!(value, AttributeValue::Bool(_) | AttributeValue::Empty)
            {
                true => map.serialize_entry(&self.masks.text(name), MASK)?,
                false => {
                    map.serialize_entry(&self.masks.text(name), &MaskedValue { value, masks: self.masks })?
                }
            }
        }
        map.end()
    }
}

struct MaskedValue<'a> {
    value: &'a AttributeValue,
    masks: &'a Masks,
}

impl Serialize for MaskedValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, masks } = *self;
        match value {
            AttributeValue::Empty => serializer.serialize_unit(),
            AttributeValue::Text(text) => serializer.serialize_str(&masks.text(text)),
            AttributeValue::Bool(is_true) => serializer.serialize_bool(*is_true),
            AttributeValue::Int(number) => serializer.serialize_i64(*number),
            AttributeValue::Float(number) => serializer.serialize_f64(*number),
            AttributeValue::Bytes(bytes) => serializer.serialize_bytes(bytes),
            AttributeValue::List(values) => {
                serializer.collect_seq(values.iter().map(|value| MaskedValue { value, masks }))
            }
            AttributeValue::Map(attributes) => Masked { attributes, masks }.serialize(serializer),
        }
    }
}

/// Cuts a text at a number of characters, and marks the cut.
pub(super) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

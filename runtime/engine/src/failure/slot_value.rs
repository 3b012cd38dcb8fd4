//! A failure as the value of a slot: what is recorded of it, and what comes back when a recording is decoded.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zerver_trace::FailureKind;

use super::{FailedCall, FailedStep, Failure, FieldFailure, Inner};

/// Serializes as the value of the slot `Failure`. Empty parts are left out.
impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Inner { kind, what, key, message, fields, causes, call, step, .. } = &*self.0;
        let value = SlotValue {
            kind: *kind,
            what,
            key,
            message,
            fields,
            step: step.as_ref().map(|step| &*step.name),
            effect: self.effect(),
            call: call.as_ref().map(|call| call.number),
            causes,
        };
        value.serialize(serializer)
    }
}

#[derive(Serialize)]
struct SlotValue<'a> {
    kind: FailureKind,
    what: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fields: &'a [FieldFailure],
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<u32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    causes: &'a [String],
}

/// Returns what [`Serialize`] keeps. Headers, the problem type and the typed error are not part of it.
impl<'de> Deserialize<'de> for Failure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let OwnedValue { kind, what, key, message, fields, step, effect, call, causes } =
            OwnedValue::deserialize(deserializer)?;
        let mut failure = Self::new(kind, "").key(key).message(message);
        failure.0.what = what.into();
        failure.0.fields = fields;
        failure.0.causes = causes;
        failure.0.step = step.map(|name| FailedStep { at: None, name: name.into() });
        failure.0.call = call.map(|number| FailedCall { number, kind: effect.unwrap_or_default().into() });
        Ok(failure)
    }
}

#[derive(Deserialize)]
struct OwnedValue {
    kind: FailureKind,
    what: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    fields: Vec<FieldFailure>,
    #[serde(default)]
    step: Option<String>,
    #[serde(default)]
    effect: Option<String>,
    #[serde(default)]
    call: Option<u32>,
    #[serde(default)]
    causes: Vec<String>,
}

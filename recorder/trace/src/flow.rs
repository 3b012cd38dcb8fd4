//! Description of a flow. It is stored with every trace, so that a trace can be read without the program that recorded
//! it.

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Class;

/// Maximum length of a text that becomes the name of a flow, in characters.
const MAX_SLUG: usize = 80;

/// A flow: its route, and its steps in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct FlowInfo {
    /// Slug, such as `todos-item`; empty for a request that matched no flow.
    pub name: String,
    /// HTTP method of the route.
    pub method: String,
    /// URL pattern of the route, such as `/v1/todos/{id}`.
    pub pattern: String,
    /// Class of the flow's requests to which no rule applies.
    pub class: Class,
    /// Slots that the steps name; events refer to them by position.
    pub slots: Vec<SlotInfo>,
    /// Steps in order, and the recovery step last, if there is one. Events refer to them by position.
    pub steps: Vec<StepInfo>,
}

impl FlowInfo {
    /// Path of the built-in slot with the failure of a flow. Only recovery steps read it.
    pub const FAILURE_PATH: &'static str = "zerver::Failure";

    /// Returns a text as the name of a flow: `GET /todos/{id}` becomes `get-todos-id`. It is empty if the text has neither letters
    /// nor digits.
    pub fn slug(text: &str) -> String {
        let mut slug = String::new();
        for c in text.chars().take(MAX_SLUG) {
            match c.to_lowercase().next().filter(|c| c.is_alphanumeric()) {
                Some(c) => slug.push(c),
                None if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
                None => {}
            }
        }
        slug.truncate(slug.trim_end_matches('-').len());
        slug
    }

    /// Returns the position of the recovery step, which runs once if the flow fails.
    pub fn recovery_step(&self) -> Option<usize> {
        let last = self.steps.len().checked_sub(1)?;
        let is_failure =
            |slot: u16| self.slots.get(usize::from(slot)).is_some_and(|slot| slot.path == Self::FAILURE_PATH);
        self.steps[last].reads.iter().any(|read| is_failure(read.slot)).then_some(last)
    }
}

/// A slot of a flow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SlotInfo {
    /// Name of the slot's type, such as `Todo`.
    pub name: String,
    /// Full path of the slot's type, such as `todos::model::Todo`.
    pub path: String,
    /// True if the values are sealed in the store and masked on screen.
    #[serde(rename = "secret")]
    pub is_secret: bool,
    /// True if stores keep an index of the values, so that queries for them read few traces.
    #[serde(rename = "index", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_indexed: bool,
}

/// The last byte is a boolean before schema 3.8, and a set of two bits since then.
impl Encode for SlotInfo {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let Self { name, path, is_secret, is_indexed } = self;
        name.encode(encoder)?;
        path.encode(encoder)?;
        (u8::from(*is_secret) | u8::from(*is_indexed) << 1).encode(encoder)
    }
}

impl<C> Decode<C> for SlotInfo {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (name, path) = (Decode::decode(decoder)?, Decode::decode(decoder)?);
        match u8::decode(decoder)? {
            bits @ 0..=3 => Ok(Self { name, path, is_secret: bits & 1 != 0, is_indexed: bits & 2 != 0 }),
            _ => Err(DecodeError::Other("unknown property of a slot")),
        }
    }
}

bincode::impl_borrow_decode!(SlotInfo);

/// A step of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct StepInfo {
    /// Name of the step's function.
    pub name: String,
    /// Documentation comment of the function.
    pub doc: String,
    /// Source file, as the compiler was given it.
    pub file: String,
    /// Line of the function in that file, from 1.
    pub line: u32,
    /// Slots that the step reads: its parameters.
    pub reads: Vec<ReadInfo>,
    /// Slots that the step writes: its return type.
    pub writes: Vec<WriteInfo>,
}

/// A slot that a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct ReadInfo {
    /// Position in [`FlowInfo::slots`].
    pub slot: u16,
    /// True if the step also runs without the slot.
    #[serde(rename = "optional")]
    pub is_optional: bool,
}

/// A slot that a step writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct WriteInfo {
    /// Position in [`FlowInfo::slots`].
    pub slot: u16,
    /// True if the step may leave the slot unwritten.
    #[serde(rename = "optional")]
    pub is_optional: bool,
}

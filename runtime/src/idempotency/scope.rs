//! Scopes: the owners whose keys are distinguished.

use std::marker::PhantomData;

use serde::Serialize;
use zerver_engine::{Failure, ReadDesc, Request, Slot, StepInput};

use super::request_key::HEADER;

/// The owners of keys. Each has its own.
pub trait Scope: 'static {
    /// The slots that the scope reads.
    const READS: &'static [ReadDesc];
    /// Returns a text that is different for different owners of keys.
    ///
    /// # Errors
    /// If the slot cannot be serialized.
    fn owner(input: &StepInput<'_>) -> Result<String, Failure>;
}

/// All clients share their keys.
#[derive(Debug)]
pub enum Anyone {}

const REQUEST: ReadDesc = ReadDesc { slot: <Request as Slot>::DESC, is_optional: false };

impl Scope for Anyone {
    const READS: &'static [ReadDesc] = &[REQUEST];

    fn owner(_: &StepInput<'_>) -> Result<String, Failure> {
        Ok(String::new())
    }
}

/// Each value of a slot, such as the id of a user, has its own keys.
#[derive(Debug)]
pub struct BySlot<S>(PhantomData<S>);

impl<S: Slot + Serialize> Scope for BySlot<S> {
    const READS: &'static [ReadDesc] = &[REQUEST, ReadDesc { slot: S::DESC, is_optional: false }];

    fn owner(input: &StepInput<'_>) -> Result<String, Failure> {
        let text = serde_json::to_vec(input.read::<S>(1));
        // Hashed, because the key is recorded and the owner may be a secret.
        text.map(|text| blake3::hash(&text).to_hex()[..32].to_owned())
            .map_err(|error| Failure::internal(HEADER).because(&error))
    }
}

//! Addition to a stored number, the same in both stores.

use zerver_engine::{EffectError, EffectErrorKind};

use super::{Key, Stored};

/// Returns the sum of a stored number and `delta`.
///
/// # Errors
/// `malformed` if the value is not a number; `invalid` if the sum overflows.
pub(super) fn sum(key: &Key, value: &Stored, delta: i64) -> Result<i64, EffectError> {
    let number: i64 = value.get().map_err(|error| {
        EffectError::new(EffectErrorKind::Malformed, format!("the value of {key} is not a number: {error}"))
    })?;
    number.checked_add(delta).ok_or_else(|| {
        EffectError::new(
            EffectErrorKind::Invalid,
            format!("the sum of {number} and {delta} does not fit into 64 bits"),
        )
    })
}

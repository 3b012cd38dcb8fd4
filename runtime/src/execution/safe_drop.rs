//! Drops values of types that the runtime does not know.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a value whose `Drop` may panic. The panic goes no further.
pub(crate) fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // The payload of the panic may panic again when it is dropped.
        std::mem::forget(panic);
    }
}

//! Parts of the descriptions of the steps in this crate.

use zerver::engine::ReadDesc;
use zerver::prelude::*;

/// The read of the request.
pub(crate) const REQUEST: ReadDesc = ReadDesc { slot: <Request as Slot>::DESC, is_optional: false };

/// The read of the time at which the request arrived.
pub(crate) const ARRIVAL: ReadDesc = ReadDesc { slot: <ArrivalTime as Slot>::DESC, is_optional: false };

/// Returns the read of a slot.
pub(crate) const fn read<S: Slot>() -> ReadDesc {
    ReadDesc { slot: S::DESC, is_optional: false }
}

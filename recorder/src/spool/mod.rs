//! The store as the shipper of a fleet reads it: its closed blocks, and how far they reach while a recorder writes.

mod block_bounds;
mod closed_blocks;
pub(crate) mod spool_end;

pub use self::block_bounds::{BlockBounds, FlowBounds};
pub use self::closed_blocks::{Backlog, BuildRecords, ClosedBlock, SpoolReader};
pub use self::spool_end::{Spool, SpoolEnd};

//! Writes traces to an embedded store, and reads them back, even while they are being written.
//!
//! To write, a service opens a [`Recorder`] and hands captures to its sink. The recording policy decides on the worker
//! which captures are kept (`intake`). The thread of the recorder describes their values and hides secrets (`describe`,
//! `secrets`), collects them in blocks (`block`), and commits many traces at a time (`write`, `backend`).
//!
//! To read, a program opens a [`Reader`] (`read`), over a folder or over [`Blocks`] that lie elsewhere. A shipper sends
//! them there (`spool`). [`portable`] files hold a single trace. [`import()`], [`examine`]
//! and [`repair`] work on a whole store (`maintenance`). Every file is opened by [`regular_file`].
//!
//! A store is a folder with the database `traces.redb`, the `key` of its secrets, and the `lock` of its only writer.
#![warn(missing_debug_implementations)]

mod backend;
mod block;
pub mod catch_panic;
mod describe;
mod format;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod intake;
mod maintenance;
mod read;
pub mod regular_file;
#[cfg(test)]
mod sample_traces;
mod secrets;
mod spool;
mod sync;
mod write;

pub use self::backend::store_dir::{FileMark, find_store};
pub use self::backend::store_identity::{BuildRecord, NodeId};
pub use self::backend::store_meta::{FlowCatalog, StoreOrigin};
pub use self::backend::writer_lock::LockHolder;
pub use self::block::block_index::BlockIndex;
pub use self::block::slot_index::slot_keys;
pub use self::format::{FormatError, Schema};
pub use self::intake::recording_policy::{RecordingPolicy, TailPolicy};
pub use self::maintenance::examine::{DamagedBlock, StoreReport, examine, examine_with};
pub use self::maintenance::import::import;
pub use self::maintenance::portable;
pub use self::maintenance::repair::{RepairError, reopen, repair};
pub use self::maintenance::verify::{Verification, verify};
pub use self::read::blocks::{BlockPart, Blocks, BlocksView, Order, Wanted};
pub use self::read::open_block::BlockTrace;
pub use self::read::pages::Page;
pub use self::read::read_error::ReadError;
pub use self::read::reader::Reader;
pub use self::read::store_counts::StoreCounts;
pub use self::read::trace_lookup::FindError;
pub use self::secrets::data_key::{DataKey, HashKey};
pub use self::secrets::seal_error::SealError;
pub use self::spool::{
    Backlog, BlockBounds, BuildRecords, ClosedBlock, FlowBounds, Spool, SpoolEnd, SpoolReader,
};
pub use self::write::open_error::OpenError;
pub use self::write::recorder::{Recorder, RecorderOptions};
pub use self::write::recorder_state::RecorderStatus;
pub use self::write::status_event::StatusEvent;
pub use zerver_trace::Cursor;

//! Writes traces to an embedded store, and reads them back while they are being written.
//!
//! The writing side: [`Recorder`] takes captures through its sink (`queue`, `inbox`), on whose way the policy decides what is
//! kept (`policy`). Its thread (`writer`) describes them (`describe`), each value of a block once (`known`), takes the
//! secrets out (`secrets`, `seal`), fills blocks (`block`, `row`), removes what is too old (`retention`, `observed_clock`), and commits (`store`, the only one that names
//! redb). The reading side: [`Reader`], `pages` and `find`. Bytes are laid out by `format` alone. All files are opened by
//! [`regular_file`]. Beside the two: [`portable`] files, [`import()`], and the doctor ([`examine`], [`repair`]).
//!
//! A store is a folder: `traces.redb`, the `key` of its secrets, and the `lock` of its one writer.

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
mod sync;
mod write;

pub use self::backend::store_dir::find_store;
pub use self::backend::store_meta::FlowCatalog;
pub use self::backend::writer_lock::LockHolder;
pub use self::format::FormatError;
pub use self::intake::recording_policy::{RecordingPolicy, TailPolicy};
pub use self::maintenance::doctor::{RepairError, Report, examine, examine_with, reopen, repair};
pub use self::maintenance::import::import;
pub use self::maintenance::portable;
pub use self::read::pages::Page;
pub use self::read::reader::{Counts, ReadError, Reader};
pub use self::read::trace_lookup::FindError;
pub use self::secrets::secret_key::SealError;
pub use self::write::open_error::OpenError;
pub use self::write::recorder::{Recorder, RecorderOptions};
pub use self::write::recorder_state::RecorderStatus;
pub use self::write::status_event::StatusEvent;
pub use zerver_trace::Cursor;

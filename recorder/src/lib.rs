//! Writes traces to an embedded store, and reads them back while they are being written.
//!
//! The writing side: [`Recorder`] takes captures through its sink (`queue`, `inbox`), on whose way the policy decides what is
//! kept (`policy`). Its thread (`writer`) describes them (`describe`), each value of a block once (`known`), takes the
//! secrets out (`secrets`, `seal`), fills blocks (`block`, `row`), removes what is too old (`retention`, `observed_clock`), and commits (`store`, the only one that names
//! redb). The reading side: [`Reader`], `pages` and `find`. Bytes are laid out by `format` alone. All files are opened by
//! [`regular_file`]. Beside the two: [`portable`] files, [`import()`], and the doctor ([`examine`], [`repair`]).
//!
//! A store is a folder: `traces.redb`, the `key` of its secrets, and the `lock` of its one writer.

mod block;
mod budget;
mod describe;
mod doctor;
mod extent;
#[cfg(test)]
mod faults;
mod find;
mod format;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod head;
mod id_digits;
mod import;
mod inbox;
mod known;
mod numbers;
mod observed_clock;
mod opened;
mod overlay;
mod pages;
mod part_secrets;
mod parts;
mod place;
mod policy;
/// Traces as files of their own.
pub mod portable;
mod queue;
pub mod quiet;
mod reader;
mod recorder;
pub mod regular_file;
mod retention;
mod row;
#[cfg(test)]
mod sample;
mod seal;
mod secrets;
mod shared;
mod store;
mod summaries;
mod sync;
mod teller;
mod writer;

pub use doctor::{RepairError, Report, examine, examine_with, reopen, repair};
pub use extent::Catalog;
pub use find::FindError;
pub use format::FormatError;
pub use import::import;
pub use pages::Page;
pub use place::{Holder, find_store};
pub use policy::{Policy, Tail};
pub use reader::{Counts, ReadError, Reader};
pub use recorder::{OpenError, Options, Recorder};
pub use seal::SealError;
pub use shared::Status;
pub use teller::Change;
pub use zerver_trace::Cursor;

//! Execution of one request, from its head to its capture: the job, its steps and effects, and the recording.

pub(crate) mod active_request;
pub(crate) mod checked_job;
pub(crate) mod delivery;
pub(crate) mod driver;
pub(crate) mod effect_future;
mod effect_poll;
pub(crate) mod effect_runtime;
mod effect_start;
mod ending_driver;
pub(crate) mod panic_report;
mod permit_deadline;
#[cfg(feature = "replay")]
pub(crate) mod purity_check;
pub(crate) mod queued_calls;
pub(crate) mod request_ids;
pub(crate) mod response_capture;
pub(crate) mod safe_drop;
pub(crate) mod stream_task;
pub(crate) mod streamed_body;
mod undo_counter;
pub(crate) mod undo_task;
mod web_socket;

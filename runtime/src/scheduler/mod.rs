//! Decides where and when requests run: the policy of the engine, applied to real workers.
//!
//! While its worker keeps up, a request runs inline in the task of its connection, as if there were no scheduler: no
//! request waits, and the passes of the worker are quick (`loop_lag`). If the worker is behind, the request waits for its
//! turn (`run_queue`), unless an idle worker takes it (`work_stealing`). Batch requests, and requests of flows whose
//! steps often exceed their quantum, run on threads of low priority (`batch`). A step is not charged for time in which
//! the system ran other threads on its core (`run_delay`).
//!
//! `dispatch` leads a request through these parts, and the driver reports to `run_slice`. `effect_limits` bounds the
//! effects in flight. `threads` shows each thread to the others and contains the watchdog, and `metrics` counts.
//! `sync` contains the structures through which threads communicate; `tests/threads` checks them with loom.

mod batch;
mod class_rules;
mod dispatch;
mod effect_access;
mod effect_limits;
mod loop_lag;
mod metrics;
mod retuning;
mod run_delay;
mod run_queue;
mod run_slice;
mod shared_state;
mod sync;
mod targets;
mod threads;
mod tuning;
mod work_stealing;

pub(crate) use batch::batch_pool::BatchPool;
pub(crate) use batch::batch_status::BatchStatus;
pub(crate) use batch::batch_worker::run_batch_worker;
pub use class_rules::ClassRule;
pub(crate) use dispatch::dispatcher::dispatch_request;
pub(crate) use dispatch::placement::DriveEnd;
pub(crate) use dispatch::run_stolen::run_stolen;
pub(crate) use dispatch::stealable_request::StealableRequest;
pub(crate) use effect_access::EffectAccess;
pub(crate) use effect_limits::{Admission, Permit, PermitWait};
#[cfg(feature = "metrics")]
pub(crate) use metrics::snapshot::collect_metrics;
pub(crate) use retuning::retune;
pub(crate) use run_queue::RunQueue;
pub(crate) use run_slice::RunSlice;
pub(crate) use shared_state::SchedulerState;
pub(crate) use sync::park_state::ParkState;
pub(crate) use sync::steal_queue::StealQueue;
pub(crate) use targets::{CallRefusal, PolicyNote, TargetCall, TargetPass, TargetSettings};
pub(crate) use threads::active_table::ActiveEntry;
pub(crate) use threads::health_report::health;
pub(crate) use threads::thread_status::ThreadStatus;
pub(crate) use threads::watchdog::{ThreadKind, run_watchdog};
pub(crate) use tuning::Tuning;
pub(crate) use work_stealing::StealGroup;

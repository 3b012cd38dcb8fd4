//! Where and when requests run: the engine's policy, under real workers.
//!
//! A request runs inline in its connection's task, as if there were no scheduler, while its worker is calm: nobody
//! waits, and the worker comes round quickly (`loop_lag`). Otherwise it waits for its turn (`run_queue`). Batch, and flows
//! whose steps keep others waiting, run on threads of low priority (`low`); who would wait while another worker is idle
//! runs there (`steal_group`). What a step takes because the system lends its core to others is not its doing (`kept`).
//! `dispatch` takes a request through all that; `slice` is what the driver sees of it. `counters` is what a thread counts, and
//! `measure` puts that together. `targets` bounds how many effects ask one target. `thread_status` shows other threads what a
//! worker does (`current`), `long_steps` are the steps that kept a thread for long, `active_table` is which requests it has, and `watchdog` looks at both. At `latch`, `held`,
//! `park_state` and `steal_queue` threads meet: `tests/threads` has loom try all orders in which they may come.

mod batch;
mod class_rules;
mod dispatch;
mod effect_limits;
mod loop_lag;
mod metrics;
mod retuning;
mod run_delay;
mod run_queue;
mod run_slice;
mod shared_state;
mod sync;
mod threads;
mod tuning;
mod work_stealing;

pub(crate) use batch::batch_pool::BatchPool;
pub(crate) use batch::batch_status::BatchStatus;
pub(crate) use batch::batch_worker::{lower_thread_priority, run_batch_worker};
pub use class_rules::ClassRule;
pub(crate) use dispatch::dispatcher::dispatch_request;
pub(crate) use dispatch::placement::DriveEnd;
pub(crate) use dispatch::run_stolen::run_stolen;
pub(crate) use dispatch::stealable_request::StealableRequest;
pub(crate) use effect_limits::{Admission, Permit, PermitWait};
pub(crate) use metrics::snapshot::collect_metrics;
pub(crate) use retuning::retune;
pub(crate) use run_queue::RunQueue;
pub(crate) use run_slice::RunSlice;
pub(crate) use shared_state::SchedulerState;
pub(crate) use sync::park_state::ParkState;
pub(crate) use sync::steal_queue::StealQueue;
pub(crate) use threads::active_table::ActiveEntry;
pub(crate) use threads::health_report::health;
pub(crate) use threads::thread_status::ThreadStatus;
pub(crate) use threads::watchdog::{ThreadKind, run_watchdog};
pub(crate) use tuning::Tuning;
pub(crate) use work_stealing::StealGroup;

//! Where and when requests run: the engine's policy, under real workers.
//!
//! A request runs inline in its connection's task, as if there were no scheduler, while its worker is calm: nobody
//! waits, and the worker comes round quickly (`pulse`). Otherwise it waits for its turn (`turns`). Batch, and flows
//! whose steps keep others waiting, run on threads of low priority (`low`); who would wait while another worker is idle
//! runs there (`peers`). What a step takes because the system lends its core to others is not its doing (`kept`).
//! `carry` takes a request through all that; `lane` is what the driver sees of it. `tally` is what a thread counts, and
//! `measure` puts that together. `targets` bounds how many effects ask one target. `board` shows other threads what a
//! worker does (`current`), `long_runs` are the steps that kept a thread for long, `roll` is which requests it has, and `watchdog` looks at both. At `door`, `held`,
//! `idle` and `offers` threads meet: `tests/threads` has loom try all orders in which they may come.

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

pub(crate) use batch::batch_pool::Low;
pub(crate) use batch::batch_status::BatchStatus;
pub(crate) use batch::batch_worker::{lower_priority, work};
pub use class_rules::Rule;
pub(crate) use dispatch::dispatcher::carry;
pub(crate) use dispatch::placement::Drove;
pub(crate) use dispatch::run_stolen::run_stolen;
pub(crate) use dispatch::stolen_request::Guest;
pub(crate) use effect_limits::{EffectLimits, Entered, Place, Waiting};
pub(crate) use metrics::snapshot::measure;
pub(crate) use retuning::retune;
pub(crate) use run_queue::Turns;
pub(crate) use run_slice::Lane;
pub(crate) use shared_state::Shared;
pub(crate) use sync::park_state::Idle;
pub(crate) use sync::steal_queue::Offers;
pub(crate) use threads::active_table::Entry;
pub(crate) use threads::health_report::health;
pub(crate) use threads::thread_registry::{Seat, Watched};
pub(crate) use threads::thread_status::Board;
pub(crate) use threads::watchdog::{Kind, watch};
pub(crate) use tuning::Tuning;
pub(crate) use work_stealing::Peers;

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

mod batch_pool;
mod class_rules;
mod dispatch;
mod effect_limits;
mod loop_lag;
mod metrics;
mod run_delay;
mod run_queue;
mod run_slice;
mod shared_state;
mod sync;
mod threads;
mod work_stealing;

pub(crate) use batch_pool::{Low, lower_priority};
pub use class_rules::Rule;
pub(crate) use dispatch::carry;
pub(crate) use effect_limits::{EffectLimits, Entered, Place, Waiting};
pub(crate) use metrics::snapshot::measure;
pub(crate) use run_queue::Turns;
pub(crate) use run_slice::{Drove, Lane};
pub(crate) use shared_state::{Shared, Tuning};
pub(crate) use sync::park_state::Idle;
pub(crate) use sync::steal_queue::Offers;
pub(crate) use threads::active_table::Entry;
pub(crate) use threads::thread_status::Board;
pub(crate) use threads::watchdog::{Kind, Seat, Watched, health, retune, watch};
pub(crate) use work_stealing::{Guest, Peers};

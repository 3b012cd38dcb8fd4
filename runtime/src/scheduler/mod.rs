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

mod board;
mod carry;
mod current;
mod door;
mod held;
mod idle;
mod kept;
mod lane;
mod long_runs;
mod low;
mod measure;
mod offers;
mod peers;
mod pulse;
mod read_late;
mod roll;
mod rules;
mod shared;
mod tally;
mod targets;
mod turns;
mod watchdog;

pub(crate) use board::Board;
pub(crate) use carry::carry;
pub(crate) use idle::Idle;
pub(crate) use lane::{Drove, Lane};
pub(crate) use low::{Low, lower_priority};
pub(crate) use measure::measure;
pub(crate) use offers::Offers;
pub(crate) use peers::{Guest, Peers};
pub(crate) use roll::Entry;
pub use rules::Rule;
pub(crate) use shared::{Shared, Tuning};
pub(crate) use targets::{EffectLimits, Entered, Place, Waiting};
pub(crate) use turns::Turns;
pub(crate) use watchdog::{Kind, Seat, Watched, health, retune, watch};

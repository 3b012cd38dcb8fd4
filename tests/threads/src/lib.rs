//! Where threads meet in zerver, in every order in which they may come: the files below `runtime` and `recorder` that do
//! so are compiled here a second time, as they are, against loom.
//!
//! They name `crate::sync`, which is the standard library there, and loom here. loom runs each test again and again, with
//! another order of the threads and another of the values that a relaxed load may see each time, until it has seen all
//! (with no more than so many preemptions). It is Norris and Demsky's CDSChecker (OOPSLA 2013) for Rust.
//!
//! To look into a failure: `LOOM_LOG=1 LOOM_LOCATION=1 cargo test -p zerver-threads NAME -- --nocapture`.

#![cfg(test)]

mod meetings;
mod notify;
mod ring;
mod sync;

#[path = "../../../recorder/src/intake"]
mod intake {
    pub(crate) mod inbox;
}

#[path = "../../../runtime/src/scheduler/sync"]
mod scheduler {
    pub(crate) mod current_step;
    pub(crate) mod park_state;
    pub(crate) mod producer_latch;
    pub(crate) mod steal_queue;
    pub(crate) mod take_once;
}

/// Tries all orders.
fn in_every_order(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // Errors of this kind show with two preemptions nearly always (Musuvathi and Qadeer, PLDI 2007).
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(test);
}

const PREEMPTIONS: usize = 2;

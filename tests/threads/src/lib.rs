//! Tests of the files in `runtime` and `recorder` in which threads synchronize, in every possible order. Those files
//! are compiled here a second time, unchanged, against loom.
//!
//! They import `crate::sync`, which is the standard library there and loom here. loom repeats each test with every
//! order of the threads, and every value that a relaxed load can return, up to a number of preemptions. It implements
//! Norris and Demsky's CDSChecker (OOPSLA 2013) for Rust.
//!
//! To examine a failure: `LOOM_LOG=1 LOOM_LOCATION=1 cargo test -p zerver-threads NAME -- --nocapture`.

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

/// Runs `test` in every order.
fn in_every_order(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // Two preemptions reveal nearly all errors of this kind (Musuvathi and Qadeer, PLDI 2007).
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(test);
}

const PREEMPTIONS: usize = 2;

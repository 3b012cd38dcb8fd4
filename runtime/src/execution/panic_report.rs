//! What a panic says: where it was, on which thread, and its message, which may quote what a client sent. It is cleaned and
//! masked as everything that is told.
//!
//! The message of a step is held back until the step is over, for only then is its request at hand, and with it the secrets
//! that nothing in the message names.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::panic::{self, PanicHookInfo};

use zerver_engine::Job;
use zerver_recorder::catch_panic;
use zerver_trace::secret::Rule;

use crate::operator_log;

/// More of a message is left out, in bytes.
const MAX_MESSAGE: usize = 16 << 10;

/// What a thread is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ThreadActivity {
    Anything,
    /// It runs a step.
    Step,
    /// It runs one that has panicked; what there is to say is held back.
    PanickedStep,
}

thread_local! {
    static ACTIVITY: Cell<ThreadActivity> = const { Cell::new(ThreadActivity::Anything) };
    static HELD_BACK: RefCell<Option<PanicReport>> = const { RefCell::new(None) };
}

/// What there is to say of a panic.
struct PanicReport {
    /// The thread and the place.
    location: String,
    message: String,
    backtrace: Option<String>,
}

/// Has panics of the whole process told by this module, in the place of the hook that there was.
pub(crate) fn install_hook() {
    panic::set_hook(Box::new(|info| {
        if catch_panic::is_catching() {
            return;
        }
        let report = PanicReport::of(info);
        if ACTIVITY.get() == ThreadActivity::Step && cfg!(panic = "unwind") {
            HELD_BACK.set(Some(report));
            ACTIVITY.set(ThreadActivity::PanickedStep);
            return;
        }
        // One that comes while another unwinds ends the process.
        if let Ok(Some(held_back)) = HELD_BACK.try_with(RefCell::take) {
            held_back.emit(&str::to_owned);
        }
        report.emit(&str::to_owned);
    }));
}

/// Runs a step. If it panicked, `job` of it gives the request whose secrets are to be masked.
pub(crate) fn guard_step<J>(
    job: &mut J,
    secrets: &Rule,
    run: impl FnOnce(&mut J) -> zerver_engine::Next,
) -> zerver_engine::Next
where
    J: std::ops::Deref<Target = Job>,
{
    ACTIVITY.set(ThreadActivity::Step);
    let next = run(job);
    if ACTIVITY.replace(ThreadActivity::Anything) == ThreadActivity::PanickedStep
        && let Some(report) = HELD_BACK.take()
    {
        report.emit(&|text| job.masked(text, secrets));
    }
    next
}

impl PanicReport {
    fn of(info: &PanicHookInfo<'_>) -> Self {
        let thread = std::thread::current();
        let location = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let message = info.payload_as_str().unwrap_or("a panic without a message");
        let backtrace = Backtrace::capture();
        let is_there = backtrace.status() == BacktraceStatus::Captured;
        Self {
            location: format!("thread '{}' panicked at {location}:", thread.name().unwrap_or("<unnamed>")),
            message: message[..message.floor_char_boundary(MAX_MESSAGE)].to_owned(),
            backtrace: is_there.then(|| backtrace.to_string()),
        }
    }

    /// Says it: the place, then each line of the message, which cannot be taken for a line of somebody else.
    fn emit(&self, masked: &dyn Fn(&str) -> String) {
        let mut lines = operator_log::safe(&self.location);
        // Masked as a whole: a secret may have several lines.
        for line in masked(&self.message).lines() {
            lines += "\n  ";
            lines += &operator_log::safe(line);
        }
        for line in self.backtrace.iter().flat_map(|backtrace| backtrace.lines()) {
            lines += "\n";
            lines += &zerver_trace::text::clean(line);
        }
        operator_log::panic(&lines);
    }
}

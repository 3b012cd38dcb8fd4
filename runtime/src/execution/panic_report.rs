//! Reports of panics: the location, the thread and the message, which may quote data of a client. A report is cleaned and
//! masked like all messages to the operator.
//!
//! The report of a step is deferred until the step has returned. Only then is its request available, and with it the secrets
//! that the message may contain without their names.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::panic::{self, PanicHookInfo};

use zerver_engine::Job;
use zerver_recorder::catch_panic;
use zerver_trace::secret::Rule;

use crate::operator_log;

/// Maximum length of a message, in bytes. The rest is left out.
const MAX_MESSAGE_LEN: usize = 16 << 10;

/// The kind of code that a thread runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ThreadActivity {
    NoStep,
    Step,
    /// A step that has panicked. Its report is deferred.
    PanickedStep,
}

thread_local! {
    static ACTIVITY: Cell<ThreadActivity> = const { Cell::new(ThreadActivity::NoStep) };
    static DEFERRED: RefCell<Option<PanicReport>> = const { RefCell::new(None) };
}

/// The report of one panic.
struct PanicReport {
    /// First line of the report: the thread and the source location.
    location: String,
    message: String,
    backtrace: Option<String>,
}

/// Installs a panic hook that reports all panics of the process. It replaces the previous hook.
pub(crate) fn install_hook() {
    panic::set_hook(Box::new(|info| {
        if catch_panic::is_catching() {
            return;
        }
        let report = PanicReport::of(info);
        if ACTIVITY.get() == ThreadActivity::Step && cfg!(panic = "unwind") {
            DEFERRED.set(Some(report));
            ACTIVITY.set(ThreadActivity::PanickedStep);
            return;
        }
        // A panic during the unwinding of another ends the process, so the deferred report is printed now.
        if let Ok(Some(deferred)) = DEFERRED.try_with(RefCell::take) {
            deferred.emit(&str::to_owned);
        }
        report.emit(&str::to_owned);
    }));
}

/// Runs a step. If it panics, the secrets of the request of `job` are masked in the report.
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
    if ACTIVITY.replace(ThreadActivity::NoStep) == ThreadActivity::PanickedStep
        && let Some(report) = DEFERRED.take()
    {
        report.emit(&|text| job.masked(text, secrets));
    }
    next
}

impl PanicReport {
    fn of(info: &PanicHookInfo<'_>) -> Self {
        let thread = std::thread::current();
        let location = info.location().map_or_else(|| "an unknown location".to_owned(), ToString::to_string);
        let message = info.payload_as_str().unwrap_or("a panic without a message");
        let backtrace = Backtrace::capture();
        let has_backtrace = backtrace.status() == BacktraceStatus::Captured;
        Self {
            location: format!("thread '{}' panicked at {location}:", thread.name().unwrap_or("<unnamed>")),
            message: message[..message.floor_char_boundary(MAX_MESSAGE_LEN)].to_owned(),
            backtrace: has_backtrace.then(|| backtrace.to_string()),
        }
    }

    /// Reports the location and the indented lines of the message. The indentation marks them as parts of this report.
    fn emit(&self, mask: &dyn Fn(&str) -> String) {
        let mut lines = operator_log::safe(&self.location);
        // The message is masked as a whole, because a secret may have several lines.
        for line in mask(&self.message).lines() {
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

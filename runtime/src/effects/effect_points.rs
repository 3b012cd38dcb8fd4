//! Points within a call: what an interpreter reports about its progress, such as the end of a handshake.
//!
//! A thread collects the points of the future that it polls, and the execution of the effect takes them after each poll.
//! An effect that reports nothing costs a look at an empty list.

use std::cell::RefCell;
use std::time::Instant;

use zerver_trace::{LogLevel, Name, PolicyDecision};

/// Maximum number of points of one call. What follows is not recorded.
const MAX_POINTS: usize = 32;
/// Maximum number of lines that one call logs. What follows is not recorded.
const MAX_LINES: usize = 32;
/// Maximum length of such a line, in bytes. The rest is not recorded.
const MAX_LINE_BYTES: usize = 4 << 10;

thread_local! {
    static REPORTED: RefCell<Reports> = const { RefCell::new(Reports { is_open: false, list: Vec::new() }) };
}

/// Reports of the future that a thread polls.
struct Reports {
    /// True while the thread polls the future of a call.
    is_open: bool,
    list: Vec<Point>,
}

impl Reports {
    fn add(&mut self, what: Reported) {
        if has_room(&self.list, &what) {
            self.list.push((what, Instant::now()));
        }
    }
}

/// Returns true if a call with these reports may have another one.
fn has_room(list: &[Point], what: &Reported) -> bool {
    let is_line = |reported: &Reported| matches!(reported, Reported::Line { .. });
    let alike = || list.iter().filter(|(known, _)| is_line(known) == is_line(what)).count();
    let max = if is_line(what) { MAX_LINES } else { MAX_POINTS };
    list.len() < max || alike() < max
}

/// A point that a call reached or a decision that its interpreter made, with the time.
pub(crate) type Point = (Reported, Instant);

/// A report of an interpreter.
pub(crate) enum Reported {
    Point(Name),
    #[cfg_attr(not(feature = "http-client"), expect(dead_code, reason = "only the HTTP client decides"))]
    Decision(PolicyDecision),
    /// A rule of chaos injected a fault.
    Injected(Name),
    /// A line was logged.
    Line {
        level: LogLevel,
        target: Name,
        line: String,
    },
}

/// Reports that the current call reached a point, now. The timeline shows how long it took to get there.
///
/// An [`Interpreter`](crate::effects::Interpreter) calls this in `start`, or in the future that it returns. Elsewhere,
/// such as in a task that it has spawned, it has no effect.
///
/// ```
/// # use zerver::prelude::*;
/// # use zerver::effects::{points, report_point};
/// # #[derive(Serialize, Deserialize)]
/// # struct Query(String);
/// # impl EffectKind for Query {
/// #     const KIND: &'static str = "query";
/// #     type Output = u64;
/// # }
/// # async fn connect() {}
/// # async fn run(text: String) -> Result<u64, EffectError> { Ok(text.len() as u64) }
/// let app = App::new().interpreter(|query: &Query| {
///     let text = query.0.clone();
///     async move {
///         connect().await;
///         report_point(points::CONNECTED);
///         run(text).await
///     }
/// });
/// ```
pub fn report_point(point: impl Into<Name>) {
    report(Reported::Point(point.into()));
}

/// Reports a decision about the current call.
#[cfg(feature = "http-client")]
pub(crate) fn report_decision(decision: PolicyDecision) {
    report(Reported::Decision(decision));
}

/// Reports that a rule of chaos injected a fault into the current call.
pub(crate) fn report_injected(rule: Name) {
    report(Reported::Injected(rule));
}

/// Records a line that the current call has logged. It becomes a part of the trace, with its secrets masked like those of any
/// value; a call has up to 32 lines of up to 4 KiB.
///
/// The crate `zerver-tracing` calls this for the events of `tracing`. `line` is only called within a call; elsewhere, such as
/// in a task that an interpreter has spawned, nothing is recorded.
pub fn report_line(level: LogLevel, target: &'static str, line: impl FnOnce() -> String) {
    // The line is made outside of the borrow, because it runs code of the program.
    if !REPORTED.with_borrow(|reports| reports.is_open) {
        return;
    }
    let mut line = line();
    line.truncate(line.floor_char_boundary(MAX_LINE_BYTES));
    report(Reported::Line { level, target: Name::from(target), line });
}

fn report(what: Reported) {
    REPORTED.with_borrow_mut(|reports| reports.add(what));
}

/// Runs a part of a call, and adds the points that it reports to `points`.
pub(crate) fn collect<T>(points: &mut Vec<Point>, run: impl FnOnce() -> T) -> T {
    // Tasks that are no effects may have reported something.
    REPORTED.with_borrow_mut(|reports| {
        reports.list.clear();
        reports.is_open = true;
    });
    let result = run();
    REPORTED.with_borrow_mut(|reports| {
        reports.is_open = false;
        for report in reports.list.drain(..) {
            if has_room(points, &report.0) {
                points.push(report);
            }
        }
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::points::CONNECTED;

    fn names(points: &[Point]) -> Vec<String> {
        let name = |(reported, _): &'_ Point| match reported {
            Reported::Point(name) | Reported::Injected(name) => name.to_string(),
            Reported::Decision(decision) => decision.as_str().to_owned(),
            Reported::Line { line, .. } => line.clone(),
        };
        points.iter().map(name).collect()
    }

    #[test]
    fn points_belong_to_the_call_that_is_polled() {
        report_point("nobody's");
        let mut points = Vec::new();
        assert_eq!(collect(&mut points, || 7), 7);
        collect(&mut points, || report_point(CONNECTED));
        report_point("nobody's");
        collect(&mut points, || report_point("own".to_owned()));
        assert_eq!(names(&points), [CONNECTED, "own"]);
    }

    #[test]
    fn a_call_has_a_limited_number_of_points() {
        let mut points = Vec::new();
        for _ in 0..3 {
            collect(&mut points, || (0..20).for_each(|_| report_point("again")));
        }
        assert_eq!(points.len(), MAX_POINTS);
    }

    #[test]
    fn lines_are_recorded_within_a_call_and_limited() {
        let log = |text: &'static str| report_line(LogLevel::Info, "it", || text.to_owned());
        report_line(LogLevel::Info, "it", || panic!("no call is polled"));
        let mut points = Vec::new();
        collect(&mut points, || {
            log("one");
            report_point(CONNECTED);
            report_line(LogLevel::Warn, "it", || "é".repeat(MAX_LINE_BYTES));
        });
        assert_eq!(names(&points)[..2], ["one", CONNECTED]);
        assert_eq!(names(&points)[2].len(), MAX_LINE_BYTES);
        for _ in 0..5 {
            collect(&mut points, || (0..20).for_each(|_| log("again")));
        }
        assert_eq!(points.len(), MAX_LINES + 1, "points and lines do not displace each other");
        collect(&mut points, || report_point("last"));
        assert_eq!(names(&points).last().unwrap(), "last");
    }
}

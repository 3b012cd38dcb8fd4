//! Points within a call: what an interpreter reports about its progress, such as the end of a handshake.
//!
//! A thread collects the points of the future that it polls, and the execution of the effect takes them after each poll.
//! An effect that reports nothing costs a look at an empty list.

use std::cell::RefCell;
use std::time::Instant;

use zerver_trace::{Name, PolicyDecision};

/// Maximum number of points of one call. What follows is not recorded.
const MAX_POINTS: usize = 32;

thread_local! {
    /// Points of the future that this thread polls.
    static REPORTED: RefCell<Vec<Point>> = const { RefCell::new(Vec::new()) };
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

fn report(what: Reported) {
    REPORTED.with_borrow_mut(|reported| {
        if reported.len() < MAX_POINTS {
            reported.push((what, Instant::now()));
        }
    });
}

/// Runs a part of a call, and adds the points that it reports to `points`.
pub(crate) fn collect<T>(points: &mut Vec<Point>, run: impl FnOnce() -> T) -> T {
    // Tasks that are no effects may have reported something.
    REPORTED.with_borrow_mut(Vec::clear);
    let result = run();
    REPORTED.with_borrow_mut(|reported| {
        let room = MAX_POINTS.saturating_sub(points.len());
        points.extend(reported.drain(..).take(room));
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
}

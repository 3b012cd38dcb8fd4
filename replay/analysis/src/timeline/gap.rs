//! What a trace does not say, or says in a way that cannot be.

use std::fmt;

/// Something that the trace does not say, or says in a way that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// So many events were left out when it was recorded.
    Dropped(u32),
    /// So many attempts at effects have no answer.
    Unanswered(u32),
    /// So many answers belong to no effect.
    StrayAnswers(u32),
    /// So many effects or writes belong to a step that, by this trace, did not run.
    WithoutRun(u32),
    /// So many events name a step or a slot that the flow does not have.
    UnknownNames(u32),
    /// So many times lie before what they follow.
    Backwards(u32),
    /// So many runs of a step lie beyond the end of the request.
    PastEnd(u32),
    /// So many bytes of the request's body were not recorded.
    RequestBody(u64),
    /// So many bytes of the response's body were not recorded.
    ResponseBody(u64),
    /// A value was not recorded: which, and why.
    Value(String, String),
    /// So many more values were not recorded.
    MoreValues(u32),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut say = |n: u64, one: &str, more: &str, rest: &str| {
            write!(f, "{n} {} {rest}", if n == 1 { one } else { more })
        };
        match self {
            &Self::Dropped(n) => say(n.into(), "event", "events", "left out while recording"),
            &Self::Unanswered(n) => say(n.into(), "effect", "effects", "without an answer"),
            &Self::StrayAnswers(n) => say(n.into(), "answer", "answers", "to no effect in the trace"),
            &Self::WithoutRun(n) => {
                say(n.into(), "event", "events", "of a step whose run is not in the trace")
            }
            &Self::UnknownNames(n) => {
                say(n.into(), "event names", "events name", "a step or slot that the flow lacks")
            }
            &Self::Backwards(n) => say(n.into(), "time lies", "times lie", "before what came first"),
            &Self::PastEnd(n) => say(n.into(), "step ran", "steps ran", "beyond the end of the request"),
            &Self::RequestBody(n) => say(n, "byte", "bytes", "of the request's body not recorded"),
            &Self::ResponseBody(n) => say(n, "byte", "bytes", "of the response's body not recorded"),
            Self::Value(what, why) => write!(f, "{what} not recorded: {why}"),
            &Self::MoreValues(n) => say(n.into(), "more value", "more values", "not recorded"),
        }
    }
}

//! Data that a trace lacks, or that contradicts itself.

use std::fmt;

/// Data that a trace lacks, or that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The request was imported as spans, which do not contain everything that zerver records.
    Imported,
    /// A layer around a service without steps recorded the request.
    Layer,
    /// Number of events dropped while recording.
    Dropped(u32),
    /// Number of attempts without an answer.
    Unanswered(u32),
    /// Number of answers without an effect.
    StrayAnswers(u32),
    /// Number of effects and writes of a step without a recorded run.
    WithoutRun(u32),
    /// Number of events that refer to a step or slot the flow does not have.
    UnknownNames(u32),
    /// Number of times that are earlier than what they follow.
    Backwards(u32),
    /// Number of step runs after the end of the request.
    PastEnd(u32),
    /// Number of bytes of the request's body that were not recorded.
    RequestBody(u64),
    /// Number of bytes of the response's body that were not recorded.
    ResponseBody(u64),
    /// A value that was not recorded, and the reason.
    Value(String, String),
    /// Number of further values that were not recorded.
    MoreValues(u32),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut say = |n: u64, one: &str, more: &str, rest: &str| {
            write!(f, "{n} {} {rest}", if n == 1 { one } else { more })
        };
        match self {
            Self::Imported => f.write_str(
                "imported from spans: slots, headers and bodies are unknown, and the CPU time and queues of other tracers",
            ),
            Self::Layer => f.write_str(
                "recorded by a layer: slots, queues, CPU times and random numbers are unknown, and it cannot be replayed",
            ),
            &Self::Dropped(n) => say(n.into(), "event", "events", "dropped while recording"),
            &Self::Unanswered(n) => say(n.into(), "effect", "effects", "without an answer"),
            &Self::StrayAnswers(n) => say(n.into(), "answer", "answers", "without an effect in the trace"),
            &Self::WithoutRun(n) => say(n.into(), "event", "events", "of a step without a recorded run"),
            &Self::UnknownNames(n) => {
                say(n.into(), "event refers", "events refer", "to an unknown step or slot")
            }
            &Self::Backwards(n) => say(n.into(), "time is", "times are", "earlier than a preceding event"),
            &Self::PastEnd(n) => say(n.into(), "step ran", "steps ran", "after the end of the request"),
            &Self::RequestBody(n) => say(n, "byte", "bytes", "of the request's body not recorded"),
            &Self::ResponseBody(n) => say(n, "byte", "bytes", "of the response's body not recorded"),
            Self::Value(what, why) => write!(f, "{what} not recorded: {why}"),
            &Self::MoreValues(n) => say(n.into(), "more value", "more values", "not recorded"),
        }
    }
}

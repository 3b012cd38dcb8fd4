//! What differs between two requests, and what could not be compared. The text in it is as it was recorded: whoever
//! prints it cleans it first.

use std::sync::Arc;

use zerver_replay::RecordedJson;

use crate::Step;

/// Something that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The step that it is about; none for the request, the response and the outcome.
    pub step: Option<Arc<Step>>,
    /// Where it is shown: the position of the row, and of the effect in it.
    pub row: Option<(usize, Option<usize>)>,
    /// What sort of difference.
    pub kind: DifferenceKind,
    /// The effect that it is about: kind and arguments in a few words.
    pub effect: Option<String>,
    /// Where in it: `latency_ms` of a query, `Todo.title` of a slot, `body.sub` of a result; empty for all of it.
    pub path: String,
    /// What the first has there; none if nothing. Nanoseconds where it is about time.
    pub a: Option<RecordedJson>,
    /// What the second has there.
    pub b: Option<RecordedJson>,
    /// Where both are the same JSON and only its bytes differ, the first of them: in white space, the order of names, the
    /// way a number or a character is written.
    pub first_differing_byte: Option<u64>,
}

/// Something that could not be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCompared {
    /// The name of the step that it is about; none for the request and the response.
    pub step: Option<String>,
    /// What sort of thing.
    pub kind: DifferenceKind,
    /// The effect that it is about.
    pub effect: Option<String>,
    /// Where in it; empty for all of it.
    pub path: String,
    /// Why it could not be compared.
    pub why: String,
}

/// What sort of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "their words say it")]
pub enum DifferenceKind {
    Flow,
    RequestMethod,
    RequestAuthority,
    RequestPath,
    RequestParameter,
    RequestQuery,
    RequestHeader,
    RequestBody,
    Receive,
    Step,
    Queue,
    Cpu,
    Decision,
    Progress,
    Effect,
    EffectArgument,
    EffectWait,
    EffectAttempts,
    EffectResult,
    Slot,
    Outcome,
    ResponseStatus,
    ResponseHeader,
    ResponseBody,
}

impl DifferenceKind {
    /// Returns the word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::RequestMethod => "request_method",
            Self::RequestAuthority => "request_authority",
            Self::RequestPath => "request_path",
            Self::RequestParameter => "request_parameter",
            Self::RequestQuery => "request_query",
            Self::RequestHeader => "request_header",
            Self::RequestBody => "request_body",
            Self::Receive => "receive",
            Self::Step => "step",
            Self::Queue => "queue",
            Self::Cpu => "cpu",
            Self::Decision => "decision",
            Self::Progress => "progress",
            Self::Effect => "effect",
            Self::EffectArgument => "effect_argument",
            Self::EffectWait => "effect_wait",
            Self::EffectAttempts => "effect_attempts",
            Self::EffectResult => "effect_result",
            Self::Slot => "slot",
            Self::Outcome => "outcome",
            Self::ResponseStatus => "response_status",
            Self::ResponseHeader => "response_header",
            Self::ResponseBody => "response_body",
        }
    }

    /// Returns the name shown to the user.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::RequestMethod => "request method",
            Self::RequestAuthority => "request authority",
            Self::RequestPath => "request path",
            Self::RequestParameter => "request parameter",
            Self::RequestQuery => "request query",
            Self::RequestHeader => "request header",
            Self::RequestBody => "request body",
            Self::Receive => "body read time",
            Self::Step => "step",
            Self::Queue => "queue",
            Self::Cpu => "CPU",
            Self::Decision => "decision",
            Self::Progress => "progress",
            Self::Effect => "effect",
            Self::EffectArgument => "effect argument",
            Self::EffectWait => "effect wait",
            Self::EffectAttempts => "effect attempts",
            Self::EffectResult => "effect result",
            Self::Slot => "slot",
            Self::Outcome => "outcome",
            Self::ResponseStatus => "response status",
            Self::ResponseHeader => "response header",
            Self::ResponseBody => "response body",
        }
    }

    /// Whether it is only about time, so that the two are the same for all that.
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Receive | Self::Queue | Self::Cpu | Self::EffectWait)
    }

    /// Whether it is about what came in.
    pub const fn is_request(self) -> bool {
        matches!(
            self,
            Self::RequestMethod
                | Self::RequestAuthority
                | Self::RequestPath
                | Self::RequestParameter
                | Self::RequestQuery
                | Self::RequestHeader
                | Self::RequestBody
        )
    }

    /// Whether it is about what went out.
    pub const fn is_response(self) -> bool {
        matches!(self, Self::Outcome | Self::ResponseStatus | Self::ResponseHeader | Self::ResponseBody)
    }
}

//! Differences between two requests, and values that could not be compared. Text is as it was recorded: it must be
//! cleaned before it is printed.

use std::sync::Arc;

use zerver_replay::RecordedJson;

use crate::Step;

/// A difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Step; `None` for the request, the response and the outcome.
    pub step: Option<Arc<Step>>,
    /// Position for display: index of the row, and of the effect in it.
    pub row: Option<(usize, Option<usize>)>,
    /// Kind of difference.
    pub kind: DifferenceKind,
    /// Effect: kind and summary.
    pub effect: Option<String>,
    /// Path: `latency_ms` of a query, `Todo.title` of a slot, `body.sub` of a result; empty for the whole.
    pub path: String,
    /// First side; `None` if there is nothing. Nanoseconds for a difference in time.
    pub a: Option<RecordedJson>,
    /// Second side.
    pub b: Option<RecordedJson>,
    /// First byte that differs, if both sides are the same JSON in another notation: white space, order of names,
    /// number or character syntax.
    pub first_differing_byte: Option<u64>,
}

/// A value that could not be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCompared {
    /// Name of the step; `None` for the request and the response.
    pub step: Option<String>,
    /// Kind of value.
    pub kind: DifferenceKind,
    /// Effect: kind and summary.
    pub effect: Option<String>,
    /// Path; empty for the whole.
    pub path: String,
    /// Reason.
    pub why: String,
}

/// Kind of difference.
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
    InjectedFault,
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
            Self::InjectedFault => "injected_fault",
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
            Self::InjectedFault => "injected fault",
            Self::EffectResult => "effect result",
            Self::Slot => "slot",
            Self::Outcome => "outcome",
            Self::ResponseStatus => "response status",
            Self::ResponseHeader => "response header",
            Self::ResponseBody => "response body",
        }
    }

    /// Returns true for differences in time, which do not make requests different.
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Receive | Self::Queue | Self::Cpu | Self::EffectWait)
    }

    /// Returns true for differences in the request.
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

    /// Returns true for differences in the response.
    pub const fn is_response(self) -> bool {
        matches!(self, Self::Outcome | Self::ResponseStatus | Self::ResponseHeader | Self::ResponseBody)
    }
}

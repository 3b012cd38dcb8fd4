//! What a diff is made of. The text in it is as it was recorded: whoever prints it cleans it first.

use std::sync::Arc;

use zerver_replay::{RecordedJson, Sameness};
use zerver_trace::{RequestId, Trace};

use super::build;
use super::causes::Cause;
use super::ignored_headers::IgnoredHeaders;
use super::pairing::RunPair;
use crate::{Step, Timeline};

/// Two requests, side by side: `a` and `b`. Differences in time are how much longer `b` took.
#[derive(Debug, Clone)]
pub struct Diff {
    /// The first.
    pub a: DiffSide,
    /// The second.
    pub b: DiffSide,
    /// Where the difference in time is, the largest part first; they add up to [`Diff::delta_ns`].
    pub causes: Vec<Cause>,
    /// Runs and effects that go together.
    pub rows: Vec<RunPair>,
    /// What differs, the most upstream first: the request, each run with what it asked for and wrote, the response.
    pub differences: Vec<Difference>,
    /// The slots whose last values differ.
    pub slots: Vec<Difference>,
    /// So many more places in values differ than are listed.
    pub unlisted: usize,
    /// The headers that were not compared, and differ.
    pub ignored: Vec<String>,
    /// What could not be compared, since it was not recorded or only its hash is known.
    pub not_compared: Vec<NotCompared>,
}

/// One of the two requests.
#[derive(Debug, Clone)]
pub struct DiffSide {
    /// Its id.
    pub id: RequestId,
    /// The name of its flow.
    pub flow: String,
    /// The build that ran it.
    pub build: String,
    /// Its timeline.
    pub timeline: Timeline,
    /// Its status; 0 without an answer.
    pub status: u16,
    /// Whether a step answered it with a status of 2xx or 3xx.
    pub has_succeeded: bool,
}

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

impl Diff {
    /// Compares two requests. Takes any two traces; what they do not tell is in [`Timeline::gaps`].
    pub fn of(a: &Trace, b: &Trace, ignored: &IgnoredHeaders) -> Self {
        build::diff(a, b, ignored)
    }

    /// How much longer the second took, in nanoseconds.
    pub fn delta_ns(&self) -> i128 {
        i128::from(self.b.timeline.totals.total_ns) - i128::from(self.a.timeline.totals.total_ns)
    }

    /// Whether they had the same request, decisions, values and response, as far as that is known. Time does not matter.
    pub fn sameness(&self) -> Sameness {
        let differs = self.differences.iter().any(|difference| !difference.kind.is_time());
        Sameness::of(differs || self.unlisted > 0, self.not_compared.is_empty())
    }

    /// Whether all of both was compared, and nothing but time differs.
    pub fn is_same(&self) -> bool {
        self.sameness() == Sameness::Same
    }

    /// The most upstream difference: what the others may follow from. A length follows from what it is the length of, and
    /// is the first only where nothing else differs.
    pub fn first(&self) -> Option<&Difference> {
        let is_length = |difference: &Difference| {
            let path = difference.path.trim_end_matches(".value");
            path.rsplit('.').next().is_some_and(|name| name.eq_ignore_ascii_case("content-length"))
        };
        self.differences.iter().find(|difference| !is_length(difference)).or(self.differences.first())
    }

    /// Whether both are of one flow.
    pub fn is_one_flow(&self) -> bool {
        self.a.flow == self.b.flow
    }

    /// The largest of the causes that make `b` slower, if it is slower, or else faster; with its share, in percent, of all that do.
    pub fn leading(&self) -> Option<(&Cause, u8)> {
        let delta_ns = self.delta_ns();
        let same_way = |cause: &&Cause| cause.delta_ns().signum() == delta_ns.signum();
        let cause = self.causes.iter().find(same_way)?;
        let all: u128 =
            self.causes.iter().filter(same_way).map(|cause| cause.delta_ns().unsigned_abs()).sum();
        let part = cause.delta_ns().unsigned_abs();
        Some((cause, ((part * 100 + all / 2) / all.max(1)).min(100) as u8))
    }
}

//! The tools as data: names, descriptions, parameters, and the command that each of them runs.

use rmcp::model::{JsonObject, Tool as ToolDescription, ToolAnnotations};
use serde_json::{Value, json};

/// A tool.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    /// Words of the command line before the parameters.
    pub(crate) command: &'static [&'static str],
    pub(crate) parameters: &'static [Parameter],
    /// True if the command builds the service, and takes its folder.
    pub(crate) builds: bool,
}

/// A parameter of a tool.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: ParameterKind,
    pub(crate) is_required: bool,
    pub(crate) summary: &'static str,
}

/// Type of a parameter, and its place on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterKind {
    /// The id of a request.
    RequestId,
    /// A query, after everything else.
    Query,
    /// The value of an option, one of these words if there are any.
    Option { name: &'static str, words: &'static [&'static str] },
    /// The values of an option that may be repeated.
    Options { name: &'static str },
    /// A number from 1 to a limit, as the value of an option.
    Number { name: &'static str, max: u64 },
    /// For the answer, not for the command.
    Offset,
    /// A JSON pointer into the document, for the answer.
    Pointer,
}

const ID: &str =
    "Request id or unique prefix of one, or @last, @failed, @slowest, @fastest, each also as @last:FLOW";
const QUERY: &str = "Terms that must all hold, such as: flow:report status:5xx took>10ms since:10m slot.Claims.sub=ann \
                     effect.sql~\"from todos\" (is:failed or method:POST) not path:/health";
const OFFSET: Parameter = Parameter {
    name: "offset",
    kind: ParameterKind::Offset,
    is_required: false,
    summary: "Position in the document from which to answer: `next` of the answer before",
};

const fn id(name: &'static str) -> Parameter {
    Parameter { name, kind: ParameterKind::RequestId, is_required: true, summary: ID }
}

const fn query(name: &'static str) -> Parameter {
    Parameter { name, kind: ParameterKind::Query, is_required: false, summary: QUERY }
}

const fn options(name: &'static str, option: &'static str, summary: &'static str) -> Parameter {
    Parameter { name, kind: ParameterKind::Options { name: option }, is_required: false, summary }
}

const FLOW_ORDERS: &[&str] = &["share", "flow", "requests", "errors", "p50", "p99", "change"];

/// All tools. None of them changes anything.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "list_flows",
        summary: "Compares flows: requests, errors, percentiles, share of the time, and the change against other requests",
        command: &["flows"],
        parameters: &[
            Parameter {
                name: "versus",
                kind: ParameterKind::Option { name: "--vs", words: &[] },
                is_required: false,
                summary: "Query for the requests to compare with, such as: since:2h until:1h",
            },
            Parameter {
                name: "sort",
                kind: ParameterKind::Option { name: "--sort", words: FLOW_ORDERS },
                is_required: false,
                summary: "Order; change needs versus",
            },
            OFFSET,
            query("query"),
        ],
        builds: false,
    },
    Tool {
        name: "list_requests",
        summary: "Lists recorded requests, newest first, without values",
        command: &["ls"],
        parameters: &[
            Parameter {
                name: "limit",
                kind: ParameterKind::Number { name: "--limit", max: 1000 },
                is_required: false,
                summary: "Maximum number of requests, 50 by default",
            },
            Parameter {
                name: "sort",
                kind: ParameterKind::Option { name: "--sort", words: &["started", "took", "status", "flow"] },
                is_required: false,
                summary: "Order; took shows the slowest first",
            },
            OFFSET,
            query("query"),
        ],
        builds: false,
    },
    Tool {
        name: "get_timeline",
        summary: "Shows where a request spent its time, what it wrote, and why it failed",
        command: &["trace"],
        parameters: &[OFFSET, id("id")],
        builds: false,
    },
    Tool {
        name: "get_value",
        summary: "Returns a part of the timeline document of a request, such as a slot or a body",
        command: &["trace"],
        parameters: &[
            Parameter {
                name: "pointer",
                kind: ParameterKind::Pointer,
                is_required: true,
                summary: "JSON pointer (RFC 6901) into the document of get_timeline, such as /slots/Claims/sub",
            },
            OFFSET,
            id("id"),
        ],
        builds: false,
    },
    Tool {
        name: "diff",
        summary: "Explains why request b took longer than request a, and what differs first",
        command: &["diff"],
        parameters: &[OFFSET, id("a"), id("b")],
        builds: false,
    },
    Tool {
        name: "why",
        summary: "Ranks a request among others of its flow, and finds the fields that correlate with latency",
        command: &["why"],
        parameters: &[OFFSET, id("id")],
        builds: false,
    },
    Tool {
        name: "slo",
        summary: "Shows how fast requests use up the error budgets of their flows, and which requests missed an objective",
        command: &["slo"],
        parameters: &[
            Parameter {
                name: "until",
                kind: ParameterKind::Option { name: "--until", words: &[] },
                is_required: false,
                summary: "End of the windows, such as 14:30 or 2h ago; by default that of the newest request",
            },
            Parameter {
                name: "limit",
                kind: ParameterKind::Number { name: "--limit", max: 1000 },
                is_required: false,
                summary: "Maximum number of requests to name for each objective, 5 by default",
            },
            OFFSET,
            Parameter {
                name: "flow",
                kind: ParameterKind::Query,
                is_required: false,
                summary: "Name of a flow; by default all flows with objectives",
            },
        ],
        builds: false,
    },
    Tool {
        name: "replay",
        summary: "Builds the service, runs a request again offline with edits, and compares the result with the \
                  recording. No effect is performed",
        command: &["replay"],
        parameters: &[
            options("set", "--set", "Values of slots: SLOT[.PATH]=JSON"),
            options("answer", "--answer", "Results of effects: EFFECT=JSON"),
            options(
                "fail",
                "--fail",
                "Failures of effects: EFFECT=timeout, =unreachable, =malformed or =error:TEXT",
            ),
            options("latency", "--latency", "Durations of effects: EFFECT=250ms"),
            options("request_header", "--request-header", "Headers of the request: NAME=VALUE"),
            Parameter {
                name: "request_body",
                kind: ParameterKind::Option { name: "--request-body", words: &[] },
                is_required: false,
                summary: "Body of the request",
            },
            OFFSET,
            id("id"),
        ],
        builds: true,
    },
    Tool {
        name: "catalog",
        summary: "Builds the service, and lists its flows: routes, steps, and the slots that they read and write",
        command: &["catalog"],
        parameters: &[OFFSET],
        builds: true,
    },
    Tool {
        name: "export_test",
        summary: "Returns a Rust test of a request: the results of its effects, and the expected outcome",
        command: &["export", "--test", "--output", "-"],
        parameters: &[
            Parameter {
                name: "expect",
                kind: ParameterKind::Option { name: "--expect", words: &["recorded", "fixed"] },
                is_required: false,
                summary: "recorded, or fixed for a request that must no longer fail",
            },
            OFFSET,
            id("id"),
        ],
        builds: false,
    },
];

impl Tool {
    /// Describes the tool to the client.
    pub(crate) fn description(&self) -> ToolDescription {
        let mut properties = JsonObject::new();
        for parameter in self.parameters {
            properties.insert(parameter.name.to_owned(), parameter.schema());
        }
        let required = self.parameters.iter().filter(|parameter| parameter.is_required);
        let required: Vec<_> = required.map(|parameter| parameter.name).collect();
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("required".to_owned(), json!(required));
        schema.insert("additionalProperties".to_owned(), json!(false));
        let annotations = ToolAnnotations::new().read_only(true).destructive(false).open_world(false);
        ToolDescription::new(self.name, self.summary, schema).annotate(annotations)
    }
}

impl Parameter {
    fn schema(&self) -> Value {
        match self.kind {
            ParameterKind::Options { .. } => {
                json!({ "type": "array", "items": { "type": "string" }, "description": self.summary })
            }
            ParameterKind::Number { max, .. } => {
                json!({ "type": "integer", "minimum": 1, "maximum": max, "description": self.summary })
            }
            ParameterKind::Offset => json!({ "type": "integer", "minimum": 0, "description": self.summary }),
            ParameterKind::Option { words, .. } if !words.is_empty() => {
                json!({ "type": "string", "enum": words, "description": self.summary })
            }
            _ => json!({ "type": "string", "description": self.summary }),
        }
    }
}

//! Responses: those that a flow describes, and the failures that follow from what it takes.

use serde_json::{Value as Json, json};
use zerver_engine::{FlowDef, InputDesc, InputPart};

use super::schema::schema;

/// Returns the responses of a flow. `has_problems` is true if failures are problems of RFC 9457.
pub(super) fn responses(flow: &FlowDef, inputs: &[InputDesc], has_problems: bool) -> Json {
    let mut responses = json!({});
    for response in flow.response_docs() {
        let mut described = json!({ "description": response.description });
        if let Some(media_type) = response.media_type {
            let schema = response.shape.map_or_else(|| json!({}), |shape| schema(&shape()));
            described["content"] = json!({ media_type: { "schema": schema } });
        }
        if response.is_websocket() {
            let text = |text: &str| json!({ "description": text, "schema": { "type": "string" } });
            described["headers"] = json!({
                "upgrade": text("`websocket`"),
                "sec-websocket-accept": text("The proof that the handshake was understood (RFC 6455, section 4.2.2)"),
            });
        }
        responses[response.status.to_string()] = described;
    }
    let handshakes = flow.response_docs().iter().filter(|response| response.is_websocket());
    let refusals = handshakes.flat_map(|_| REFUSED_HANDSHAKES);
    for (status, description) in inputs.iter().flat_map(|input| failures(input.part)).chain(refusals) {
        let status = status.to_string();
        if responses.get(&status).is_none() {
            responses[status] = failure(description, has_problems);
        }
    }
    if flow.response_docs().is_empty() {
        responses["default"] = json!({ "description": "The response, which the service does not describe" });
    } else {
        responses["default"] = failure("A failure", has_problems);
    }
    responses
}

/// Returns the responses of an alias that redirects.
pub(super) fn moved() -> Json {
    json!({ "308": {
        "description": "The request belongs to another path",
        "headers": { "location": { "description": "That path", "schema": { "type": "string" } } },
    } })
}

/// Refusals of a request that does not begin a WebSocket session.
const REFUSED_HANDSHAKES: &[(u16, &str)] = &[
    (403, "The page that asks for the WebSocket is of another origin"),
    (426, "The request does not ask for a WebSocket of version 13 over HTTP/1.1"),
];

/// Returns the failures that a part of the request can cause.
fn failures(part: InputPart) -> &'static [(u16, &'static str)] {
    match part {
        InputPart::Path => &[(404, "A parameter of the path is not valid")],
        InputPart::Query => &[(400, "The query is not valid")],
        InputPart::Headers => &[(400, "A header is not valid")],
        InputPart::Cookies => &[(400, "A cookie is not valid")],
        InputPart::Body(_) => &[
            (400, "The body is malformed"),
            (415, "The body has another media type"),
            (422, "A field of the body is not valid"),
        ],
    }
}

fn failure(description: &str, has_problems: bool) -> Json {
    match has_problems {
        true => json!({
            "description": description,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        }),
        false => json!({ "description": description }),
    }
}

/// Returns the schema of problems, as [`Failure::to_response`](zerver_engine::Failure::to_response) writes them.
pub(super) fn problem_schema() -> Json {
    json!({
        "type": "object",
        "description": "A problem (RFC 9457)",
        "properties": {
            "type": { "type": "string", "format": "uri-reference" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "kind": { "type": "string" },
            "what": { "type": "string" },
            "key": { "type": "string" },
            "fields": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "field": { "type": "string" },
                    "message": { "type": "string" },
                    "pointer": { "type": "string", "format": "uri-reference" },
                },
                "required": ["field", "message"],
            } },
        },
        "required": ["type", "title", "status", "kind", "what"],
    })
}

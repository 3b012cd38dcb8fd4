//! Tests of the differences between OpenAPI documents.

use serde_json::json;

use super::*;

/// Returns the changes of one operation, as `mark part: old -> new`.
fn changes(old: Json, new: Json) -> Vec<String> {
    let document =
        |operation: Json| json!({ "openapi": "3.1.0", "paths": { "/todos/{id}": { "post": operation } } });
    shown(&document(old), &document(new))
}

fn shown(old: &Json, new: &Json) -> Vec<String> {
    let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
    let changes = compare(old, new);
    changes
        .iter()
        .map(|change| {
            let mark = match change.breaking {
                Breaking::No => ' ',
                Breaking::Maybe => '?',
                Breaking::Yes => '!',
            };
            format!("{mark} {}: {} -> {}", change.part, text(&change.old), text(&change.new))
        })
        .collect()
}

/// An operation whose request, or whose response, has this schema.
fn with_schema(direction: Direction, schema: &Json) -> Json {
    let content = json!({ "application/json": { "schema": schema } });
    match direction {
        Direction::Request => json!({ "requestBody": { "required": true, "content": content } }),
        Direction::Response => json!({ "responses": { "200": { "description": "ok", "content": content } } }),
    }
}

/// Returns how requests and responses are affected by a change of their schema.
fn both(old: Json, new: Json) -> [Vec<String>; 2] {
    [Direction::Request, Direction::Response].map(|direction| {
        let lines = changes(with_schema(direction, &old), with_schema(direction, &new));
        let prefix = if direction == Direction::Request { "request" } else { "response 200" };
        lines.iter().map(|line| line.replace(&format!("{prefix} application/json"), "body")).collect()
    })
}

#[test]
fn equal_documents_have_no_differences() {
    let operation = with_schema(Direction::Request, &json!({ "type": "object", "properties": { "a": {} } }));
    assert!(changes(operation.clone(), operation).is_empty());
    // Texts do not count.
    let titled = |title: &str| json!({ "type": "string", "title": title, "description": title });
    assert_eq!(both(titled("a"), titled("b")), [vec![] as Vec<String>, vec![]]);
}

#[test]
fn operations_come_and_go() {
    let document =
        |path: &str, deprecated: bool| json!({ "paths": { path: { "get": { "deprecated": deprecated } } } });
    assert_eq!(
        shown(&document("/a", false), &document("/b", false)),
        ["! operation: served -> -", "  operation: - -> served"]
    );
    assert_eq!(shown(&document("/a", true), &json!({})), ["? operation: deprecated -> -"]);
    assert_eq!(shown(&document("/a", false), &document("/a", true)), ["  operation: served -> deprecated"]);
    // The name of a parameter is not part of requests.
    assert!(shown(&document("/a/{id}", false), &document("/a/{key}", false)).is_empty());
}

#[test]
fn parameters_are_compared_by_place() {
    let query = |name: &str, required: bool| json!({ "name": name, "in": "query", "required": required });
    let with = |parameters: &[Json]| json!({ "parameters": parameters });
    assert_eq!(
        changes(with(&[query("a", false), query("b", true)]), with(&[query("a", true), query("b", false)])),
        ["! parameter query a: optional -> required", "  parameter query b: required -> optional"]
    );
    assert_eq!(
        changes(with(&[query("a", false)]), with(&[query("c", true), query("d", false)])),
        [
            "? parameter query a: optional -> -",
            "! parameter query c: - -> required",
            "  parameter query d: - -> optional"
        ]
    );
    let path =
        |kind: &str| json!({ "name": "id", "in": "path", "required": true, "schema": { "type": kind } });
    assert_eq!(
        changes(with(&[path("string")]), with(&[path("integer")])),
        ["! parameter path 1 type: string -> integer"]
    );
}

#[test]
fn a_request_may_become_wider_and_a_response_narrower() {
    let kind = |kind: &str| json!({ "type": kind });
    assert_eq!(
        both(kind("integer"), kind("number")),
        [vec!["  body type: integer -> number"], vec!["! body type: integer -> number"]]
    );
    assert_eq!(
        both(kind("number"), kind("integer")),
        [vec!["! body type: number -> integer"], vec!["  body type: number -> integer"]]
    );
    assert_eq!(
        both(json!({ "enum": ["a", "b"] }), json!({ "enum": ["a"] })),
        [vec![r#"! body enum: "a" | "b" -> "a""#], vec![r#"  body enum: "a" | "b" -> "a""#]]
    );
    assert_eq!(
        both(json!({}), kind("string")),
        [vec!["! body type: any -> string"], vec!["  body type: any -> string"]]
    );
    assert_eq!(
        both(json!({ "type": "string" }), json!({ "type": "string", "maxLength": 3 })),
        [vec!["? body maxLength: - -> 3"], vec!["? body maxLength: - -> 3"]]
    );
}

#[test]
fn fields_are_compared_in_depth() {
    let object = |fields: Json, required: &[&str]| json!({ "type": "object", "properties": fields, "required": required });
    let old = object(
        json!({ "a": { "type": "string" }, "b": {}, "list": { "items": { "type": "string" } } }),
        &["a"],
    );
    let new = object(
        json!({ "b": {}, "c": { "type": "null" }, "list": { "items": { "type": "null" } } }),
        &["b", "c"],
    );
    let [request, response] = both(old, new);
    assert_eq!(
        request,
        [
            "? body /a: string -> -",
            "! body /b: optional -> required",
            "! body /list/* type: string -> null",
            "! body /c: - -> null"
        ]
    );
    assert_eq!(
        response,
        [
            "! body /a: string -> -",
            "  body /b: optional -> required",
            "! body /list/* type: string -> null",
            "  body /c: - -> null"
        ]
    );
}

#[test]
fn bodies_and_responses_come_and_go() {
    let body =
        |required: bool| json!({ "requestBody": { "required": required, "content": { "text/plain": {} } } });
    assert_eq!(changes(json!({}), body(true)), ["! request: - -> required"]);
    assert_eq!(changes(json!({}), body(false)), ["  request: - -> optional"]);
    assert_eq!(changes(body(true), json!({})), ["? request: required -> -"]);
    let form = json!({ "requestBody": { "required": true, "content": { "text/csv": {} } } });
    assert_eq!(
        changes(body(true), form),
        ["! request text/plain: offered -> -", "  request text/csv: - -> offered"]
    );
    let responses = |statuses: &[&str]| {
        let each = statuses.iter().map(|status| ((*status).to_owned(), json!({ "description": "d" })));
        json!({ "responses": each.collect::<serde_json::Map<_, _>>() })
    };
    assert_eq!(
        changes(responses(&["200", "404"]), responses(&["201", "409"])),
        [
            "! response 200: d -> -",
            "? response 404: d -> -",
            "? response 201: - -> d",
            "  response 409: - -> d"
        ]
    );
}

#[test]
fn references_are_followed_also_in_circles() {
    let document = |kind: &str| {
        let node = json!({ "type": "object", "properties": {
            "name": { "type": kind }, "next": { "$ref": "#/components/schemas/node" } } });
        let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/node" } } });
        json!({
            "paths": { "/a": { "get": { "responses": { "200": { "content": content } } } } },
            "components": { "schemas": { "node": node, "loop": { "$ref": "#/components/schemas/loop" } } },
        })
    };
    let found = shown(&document("string"), &document("integer"));
    assert_eq!(found[0], "! response 200 application/json /name type: string -> integer");
    assert!(shown(&document("string"), &document("string")).is_empty());
}

#[test]
fn what_is_no_document_has_no_operations() {
    for odd in [json!(null), json!([]), json!({ "paths": [1] }), json!({ "paths": { "/a": 7 } })] {
        assert!(shown(&odd, &odd).is_empty());
        assert!(shown(&json!({}), &odd).is_empty());
    }
}

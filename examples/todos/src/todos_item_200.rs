//! GET /v1/todos/1, answered with 200, as it was recorded at 2026-11-22T13:59:01.025694616Z.
//!
//! Written by `zerver export --test`, and yours to change. It belongs into the crate with the function `app`: save it
//! beside main.rs or lib.rs, and name it there: `#[cfg(test)] mod todos_item_200;`. For a file in tests/, write your
//! crate's name for `crate`.

use std::time::{Duration, UNIX_EPOCH};

use crate::app;

// Secrets are not exported. These do where no step looks into them; if one does, write what it wants to see.
const AUTHORIZATION: &str = "Bearer placeholder";

#[test]
fn todos_item_200() {
    let run = app()
        .test("todos-item")
        .request("GET", "/v1/todos/1")
        .header("host", "todos.example")
        .header("authorization", AUTHORIZATION)
        .id("01a2038d-98a1-7b1d-8cab-46dd95923522")
        .at(UNIX_EPOCH + Duration::from_nanos(1_795_355_941_025_694_616))
        .seed(817_114_892_586_598_157)
        .answer_json(
            "http",
            r#"{
  "method": "GET",
  "url": "http://identity.internal/verify",
  "headers": [
    {
      "name": "authorization",
      "value": "Bearer <secret:2393df238202>"
    },
    {
      "name": "accept",
      "value": "application/json"
    }
  ],
  "body": "",
  "body_limit": null
}"#,
            r#"{
  "status": 200,
  "headers": [
    {
      "name": "content-type",
      "value": "application/json"
    },
    {
      "name": "x-request-id",
      "value": "01a2038d-98a4-7b92-8b5f-059f7a3a5db2"
    },
    {
      "name": "content-length",
      "value": "40"
    },
    {
      "name": "date",
      "value": "Sun, 22 Nov 2026 13:59:01 GMT"
    }
  ],
  "body": "{\"sub\":\"ann\",\"roles\":[\"admin\",\"writer\"]}"
}"#,
        )
        .answer_json(
            "kv",
            r#"{"Add":{"key":"requests:ann:29922599","delta":1,"expires_in_ms":120000}}"#,
            r#"{"Number":1}"#,
        )
        .answer_json(
            "kv",
            r#"{"Get":{"key":"todo:1"}}"#,
            r#"{"Found":{"id":1,"title":"Buy milk","completed":false,"order":1}}"#,
        )
        .run();
    run.assert_steps(&[
        ("parse_auth", "continue"),
        ("lookup_user", "need"),
        ("verify_roles", "continue"),
        ("count_request", "need"),
        ("limit_rate", "continue"),
        ("parse_id", "continue"),
        ("load_todo", "need"),
        ("render_for_user", "done"),
    ]);
    run.assert_slot("Claims", r#"{"sub":"ann","roles":["admin","writer"]}"#);
    run.assert_slot("RateLimit", r#"{"used":1,"window_ends_in_s":59}"#);
    run.assert_slot("TodoId", "1");
    run.assert_slot("Todo", r#"{"id":1,"title":"Buy milk","completed":false,"order":1}"#);
    run.assert_header("content-type", "application/json");
    run.assert_header("x-ratelimit-used", "1");
    run.assert_response(
        200,
        r#"{
  "completed": false,
  "id": 1,
  "order": 1,
  "title": "Buy milk",
  "url": "http://todos.example/todos/1"
}"#,
    );
}

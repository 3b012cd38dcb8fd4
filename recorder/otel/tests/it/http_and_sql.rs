//! Attributes of calls over HTTP and of databases.

use zerver_otel::{AttributeValue, ExportOptions, Span, spans_of};

use crate::samples;

fn attributes(call: i64) -> String {
    let batch = spans_of([&samples::calls()], &ExportOptions::default());
    let spans = &batch.resources[0].scopes[0].spans;
    let is_call = |span: &&Span| span.attributes.get("zerver.call") == Some(&AttributeValue::Int(call));
    let span = spans.iter().find(is_call).unwrap();
    let line = |(name, value): &(String, AttributeValue)| match value {
        AttributeValue::Text(text) => format!("{name}: {text}\n"),
        AttributeValue::Int(number) => format!("{name}: {number}\n"),
        other => format!("{name}: {other:?}\n"),
    };
    let attributes: String = span.attributes.0.iter().map(line).collect();
    format!("{} {:?} {}\n{attributes}", span.name, span.status.code, span.status.message)
}

#[test]
fn a_call_over_http_follows_the_conventions() {
    insta::assert_snapshot!(attributes(0), @r"
    GET Error after 1 ms
    zerver.effect.kind: http
    zerver.effect.summary: GET idp.example.com/verify?..
    zerver.call: 0
    http.request.method: GET
    server.address: idp.example.com
    server.port: 443
    url.full: https://idp.example.com/verify?user=ann
    error.type: timeout
    ");
    insta::assert_snapshot!(attributes(1), @r"
    POST Error 
    zerver.effect.kind: http
    zerver.effect.summary: POST audit.internal:8080/log
    zerver.call: 1
    http.request.method: POST
    server.address: audit.internal
    server.port: 8080
    url.full: http://audit.internal:8080/log
    http.response.status_code: 503
    error.type: 503
    ");
    insta::assert_snapshot!(attributes(2), @r"
    GET Unset 
    zerver.effect.kind: http
    zerver.effect.summary: GET idp.example.com/verify?..
    zerver.call: 2
    http.request.method: GET
    server.address: idp.example.com
    server.port: 443
    url.full: https://idp.example.com/verify?user=ann
    http.request.resend_count: 1
    http.response.status_code: 200
    zerver.retry_delay_ns: 200000
    ");
}

#[test]
fn a_call_of_a_database_follows_the_conventions() {
    insta::assert_snapshot!(attributes(3), @r"
    SELECT todos Unset 
    zerver.effect.kind: sql
    zerver.effect.summary: select id from todos where owner = $1
    zerver.call: 3
    db.system.name: other_sql
    zerver.database: main
    db.query.text: select id from todos where owner = $1
    db.query.summary: SELECT todos
    db.response.returned_rows: 2
    zerver.pool_wait_ns: 50000
    zerver.target_wait_ns: 500000
    ");
    insta::assert_snapshot!(attributes(4), @r"
    INSERT log; UPDATE todos Error exists
    zerver.effect.kind: sql
    zerver.effect.summary: 2 statements: insert into log (id) values ($1)
    zerver.call: 4
    db.system.name: other_sql
    zerver.database: main
    db.query.text: insert into log (id) values ($1); update todos set seen = true where id = $1
    db.query.summary: INSERT log; UPDATE todos
    db.operation.batch.size: 2
    db.response.status_code: 23505
    error.type: 23505
    ");
}

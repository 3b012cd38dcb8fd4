//! A recorded request with SQL: it replays without a database, its secrets are sealed, and its flow can be tested.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use zerver::StartOptions;
use zerver::effects::sql::{self, Reply, Rows, SqlError};
use zerver::engine::Flow;
use zerver::prelude::*;
use zerver_recorder::{Reader, Recorder, RecorderOptions};
use zerver_replay::{Edits, Recording, Replay, ReplayContext, Secrets};
use zerver_trace::Trace;

use crate::harness::Client;

const CANARY: &str = "c4n4ry-0f-th3-p4ssw0rd";

#[slot]
#[derive(Debug, Clone, sql::Row)]
struct User {
    id: i64,
    name: String,
    seen: Option<f64>,
}

#[slot]
#[derive(Debug, Clone)]
struct Visits(i64);

fn by_name(name: &str) -> Effect<User> {
    sql::query("select id, name, seen, password_hash from users where name = $1 and password_hash = $2")
        .bind(name)
        .bind_secret(CANARY)
        .named("user_by_name")
        .optional()
        .or_not_found("user", name)
}

fn visit(user: &User) -> Effect<Visits> {
    sql::batch([
        sql::query("insert into visits (user_id) values ($1)").bind(user.id),
        sql::query("select count(*) from visits where user_id = $1").bind(user.id),
    ])
    .run()
    .try_map(|results| results[1].one().map(Visits))
}

#[step]
fn load(request: &Request) -> Decision<User> {
    Need(by_name(request.param_str("name").unwrap_or_default()))
}

#[step]
fn count(user: &User) -> Decision<Visits> {
    Need(visit(user))
}

#[step]
fn render(user: &User, visits: &Visits) -> Response {
    Response::json(&(&user.name, user.seen.map(f64::is_nan), visits.0))
}

fn flow() -> FlowDef {
    flow!("visit", GET "/users/{name}", steps: [load, count, render])
}

/// Requests a user, and checks that the answer contains this text.
pub(crate) fn get(addr: &str, name: &str, expected: &str) {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(stream, "GET /users/{name} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(expected), "{answer}");
}

/// Records requests of a service with this flow, each with the text that its answer contains.
pub(crate) fn record(client: &Client, flow: FlowDef, folder: &Path, requests: &[(&str, &str)]) {
    let recorder = Recorder::open(RecorderOptions::new(folder)).unwrap();
    let app = App::new().flow(flow).interpreter(client.postgres.clone());
    let options = StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        sink: Some(recorder.sink()),
        ..StartOptions::default()
    };
    let server = app.start(options).unwrap();
    for (name, expected) in requests {
        get(&server.addr().to_string(), name, expected);
    }
    server.stop();
    recorder.close();
}

/// Replays all recorded requests, which must do the same again, and returns their traces.
pub(crate) fn replayed(reader: &Reader, flow: &FlowDef) -> Vec<Trace> {
    let flow = Arc::new(Flow::new(flow, |failure, _| failure.to_response()).unwrap());
    let replayed = |summary: zerver_trace::Summary| {
        let trace = reader.load(summary.id).unwrap().unwrap();
        let secrets = reader.open_secrets(&trace).map(Secrets).unwrap();
        let recording = Recording { trace, secrets };
        let replay = Replay {
            recording: &recording,
            flow: &flow,
            route: &|request| {
                let name = request.uri.path().strip_prefix("/users/").map(str::to_owned);
                name.map(|name| request.params.push(("name".into(), name))).is_some()
            },
            edits: &Edits::default(),
            context: ReplayContext::default(),
        };
        let report = replay.run(&mut |_| {}).unwrap();
        assert_eq!(report.verdict(), "same", "{report:?}");
        recording.trace
    };
    reader.list(&zerver_trace::Query::default()).unwrap().into_iter().map(replayed).collect()
}

#[test]
fn a_recorded_request_replays_without_a_database() {
    let client = Client::new();
    client.execute("create table users (id int8 primary key, name text, seen float8, password_hash text)");
    client.execute("create table visits (user_id int8 references users)");
    client
        .run(sql::query("insert into users values (7, 'ann', 'NaN', $1)").bind_secret(CANARY).execute())
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let expected = [("ann", "[\"ann\",true,1]"), ("ann", "[\"ann\",true,2]"), ("bob", "not_found")];
    record(&client, flow(), dir.path(), &expected);
    let stored = std::fs::read(dir.path().join("traces.redb")).unwrap();
    assert!(!stored.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "the secret is sealed");
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.list(&zerver_trace::Query::default()).unwrap().len(), 3);
    drop(client);
    for trace in replayed(&reader, &flow()) {
        let shown = format!("{trace:?}");
        assert!(!shown.contains(CANARY) && shown.contains("user_by_name"), "{shown}");
    }
}

#[test]
fn a_flow_with_sql_is_tested_without_a_database() {
    let app = || App::new().flow(flow());
    let ann = User { id: 7, name: "ann".to_owned(), seen: None };
    let found = Rows::of(["id", "name", "seen"], [(7, "ann", None::<f64>)]);
    let counted = || [Rows::affecting(1), Rows::of(["count"], [(3,)])];
    let test = || app().test("visit").get("/users/ann").answer(by_name("ann"), &found);
    let response = test().answer(visit(&ann), counted()).run();
    assert_eq!(response.json::<(String, Option<bool>, i64)>(), ("ann".to_owned(), None, 3));
    let absent = Rows::of(["id", "name", "seen"], Vec::<(i64, String, f64)>::new());
    app().test("visit").get("/users/ann").answer(by_name("ann"), absent).run().assert_status(404);
    let conflict = SqlError::new(SqlError::UNIQUE_VIOLATION, "twice").constraint("visits_once");
    test().answer(visit(&ann), conflict).run().assert_status(409);
    test().answer(visit(&ann), Reply { attempts: 2, result: Ok(counted().into()) }).run().assert_status(200);
    test().fail(visit(&ann), EffectErrorKind::UnknownOutcome, "lost").run().assert_status(503);
    // As `zerver export --test` writes them: the keys of a row are in any order.
    let args = r#"{"database": "default", "statements": [
        {"text": "insert into visits (user_id) values ($1)", "params": [7], "fetch": "rows"},
        {"text": "select count(*) from visits where user_id = $1", "params": [7], "fetch": "rows"}],
        "transaction": {"attempts": 4}}"#;
    let output =
        r#"{"results": [{"affected": 1}, {"columns": [{"name": "z", "type": "int8"}], "rows": [{"z": 9}]}]}"#;
    let response = test().answer_json("sql", args, output).run();
    assert_eq!(response.json::<(String, Option<bool>, i64)>().2, 9);
}

//! A recorded request with Redis: it replays without a server, its secrets are sealed, and its flow can be tested.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zerver::StartOptions;
use zerver::effects::cache::{self, Cache, cached};
use zerver::effects::rate_limit::{Allowance, Limit};
use zerver::engine::Flow;
use zerver::prelude::*;
use zerver_recorder::{Reader, Recorder, RecorderOptions};
use zerver_redis::{self as redis, Json, RateLimiter, Redis, Secret, ServerError};
use zerver_replay::{Edits, Recording, Replay, ReplayContext, Secrets};

use crate::harness::{Client, server};

const CANARY: &str = "c4n4ry-0f-th3-s3ss10n";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Profile {
    name: String,
    age: u8,
}

#[slot]
#[derive(Debug, Clone)]
struct User(Profile);

#[slot]
#[derive(Debug, Clone)]
struct Visits(Vec<i64>);

fn load_user(name: &str) -> Effect<Profile> {
    let user = redis::get::<Json<Profile>>(format!("rec:user:{name}")).or_not_found("user", name);
    let session = redis::expires_in(1.hours()).set(format!("rec:session:{name}"), Secret(CANARY));
    all((user, session)).map(|(Json(user), ())| user)
}

fn count_visit(user: &Profile) -> Effect<Vec<i64>> {
    let text = "return {redis.call('INCR', KEYS[1]), redis.call('INCRBY', KEYS[2], ARGV[1])}";
    let script = redis::script(text).named("count_visit");
    script.key(format!("rec:visits:{}", user.name)).key("rec:ages").arg(user.age).run()
}

#[step]
fn load(request: &Request) -> Decision<User> {
    let name = request.param_str("name").unwrap_or_default();
    let admitted = Limit::per_minute(1000).enforce(("rec", name));
    let user = cached(("rec", name), 1.minutes(), load_user(name));
    Need(admitted.and_then(|()| user).map(User))
}

#[step]
fn count(user: &User) -> Decision<Visits> {
    let binary = redis::set("rec:binary", [0, 159, 146, 150]);
    Need(count_visit(&user.0).and_then(|visits| binary.map(|()| Visits(visits))))
}

#[step]
fn render(user: &User, visits: &Visits) -> Response {
    Response::json(&(&user.0.name, &visits.0))
}

fn flow() -> FlowDef {
    flow!("visit", GET "/users/{name}", steps: [load, count, render])
}

#[test]
fn a_recorded_request_replays_without_a_server() {
    let client = Client::new();
    let ann = Profile { name: "ann".to_owned(), age: 30 };
    client.run(redis::set("rec:user:ann", Json(ann))).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(RecorderOptions::new(dir.path())).unwrap();
    let redis = Redis::from_url(&server().url()).unwrap();
    let app =
        App::new().flow(flow()).interpreter(Cache::over(redis.clone())).interpreter(RateLimiter::new(&redis));
    let app = app.interpreter(redis);
    let options = StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        sink: Some(recorder.sink()),
        ..StartOptions::default()
    };
    let service = app.start(options).unwrap();
    for (name, expected) in [("ann", r#"["ann",[1,30]]"#), ("ann", r#"["ann",[2,60]]"#), ("bob", "not_found")]
    {
        let mut stream = TcpStream::connect(service.addr()).unwrap();
        write!(stream, "GET /users/{name} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(expected), "{answer}");
    }
    service.stop();
    recorder.close();
    let stored = std::fs::read(dir.path().join("traces.redb")).unwrap();
    assert!(!stored.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "the secret is sealed");
    let reader = Reader::open(dir.path()).unwrap();
    let ids: Vec<_> = reader.list(&zerver_trace::Query::default()).unwrap();
    assert_eq!(ids.len(), 3);
    let flow = Arc::new(Flow::new(&flow(), |failure, _| failure.to_response()).unwrap());
    for summary in ids {
        let trace = reader.load(summary.id).unwrap().unwrap();
        let shown = format!("{trace:?}");
        assert!(!shown.contains(CANARY) && shown.contains("rec:visits:") | shown.contains("bob"), "{shown}");
        let secrets = reader.open_secrets(&trace).map(Secrets).unwrap();
        let replay = Replay {
            recording: &Recording { trace, secrets },
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
    }
}

#[test]
fn a_flow_with_redis_is_tested_without_a_server() {
    const PUT: &str =
        r#"{"Put": {"key": "rec:ann", "value": {"name": "ann", "age": 3}, "expires_in_ms": 60000}}"#;
    let allowed = Allowance { allowed: true, remaining: 9, retry_after_ms: 0 };
    let miss = cache::Answer::Miss { lease: cache::Lease::none(), error: None };
    let test = || {
        App::new()
            .flow(flow())
            .test("visit")
            .get("/users/ann")
            .answer(Limit::per_minute(1000).check(("rec", "ann")), allowed)
            .answer(effect(cache::Op::Get { key: ("rec", "ann").into() }), miss.clone())
            .answer_json("cache", PUT, r#""Stored""#)
            .answer_json(
                "redis",
                r#"{"server": "default", "commands": [["GET", "rec:user:ann"]]}"#,
                r#""{\"name\":\"ann\",\"age\":3}""#,
            )
            .answer(redis::expires_in(1.hours()).set("rec:session:ann", Secret(CANARY)), "OK")
    };
    let ann = Profile { name: "ann".to_owned(), age: 3 };
    let response = test()
        .answer(count_visit(&ann), (7, 10))
        .answer(redis::set("rec:binary", [0, 159, 146, 150]), "OK")
        .run();
    assert_eq!(response.json::<(String, Vec<i64>)>(), ("ann".to_owned(), vec![7, 10]));
    test().answer(count_visit(&ann), ServerError::new("OOM", "no memory")).run().assert_status(503);
    test().answer(count_visit(&ann), ServerError::new("ERR", "a bug")).run().assert_status(500);
    test().fail(count_visit(&ann), EffectErrorKind::UnknownOutcome, "lost").run().assert_status(503);
}

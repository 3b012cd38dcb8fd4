//! The main use: send requests, then examine them with `zerver`.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::harness::{Dev, Place, undisturbed};

/// Starts a service with one todo. Returns it with the private path of the todo.
fn with_todo(place: &Place) -> (Dev, String) {
    let dev = place.dev();
    let made = dev.ask("POST", "/todos").json(json!({ "title": "Buy milk" })).send();
    let path = format!("/v1/todos/{}", made.json()["id"]);
    (dev, path)
}

fn names(list: &Json, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

fn number(json: &Json) -> u64 {
    json.as_u64().unwrap_or_else(|| panic!("{json} is no number"))
}

#[test]
fn an_authenticated_request_is_shown_from_its_first_step_to_its_response() {
    let (place, dev, answer) = undisturbed(|| {
        let place = Place::new();
        let (dev, path) = with_todo(&place);
        let answer = dev.ask("GET", &path).bearer("ann-token").send();
        place.wait_for(2);
        answer.is_in_time().then_some((place, dev, answer))
    });

    let trace = place.json(&["trace", answer.id(), "--json"]);
    assert_eq!(trace["flow"], "todos-item");
    assert_eq!(trace["outcome"], "done");
    assert_eq!((trace["status"].clone(), trace["complete"].clone()), (json!(200), json!(true)));
    let steps = [
        "parse_auth",
        "lookup_user",
        "verify_roles",
        "count_request",
        "limit_rate",
        "parse_id",
        "load_todo",
        "render_for_user",
    ];
    assert_eq!(names(&trace["steps"], "name"), steps);
    let lookup = &trace["steps"][1];
    assert_eq!(lookup["decision"], "need");
    assert_eq!(lookup["effects"][0]["kind"], "http");
    assert_eq!(lookup["effects"][0]["summary"], "GET identity.internal/verify");
    assert_eq!(lookup["writes"][0]["slot"], "Claims");
    assert_eq!(lookup["writes"][0]["value"], json!({ "sub": "ann", "roles": ["admin", "writer"] }));
    assert_eq!(trace["steps"][6]["effects"][0]["kind"], "kv");
    assert_eq!(number(&trace["totals"]["io"]["http"]["calls"]), 1);
    assert_eq!(number(&trace["totals"]["io"]["kv"]["calls"]), 2);

    // The parts add up to the whole.
    let totals = &trace["totals"];
    let parts = ["receive_ns", "queue_ns", "cpu_ns", "wait_ns", "completion_delay_ns", "unexplained_ns"];
    // The completion delay is absent if it is 0, as it is on a machine that is not busy.
    let sum: u64 = parts.iter().filter_map(|part| totals[*part].as_u64()).sum();
    assert_eq!(sum, number(&trace["duration_ns"]), "{totals}");

    let text = place.zerver(&["trace", &answer.id()[..23]]);
    assert_eq!(text.code, Some(0), "{text:?}");
    for part in steps.into_iter().chain([
        "GET /v1/todos/",
        "200",
        "todos-item",
        "interactive",
        "http GET identity.internal/verify",
        "kv get todo:",
        "I/O",
        "CPU",
        "verdict",
        "(secret)",
        "Buy milk",
    ]) {
        assert!(text.out.contains(part), "no {part:?} in\n{}", text.out);
    }
    assert!(!text.out.contains("ann-token") && !text.out.contains('\u{1b}'), "{}", text.out);
    assert_eq!(dev.stop().code(), Some(0));
}

#[test]
fn a_slow_upstream_and_the_step_of_a_failure_are_named() {
    let place = Place::new();
    let (dev, _) = with_todo(&place);
    // Much longer than any delay of a busy machine.
    assert_eq!(dev.get("/reports/todos?latency_ms=1500").status, 200);
    assert_eq!(dev.get("/todos/456").status, 404);
    place.wait_for(3);

    let slow = place.json(&["trace", "@slowest:report", "--json"]);
    assert!(number(&slow["totals"]["io"]["http"]["time_ns"]) >= 1_500_000_000, "{}", slow["totals"]);
    assert_eq!(slow["class"], "batch");
    let text = place.zerver(&["trace", "@slowest:report"]).out;
    let verdict = text.lines().find(|line| line.contains("verdict")).unwrap();
    assert!(verdict.contains("http GET figures.internal/figures"), "{verdict}");

    let failed = place.json(&["trace", "@failed", "--json"]);
    assert_eq!(failed["failure"]["kind"], "not_found");
    assert_eq!(
        (failed["failure"]["what"].clone(), failed["failure"]["key"].clone()),
        (json!("todo"), json!("456"))
    );
    let text = place.zerver(&["trace", "@failed"]).out;
    assert!(
        text.contains("not_found") && text.contains("load_todo") && text.contains("public.rs:"),
        "{text}"
    );
}

#[test]
fn ls_finds_requests_by_what_is_known_of_them() {
    let place = Place::new();
    let (dev, _) = with_todo(&place);
    dev.get("/todos");
    dev.get("/todos/77");
    dev.get("/reports/todos?latency_ms=60");
    place.wait_for(4);
    let flows = |arguments: &[&str]| {
        let listed = place.json(&[&["ls", "--json"], arguments].concat());
        names(&listed["requests"], "flow")
    };
    assert_eq!(flows(&[]), ["report", "todo-show", "todos-list", "todos-create"]);
    assert_eq!(flows(&["--status", "404"]), ["todo-show"]);
    assert_eq!(flows(&["--status", "2xx", "--limit", "2"]), ["report", "todos-list"]);
    assert_eq!(flows(&["--failed"]), ["todo-show"]);
    // The requests that these select depend on the machine.
    let listed = place.json(&["ls", "--json"]);
    let slower =
        listed["requests"].as_array().unwrap().iter().filter(|it| number(&it["duration_ns"]) > 50_000_000);
    let slower: Vec<_> = slower.map(|it| it["flow"].as_str().unwrap()).collect();
    assert!(slower.contains(&"report"));
    assert_eq!(flows(&["--slower-than", "50ms"]), slower);
    assert_eq!(flows(&["--flow", "todos-list", "--since", "5m"]), ["todos-list"]);
    let text = place.zerver(&["ls"]);
    assert!(text.out.contains("todos-create") && text.out.contains("/reports/todos"), "{text:?}");
}

#[test]
fn what_was_recorded_survives_kill_9() {
    let place = Place::new();
    let (mut dev, path) = with_todo(&place);
    for _ in 0..20 {
        dev.ask("GET", &path).bearer("ann-token").send().is_in_time();
    }
    let before = place.wait_for(21);
    // On Linux the service ends with its `dev`. Elsewhere it goes on, and is killed here.
    let service = Command::new("pgrep").args(["-P", &dev.id().to_string()]).output().unwrap().stdout;
    dev.signal("-KILL");
    dev.wait();
    if cfg!(any(not(target_os = "linux"), zerver_portable)) {
        let service = String::from_utf8(service).unwrap();
        assert!(
            Command::new("kill").arg("-KILL").args(service.split_whitespace()).status().unwrap().success()
        );
    }
    let text = place.zerver(&["trace", "@last"]);
    assert_eq!(text.code, Some(0), "{text:?}");
    assert_eq!(place.wait_for(21), before);
    // The next start opens the store and continues.
    let dev = place.dev();
    assert_eq!(dev.get("/todos").status, 200);
    assert_eq!(place.wait_for(22).len(), 22);
}

#[test]
fn a_trace_travels_as_a_file_without_its_secrets() {
    let place = Place::new();
    let (dev, path) = with_todo(&place);
    let id = dev.ask("GET", &path).bearer("ann-token").send().id().to_owned();
    place.wait_for(2);
    let file = place.path().join("one.zrv");
    let exported = place.zerver(&["export", &id, "-o", file.to_str().unwrap()]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    drop(dev);

    let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(!contains(&std::fs::read(&file).unwrap(), b"ann-token"));
    for entry in std::fs::read_dir(place.store()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            assert!(!contains(&std::fs::read(&path).unwrap(), b"ann-token"), "{}", path.display());
        }
    }

    let elsewhere = Place::new();
    let read = elsewhere.zerver(&["trace", file.to_str().unwrap()]);
    assert!(read.code == Some(0) && read.out.contains("lookup_user"), "{read:?}");
    assert_eq!(elsewhere.zerver(&["import", file.to_str().unwrap()]).code, Some(0));
    assert_eq!(elsewhere.zerver(&["import", file.to_str().unwrap()]).code, Some(0), "twice is the same");
    assert_eq!(elsewhere.wait_for(1).len(), 1);
    assert!(elsewhere.zerver(&["trace", &id]).out.contains("lookup_user"));
}

#[test]
fn the_catalog_shows_what_each_step_reads_and_writes() {
    let place = Place::new();
    let todos = crate::harness::programs().todos.to_str().unwrap();
    let text = place.zerver(&["catalog", "--exe", todos]);
    assert_eq!(text.code, Some(0), "{text:?}");
    for part in [
        "todos-item",
        "/v1/todos/{id}",
        "lookup_user",
        "AuthHeader",
        "Claims",
        "auth.rs:",
        "Reads the bearer token.",
    ] {
        assert!(text.out.contains(part), "no {part:?} in\n{}", text.out);
    }
    let json = place.json(&["catalog", "--exe", todos, "--json"]);
    assert!(json.to_string().contains("todos-item"));
}

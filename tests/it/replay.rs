//! `zerver replay`: a recorded request, run again by the program that served it, with nothing around it.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::harness::{Place, Ran, programs, root};

/// A place whose service has answered two requests for a todo and ended: the ids of the one, and of the other.
struct Recorded {
    place: Place,
    show: String,
    private: String,
}

const TOKEN: &str = "ann-token";

impl Recorded {
    fn new() -> Self {
        let place = Place::new();
        let dev = place.dev();
        dev.ask("POST", "/todos").json(json!({ "title": "Buy milk" })).send();
        let show = dev.get("/todos/1").id().to_owned();
        let private = dev.ask("GET", "/v1/todos/1").bearer(TOKEN).send();
        assert_eq!(private.status, 200, "{private:?}");
        let private = private.id().to_owned();
        place.wait_for(3);
        dev.stop();
        Self { place, show, private }
    }

    fn replay(&self, id: &str, more: &[&str]) -> Ran {
        let todos = programs().todos.to_str().unwrap();
        let ran = self.place.zerver(&[&["replay", id, "--exe", todos], more].concat());
        assert!(!ran.out.contains(TOKEN) && !ran.err.contains(TOKEN), "a secret: {ran:?}");
        assert!(!ran.err.contains("panicked"), "{ran:?}");
        ran
    }

    fn json(&self, id: &str, more: &[&str], code: i32) -> Json {
        let ran = self.replay(id, &[more, &["--json"]].concat());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }
}

fn body(document: &Json) -> Json {
    serde_json::from_str(document["response"]["body"].as_str().unwrap()).unwrap()
}

#[test]
fn a_request_is_run_again_without_the_service() {
    let recorded = Recorded::new();
    let ran = recorded.replay(&recorded.private, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("same: 8 of 8 decisions re-derived, 3 effects fed, 0 live\n"), "{ran:?}");
    assert!(ran.out.contains("200 OK") && ran.out.contains("Buy milk"), "{ran:?}");

    let document = recorded.json(&recorded.show, &[], 0);
    assert_eq!((&document["verdict"], &document["findings"]), (&json!("same"), &json!([])));
    let coverage = &document["coverage"];
    assert_eq!((&coverage["decisions"], &coverage["effects_fed"]), (&json!(3), &json!(1)));
    assert_eq!((&coverage["effects_live"], &coverage["effects_unanswered"]), (&json!(0), &json!(0)));
    assert_eq!(body(&document)["title"], "Buy milk");
}

#[test]
fn there_is_no_network_in_a_replay() {
    let recorded = Recorded::new();
    // Where the system lets us have a network namespace of our own, with nothing in it.
    let unshare = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", program]);
        command
    };
    if !unshare("true").output().is_ok_and(|output| output.status.success()) {
        return;
    }
    let programs = programs();
    let output = unshare(programs.zerver.to_str().unwrap())
        .args(["replay", &recorded.private, "--exe"])
        .arg(&programs.todos)
        .env("ZERVER_STORE", recorded.place.store())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn an_edited_slot_shows_what_it_changes() {
    let recorded = Recorded::new();
    let document = recorded.json(&recorded.private, &["--set", r#"Todo.title="Buy oat milk""#], 1);
    assert_eq!(body(&document)["title"], "Buy oat milk");
    assert_eq!(document["verdict"], "different");
    assert_eq!(
        document["edits"],
        json!([{ "what": "Todo.title", "step": "render_for_user", "from": "Buy milk", "to": "Buy oat milk" }])
    );
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(
        findings[0],
        json!({ "class": "input_edited", "step": "", "field": "response.body.title", "expected": "Buy milk",
                "got": "Buy oat milk", "source": null })
    );

    let document = recorded.json(&recorded.private, &["--set", "Claims.roles=[]"], 1);
    assert_eq!(document["response"]["status"], 403);
    let finding = &document["findings"][0];
    assert_eq!((&finding["step"], &finding["field"]), (&json!("verify_roles"), &json!("decision")));
    assert_eq!((&finding["class"], &finding["got"]), (&json!("input_edited"), &json!("fail")));
    assert!(finding["source"].as_str().unwrap().contains("auth.rs:"), "{finding}");
}

#[test]
fn answers_and_requests_are_edited_too() {
    let recorded = Recorded::new();
    let document = recorded.json(&recorded.private, &["--answer", r#"kv get todo:1="Absent""#], 1);
    assert_eq!(document["response"]["status"], 404);
    let found = r#"kv get todo:1={"Found": {"id": 1, "title": "Ask bob", "completed": true, "order": 1}}"#;
    let document = recorded.json(&recorded.private, &["--answer", found], 1);
    assert_eq!(body(&document)["title"], "Ask bob");
    let header = ["--request-header", "host=todo.example"];
    let document = recorded.json(&recorded.private, &header, 1);
    assert_eq!(body(&document)["url"], "http://todo.example/todos/1");
    // Another token: nobody has asked the identity provider about that one.
    let header = ["--request-header", "authorization=Bearer bob-canary-token"];
    let ran = recorded.replay(&recorded.private, &header);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("unanswered") && !ran.out.contains("bob-canary"), "{ran:?}");
}

#[test]
fn an_edit_that_does_not_fit_runs_nothing() {
    let recorded = Recorded::new();
    let check = |arguments: &[&str], hint: &str| {
        let ran = recorded.replay(&recorded.private, arguments);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.out.is_empty() && ran.err.contains(hint), "{ran:?}");
    };
    check(&["--set", "Claim.roles=[]"], "did you mean Claims?");
    check(&["--set", "Claims.role=[]"], "did you mean roles?");
    check(&["--set", "Claims.roles=7"], "expected a sequence");
    check(&["--set", "Claims.roles=[", "--json"], "is no JSON");
    check(&["--set", "Claims.roles=[]", "--at", "verify_role"], "did you mean verify_roles?");
    check(&["--answer", "kv get todo:2=7"], "did you mean kv get todo:1?");
}

#[test]
fn a_portable_file_says_what_it_lacks() {
    let recorded = Recorded::new();
    recorded.place.zerver(&["export", &recorded.private, "--output", "private.zrv"]);
    recorded.place.zerver(&["export", &recorded.show, "--output", "show.zrv"]);
    let ran = recorded.replay("./show.zrv", &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = recorded.replay("./private.zrv", &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("header authorization") && ran.err.contains("hash"), "{ran:?}");
}

#[test]
fn a_program_that_is_no_service_is_named() {
    let recorded = Recorded::new();
    let replay = |exe: &str| recorded.place.zerver(&["replay", &recorded.show, "--exe", exe]);
    for exe in ["/bin/true", "/bin/nothing", "/etc/passwd"] {
        let ran = replay(exe);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(exe) && ran.out.is_empty(), "{ran:?}");
    }
}

#[test]
fn what_a_step_does_to_its_process_is_said_and_stays_there() {
    let place = Place::new();
    let exe = &programs().misbehaving;
    let dev = place.dev_of(exe);
    for target in ["/abort", "/spin", "/look", "/panic"] {
        dev.get(target);
    }
    place.wait_for(4);
    dev.stop();
    let replay =
        |flow: &str| place.zerver(&["replay", &format!("@last:{flow}"), "--exe", exe.to_str().unwrap()]);
    let ran = replay("abort");
    assert!(ran.code == Some(2) && ran.err.contains("in step abort of flow abort: signal 6"), "{ran:?}");
    let ran = replay("spin");
    assert!(ran.code == Some(2) && ran.err.contains("no answer within 10 s, in step spin"), "{ran:?}");
    let ran = replay("look");
    assert!(ran.code == Some(1) && ran.out.contains("nondeterminism"), "{ran:?}");
    let ran = replay("panic");
    assert!(ran.code == Some(0) && ran.out.contains("500"), "{ran:?}");
}

#[test]
fn the_package_is_built_and_the_flow_looked_for() {
    let recorded = Recorded::new();
    let app = root().join("examples/todos");
    let ran = recorded.place.zerver(&["replay", &recorded.show, app.to_str().unwrap(), "-q"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // Another service, which has no such flow.
    let other = programs().misbehaving.to_str().unwrap();
    let ran = recorded.place.zerver(&["replay", &recorded.show, "--exe", other]);
    assert!(ran.code == Some(1) && ran.out.contains("todo-show → no such flow"), "{ran:?}");
    assert!(ran.err.contains("recorded by build"), "{ran:?}");
}

#[test]
fn hostile_bytes_and_requests_without_a_flow_are_told_safely() {
    let place = Place::new();
    let dev = place.dev();
    let evil = "\u{1b}]52;c;AAAA\u{7}\u{202e}\u{9b}31m";
    dev.ask("POST", "/todos").json(json!({ "title": evil })).send();
    dev.get("/todos/1");
    dev.get("/nowhere");
    place.wait_for(3);
    dev.stop();
    let exe = programs().todos.to_str().unwrap();
    let set = format!("Todo.title={}", json!(evil));
    let header = format!("host={evil}");
    let replay = |id: &str, more: &[&str]| place.zerver(&[&["replay", id, "--exe", exe], more].concat());
    for more in [&["-v"][..], &["--json"], &["--set", &set], &["--request-header", &header], &["--at", evil]]
    {
        let ran = replay("@last:todo-show", more);
        let bad = |text: &str| text.chars().any(|c| zerver_trace::text::is_dangerous(c) && c != '\n');
        assert!(!bad(&ran.out) && !bad(&ran.err), "{more:?}: {ran:?}");
        assert!(ran.code.is_some_and(|code| code <= 2), "{ran:?}");
    }
    let ran = replay("@last", &[]);
    assert!(ran.code == Some(2) && ran.err.contains("before any step ran"), "{ran:?}");
}

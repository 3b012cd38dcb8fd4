//! `zerver replay`: a recorded request, run again in isolation by the program that served it.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::harness::{Place, Ran, programs, root, undisturbed};

/// Sets up a folder whose service has answered two requests for a todo and ended. Returns the ids of the requests.
struct Recorded {
    place: Place,
    show: String,
    private: String,
}

const TOKEN: &str = "ann-token";

impl Recorded {
    fn new() -> Self {
        undisturbed(|| {
            let place = Place::new();
            let dev = place.dev();
            dev.ask("POST", "/todos").json(json!({ "title": "Buy milk" })).send();
            let show = dev.get("/todos/1").id().to_owned();
            let private = dev.ask("GET", "/v1/todos/1").bearer(TOKEN).send();
            let is_in_time = private.is_in_time();
            let private = private.id().to_owned();
            place.wait_for(3);
            dev.stop();
            is_in_time.then_some(Self { place, show, private })
        })
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
    assert!(
        ran.out.starts_with("same: 8 of 8 decisions reproduced, 3 effects from the recording, 0 live\n"),
        "{ran:?}"
    );
    assert!(ran.out.contains("200 OK") && ran.out.contains("Buy milk"), "{ran:?}");

    let document = recorded.json(&recorded.show, &[], 0);
    assert_eq!((&document["verdict"], &document["findings"]), (&json!("same"), &json!([])));
    let coverage = &document["coverage"];
    assert_eq!((&coverage["decisions_reproduced"], &coverage["effects_replayed"]), (&json!(3), &json!(1)));
    assert_eq!((&coverage["effects_live"], &coverage["effects_unanswered"]), (&json!(0), &json!(0)));
    assert_eq!(body(&document)["title"], "Buy milk");
}

#[test]
fn the_store_remembers_the_program_that_recorded_it() {
    let recorded = Recorded::new();
    let elsewhere = Place::new();
    let store = recorded.place.store();
    let replay = |arguments: &[&str]| {
        let ran = Ran::of(elsewhere.command(arguments).env("ZERVER_STORE", &store).output().unwrap());
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        assert!(ran.out.starts_with("same: "), "{arguments:?}: {ran:?}");
    };
    replay(&["replay", &recorded.show]);
    replay(&["replay", "--all"]);
}

#[test]
fn there_is_no_network_in_a_replay() {
    let recorded = Recorded::new();
    // Only if the system allows an empty network namespace.
    let unshare = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", program]);
        command
    };
    if !unshare("true").output().is_ok_and(|output| output.status.success()) {
        // After the threads of the test harness.
        writeln!(
            std::io::stderr(),
            "skipped: no `unshare --user --net` here, so no replay without a network"
        )
        .unwrap();
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

/// A replay does not contact the upstream service, and works the same if there is none.
#[test]
fn a_replay_does_not_contact_upstream_services() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(&stream).lines().map(Result::unwrap);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        assert_eq!(head[0], "GET / HTTP/1.1");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi").unwrap();
        listener
    });
    let exe = &programs().misbehaving;
    let dev = place.dev_of(exe);
    let answer = dev.get(&format!("/asks?addr={addr}"));
    assert_eq!((answer.status, answer.body.as_str()), (200, "hi"));
    dev.stop();
    let replay = || {
        let ran = place.zerver(&["replay", answer.id(), "--exe", exe.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(
            ran.out.starts_with("same: 2 of 2 decisions reproduced, 1 effect from the recording, 0 live\n"),
            "{ran:?}"
        );
    };
    let listener = asked.join().unwrap();
    listener.set_nonblocking(true).unwrap();
    replay();
    // A connection would still be in the backlog.
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(listener);
    replay();
}

#[test]
fn an_edited_slot_shows_what_it_changes() {
    let recorded = Recorded::new();
    let document = recorded.json(&recorded.private, &["--set", r#"Todo.title="Buy oat milk""#], 1);
    assert_eq!(body(&document)["title"], "Buy oat milk");
    assert_eq!(document["verdict"], "different");
    assert_eq!(
        document["edits"],
        json!([{ "target": "Todo.title", "step": "render_for_user", "from": "Buy milk", "to": "Buy oat milk" }])
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
    // Another token, for which there is no recorded answer of the identity provider.
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
    check(&["--set", "Claims.roles=[", "--json"], "not JSON");
    check(&["--set", "Claims.roles=[]", "--at", "verify_role"], "did you mean verify_roles?");
    check(&["--answer", "kv get todo:2=7"], "did you mean kv get todo:1?");
}

#[test]
fn a_portable_file_reports_what_it_lacks() {
    let recorded = Recorded::new();
    recorded.place.zerver(&["export", &recorded.private, "--output", "private.zrv"]);
    recorded.place.zerver(&["export", &recorded.show, "--output", "show.zrv"]);
    let ran = recorded.replay("./show.zrv", &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = recorded.replay("./private.zrv", &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("header authorization") && ran.err.contains("hash"), "{ran:?}");
    assert!(ran.err.contains(&format!("run `zerver replay {}", &recorded.private[..8])), "{ran:?}");
}

#[test]
fn a_program_that_is_not_a_service_is_named() {
    let recorded = Recorded::new();
    let replay = |exe: &str| recorded.place.zerver(&["replay", &recorded.show, "--exe", exe]);
    for exe in ["/bin/true", "/bin/nothing", "/etc/passwd"] {
        let ran = replay(exe);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(exe) && ran.out.is_empty(), "{ran:?}");
    }
}

#[test]
fn a_step_that_ends_its_process_is_reported_and_contained() {
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
    assert!(ran.code == Some(2) && ran.err.contains("no reply within 10 s, in step spin"), "{ran:?}");
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
    // Another service, which does not have the flow.
    let other = programs().misbehaving.to_str().unwrap();
    let ran = recorded.place.zerver(&["replay", &recorded.show, "--exe", other]);
    assert!(ran.code == Some(1) && ran.out.contains("todo-show → no such flow"), "{ran:?}");
    assert!(ran.err.contains("recorded by build"), "{ran:?}");
}

#[test]
fn hostile_bytes_and_requests_without_a_flow_are_printed_safely() {
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

/// Repeats a replay until it takes less real time than its virtual time, in seconds. If the time passed for real, it
/// never would. A busy machine may need several attempts.
fn sooner_than(seconds: u64, run: impl Fn() -> Ran) -> Ran {
    let timed = || {
        let begun = Instant::now();
        let ran = run();
        (begun.elapsed() < Duration::from_secs(seconds)).then_some(ran)
    };
    (0..10).find_map(|_| timed()).expect("time has passed")
}

#[test]
fn failing_and_late_effects_are_simulated_in_virtual_time() {
    let recorded = Recorded::new();
    let idp = "http GET identity.internal/verify";
    let document = recorded.json(&recorded.private, &["--fail", &format!("{idp}=timeout")], 1);
    assert_eq!(document["response"]["status"], 504);
    let ending = &document["edited_outcome"];
    assert_eq!((&ending["outcome"], &ending["step"]), (&json!("failed"), &json!("lookup_user")));
    assert!(ending["duration_ns"].as_u64().unwrap() >= 900_000_000, "{ending}");
    let document = recorded.json(&recorded.private, &["--latency", &format!("{idp}=901ms")], 1);
    assert_eq!(document["response"]["status"], 504);
    // Once late, once in time: there is no other difference.
    let ran = sooner_than(20, || recorded.replay(&recorded.private, &["--latency", "kv get todo:1=20s"]));
    assert!(ran.code == Some(0) && ran.out.contains("would have taken 20.0"), "{ran:?}");
    let ran = sooner_than(30, || recorded.replay(&recorded.private, &["--latency", "kv get todo:1=1h"]));
    assert!(ran.code == Some(1) && ran.out.contains("timed_out") && ran.out.contains("30.0 s"), "{ran:?}");
    let document = recorded.json(&recorded.private, &["--fail", "2=error:disk full"], 1);
    assert_eq!(document["edited_outcome"]["step"], "load_todo");
    let ran = recorded.replay(&recorded.private, &["--fail", "kv get todo:2=timeout"]);
    assert!(ran.code == Some(2) && ran.err.contains("did you mean kv get todo:1?"), "{ran:?}");
}

#[test]
fn the_matrix_of_faults_reports_panics_and_survives_deaths() {
    let recorded = Recorded::new();
    let document = recorded.json(&recorded.private, &["--faults"], 1);
    let rows = document["faults"].as_array().unwrap();
    assert_eq!(rows.len(), 12, "{rows:?}");
    let of = |effect: &str, fault: &str| {
        let is = |row: &&Json| row["effect"].as_str().unwrap().starts_with(effect) && row["fault"] == fault;
        rows.iter().find(is).unwrap()
    };
    let statuses = ["timeout", "error", "slow", "malformed"].map(|fault| of("http", fault)["status"].clone());
    assert_eq!(statuses, [504, 503, 504, 502].map(Json::from));
    assert_eq!(of("kv get", "slow")["status"], 200);
    assert!(of("kv get", "timeout")["finding"].as_str().unwrap().contains("deadline"), "{rows:?}");
    assert_eq!(of("http", "timeout")["finding"], Json::Null);

    let place = Place::new();
    let exe = &programs().misbehaving;
    let dev = place.dev_of(exe);
    dev.get("/fragile");
    dev.get("/nap");
    place.wait_for(2);
    dev.stop();
    let replay = |more: &[&str]| place.zerver(&[&["replay", "--exe", exe.to_str().unwrap()], more].concat());
    let ran = replay(&["@last:fragile", "--faults", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let document: Json = serde_json::from_str(&ran.out).unwrap();
    let rows = document["faults"].as_array().unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| [&row["fault"], &row["outcome"]].map(|t| t.as_str().unwrap())).collect();
    let wanted = [["timeout", "timed_out"], ["error", "panicked"], ["slow", "done"], ["malformed", "died"]];
    assert_eq!(told, wanted);
    assert_eq!((&rows[1]["panicked"], &rows[3]["panicked"]), (&json!(true), &json!(false)));
    let ran = replay(&["@last:fragile", "--faults"]);
    assert!(
        ran.out.contains("unavailable was not expected") && ran.out.contains("in step fragile"),
        "{ran:?}"
    );
    // The same for all requests: the trials go as they go alone, whichever host dies of them.
    let ran = replay(&["--all", "--faults", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let document: Json = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&document["requests"], &document["partial"]), (&json!(2), &json!(false)), "{document}");
    let groups = document["groups"].as_array().unwrap();
    let fragile = groups.iter().filter(|group| group["flow"] == "fragile");
    let mut outcomes: Vec<_> =
        fragile.map(|group| [&group["fault"], &group["outcome"]].map(|t| t.as_str().unwrap())).collect();
    outcomes.sort_unstable();
    let mut alone = wanted.to_vec();
    alone.sort_unstable();
    assert_eq!(outcomes, alone);
    assert!(groups.iter().all(|group| group["count"] == 1 && group["trial"]["fault"] == group["fault"]));
    let ran = replay(&["--all", "--faults", "--flow", "fragile"]);
    assert!(ran.code == Some(1) && ran.out.contains("4 faults in 1 request"), "{ran:?}");
    assert!(ran.out.contains("the service died") && ran.out.contains("a step panicked"), "{ran:?}");
    let ran = replay(&["--all", "--faults", "--flow", "nowhere"]);
    assert_eq!(ran.code, Some(2), "a test of nothing does not pass: {ran:?}");
    // A timer that was not recorded takes no real time either.
    let ran = sooner_than(25, || replay(&["@last:nap", "--set", "Nap=25000"]));
    assert!(ran.out.contains("would have taken 25.0") && ran.out.contains("200 OK"), "{ran:?}");
}

#[test]
fn only_what_is_named_is_performed_for_real() {
    let recorded = Recorded::new();
    let set = ["--set", "TodoId=77"];
    let ran = recorded.replay(&recorded.private, &set);
    assert!(ran.code == Some(1) && ran.out.contains("1 unanswered") && !ran.err.contains("live:"), "{ran:?}");
    let ran = recorded.replay(&recorded.private, &[&set[..], &["--live", "kv"]].concat());
    assert!(ran.code == Some(1) && ran.err.contains("live: kv get todo:77"), "{ran:?}");
    assert!(ran.out.contains("1 live") && ran.out.contains("404"), "{ran:?}");
    // The identity provider that the service starts is called with another token, which must not be printed.
    let header = ["--request-header", "authorization=Bearer bob-token", "--live", "http", "--live", "kv"];
    let ran = recorded.replay(&recorded.private, &header);
    assert!(ran.out.contains("2 live") && ran.out.contains("200 OK"), "{ran:?}");
    assert!(!ran.out.contains("bob-token") && !ran.err.contains("bob-token"), "{ran:?}");
    let ran = recorded.replay(&recorded.private, &[&set[..], &["--live", "kv:reads"]].concat());
    assert!(ran.out.contains("1 live") && ran.out.contains("404"), "{ran:?}");
    let ran = recorded.replay(&recorded.private, &[&set[..], &["--live", "kv:writes"]].concat());
    assert!(ran.code == Some(2) && ran.err.contains("kv:reads"), "{ran:?}");
    let ran = recorded.replay(&recorded.private, &[&set[..], &["--live", "htp"]].concat());
    assert!(ran.code == Some(2) && ran.err.contains("did you mean http?") && ran.out.is_empty(), "{ran:?}");
}

#[test]
fn slots_are_edited_in_an_editor() {
    let recorded = Recorded::new();
    let editor = recorded.place.path().join("an editor");
    std::fs::write(&editor, "#!/bin/sh\ncp \"$2\" seen.txt\nsed -i \"$1\" \"$2\"\n").unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o700)).unwrap();
    let todos = programs().todos.to_str().unwrap();
    let edit = |script: &str| {
        let mut command = recorded.place.command(&["replay", &recorded.private, "--exe", todos, "--edit"]);
        command.env("EDITOR", "false").env("VISUAL", format!("'{}' '{script}'", editor.display()));
        Ran::of(command.env("TMPDIR", recorded.place.path()).output().unwrap())
    };
    let ran = edit("s/Buy milk/Buy oat milk/");
    assert!(ran.code == Some(1) && ran.out.contains("Buy oat milk"), "{ran:?}");
    assert!(ran.err.contains(r#"--set 'Todo.title="Buy oat milk"'"#), "{ran:?}");
    let seen = std::fs::read_to_string(recorded.place.path().join("seen.txt")).unwrap();
    assert!(seen.contains("TodoId = 1\n") && seen.contains("# AuthHeader is a secret"), "{seen}");
    assert!(!seen.contains(TOKEN), "{seen}");
    let ran = edit("");
    assert!(ran.code == Some(0) && ran.out.is_empty() && ran.err.contains("nothing was changed"), "{ran:?}");
    let ran = edit("s/TodoId = 1/TodoId = one/");
    assert!(ran.code == Some(2) && ran.out.is_empty() && ran.err.contains("TodoId is not JSON"), "{ran:?}");
    let line = 1 + seen.lines().position(|line| line == "TodoId = 1").unwrap();
    assert!(ran.err.contains(&format!("line {line}:")), "{ran:?}");
    let kept = ran.err.split("kept in ").nth(1).unwrap().trim();
    assert!(std::fs::read_to_string(kept).unwrap().contains("TodoId = one"));
    let mut command = recorded.place.command(&["replay", &recorded.private, "--exe", todos, "--edit"]);
    let ran = Ran::of(command.env_remove("EDITOR").env_remove("VISUAL").output().unwrap());
    assert!(ran.code == Some(2) && ran.err.contains("VISUAL or EDITOR"), "{ran:?}");
}

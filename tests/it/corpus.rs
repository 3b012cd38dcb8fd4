//! Replays of many requests (`zerver replay --all`), and exported tests (`zerver export --test`).

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

use crate::harness::{Place, Ran, programs, root};
use crate::other_process::catches_interrupt;

fn corpus() -> String {
    root().join("examples/todos/corpus").to_str().unwrap().to_owned()
}

fn todos() -> &'static str {
    programs().todos.to_str().unwrap()
}

#[test]
fn a_corpus_of_files_is_the_same() {
    let place = Place::new();
    let ran = place.zerver(&["replay", "--all", &corpus(), "--exe", todos()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("same: 5 requests, 4 same, 1 not replayed\n"), "{ran:?}");
    assert!(ran.out.contains("header authorization: only a hash"), "{ran:?}");
    assert!(ran.err.is_empty(), "{ran:?}");

    let some = place.json(&["replay", "--all", &corpus(), "--exe", todos(), "--json", "--status", "404"]);
    let of = |name: &str| some[name].clone();
    assert_eq!(
        (of("verdict"), of("partial"), of("requests"), of("same")),
        (json!("same"), json!(false), json!(1), json!(1))
    );
    assert_eq!(
        (of("decisions_reproduced"), of("decisions_recorded"), of("effects_replayed")),
        (json!(2), json!(2), json!(1))
    );
    assert_eq!((of("findings"), of("reasons"), of("not_replayed")), (json!([]), json!([]), json!(0)));
}

#[test]
fn a_query_selects_from_a_corpus_and_from_the_store() {
    let place = Place::new();
    let count = |words: &[&str]| {
        let all = [&["replay", "--all"], words, &["--exe", todos(), "--json"]].concat();
        place.json(&all)["requests"].as_u64().unwrap()
    };
    assert_eq!(count(&[&corpus(), "status:404"]), 1);
    assert_eq!(count(&["flow=todo-show", "status:200", &corpus(), "-n", "1"]), 1);
    assert_eq!(count(&[&corpus(), "not", "flow=todo-show"]) + count(&[&corpus(), "flow=todo-show"]), 5);
    let dev = place.dev();
    for target in ["/todos", "/todos/1", "/todos/2", "/todos?limit=2"] {
        dev.get(target);
    }
    place.wait_for(4);
    dev.stop();
    assert_eq!(count(&[]), 4);
    assert_eq!(count(&["flow=todo-show"]), 2);
    // The newest one that matches, which is not the newest.
    assert_eq!(count(&["query.limit:=2 or param.id=1", "-n", "1"]), 1);
    assert_eq!(count(&["param.id=1"]), 1);
    let refused = |words: &[&str], wanted: &str| {
        let ran = place.zerver(&[&["replay", "--exe", todos(), "--all"], words].concat());
        assert!(ran.code == Some(2) && ran.err.contains(wanted), "{wanted}: {ran:?}");
    };
    refused(&["flwo:todos"], "did you mean flow?");
    refused(&["flow=nothing"], "accepts the same query");
    refused(&[&corpus(), "flow=nothing"], "no request in these files matches");
}

#[test]
fn a_corpus_against_another_service_is_different() {
    let place = Place::new();
    let other = programs().misbehaving.to_str().unwrap();
    let file = format!("{}/show.zrv", corpus());
    let ran = place.zerver(&["replay", "--all", &file, &corpus(), "--exe", other, "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let document: Json = serde_json::from_str(&ran.out).unwrap();
    let finding = &document["findings"][0];
    let of = |name: &str| finding[name].clone();
    assert_eq!(
        (of("class"), of("flow"), of("field")),
        (json!("code_changed"), json!("todo-show"), json!("flow"))
    );
    // One file is named twice.
    assert_eq!((of("requests"), of("first_in")), (json!(3), json!(3)));
    assert_eq!(
        (of("expected"), of("got"), of("source")),
        (json!("todo-show"), json!("no such flow"), json!(null))
    );
    assert!(finding["example"].as_str().is_some_and(|id| id.len() == 36), "{finding}");
    assert!(finding["file"].as_str().is_some_and(|file| file.contains("corpus/show")), "{finding}");
}

#[test]
fn requests_that_end_their_host_cost_only_themselves() {
    let place = Place::new();
    let exe = &programs().misbehaving;
    let dev = place.dev_of(exe);
    for _ in 0..5 {
        for target in ["/abort", "/panic", "/look"] {
            dev.get(target);
        }
    }
    dev.get("/nowhere");
    place.wait_for(16);
    dev.stop();
    let exe = exe.to_str().unwrap();
    let ran = place.zerver(&["replay", "--all", "--exe", exe, "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let document: Json = serde_json::from_str(&ran.out).unwrap();
    let count = |name: &str| document[name].as_u64().unwrap();
    assert_eq!((count("requests"), count("same"), count("different"), count("not_replayed")), (16, 5, 10, 1));
    let findings = document["findings"].as_array().unwrap();
    let died = findings.iter().find(|finding| finding["class"] == "died").unwrap();
    assert_eq!((&died["step"], &died["requests"]), (&json!("abort"), &json!(5)));
    assert!(died["got"].as_str().unwrap().contains("signal 6"), "{died}");
    assert!(died["source"].as_str().unwrap().contains("misbehaving.rs:"), "{died}");
    assert!(findings.iter().any(|finding| finding["class"] == "nondeterminism" && finding["requests"] == 5));
    assert!(document["reasons"][0]["reason"].as_str().unwrap().contains("before any step ran"), "{document}");
}

#[test]
fn a_replay_of_nothing_is_an_error() {
    let place = Place::new();
    let dev = place.dev();
    dev.get("/todos");
    place.wait_for(1);
    dev.stop();
    let refused = |more: &[&str], wanted: &str| {
        let ran = place.zerver(&[&["replay", "--exe", todos()], more].concat());
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(wanted) && ran.out.is_empty(), "{wanted}: {ran:?}");
    };
    refused(&["--all", "--flow", "nothing"], "no requests to replay");
    refused(&["--all", place.path().to_str().unwrap()], "no portable files");
    refused(&["--all", &corpus(), "--failed", "--status", "201"], "no request in these files matches");
    refused(&["--all", "nothing.zrv"], "nothing.zrv");
    refused(&["--all", "--set", "Todo.id=1"], "edits need one request");
    refused(&["@last", "--flow", "todos-list"], "one is named");
    let ran = place.zerver(&["replay", "--all", "--exe", "/bin/true"]);
    assert!(ran.code == Some(2) && ran.err.contains("cannot replay with /bin/true"), "{ran:?}");
    let ran = place.zerver(&["replay", "--all", "--exe", todos(), "--limit", "1"]);
    assert!(ran.code == Some(0) && ran.out.starts_with("same: 1 request, 1 same\n"), "{ran:?}");
}

#[test]
fn an_interrupted_replay_reports_its_results_so_far() {
    let place = Place::new();
    let exe = &programs().misbehaving;
    let dev = place.dev_of(exe);
    dev.get("/spin");
    dev.get("/panic");
    place.wait_for(2);
    dev.stop();
    let mut command = place.command(&["replay", "--all", "--json", "--exe", exe.to_str().unwrap()]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Before the command handles the signal, the signal would only kill it.
    while !catches_interrupt(child.id()) {
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!(ran.code == Some(2) && ran.err.contains("interrupted"), "{ran:?}");
    let document: Json = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["partial"], true);
    assert!(document["requests"].as_u64().unwrap() < 2, "{document}");
}

/// The exported test is checked in as a test of the example, so it compiles and passes.
#[test]
fn an_exported_test_is_the_one_that_is_checked_in() {
    let place = Place::new();
    let checked_in = fs::read_to_string(root().join("examples/todos/src/todos_item_200.rs")).unwrap();
    let file = format!("{}/item.zrv", corpus());
    let ran = place.zerver(&["export", &file, "--test"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), checked_in.as_str()), "{ran:?}");
    let ran = place.zerver(&["export", &file, "--test", "--output", "item.rs"]);
    assert!(ran.code == Some(0) && ran.out == "item.rs\n", "{ran:?}");
    assert_eq!(fs::read_to_string(place.path().join("item.rs")).unwrap(), checked_in);
    let ran = place.zerver(&["export", &file, "--test", "--expect", "fixed"]);
    assert!(ran.code == Some(2) && ran.err.contains("did not fail"), "{ran:?}");
    let ran = place.zerver(&["export", &file, "--test", "--with-secrets"]);
    assert!(ran.code == Some(2) && ran.err.contains("only their hashes"), "{ran:?}");
}

#[test]
fn an_exported_test_has_secrets_only_on_request() {
    let place = Place::new();
    let dev = place.dev();
    dev.ask("GET", "/v1/todos/1").bearer("ann-token").send();
    place.wait_for(1);
    dev.stop();
    let export =
        |more: &[&str]| place.zerver(&[&["export", "@last", "--test", "--output", "-"], more].concat());
    let (masked, open) = (export(&[]), export(&["--with-secrets"]));
    assert!(masked.out.contains("\"Bearer placeholder\"") && !masked.out.contains("ann-token"), "{masked:?}");
    assert!(open.out.contains(".header(\"authorization\", \"Bearer ann-token\")"), "{open:?}");
    assert!(!open.out.contains("placeholder") && !open.out.contains("<secret"), "{open:?}");
}

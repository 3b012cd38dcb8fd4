//! Canaries: secrets of real requests are not readable anywhere, in no file and no output of any command.

use serde_json::json;

use crate::harness::{Dev, Place, programs};

const CANARY: &str = "c4n4ry";

#[test]
fn no_secret_of_a_request_is_in_files_or_on_any_screen() {
    let place = Place::new();
    let dev = place.dev();
    let secret = |name: &str| format!("{name}-{CANARY}-{name}");
    // Accepted, rejected by a step, rejected before any step, and not JSON.
    let asked = [
        ("POST", "/todos", json!({ "title": "one", "password": secret("body") })),
        ("POST", "/todos", json!({ "title": 7, "nested": [{ "access_token": secret("nested") }] })),
        ("POST", "/todos", json!("no todo")),
        ("PUT", "/nothing", json!({ "api_key": secret("refused") })),
        ("GET", "/v1/todos/1", json!(null)),
        ("GET", "/todos/%ff", json!(null)),
    ];
    let mut ids = Vec::new();
    for (method, path, body) in asked {
        let target = format!("{path}?page=1&token={}&signature={}", secret("query"), secret("signature"));
        let asking = dev.ask(method, &target).bearer(&secret("bearer")).header("x-api-key", &secret("key"));
        let asking = asking.header("cookie", &format!("theme=dark; sid={}", secret("cookie")));
        // A copy in a place whose name does not mark it as a secret.
        let asking = asking.header("x-note", &secret("cookie")).header("referer", &target);
        ids.push(asking.json(body).send().id().to_owned());
    }
    let addr = dev.addr.clone();
    place.wait_for(ids.len());

    let todos = programs().todos.to_str().unwrap();
    let file = place.path().join("one.zrv");
    let file = file.to_str().unwrap();
    let check = |arguments: &[&str]| {
        let ran = place.zerver(arguments);
        assert!(!ran.out.contains(CANARY) && !ran.err.contains(CANARY), "{arguments:?}: {ran:?}");
        assert!(ran.out.len() + ran.err.len() > 0, "{arguments:?} says nothing");
    };
    for id in &ids {
        check(&["trace", "-v", id]);
        check(&["trace", "--json", id]);
        check(&["replay", "--exe", todos, id]);
        check(&["replay", "--json", "--exe", todos, id]);
        check(&["diff", "--no-tui", "--all-headers", &ids[0], id]);
        check(&["diff", "--json", &ids[0], id]);
        check(&["export", id, "--force", "-o", file]);
        assert!(!has_canary(&std::fs::read(file).unwrap()), "{id} leaves with its secrets");
    }
    check(&["ls"]);
    check(&["ls", "--json"]);
    check(&["simulate"]);
    check(&["simulate", "--json"]);
    check(&["replay", "--all", "--exe", todos]);
    check(&["top", "--addr", &addr]);
    check(&["doctor"]);
    // The whole output of dev and the service.
    let said = dev.said_to_the_end();
    assert!(said.iter().all(|line| !line.contains(CANARY)), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("/nothing")), "{said:#?}");
    for entry in std::fs::read_dir(place.store()).unwrap() {
        let path = entry.unwrap().path();
        assert!(!path.is_file() || !has_canary(&std::fs::read(&path).unwrap()), "{}", path.display());
    }
}

/// The message of a panic can contain data of a client, and is printed to a terminal.
#[test]
fn the_message_of_a_panic_is_cleaned_and_masked() {
    let exe = &programs().misbehaving;
    let note = format!(": \x1b]0;title\x07\u{202e} for {CANARY}-17 and password={CANARY}\nnext line");
    let note: String = note.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let check = |said: Vec<String>| {
        let all = said.join("\n");
        let at =
            said.iter().position(|line| line.contains(" panicked at tests/misbehaving.rs:")).expect(&all);
        assert!(said[at].starts_with("thread 'zerver-"), "{all}");
        assert_eq!(
            said[at + 1..at + 3],
            [
                "  /panic has no answer: \\u{1b}]0;title\\u{7}\\u{202e} for <secret> and password=<secret>",
                "  next line"
            ],
            "{all}"
        );
        assert!(!all.contains(CANARY) && !all.contains(['\x1b', '\x07', '\u{202e}']), "{all}");
    };
    let place = Place::new();
    let dev = place.dev_of(exe);
    let ask = |dev: &Dev| {
        let target = format!("/panic?note={note}");
        dev.ask("GET", &target).bearer(&format!("{CANARY}-17")).send();
    };
    ask(&dev);
    place.wait_for(1);
    check(dev.said_to_the_end());
}

fn has_canary(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}

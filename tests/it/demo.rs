//! The demo store that comes with the command: how it was recorded, and what a user sees of it.
//!
//! `ZERVER_WRITE_DEMO=1 cargo test -p zerver-tests --test it demo_lists` records it again, into `cli/demo`. The command
//! embeds it, so run the tests once more after that.

use std::fs;

use serde_json::json;

use crate::harness::{Asking, Dev, Place, programs, root};

/// Sends the requests of the demo to the todo service.
fn send_requests(dev: &Dev) {
    let add = |title: &str, order: u64| {
        dev.ask("POST", "/todos").json(json!({ "title": title, "order": order })).send();
    };
    let titles =
        ["Buy milk", "Call the dentist", "Water the plants", "Pay the rent", "Fix the bike", "Read a paper"];
    titles.iter().zip(1..).for_each(|(title, order)| add(title, order));
    for round in 0..12_u64 {
        dev.get("/todos");
        for id in 1..=4 {
            dev.get(&format!("/todos/{id}"));
        }
        let id = 1 + round % 4;
        dev.ask("PATCH", &format!("/todos/{id}")).json(json!({ "completed": round % 2 == 0 })).send();
        for token in ["ann-token", "bob-token"] {
            dev.ask("GET", &format!("/v1/todos/{id}")).bearer(token).send();
        }
        // Most reports are fast, and some are slow because of a parameter.
        for latency_ms in [[0, 250, 3, 900, 1, 400][round as usize % 6], round % 3, 2 * (round % 5), 0] {
            dev.get(&format!("/reports/todos?latency_ms={latency_ms}"));
        }
    }
    // Reports at the same time, which wait for each other: they are of the batch class.
    let addr = &dev.addr;
    std::thread::scope(|scope| {
        for latency_ms in 0..8 {
            let target = format!("/reports/todos?latency_ms={latency_ms}");
            scope.spawn(move || Asking::new(addr, "GET", &target).send());
        }
    });
    // A retry that succeeds, and one that does not.
    for fails in [1, 0, 1, 2] {
        dev.get(&format!("/reports/todos?fails={fails}"));
    }
    let private = |token: &str, key: &str| {
        let asking = dev.ask("POST", "/v1/todos").bearer(token).header("idempotency-key", key);
        asking.json(json!({ "title": "Book a flight" })).send();
    };
    private("ann-token", "k1");
    private("ann-token", "k1");
    private("bob-token", "k2");
    // Requests that fail for reasons of their own.
    dev.get("/v1/todos/1");
    dev.ask("GET", "/v1/todos/1").bearer("eve-token").send();
    dev.ask("GET", "/v1/todos/1").bearer("expired-token").send();
    dev.ask("POST", "/todos").json(json!({ "titel": "Buy milk" })).send();
    dev.get("/reports/todos?latency_ms=soon");
    dev.get("/todos/456");
    dev.get("/nowhere");
    dev.ask("PUT", "/todos").send();
    let long = "Carry the boxes up to the attic. ".repeat(200);
    dev.ask("POST", "/todos").json(json!({ "title": "Move", "notes": long })).send();
    for round in 0..12 {
        dev.get("/todos");
        dev.get(&format!("/todos/{}", 1 + round % 6));
        dev.ask("GET", "/v1/todos/1").bearer("ann-token").send();
    }
    dev.ask("DELETE", "/todos/6").send();
    dev.get("/todos/6");
}

fn record() {
    let place = Place::new();
    // Its code has changed since, so it differs when it is replayed.
    let changed = zerver_fixtures::story("changed-code");
    let ran = place.zerver(&["import", changed.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // A store remembers the program that recorded it: not a path that exists anywhere else.
    let program = place.path().join("todos");
    fs::copy(&programs().todos, &program).unwrap();
    let dev = place.dev_of(&program);
    send_requests(&dev);
    assert!(dev.stop().success());
    let demo = root().join("cli/demo");
    fs::create_dir_all(&demo).unwrap();
    for name in ["traces.redb", "key"] {
        fs::copy(place.store().join(name), demo.join(name)).unwrap();
    }
}

#[test]
fn the_demo_lists_its_requests_without_a_terminal() {
    if std::env::var_os("ZERVER_WRITE_DEMO").is_some() {
        return record();
    }
    let place = Place::new();
    let ran = place.zerver(&["demo"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("on a terminal, `zerver demo` opens the terminal UI"), "{ran:?}");
    assert!(ran.out.contains("/reports/todos") && ran.out.lines().count() > 200, "{ran:?}");
    assert!(!place.store().exists(), "it leaves the user's store alone");
}

#[test]
fn other_commands_read_the_unpacked_demo() {
    let place = Place::new();
    let dir = place.path().join("demo");
    let dir = dir.to_str().unwrap();
    let ran = place.zerver(&["demo", "--dir", dir]);
    assert!(ran.code == Some(0) && ran.err.contains(dir), "{ran:?}");
    let again = place.zerver(&["demo", "--dir", dir]);
    assert!(again.code == Some(2) && again.err.contains("is not empty"), "{again:?}");

    let zerver = |arguments: &[&str]| place.zerver(&[&["--store", dir], arguments].concat());
    assert_eq!(zerver(&["doctor"]).code, Some(0));
    let slowest = zerver(&["trace", "@slowest"]);
    assert!(slowest.out.contains("latency_ms: 900"), "{slowest:?}");
    assert!(zerver(&["why", "@slowest"]).out.contains("latency_ms"));
    assert_eq!(zerver(&["diff", "--slow", "report"]).code, Some(1));
    assert_eq!(zerver(&["ls", "--status", "5xx"]).out.lines().count(), 2, "the head and one request");

    // The service still does what it did, except for one request, and where a message has changed since.
    let todos = programs().todos.to_str().unwrap();
    let replayed = zerver(&["replay", "--all", "--exe", todos, "--json"]);
    let report: serde_json::Value = serde_json::from_str(&replayed.out).unwrap();
    assert_eq!(replayed.code, Some(1), "{report:#}");
    assert!(report["same"].as_u64().unwrap() >= 200, "{report:#}");
    let changed = zerver(&["replay", "01a2037b-f37e", "--exe", todos]);
    assert!(changed.code == Some(1) && changed.out.contains("ReportParams.fails"), "{changed:?}");
}

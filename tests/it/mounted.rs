//! `zerver dev` and the other commands on a service of axum that a layer records.

use serde_json::json;

use crate::harness::{Place, programs};

#[test]
fn dev_runs_an_axum_service_and_every_command_that_reads_works_on_its_requests() {
    let place = Place::new();
    let mut dev = place.dev_of(&programs().mounted);
    let created = dev.ask("POST", "/notes").json(json!({ "text": "buy milk", "tags": ["home"] })).send();
    assert_eq!(created.status, 201);
    for _ in 0..2 {
        assert_eq!(dev.get("/notes").json(), json!([{ "id": 1, "text": "buy milk", "tags": ["home"] }]));
    }
    let shown = dev.wait_for_line("post-notes");
    assert!(shown.contains("POST /notes  201"), "{shown}");
    place.wait_for(3);
    assert!(dev.stop().success());

    let id = created.id();
    let trace = place.json(&["trace", id, "--json"]);
    assert_eq!((&trace["recorded_by"], &trace["flow"]), (&json!("layer"), &json!("post-notes")));
    assert!(trace["totals"]["cpu_ns"].is_null() && trace["totals"]["queue_ns"].is_null(), "{trace}");
    assert_eq!(trace["steps"][0]["log_lines"][0]["line"], "created a note id=1");
    for command in [
        &["ls", "effect.sql~tags"][..],
        &["trace", "@last:get-notes"],
        &["why", "@last:get-notes"],
        &["flows"],
        &["catalog"],
        &["export", id, "--otlp", "-"],
    ] {
        let ran = place.zerver(command);
        assert!(
            matches!(ran.code, Some(0 | 1)) && !ran.out.is_empty() && !ran.err.contains("error"),
            "{command:?}: {ran:?}"
        );
    }
    // Nothing differs but the times, and not everything could be compared.
    let diff = place.zerver(&["diff", "@fastest:get-notes", "@slowest:get-notes"]);
    assert_eq!(diff.code, Some(2), "{diff:?}");
    assert!(diff.out.contains("verdict  not everything could be compared"), "{diff:?}");
    assert!(diff.out.contains("span load") && diff.out.contains("a: recorded by a layer"), "{diff:?}");
    let replay = place.zerver(&["replay", id]);
    assert_eq!(replay.code, Some(2), "{replay:?}");
    assert!(replay.err.contains("it was recorded by a layer; zerver cannot run its steps"), "{replay:?}");
    let all = place.zerver(&["replay", "--all", "--exe", programs().mounted.to_str().unwrap()]);
    assert_eq!(all.code, Some(2), "{all:?}");
    assert!(all.err.contains("this program is recorded by a layer; zerver cannot run its steps"), "{all:?}");
}

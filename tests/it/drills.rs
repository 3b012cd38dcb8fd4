//! Drills: faults that are injected into the effects of a running service, from the option to the replay.

use std::path::Path;

use serde_json::json;

use crate::harness::{Dev, Place, Ran, programs};

const RULE: &str = "kv get todo:..=unreachable:100%";

fn dev(place: &Place, more: &[&str]) -> Dev {
    let exe = programs().todos.to_str().unwrap();
    let args = [&["dev", "--exe", exe, "--no-watch", "--addr", "127.0.0.1:0"], more].concat();
    Dev::start(place.command(&args))
}

#[test]
fn a_drill_is_recorded_shown_and_replayed() {
    let place = Place::new();
    let dev = dev(&place, &["--chaos", RULE, "--chaos-seed", "7"]);
    let made = dev.ask("POST", "/todos").json(json!({ "title": "one" })).send();
    assert_eq!(made.status, 201, "the rule is for other effects");
    let failed = dev.get("/todos/1");
    assert_eq!(failed.status, 503);
    let metrics = dev.get("/metrics").body;
    assert!(metrics.contains(&format!("zerver_chaos_injected_total{{rule=\"{RULE}\"}} 1")), "{metrics}");
    assert!(dev.stop().success());

    let mark = format!("injected by chaos rule {RULE}");
    let trace = place.zerver(&["trace", failed.id()]);
    assert!(trace.out.contains(&mark), "{trace:?}");
    let json = place.json(&["trace", failed.id(), "--json"]);
    let effects =
        json["steps"].as_array().unwrap().iter().flat_map(|step| step["effects"].as_array().unwrap());
    let faults: Vec<_> =
        effects.filter_map(|effect| effect["injected_faults"].as_array()).flatten().collect();
    assert_eq!((faults.len(), &faults[0]["rule"]), (1, &json!(RULE)));
    let why = place.zerver(&["why", failed.id()]);
    assert!(why.out.contains("injected by chaos rule"), "{why:?}");

    let exe = programs().todos.to_str().unwrap();
    for id in [made.id(), failed.id()] {
        let replay = place.zerver(&["replay", id, "--exe", exe]);
        assert_eq!(replay.code, Some(0), "{replay:?}");
        assert!(replay.out.contains("same"), "{replay:?}");
    }
    let all = place.zerver(&["replay", "--all", "--exe", exe]);
    assert_eq!(all.code, Some(0), "{all:?}");
}

#[test]
fn the_settings_name_a_drill_and_two_requests_differ_by_it() {
    let place = Place::new();
    let app = place.path().join("app");
    std::fs::create_dir(&app).unwrap();
    let settings = format!("[chaos]\nrules = [{RULE:?}]\nseed = 3\n");
    std::fs::write(app.join("zerver.toml"), settings).unwrap();
    let show = |more: &[&str]| {
        let dev = dev(&place, more);
        dev.ask("POST", "/todos").json(json!({ "title": "one" })).send();
        let shown = dev.get("/todos/1");
        assert!(dev.stop().success());
        shown
    };
    let (plain, drilled) = (show(&[]), show(&[app.to_str().unwrap()]));
    assert_eq!((plain.status, drilled.status), (200, 503));
    let diff = place.zerver(&["diff", plain.id(), drilled.id(), "--json"]);
    let diff: serde_json::Value = serde_json::from_str(&diff.out).unwrap();
    let differences = diff["differences"].as_array().unwrap();
    assert!(differences.iter().any(|difference| difference["kind"] == "injected_fault"), "{diff}");
}

/// Runs the todo service by itself, with these settings.
fn service(place: &Place, app: &Path, variables: &[(&str, &str)]) -> Ran {
    let mut command = place.service();
    command.env("CARGO_MANIFEST_DIR", app).envs(variables.iter().copied());
    Ran::of(command.output().unwrap())
}

#[test]
fn a_drill_outside_of_dev_has_to_be_allowed() {
    let place = Place::new();
    std::fs::write(place.path().join("zerver.toml"), "[chaos]\nrules = [\"sql=timeout:10%\"]\n").unwrap();
    let refused = service(&place, place.path(), &[]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.err.contains("zerver.toml:2: chaos.rules inject faults into real requests"),
        "{refused:?}"
    );
    assert!(refused.err.contains("chaos.allow_outside_dev = true"), "{refused:?}");
    // The service does not perform SQL, so it still does not start.
    for word in ["ZERVER_CHAOS_ALLOW_OUTSIDE_DEV", "ZERVER_DEV"] {
        let allowed = service(&place, place.path(), &[(word, "1"), ("ZERVER_CHAOS_SEED", "9")]);
        assert!(allowed.err.contains("warning: chaos is on, seed 9"), "{word}: {allowed:?}");
        assert!(allowed.err.contains("warning: chaos rule sql=timeout:10%"), "{word}: {allowed:?}");
        assert!(
            allowed.err.contains("is for a kind of effect that this program does not perform"),
            "{allowed:?}"
        );
    }
}

#[test]
fn a_wrong_rule_is_reported_before_anything_starts() {
    let place = Place::new();
    let wrong = place.zerver(&["dev", "--chaos", "kv=timeout:1%", "--chaos", "kv get a=timout:1%"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    let expected = "\"kv get a=timout:1%\", character 10: unknown fault timout; did you mean timeout?";
    assert!(wrong.err.contains(expected), "{wrong:?}");
    std::fs::write(place.path().join("zerver.toml"), "[chaos]\nrules = [\"kv=timeout\"]\n").unwrap();
    let wrong = service(&place, place.path(), &[]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.err.contains("zerver.toml:2: invalid chaos.rules: must be a list of rules"), "{wrong:?}");
    assert!(wrong.err.contains("character 11: write the share of calls"), "{wrong:?}");
}

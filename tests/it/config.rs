//! Settings of a running service (`zerver config`, SIGHUP), and its measurements (`zerver top`).

use std::fs;

use crate::harness::{Dev, Place, Ran, programs};

#[test]
fn config_shows_values_and_their_sources() {
    let place = Place::new();
    fs::write(place.path().join("zerver.toml"), "deadline = \"5s\"\n\n[batch]\nquantum = \"7ms\"\n").unwrap();
    let todos = programs().todos.to_str().unwrap();
    let told = place.json(&["config", "--exe", todos, "--json"]);
    let find = |key: &str| {
        let settings = told["settings"].as_array().unwrap();
        settings.iter().find(|told| told["key"] == key).unwrap_or_else(|| panic!("no {key}: {told}")).clone()
    };
    let deadline = find("deadline");
    assert_eq!((&deadline["value"], &deadline["source"]), (&"5s".into(), &"file".into()));
    assert!(deadline["location"].as_str().unwrap().ends_with("zerver.toml:1"), "{deadline}");
    assert_eq!(find("batch.quantum")["value"], "7ms");
    assert_eq!(find("batch.workers")["location"], "ZERVER_BATCH_WORKERS");
    assert_eq!(find("limits.head")["source"], "default");
    fs::write(place.path().join("zerver.toml"), "[batch]\nquantun = \"7ms\"\n").unwrap();
    let ran = place.zerver(&["config", "--exe", todos]);
    let wrong = "zerver.toml:2: unknown setting batch.quantun; did you mean batch.quantum?";
    assert!(ran.code == Some(2) && ran.err.contains(wrong), "{ran:?}");
}

#[test]
fn a_variable_that_nothing_reads_is_reported() {
    let place = Place::new();
    let todos = programs().todos.to_str().unwrap();
    let mut command = place.command(&["config", "--exe", todos]);
    let ran = Ran::of(command.env("ZERVER_WORKRES", "3").output().unwrap());
    let told = "warning: unknown variable ZERVER_WORKRES; did you mean ZERVER_WORKERS?";
    assert!(ran.code == Some(0) && ran.err.lines().any(|line| line == told), "{ran:?}");
}

/// Returns the class of a request with this path.
fn class(place: &Place, service: &Dev, count: usize) -> String {
    assert_eq!(service.get("/todos").status, 200);
    place.wait_for(count)[0]["class"].as_str().unwrap().to_owned()
}

#[test]
fn a_hang_up_reloads_and_a_mistake_changes_nothing() {
    let place = Place::new();
    let file = place.path().join("zerver.toml");
    fs::write(&file, "").unwrap();
    let mut service = Dev::start(place.service());
    assert_eq!(class(&place, &service, 1), "interactive");

    let rule = "[[rules]]\npath = \"/todos\"\nclass = \"batch\"\n";
    fs::write(&file, format!("workers = 7\n\n{rule}")).unwrap();
    service.signal("-HUP");
    service.wait_for_line("warning: a restart is needed to change workers");
    service.wait_for_line("settings reloaded from zerver.toml: changed rules");
    assert_eq!(class(&place, &service, 2), "batch");

    fs::write(&file, "[[rules]]\npath = \"/todos\"\nclass = \"interactiv\"\n").unwrap();
    service.signal("-HUP");
    let said = service.wait_for_line("settings unchanged");
    assert!(said.contains("zerver.toml:3: invalid rules.class"), "{said}");
    assert_eq!(class(&place, &service, 3), "batch");

    fs::write(&file, "[recording]\nkeep = \"tail\"\n").unwrap();
    service.signal("-HUP");
    // The environment overrides the file.
    service.wait_for_line("changed rules");
    assert_eq!(class(&place, &service, 4), "interactive");

    // An endless wait is not started, and SIGTERM still works.
    fs::remove_file(&file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    service.signal("-HUP");
    let said = service.wait_for_line("settings unchanged");
    assert!(said.contains("not a regular file but a FIFO"), "{said}");
    assert_eq!(service.stop().code(), Some(0));
    let ran = Ran::of(place.service().output().unwrap());
    assert!(ran.code == Some(2) && ran.err.contains("zerver.toml: not a regular file but a FIFO"), "{ran:?}");
}

#[test]
fn a_hang_up_changes_what_is_recorded() {
    let place = Place::new();
    let file = place.path().join("zerver.toml");
    fs::write(&file, "[recording]\nkeep = \"tail\"\nsample = 0.0\n").unwrap();
    let mut command = place.service();
    command.env_remove("ZERVER_RECORD");
    let mut service = Dev::start(command);
    assert_eq!(service.get("/todos").status, 200);
    fs::write(&file, "[recording]\nkeep = \"all\"\n").unwrap();
    service.signal("-HUP");
    service.wait_for_line("changed recording.keep, recording.sample");
    assert_eq!(service.get("/todos?kept=1").status, 200);
    assert_eq!(service.stop().code(), Some(0));
    let kept = place.wait_for(1);
    assert_eq!(kept.len(), 1, "the first was not kept: {kept:?}");
}

/// Replaces the settings of a running service, and waits until they apply.
fn reload(place: &Place, service: &mut Dev, settings: &str, changed: &str) {
    fs::write(place.path().join("zerver.toml"), settings).unwrap();
    service.signal("-HUP");
    service.wait_for_line(&format!("changed {changed}"));
}

#[test]
fn a_hang_up_changes_the_policy_of_a_target_for_the_next_call() {
    let place = Place::new();
    fs::write(place.path().join("zerver.toml"), "").unwrap();
    let mut service = Dev::start(place.service());
    let report = |service: &Dev| service.get("/reports/todos").status;
    assert_eq!([(); 2].map(|()| report(&service)), [200; 2]);
    // The call after the first would have to wait for a thousand seconds.
    let slow = "[targets.\"figures.internal:80\"]\nrate = 0.001\n";
    reload(&place, &mut service, slow, "targets.\"figures.internal:80\".rate");
    assert_eq!([(); 2].map(|()| report(&service)), [200, 503]);
    reload(&place, &mut service, "", "targets.\"figures.internal:80\".rate");
    assert_eq!(report(&service), 200);
    assert_eq!(service.stop().code(), Some(0));
}

#[test]
fn an_open_breaker_stays_open_when_other_settings_are_reloaded() {
    let place = Place::new();
    let breaker = "[targets.\"figures.internal:80\"]\nfailures = 2\nfailing_for = \"1ms\"\nopen = \"1h\"\n";
    fs::write(place.path().join("zerver.toml"), breaker).unwrap();
    let mut service = Dev::start(place.service());
    let state = |service: &Dev| {
        let measures = place.json(&["top", "--addr", &service.addr, "--json"]);
        let targets = measures["targets"].as_array().unwrap();
        let figures = targets.iter().find(|target| target["target"] == "figures.internal:80").unwrap();
        figures["breaker"].as_str().unwrap().to_owned()
    };
    let requests = (1..100).find(|_| {
        service.get("/reports/todos?fails=9");
        state(&service) == "open"
    });
    assert!(requests.is_some(), "the breaker never opened");
    assert_eq!(service.get("/reports/todos").status, 503);
    reload(&place, &mut service, &format!("deadline = \"9s\"\n{breaker}"), "deadline");
    assert_eq!((service.get("/reports/todos").status, state(&service).as_str()), (503, "open"));
    let attempts = format!("deadline = \"9s\"\n{breaker}attempts = 2\n");
    reload(&place, &mut service, &attempts, "targets.\"figures.internal:80\".attempts");
    assert_eq!((service.get("/reports/todos").status, state(&service).as_str()), (503, "open"));
    // A breaker that can no longer open closes.
    let off = "deadline = \"9s\"\n[targets.\"figures.internal:80\"]\nfailures = 0\nfailure_rate = 0\n";
    reload(&place, &mut service, off, "targets.");
    assert_eq!((service.get("/reports/todos").status, state(&service).as_str()), (200, "closed"));
    assert_eq!(service.stop().code(), Some(0));
}

#[test]
fn top_shows_what_a_service_measures() {
    let place = Place::new();
    let service = Dev::start(place.service());
    for _ in 0..3 {
        assert_eq!(service.get("/todos").status, 200);
    }
    place.wait_for(3);
    let measures = place.json(&["top", "--addr", &service.addr, "--json"]);
    assert_eq!(measures["classes"][0]["requests"], 3, "{measures}");
    assert_eq!(measures["recorder"]["recorded"], 3, "{measures}");
    let ran = place.zerver(&["top", "--addr", &service.addr]);
    let has = |line: &str| ran.out.lines().any(|told| told.starts_with(line));
    assert!(
        ran.code == Some(0) && has("interactive") && has("zerver-0") && has("recorder  3 recorded"),
        "{ran:?}"
    );
    let ran = place.zerver(&["top", "--addr", &service.addr, "--path", "/nowhere"]);
    assert!(ran.code == Some(2) && ran.err.contains("the response to /nowhere is 404"), "{ran:?}");
    assert_eq!(service.stop().code(), Some(0));
}

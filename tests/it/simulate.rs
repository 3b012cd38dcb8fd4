//! Simulation of recorded requests with other settings.

use crate::harness::Place;

#[test]
fn recorded_requests_are_simulated_with_other_workers() {
    let place = Place::new();
    let dev = place.dev();
    for _ in 0..5 {
        assert_eq!(dev.get("/todos").status, 200);
    }
    assert_eq!(dev.get("/nothing").status, 404);
    place.wait_for(6);

    // The quality of the reproduction depends on the load of the machine, so both exit codes are correct.
    let ran = place.zerver(&["simulate", "--json", "--set", "workers=1", "--set", "batch.workers=0"]);
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(ran.code, Some(if found["reproduced"] == true { 0 } else { 1 }), "{ran:?}");
    assert_eq!((&found["requests"], &found["excluded"]), (&5.into(), &1.into()));
    let reproduction = found["reproduction"].as_str().unwrap();
    assert_eq!(found["reproduced"] == true, reproduction == "well", "{ran:?}");
    assert_eq!(found["worst"]["reproduction"], reproduction, "{ran:?}");
    assert_eq!(found["flows"][0]["name"], "todos-list");
    for figures in ["recorded", "simulated", "changed"] {
        let figures = &found["classes"][0][figures];
        assert_eq!((&figures["requests"], &figures["shed"]), (&5.into(), &0.into()));
        assert!(figures["duration"]["p50_ns"].as_u64().unwrap() > 0, "{figures}");
    }

    let text = place.zerver(&["simulate", "--flow", "todos-list"]);
    assert!(text.out.contains("5 requests") && text.out.contains("todos-list"), "{text:?}");
    let verdict = format!("Reproduces the recorded run {reproduction}: ");
    assert!(text.out.lines().nth(2).is_some_and(|line| line.contains(&verdict)), "{text:?}");
    let wrong = place.zerver(&["simulate", "--set", "batch.worker=1"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("did you mean batch.workers?"), "{wrong:?}");
}

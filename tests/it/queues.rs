//! Queue time is divided among the steps that held the worker, in a service whose only worker is blocked.

use std::thread;

use serde_json::Value as Json;

use crate::harness::{Asking, Dev, Place, programs, undisturbed};

/// Number of requests at the same time, each of which takes 40 ms of the worker.
const REQUESTS: usize = 8;

/// Checks that the parts add up, and returns the time behind other requests of the flow.
fn behind_hog(queue: &Json, queue_ns: &Json) -> u64 {
    let holders = queue["holders"].as_array().unwrap();
    let time = |holder: &Json| holder["time_ns"].as_u64().unwrap();
    assert_eq!(Some(holders.iter().map(time).sum()), queue_ns.as_u64(), "{queue}");
    assert_eq!((&queue["queue_ns"], &queue["sampled"]), (queue_ns, &Json::Bool(false)));
    let is_hog =
        |holder: &&Json| holder["kind"] == "step" && holder["flow"] == "hog" && holder["step"] == "hog";
    for holder in holders.iter().filter(is_hog) {
        assert!(holder["request"].as_str().is_some_and(|id| id.len() == 36), "{queue}");
        assert_eq!(holder["thread"]["worker"], 0, "{queue}");
    }
    holders.iter().filter(is_hog).map(time).sum()
}

#[test]
fn queue_time_is_divided_among_the_steps_that_held_the_worker() {
    undisturbed(|| {
        let place = Place::new();
        let mut command = place.service_of(&programs().misbehaving);
        command.env("ZERVER_WORKERS", "1");
        let service = Dev::start(command);
        thread::scope(|scope| {
            for _ in 0..REQUESTS {
                scope.spawn(|| assert_eq!(Asking::new(&service.addr, "GET", "/hog").send().status, 200));
            }
        });
        place.wait_for(REQUESTS);
        assert!(service.stop().success());
        // Requests that were read together waited for each other in the queue; others waited unread.
        let requests = place.json(&["ls", "--json", "queued>10ms"]);
        let queued = requests["requests"].as_array()?.first()?["id"].as_str()?.to_owned();
        let trace = place.json(&["trace", &queued, "--json"]);
        let (queue, queue_ns) = (&trace["queue"], &trace["totals"]["queue_ns"]);
        let behind_ns = behind_hog(queue, queue_ns);
        // The system may have given the core to others.
        if behind_ns * 2 < queue_ns.as_u64()? {
            return None;
        }
        let others = place.json(&["ls", "--json"]);
        let other =
            others["requests"].as_array()?.iter().find(|request| request["id"] != *queued)?["id"].as_str()?;
        assert_eq!(place.json(&["why", &queued, "--json"])["queue"], *queue);
        let diff = place.zerver(&["diff", other, &queued, "--json"]);
        let diff: Json = serde_json::from_str(&diff.out).unwrap_or_else(|_| panic!("{diff:?}"));
        assert_eq!(diff["b"]["queue"], *queue);
        for command in ["trace", "why"] {
            let text = place.zerver(&[command, &queued]).out;
            let line =
                text.lines().find(|line| line.starts_with("queue ")).unwrap_or_else(|| panic!("{text}"));
            assert!(line.contains(" ms behind hog of hog ("), "{text}");
        }
        let text = place.zerver(&["diff", other, &queued]).out;
        assert!(
            text.lines().any(|line| line.starts_with("queue b ") && line.contains("behind hog of hog")),
            "{text}"
        );
        Some(())
    });
}

//! `zerver diff` and `zerver why` on a service that is slow on purpose.

use serde_json::{Value as Json, json};

use crate::harness::{Dev, Place, undisturbed};

/// Requests a report with each of these latencies. Returns the service and the ids of the requests.
fn with_reports(place: &Place, latencies: &[u64]) -> (Dev, Vec<String>) {
    let dev = place.dev();
    let ask = |ms: &u64| dev.get(&format!("/reports/todos?latency_ms={ms}")).id().to_owned();
    let ids = latencies.iter().map(ask).collect();
    place.wait_for(latencies.len());
    (dev, ids)
}

/// Runs `diff`, and returns its output, which must agree with its exit code.
fn diff(place: &Place, arguments: &[&str], code: i32) -> Json {
    let ran = place.zerver(&[&["diff", "--json"], arguments].concat());
    assert_eq!(ran.code, Some(code), "{ran:?}");
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
}

#[test]
fn a_slow_upstream_is_the_cause_and_the_query_what_differs_first() {
    let (place, _dev, ids) = undisturbed(|| {
        let place = Place::new();
        let (dev, ids) = with_reports(&place, &[0, 120]);
        let [slow_ns, fast_ns] = place.durations_ns("report")[..] else { panic!("two") };
        (fast_ns + 100_000_000 < slow_ns).then_some((place, dev, ids))
    });
    let (fast, slow) = (ids[0].as_str(), ids[1].as_str());

    let found = diff(&place, &[fast, slow], 1);
    assert_eq!(found["verdict"], "different");
    let cause = &found["causes"][0];
    assert_eq!((cause["kind"].clone(), cause["step"].clone()), (json!("effect"), json!("gather")), "{cause}");
    assert!(cause["label"].as_str().unwrap().starts_with("http GET figures.internal/figures"), "{cause}");
    assert!(cause["delta_ns"].as_i64().unwrap() > 100_000_000, "{cause}");
    let sum: i64 =
        found["causes"].as_array().unwrap().iter().map(|it| it["delta_ns"].as_i64().unwrap()).sum();
    assert_eq!(sum, found["delta_ns"].as_i64().unwrap());
    let first = &found["first_difference"];
    assert_eq!(first["kind"], "request_query");
    assert_eq!(
        (first["path"].clone(), first["a"].clone(), first["b"].clone()),
        (json!("latency_ms"), json!("0"), json!("120"))
    );

    let text = place.zerver(&["diff", "@fastest:report", "@slowest:report"]);
    assert_eq!(text.code, Some(1), "{text:?}");
    for part in [
        "slower: ",
        "% http GET figures.internal/figures",
        "request query latency_ms 0 -> 120",
        "ReportParams.latency_ms",
    ] {
        let flat = text.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(part), "no {part:?} in\n{}", text.out);
    }

    // A request does not differ from itself. In the opposite order, the second one is faster.
    assert_eq!(diff(&place, &[slow, slow], 0)["causes"], json!([]));
    assert_eq!(diff(&place, &[slow, fast], 1)["delta_ns"].as_i64(), found["delta_ns"].as_i64().map(|ns| -ns));
    // A request does not differ from its portable file.
    let file = place.path().join("slow.zrv");
    assert_eq!(place.zerver(&["export", slow, "-o", file.to_str().unwrap()]).code, Some(0));
    assert_eq!(diff(&place, &[slow, file.to_str().unwrap()], 0)["verdict"], "same");
    assert_eq!(place.zerver(&["diff", fast, "ffff"]).code, Some(2));
}

#[test]
fn similar_requests_are_the_same_whatever_their_duration() {
    let place = Place::new();
    let (_dev, ids) = with_reports(&place, &[3, 3]);
    let found = diff(&place, &[&ids[0], &ids[1]], 0);
    assert_eq!(found["verdict"], "same", "{found}");
}

#[test]
fn a_flow_shows_what_correlates_with_its_latency() {
    // Some requests are slow. They are the slowest as long as the machine does not delay the others.
    let latencies: Vec<u64> = (0..32).map(|n| if n % 8 == 7 { 240 } else { 15 * (n % 4) }).collect();
    let (place, dev) = undisturbed(|| {
        let place = Place::new();
        let (dev, _) = with_reports(&place, &latencies);
        let took_ns = place.durations_ns("report");
        // The newest request comes first.
        let mut timed = latencies.iter().rev().zip(took_ns);
        timed.all(|(&ms, ns)| ms == 240 || ns < 200_000_000).then_some((place, dev))
    });

    let found = diff(&place, &["--slow", "report"], 1);
    assert_eq!(found["first_difference"]["path"], "latency_ms");
    assert_eq!(found["first_difference"]["b"], "240");

    let why = place.json(&["why", "@slowest:report", "--json"]);
    assert_eq!((why["requests"].clone(), why["enough_requests"].clone()), (json!(32), json!(true)));
    assert_eq!(why["total"]["slower_than"], 31);
    assert_eq!(why["parts"][0]["step"], "gather");
    assert_eq!(why["fields"][0]["field"], "query latency_ms", "{why}");
    let text = place.zerver(&["why", "@slowest:report"]);
    assert!(text.code == Some(0) && text.out.contains("query latency_ms"), "{text:?}");

    // Too few requests are reported as such.
    dev.get("/todos");
    place.wait_for(latencies.len() + 1);
    assert!(place.zerver(&["why", "@last:todos-list"]).out.contains("no other request"));
    let few = place.zerver(&["diff", "--slow", "todos-list"]);
    assert!(few.code == Some(2) && few.err.contains("too few"), "{few:?}");
}

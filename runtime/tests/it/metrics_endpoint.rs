//! The metrics endpoint: its content, and the clients that it answers.

use std::time::Duration;

use zerver::StartOptions;
use zerver::effects::sleep;
use zerver::prelude::*;
use zerver_replay::ServiceMetrics;

use crate::collector::start;
use crate::raw_client::{Client, get};

#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
struct Slept(u32);

#[step]
fn nap() -> Decision<Slept> {
    Need(sleep(2.millis()).map(|()| Slept(2)))
}

#[step]
fn again(_slept: &Slept, progress: Option<u32>) -> Decision<Final, u32> {
    match progress {
        None => Yield(1),
        Some(_) => Done(Response::text("done")),
    }
}

fn app() -> App {
    App::new().flow(flow!("naps", GET "/naps", steps: [nap, again]))
}

#[test]
fn steps_classes_and_workers_are_counted() {
    let (server, _) = start(app().workers(2).batch_workers(1));
    let mut client = Client::connect(server.addr());
    for _ in 0..3 {
        assert_eq!(client.request(get("/naps")).status, 200);
    }
    let answer =
        client.request("GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n");
    let metrics: ServiceMetrics = serde_json::from_str(&answer.body).unwrap();
    let step = |name: &str| metrics.steps.iter().find(|step| step.name == name).unwrap();
    let (nap, again) = (step("nap"), step("again"));
    assert_eq!((nap.runs, nap.yields), (3, 0));
    assert!(nap.waiting_ns >= 3 * 2_000_000, "{nap:?}");
    assert_eq!((again.runs, again.yields, again.waiting_ns), (6, 3, 0), "{again:?}");
    assert_eq!(
        (again.flow.as_str(), metrics.late_completions, metrics.recorder.is_none()),
        ("naps", 0, true)
    );
    let requests: Vec<_> =
        metrics.classes.iter().map(|class| (class.name.as_str(), class.requests)).collect();
    assert_eq!(requests, [("interactive", 0), ("default", 3), ("batch", 0)]);
    let names: Vec<_> = metrics.workers.iter().map(|worker| worker.name.as_str()).collect();
    assert_eq!(names, ["zerver-0", "zerver-1", "zerver-batch-0"]);
    let is_possible = |busy_ns: u64| busy_ns < metrics.uptime_ns;
    assert!(metrics.workers.iter().all(|worker| is_possible(worker.busy_ns)), "{metrics:?}");
    assert!(metrics.workers[..2].iter().any(|worker| worker.busy_ns > 0), "{metrics:?}");
    server.stop();
}

#[test]
fn prometheus_receives_openmetrics_text() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    client.request(get("/naps"));
    let answer = client.request(get("/metrics"));
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"), "{answer:?}");
    for line in [
        "# TYPE zerver_step_waiting_seconds counter",
        "zerver_step_runs_total{flow=\"naps\",step=\"again\"} 2",
        "zerver_class_requests_total{class=\"default\"} 1",
        "zerver_class_waiting{class=\"batch\"} 0.0",
        "zerver_class_refused_total{class=\"batch\",why=\"full\"} 0",
        "zerver_worker_stuck{worker=\"zerver-0\"} 0.0",
        "zerver_worker_steals_total{worker=\"zerver-0\"} 0",
        "zerver_worker_connections{worker=\"zerver-batch-0\"} 0.0",
        "zerver_late_completions_total 0",
        "# EOF",
    ] {
        assert!(answer.body.lines().any(|metric| metric == line), "no {line} in\n{}", answer.body);
    }
    assert_eq!(collector.wait_for(1).len(), 1, "requests for metrics are not recorded");
    server.stop();
}

#[step]
fn own() -> Response {
    Response::text("own")
}

#[test]
fn the_metrics_endpoint_can_be_moved_or_disabled() {
    let check = |app: App, path: &str, status: u16| {
        let (server, _) = start(app);
        assert_eq!(Client::connect(server.addr()).request(get(path)).status, status, "{path}");
        server.stop();
    };
    check(app().metrics(None), "/metrics", 404);
    check(app().metrics(Some("/m")), "/metrics", 404);
    check(app().metrics(Some("/m")), "/m", 200);
    let (server, _) = start(App::new().flow(flow!("own", GET "/metrics", steps: [own])));
    assert_eq!(Client::connect(server.addr()).request(get("/metrics")).body, "own");
    server.stop();
}

/// Covers a proxy on this machine, a host name that resolves to this machine, and a foreign page in a local browser.
#[test]
fn only_a_request_that_is_clearly_local_receives_details() {
    let (server, _) = start(app());
    let mut client = Client::connect(server.addr());
    let mut request =
        |path: &str, lines: &str| client.request(format!("GET {path} HTTP/1.1\r\n{lines}\r\n\r\n"));
    for lines in [
        "host: evil.example",
        "host: localhost.evil.example:3000",
        "host: localhost\r\nx-forwarded-for: 203.0.113.7",
        "host: localhost\r\nforwarded: for=127.0.0.1",
        "host: localhost\r\norigin: https://evil.example",
        "host: localhost\r\norigin: null",
    ] {
        assert_eq!(request("/metrics", lines).status, 404, "{lines}");
        assert_eq!(request("/healthz", lines).body, r#"{"status":"ok"}"#, "{lines}");
    }
    for lines in ["host: localhost:3000", "host: 127.0.0.1", "host: [::1]:80"] {
        assert_eq!(request("/metrics", lines).status, 200, "{lines}");
        assert!(request("/healthz", lines).body.contains("workers"), "{lines}");
    }
    // A request with an invalid host does not receive details.
    for lines in
        ["host: localhost:", "host: [::1", "host: \u{1b}[2J", "host: ", "host: localhost\r\nhost: localhost"]
    {
        for path in ["/metrics", "/healthz"] {
            let request = format!("GET {path} HTTP/1.1\r\n{lines}\r\n\r\n");
            let answer = Client::connect(server.addr()).request(request);
            assert!(answer.status == 400 || lines == "host: localhost:", "{lines} {answer:?}");
        }
    }
    // The endpoints are read-only.
    let mut client = Client::connect(server.addr());
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        for path in ["/metrics", "/healthz"] {
            let answer = client.request(format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
    server.stop();
}

#[test]
fn each_bucket_of_latencies_names_a_request_that_is_recorded() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    for _ in 0..3 {
        client.request(get("/naps"));
    }
    let ids: Vec<_> = collector.wait_for(3).iter().map(|capture| capture.id.to_string()).collect();
    let answer = client.request(get("/metrics"));
    let lines: Vec<_> =
        answer.body.lines().filter(|line| line.starts_with("zerver_request_seconds")).collect();
    assert_eq!(lines[1], "zerver_request_seconds_count{flow=\"naps\"} 3", "{lines:?}");
    let last = lines.last().unwrap();
    assert!(last.starts_with("zerver_request_seconds_bucket{le=\"+Inf\",flow=\"naps\"} 3"), "{last}");
    let named: Vec<_> = lines.iter().filter_map(|line| line.split_once(" # {request_id=\"")).collect();
    assert!((1..=3).contains(&named.len()), "{lines:?}");
    for (bucket, exemplar) in named {
        let (id, rest) = exemplar.split_once("\"} ").unwrap();
        assert!(ids.iter().any(|known| known == id), "{id} of {bucket}");
        let bound = bucket.split('"').nth(1).unwrap().parse::<f64>().unwrap_or(f64::INFINITY);
        let (took, at) = rest.split_once(' ').unwrap();
        assert!(took.parse::<f64>().unwrap() <= bound && at.parse::<f64>().unwrap() > 1e9, "{exemplar}");
    }
    server.stop();
}

#[test]
fn requests_that_are_not_recorded_are_counted_without_a_name() {
    let options = StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..StartOptions::default() };
    let server = app().start(options).unwrap();
    let mut client = Client::connect(server.addr());
    client.request(get("/naps"));
    let answer = client.request(get("/metrics"));
    assert!(answer.body.contains("zerver_request_seconds_count{flow=\"naps\"} 1\n"), "{}", answer.body);
    assert!(!answer.body.contains("request_id"), "{}", answer.body);
    server.stop();
}

const SLO: Slo = Slo::new().p95(Duration::from_nanos(1)).errors(0.1);

#[step]
fn fail_if_asked(request: &Request) -> Result<Response, Failure> {
    match request.query("fail") {
        Some(_) => Err(Failure::internal("disk")),
        None => Ok(Response::text("fine")),
    }
}

#[test]
fn objectives_and_aliases_are_counted() {
    let flow = flow!("orders", GET "/orders", slo: SLO, aliases: [Alias::serve("/o"), Alias::redirect("/old")],
        steps: [fail_if_asked]);
    let (server, _) = start(App::new().flow(flow).flow(flow!("free", GET "/free", steps: [fail_if_asked])));
    let mut client = Client::connect(server.addr());
    for (target, status) in
        [("/orders", 200), ("/orders?fail", 500), ("/o", 200), ("/old", 308), ("/free?fail", 500)]
    {
        assert_eq!(client.request(get(target)).status, status, "{target}");
    }
    let ask = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n";
    let metrics: ServiceMetrics =
        serde_json::from_str(&client.request(format!("{ask}accept: application/json\r\n\r\n")).body).unwrap();
    let slos: Vec<_> =
        metrics.slos.iter().map(|slo| (&*slo.flow, &*slo.objective, slo.requests, slo.bad)).collect();
    // A redirect is no request of the flow.
    assert_eq!(slos, [("orders", "p95", 3, 3), ("orders", "errors", 3, 1)]);
    let windows: Vec<_> =
        metrics.slos[1].windows.iter().map(|window| (window.requests, window.bad)).collect();
    assert_eq!(windows, [(3, 1); 3]);
    assert_eq!(metrics.slos[0].state, zerver_replay::SloState::FastBurn);
    let text = client.request(format!("{ask}\r\n")).body;
    let has = |line: &str| assert!(text.contains(line), "{line} is not in\n{text}");
    has("zerver_slo_requests_total{flow=\"orders\",objective=\"errors\"} 3\n");
    has("zerver_slo_bad_requests_total{flow=\"orders\",objective=\"errors\"} 1\n");
    has("zerver_slo_budget{flow=\"orders\",objective=\"p95\"} 0.05\n");
    has("zerver_slo_burn_rate{flow=\"orders\",objective=\"p95\",window=\"1h\"} 20.0\n");
    has("zerver_alias_requests_total{flow=\"orders\",alias=\"/o\"} 1\n");
    has("zerver_alias_requests_total{flow=\"orders\",alias=\"/old\"} 1\n");
}

//! A service that is killed between any two steps of its shipper. What it recorded is in the fleet once when it has started
//! again.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use zerver_local_server::{Postgres, S3};
use zerver_recorder::{NodeId, Reader, Recorder, RecorderOptions};
use zerver_trace::{
    Body, Capture, Class, FlowInfo, MessageInfo, Outcome, Query, RecordedBy, RequestId, RequestInfo,
    ResponseInfo, TraceView as _,
};

use crate::fleet_url::FleetUrl;
use crate::ship::shipper::{Shipper, ShipperOptions};
use crate::{FleetBlocks, InitOptions, fault_point, init, nodes};

const DIR: &str = "ZERVER_TEST_KILL_DIR";
const FLEET: &str = "ZERVER_TEST_KILL_FLEET";
/// Number of points that the process passes.
const POINTS: &str = "ZERVER_TEST_KILL_POINTS";
/// Number of the first request.
const FIRST: &str = "ZERVER_TEST_KILL_FIRST";
const LIMIT: &str = "ZERVER_TEST_KILL_LIMIT";

const START_MS: u64 = 1_790_000_000_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// Requests of one process, and those that follow when it has started again.
const REQUESTS: u64 = 60;
const MORE: u64 = 3;
/// Distance between the first requests of two processes.
const STRIDE: u64 = 10_000_000;
/// Requests of a block.
const BLOCK: u64 = 10;
/// Milliseconds from the first half of the requests to the second: they are of different hours.
const GAP: u64 = 3_600_000;

fn id(n: u64) -> RequestId {
    RequestId::from_u128(u128::from(START_MS + n) << 80 | 0x7 << 76 | 0x2 << 62 | u128::from(n))
}

fn flow() -> Arc<FlowInfo> {
    let (slots, steps) = (Vec::new(), Vec::new());
    let (name, method, pattern) = ("item".to_owned(), "GET".to_owned(), "/items".to_owned());
    Arc::new(FlowInfo { name, method, pattern, class: Class::Interactive, slots, steps })
}

/// Returns a request that began this many milliseconds after the first.
fn capture(n: u64) -> Capture {
    let request =
        RequestInfo { method: "GET".to_owned(), target: format!("/items?n={n}"), ..RequestInfo::default() };
    let response = ResponseInfo { status: 200, headers: Vec::new(), body: Body::default() };
    Capture {
        id: id(n),
        flow: flow(),
        class: Class::Interactive,
        started_unix_ns: (START_MS + n) * 1_000_000,
        duration_ns: 1_000_000,
        seed: n,
        request: Arc::new(MessageInfo::Request(request)),
        response: Some(Arc::new(MessageInfo::Response(response))),
        status: 200,
        outcome: Outcome::Done,
        events: Vec::new(),
        events_dropped: 0,
        is_recording_requested: false,
        worker: None,
        is_undelivered: false,
        recorded_by: RecordedBy::Runtime,
    }
}

fn service(dir: &Path) -> Recorder {
    let options = RecorderOptions { max_age: None, build: "b1".to_owned(), ..RecorderOptions::new(dir) };
    Recorder::open(options).unwrap()
}

fn shipper(recorder: &Recorder, fleet: &str, max_per_second: u32) -> Shipper {
    let url = with_key(fleet);
    let options =
        ShipperOptions { url, every: Duration::from_millis(5), name: "pod".to_owned(), max_per_second };
    Shipper::start(recorder.spool(), options, |_| {}).unwrap()
}

fn with_key(url: &str) -> FleetUrl {
    let key = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some(S3::KEY.to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(S3::SECRET.to_owned()),
        _ => None,
    };
    FleetUrl::parse_with(url, &key).unwrap()
}

/// Returns the number of a request of a process, by which its time follows.
const fn number(first: u64, n: u64) -> u64 {
    first + n + if n < REQUESTS / 2 { 0 } else { GAP }
}

/// Not a test but the process that is killed.
#[test]
fn killed_child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let first: u64 = variable(FIRST).parse().unwrap();
    let service = service(Path::new(&dir));
    service.declare(&[flow()]);
    for n in 0..REQUESTS {
        service.sink().accept(Box::new(capture(number(first, n))));
        if n % BLOCK == BLOCK - 1 {
            service.spool().close_block();
        }
    }
    let status = service.flush();
    assert_eq!((status.recorded, status.dropped, status.paused), (REQUESTS, 0, None));
    fault_point::arm(variable(POINTS).parse().unwrap());
    let shipper = shipper(&service, &variable(FLEET), variable(LIMIT).parse().unwrap());
    service.close();
    shipper.stop(PATIENCE);
}

/// Runs a service that is killed after it has passed this many points. Returns the name of that at which it was, or `None` if
/// it came to its end before.
fn killed_at(dir: &Path, fleet: &str, first: u64, points: u64, limit: u32) -> Option<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ship::killed_shipper::killed_child", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(FLEET, fleet)
        .env(FIRST, first.to_string())
        .env(POINTS, points.to_string())
        .env(LIMIT, limit.to_string())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    match output.status.signal() {
        Some(9) => Some(text.rsplit_once("killed ").unwrap().1.trim().to_owned()),
        other => {
            assert!(output.status.success(), "{other:?}: {text}");
            None
        }
    }
}

/// Returns the ids that a fleet has of a process, and checks that each is there once.
fn found(fleet: &FleetUrl, first: u64, node: NodeId) -> BTreeSet<RequestId> {
    let since = (START_MS + first) * 1_000_000;
    let query = Query {
        since_unix_ns: Some(since),
        until_unix_ns: Some(since + STRIDE * 1_000_000),
        ..Query::default()
    };
    let mut ids = BTreeSet::new();
    let reader = Reader::of(Box::new(FleetBlocks::open(fleet).unwrap()));
    let visited = reader.visit(&query, |request| {
        assert_eq!(request.node(), Some(node));
        assert!(ids.insert(request.summary().id), "{:?} twice", request.summary().id);
        ControlFlow::Continue(())
    });
    visited.unwrap();
    ids
}

/// Kills a service at each point in turn, starts it again, and checks what has arrived. Returns the names of the points.
fn kill_everywhere(fleet: &str, limit: u32) -> BTreeSet<String> {
    let url = with_key(fleet);
    init(&url, InitOptions { keep_days: Some(100_000) }).unwrap();
    let mut steps = BTreeSet::new();
    for points in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let first = points * STRIDE;
        let killed = killed_at(dir.path(), fleet, first, points, limit);
        let service = service(dir.path());
        let node = service.spool().end().node.unwrap();
        let more = (REQUESTS..REQUESTS + MORE).map(|n| number(first, n));
        more.for_each(|n| service.sink().accept(Box::new(capture(n))));
        let again = shipper(&service, fleet, limit);
        service.close();
        again.stop(PATIENCE);
        let all: BTreeSet<_> = (0..REQUESTS + MORE).map(|n| id(number(first, n))).collect();
        let arrived = found(&url, first, node);
        let at = killed.as_deref().unwrap_or("the end");
        assert!(arrived.is_subset(&all), "{at}");
        let report = nodes(&url).unwrap().into_iter().find(|report| report.node == node).unwrap();
        assert_eq!((report.recorded, report.waiting), (all.len() as u64, 0), "{at}: {report:?}");
        assert_eq!((report.shipped, report.missing()), (arrived.len() as u64, 0), "{at}: {report:?}");
        assert_eq!(report.shipped + report.unshipped, report.recorded, "{at}: {report:?}");
        if limit == u32::MAX {
            assert_eq!(arrived, all, "{at}");
        } else {
            assert!(report.unshipped > 0, "{at}: {report:?}");
        }
        // What is not in the fleet is still in the store.
        let local = Reader::open(dir.path()).unwrap().list(&Query::default()).unwrap();
        assert_eq!(local.into_iter().map(|summary| summary.id).collect::<BTreeSet<_>>(), all, "{at}");
        match killed {
            Some(step) => steps.insert(step),
            None => break,
        };
    }
    assert!(crate::gaps(&url).unwrap().is_empty());
    steps
}

/// More than a block of each hour, so that one is left out.
const FEW: u32 = 1;

#[test]
fn a_service_killed_at_any_step_has_everything_in_its_database_once() {
    let server = Postgres::start().unwrap_or_else(|error| panic!("{error}"));
    let steps = kill_everywhere(&format!("{}&ns=whole", server.url()), u32::MAX);
    assert!(steps.len() >= 9, "{steps:?}");
    let limited = kill_everywhere(&format!("{}&ns=limited", server.url()), FEW);
    assert!(limited.contains("blocks were left out"), "{limited:?}");
}

#[test]
fn a_service_killed_at_any_step_has_everything_in_its_bucket_once() {
    let server = S3::start(&["traces"]).unwrap_or_else(|error| panic!("{error}"));
    let url = |namespace: &str| format!("s3://traces/x?ns={namespace}&endpoint={}", server.url());
    let steps = kill_everywhere(&url("whole"), u32::MAX);
    assert!(steps.len() >= 12, "{steps:?}");
    let limited = kill_everywhere(&url("limited"), FEW);
    assert!(limited.contains("blocks were left out"), "{limited:?}");
}

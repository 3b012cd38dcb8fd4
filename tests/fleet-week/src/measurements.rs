//! The cost of shipping and reading.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use zerver_fleet::{CompactOptions, FleetUrl, InitOptions, compact, init, status};
use zerver_recorder::{Reader, Recorder, RecorderOptions, RecordingPolicy, TailPolicy, examine};
use zerver_trace::{Capture, Query, RequestId, StatusFilter, TraceSelector};

use crate::follower::open;
use crate::limits::{PATIENCE, POLL, Result};
use crate::pod::{CLUMP, Pod, PodSettings};
use crate::schedule::HOURS;
use crate::servers::{Place, Servers};
use crate::traffic::{self, Era, Request, mix};
use crate::week::{HOUR_MS, TRACES, now_ms, on_pods, partitions};

/// Number of questions of each kind.
const QUESTIONS: usize = 1_000;
const BUCKET_QUESTIONS: usize = 200;
/// Requests whose selection is measured at once, and the number of times.
const SELECTED: usize = 5_000;
const ROUNDS: usize = 15;
/// Ticks of the processor time of a thread in a second.
const TICKS: f64 = 100.0;

/// The results of the measurements.
#[derive(Debug, Clone, Default)]
pub struct Measurements {
    /// Number of requests in each place.
    pub traces: u64,
    /// Requests that one database took in a second.
    pub ingested_per_second: f64,
    /// Processor time of the shipper for each request, in microseconds.
    pub shipper_us: f64,
    /// Size of a request in the stores of the pods, counting the records of their blocks, and in the database, in bytes.
    pub bytes: (f64, f64),
    /// Time in the thread of a request to select it with the policy `tail`, without and with a shipper, in nanoseconds.
    pub select_ns: (f64, f64),
    /// Times of questions to the database.
    pub database: Questions,
    /// Times of questions to the bucket.
    pub bucket: Questions,
    /// Requests of HTTP for a request by its id in the bucket, for objects and for lists.
    pub requests_by_id: (f64, f64),
}

/// Times of questions.
#[derive(Debug, Clone, Default)]
pub struct Questions {
    /// A request by its id.
    pub by_id: Vec<Duration>,
    /// The newest 50 failures of a flow in a week.
    pub failures: Vec<Duration>,
    /// The slowest request of a flow.
    pub slowest: Vec<Duration>,
}

/// Measures with 139 million requests divided by a number.
///
/// # Errors
/// If servers, files or threads cannot be used.
pub fn measure(scale: u32, nodes: usize) -> Result<Measurements> {
    let servers = Servers::start()?;
    let [database, bucket] = [servers.url(Place::Database, "week")?, servers.url(Place::Bucket, "week")?];
    for url in [&database, &bucket] {
        init(url, InitOptions { keep_days: Some(30) })?;
    }
    let start_ms = now_ms() / HOUR_MS * HOUR_MS - HOURS * HOUR_MS;
    servers.execute(&partitions("week", start_ms / HOUR_MS / 24))?;
    let mut measured = Measurements { select_ns: select_cost(&database)?, ..Measurements::default() };
    let mut pods = fill(scale, nodes, start_ms)?;
    ingest(&mut pods, &database, &mut measured)?;
    on_pods(&mut pods, |pod| {
        pod.ship_to([None, Some(bucket.clone())])?;
        pod.finish()
    })?;
    let ids: Vec<RequestId> =
        open(&database)?.list(&Query::default())?.into_iter().map(|summary| summary.id).collect();
    measured.bytes = sizes(&pods, &database, ids.len())?;
    measured.database = ask(&database, &ids, QUESTIONS)?;
    let reader = open(&bucket)?;
    by_id(&reader, &ids, 1)?;
    let opened = servers.proxy(Place::Bucket).gets_and_lists();
    by_id(&reader, &ids, BUCKET_QUESTIONS)?;
    let after = servers.proxy(Place::Bucket).gets_and_lists();
    let each = |after: u64, before: u64| (after - before) as f64 / BUCKET_QUESTIONS as f64;
    measured.requests_by_id = (each(after.0, opened.0), each(after.1, opened.1));
    // As an operator would do it now and then.
    let at_once = CompactOptions { settle: Duration::ZERO, grace: Duration::ZERO };
    while compact(&bucket, at_once)?.packed > 0 {}
    measured.bucket = ask(&bucket, &ids, BUCKET_QUESTIONS)?;
    Ok(measured)
}

/// Returns pods that have recorded a week, and shipped nothing.
fn fill(scale: u32, nodes: usize, start_ms: u64) -> Result<Vec<Pod>> {
    let settings = PodSettings {
        urls: [None, None],
        every: Duration::from_millis(50),
        max_per_second: u32::MAX,
        small_disk: None,
    };
    let mut pods = Vec::new();
    for slot in 0..nodes {
        pods.push(Pod::start(slot as u16, slot, 0, &settings)?);
    }
    let clumps = TRACES / f64::from(scale) / nodes as f64 / HOURS as f64 / f64::from(CLUMP);
    for hour in 0..HOURS {
        on_pods(&mut pods, |pod| pod.serve_hour(start_ms + hour * HOUR_MS, clumps))?;
    }
    Ok(pods)
}

/// Has all pods ship at the same time.
fn ingest(pods: &mut [Pod], database: &FleetUrl, measured: &mut Measurements) -> Result<()> {
    let traces: u64 = pods.iter().map(|pod| u64::from(pod.accepted)).sum();
    let (started, cpu) = (Instant::now(), shipper_cpu()?);
    for pod in pods.iter_mut() {
        pod.ship_to([Some(database.clone()), None])?;
    }
    while pods.iter().map(|pod| pod.acknowledged(Place::Database)).sum::<u64>() < traces {
        if started.elapsed() > PATIENCE {
            return Err("the pods do not get rid of what they have".into());
        }
        std::thread::park_timeout(POLL);
    }
    let time = started.elapsed().as_secs_f64();
    measured.traces = traces;
    measured.ingested_per_second = traces as f64 / time;
    measured.shipper_us = (shipper_cpu()? - cpu) * 1e6 / traces as f64;
    Ok(())
}

/// Returns the processor time of the shippers of this process, in seconds.
fn shipper_cpu() -> Result<f64> {
    let mut ticks = 0.0;
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(path.join("stat")) else { continue };
        let Some((name, rest)) = text.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')) else {
            continue;
        };
        if name == "zerver-shipper" {
            let times = rest.split_whitespace().skip(11).take(2);
            ticks += times.filter_map(|time| time.parse::<f64>().ok()).sum::<f64>();
        }
    }
    Ok(ticks / TICKS)
}

/// Returns the size of a request in the stores of the pods and in the database.
fn sizes(pods: &[Pod], database: &FleetUrl, traces: usize) -> Result<(f64, f64)> {
    let mut bytes = 0;
    for pod in pods {
        bytes += examine(pod.dir().ok_or("the pod is lost")?).bytes_used;
    }
    let each = |bytes: u64| bytes as f64 / traces.max(1) as f64;
    Ok((each(bytes), each(status(database)?.bytes)))
}

fn ask(url: &FleetUrl, ids: &[RequestId], questions: usize) -> Result<Questions> {
    let reader = open(url)?;
    // The first question connects.
    by_id(&reader, ids, 1)?;
    let flows = ["item", "search", "login", "checkout"].map(|flow| Some(flow.to_owned()));
    let (mut failures, mut slowest) = (Vec::new(), Vec::new());
    for n in 0..questions / 10 {
        let flow = flows[n % flows.len()].clone();
        let status = Some(StatusFilter::Class(5));
        let query = Query { flow: flow.clone(), status, limit: Some(50), ..Query::default() };
        failures.push(time(|| reader.list(&query))?.0);
        slowest.push(time(|| reader.find(&TraceSelector::Slowest(flow)))?.0);
    }
    Ok(Questions { by_id: by_id(&reader, ids, questions)?, failures, slowest })
}

fn by_id(reader: &Reader, ids: &[RequestId], questions: usize) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for n in 0..questions {
        let id = ids[mix(n as u64) as usize % ids.len()];
        let (time, found) = time(|| reader.load(id))?;
        found.ok_or("a request is gone")?;
        times.push(time);
    }
    Ok(times)
}

fn time<T, E>(f: impl FnOnce() -> std::result::Result<T, E>) -> std::result::Result<(Duration, T), E> {
    let started = Instant::now();
    let result = f()?;
    Ok((started.elapsed(), result))
}

/// Measures the selection of requests that are not kept, without and with a shipper.
fn select_cost(url: &FleetUrl) -> Result<(f64, f64)> {
    let dir = tempfile::tempdir()?;
    let tail = TailPolicy { sample: 0.0, ..TailPolicy::default() };
    let options = RecorderOptions {
        policy: RecordingPolicy::Tail(tail),
        max_age: None,
        ..RecorderOptions::new(dir.path())
    };
    let recorder = Recorder::open(options)?;
    let without = select(&recorder);
    let every = Duration::from_millis(50);
    let options = zerver_fleet::ShipperOptions {
        url: url.clone(),
        every,
        name: "tail".to_owned(),
        max_per_second: 200,
    };
    let shipper = zerver_fleet::Shipper::start(recorder.spool(), options, |_| {})?;
    let with = select(&recorder);
    recorder.close();
    shipper.stop(PATIENCE);
    Ok((without, with))
}

/// Returns the least time of a selection among some rounds, in nanoseconds.
fn select(recorder: &Recorder) -> f64 {
    let (sink, flows) = (recorder.sink(), traffic::flows(Era::Old));
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let succeeded =
            |n: &u32| Request { pod: 0, n: *n, era: Era::Old, ms: now_ms() }.facts().status == 200;
        let capture = |n| Capture {
            duration_ns: 1_000_000,
            ..traffic::capture(Request { pod: 0, n, era: Era::Old, ms: now_ms() }, &flows)
        };
        let captures: Vec<_> = (0..).filter(succeeded).take(SELECTED).map(capture).collect();
        let mut kept = Vec::with_capacity(SELECTED);
        let started = Instant::now();
        for capture in &captures {
            kept.push(sink.decide(&capture.ended()).is_some());
        }
        least = least.min(started.elapsed().as_secs_f64() * 1e9 / SELECTED as f64);
        black_box(kept);
    }
    least
}

//! Runs every target for some seconds on mutated fixtures, without libfuzzer: `mutate SECONDS FIXTURE..`. It is not
//! guided by coverage, so it finds less. A failure is printed with its seed, and `SEED` repeats it. `mutate --corpus
//! FOLDER FIXTURE..` writes the initial corpus of libfuzzer.

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zerver_otel::{ExportOptions, encode_json, protobuf, spans_of};
use zerver_recorder::{fuzzing, portable};
use zerver_trace::{Event, FlowInfo, Header, MissingReason, ReadInfo, Recorded, SlotInfo, StepInfo, Trace};

#[global_allocator]
static ALLOCATOR: zerver_fuzz::Counting = zerver_fuzz::Counting;

type Target = fn(&[u8]);

/// Queries with each kind of field, operator and value.
const QUERIES: [&str; 8] = [
    "flow:report status:5xx took>10ms since:10m until:\"2026-11-29 02:00\"",
    "not (is:failed or method=GET,POST) !path:/health milk \"two words\"",
    "slot.Claims.sub=ann slot.Todo.tags.0!=x query.latency_ms>=100 param.id<7",
    "header.user-agent~curl response.header.etag:a body~\"a \\\" b\" request.body:x",
    "effect.http.took>100ms effect.sql~\"from todos\" effect.kv.count>3 effect:sql",
    "step:lookup step.lookup.took<1.5s build:3a44 client:::1 id:019a queued>1us",
    "size>10kB request.size<=2MiB worker=1 class:batch outcome:done chaos:timeout host:a",
    "since:yesterday until:today since:14:30 until:2026-11-29T14:30:00+01:00 since:now",
];

/// Requests of a debugger's client, in an order that answers most of them.
const MESSAGES: [&str; 16] = [
    r#""command":"initialize","arguments":{"linesStartAt1":true,"pathFormat":"path"}"#,
    r#""command":"launch","arguments":{"id":"@last","stopOnEntry":true}"#,
    r#""command":"setBreakpoints","arguments":{"source":{"path":"src/main.rs"},"breakpoints":[{"line":1}]}"#,
    r#""command":"setFunctionBreakpoints","arguments":{"breakpoints":[{"name":"http"},{"name":"load"}]}"#,
    r#""command":"setExceptionBreakpoints","arguments":{"filterOptions":[{"filterId":"slow","condition":"1ms"}]}"#,
    r#""command":"setDataBreakpoints","arguments":{"breakpoints":[{"dataId":"Todo"}]}"#,
    r#""command":"configurationDone""#,
    r#""command":"stepIn","arguments":{"threadId":1}"#,
    r#""command":"continue","arguments":{"threadId":1}"#,
    r#""command":"stackTrace","arguments":{"threadId":1,"startFrame":0,"levels":20}"#,
    r#""command":"scopes","arguments":{"frameId":3}"#,
    r#""command":"variables","arguments":{"variablesReference":1,"start":0,"count":100}"#,
    r#""command":"evaluate","arguments":{"expression":"effect.0.args.url","frameId":1}"#,
    r#""command":"setVariable","arguments":{"variablesReference":1,"name":"Todo","value":"7"}"#,
    r#""command":"stepBack","arguments":{"threadId":1}"#,
    r#""command":"reverseContinue","arguments":{"threadId":1}"#,
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().unwrap_or_else(|| "30".to_owned());
    let corpus = (first == "--corpus").then(|| arguments.next().expect("a folder"));
    let seconds = first.parse().unwrap_or(30);
    let files: Vec<Vec<u8>> = arguments.map(|path| std::fs::read(&path).expect(&path)).collect();
    let targets: [(&str, Target, Vec<Vec<u8>>); 9] = [
        ("portable", zerver_fuzz::portable, files.clone()),
        ("body", zerver_fuzz::body, files.iter().filter_map(|file| fuzzing::body(file)).collect()),
        ("frame", zerver_fuzz::frame, files.iter().filter_map(|file| framed(file)).collect()),
        ("value", zerver_fuzz::value, files.iter().flat_map(|file| values(file)).collect()),
        ("block", zerver_fuzz::block, files.iter().filter_map(|file| fuzzing::block(file)).collect()),
        ("object", zerver_fuzz::object, objects(&files)),
        ("spans", zerver_fuzz::spans, files.iter().flat_map(|file| exported(file)).collect()),
        ("debugger", zerver_fuzz::debugger, vec![conversation()]),
        ("query", zerver_fuzz::query, QUERIES.map(|query| query.as_bytes().to_vec()).to_vec()),
    ];
    if let Some(folder) = corpus {
        for (name, _, seeds) in &targets {
            let folder = std::path::Path::new(&folder).join(name);
            std::fs::create_dir_all(&folder).expect("the folder");
            for (at, seed) in seeds.iter().enumerate() {
                std::fs::write(folder.join(format!("fixture-{at}")), seed).expect("a file in the folder");
            }
        }
        return ExitCode::SUCCESS;
    }
    files.iter().take(1).flat_map(|file| bombs(file)).for_each(|trace| unfold(&trace));
    if let Err(path) = regressions(&targets) {
        eprintln!("{} is found again", path.display());
        return ExitCode::FAILURE;
    }
    let given: Option<u64> = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let began = Instant::now();
    let mut seed = given.unwrap_or_else(|| std::process::id().into());
    let mut runs = BTreeMap::new();
    while given.is_some() && runs.is_empty() || began.elapsed() < Duration::from_secs(seconds) {
        for (name, target, corpus) in &targets {
            let bytes = mutated(corpus, seed);
            if catch_unwind(|| target(&bytes)).is_err() {
                let kept = format!("found-{name}-{seed}");
                std::fs::write(&kept, &bytes).expect("the current folder");
                eprintln!("target {name} with SEED={seed}, {} bytes, kept in {kept}", bytes.len());
                return ExitCode::FAILURE;
            }
            *runs.entry(*name).or_insert(0_u64) += 1;
        }
        if given.is_some() {
            break;
        }
        seed = seed.wrapping_add(1);
    }
    println!("nothing found: {runs:?}");
    ExitCode::SUCCESS
}

/// Runs earlier findings: files in `regressions`, whose names begin with that of their target.
fn regressions(targets: &[(&str, Target, Vec<Vec<u8>>)]) -> Result<(), PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for entry in folder.read_dir().expect("the folder of what was found") {
        let path = entry.expect("a file").path();
        let (name, bytes) = (path.file_name().unwrap_or_default(), std::fs::read(&path).expect("a file"));
        let of = |(target, ..): &&(&str, Target, Vec<Vec<u8>>)| name.to_string_lossy().starts_with(target);
        let (_, target, _) = targets.iter().find(of).expect("the name of a target");
        catch_unwind(|| target(&bytes)).map_err(|_| path)?;
    }
    Ok(())
}

/// Returns the objects in which a bucket holds the traces.
fn objects(files: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let blocks = files.iter().zip(1..).filter_map(|(file, seq)| fuzzing::closed_block(file, seq));
    zerver_fleet::fuzzing::objects(&blocks.collect::<Vec<_>>())
}

/// Returns the messages of a debugger's client, each in its frame.
fn conversation() -> Vec<u8> {
    let framed = |(seq, message): (usize, &&str)| {
        let message = format!("{{\"type\":\"request\",\"seq\":{seq},{message}}}");
        format!("Content-Length: {}\r\n\r\n{message}", message.len()).into_bytes()
    };
    MESSAGES.iter().enumerate().flat_map(framed).collect()
}

/// Returns the spans of a trace in both encodings.
fn exported(file: &[u8]) -> Vec<Vec<u8>> {
    let Ok(trace) = portable::read(file) else { return Vec::new() };
    let spans = spans_of([&trace], &ExportOptions { with_values: true, ..ExportOptions::default() });
    vec![protobuf::encode(&spans), encode_json(&spans).to_string().into_bytes()]
}

/// Returns traces that are short when encoded and large in memory, one for each of their lists.
fn bombs(file: &[u8]) -> Vec<Trace> {
    let trace = portable::read(file).expect("a fixture");
    let with = |change: &dyn Fn(&mut Trace)| {
        let mut trace = trace.clone();
        change(&mut trace);
        trace
    };
    let many = |count: usize, change: &dyn Fn(&mut FlowInfo, usize)| {
        with(&|trace| {
            let mut flow = FlowInfo::default();
            change(&mut flow, count);
            trace.flow = Arc::new(flow);
        })
    };
    let text = String::new;
    let slot = SlotInfo { name: text(), path: text(), ..SlotInfo::default() };
    let read = ReadInfo { slot: 0, is_optional: false };
    let (name, doc, file) = (text(), text(), text());
    let none = StepInfo { name, doc, file, line: 0, reads: Vec::new(), writes: Vec::new() };
    let step = |reads: usize| StepInfo { reads: vec![read; reads], ..none.clone() };
    let header = Header { name: String::new(), value: Recorded::Missing(MissingReason::TooLarge) };
    [20_000, 60_000, 200_000, 1_000_000]
        .into_iter()
        .flat_map(|count| {
            [
                with(&|trace| trace.events = vec![Event::BodyReceived { at_ns: 0 }; count]),
                with(&|trace| trace.request_headers = vec![header.clone(); count]),
                many(count, &|flow, count| flow.steps = vec![step(0); count]),
                many(count, &|flow, count| flow.steps = vec![step(count / 100); 100]),
                many(count, &|flow, count| flow.slots = vec![slot.clone(); count]),
            ]
        })
        .collect()
}

/// Reads a trace in every format.
fn unfold(trace: &Trace) {
    zerver_fuzz::frame(&frame_of(trace.clone()));
    if let Ok(file) = portable::write(trace) {
        zerver_fuzz::portable(&file);
        zerver_fuzz::body(&fuzzing::body(&file).expect("what was written"));
        if let Some(block) = fuzzing::block(&file) {
            zerver_fuzz::block(&block);
        }
    }
}

/// Returns the trace of a portable file as a frame.
fn framed(file: &[u8]) -> Option<Vec<u8>> {
    portable::read(file).ok().map(frame_of)
}

fn frame_of(trace: Trace) -> Vec<u8> {
    let opened = zerver_replay::Recording { trace, secrets: zerver_replay::Secrets::default() };
    let mut bytes = Vec::new();
    let ask = zerver_replay::wire::HostRequest::Replay(Box::new(opened), zerver_replay::Edits::default());
    zerver_replay::wire::send(&mut bytes, &ask).expect("memory");
    bytes
}

/// Returns the values of the slots in a portable file.
fn values(file: &[u8]) -> Vec<Vec<u8>> {
    let events = portable::read(file).map_or(Vec::new(), |trace| trace.events);
    let values = events.into_iter().filter_map(|event| match event {
        Event::SlotWritten { value: Recorded::Plain { value, .. }, .. } => Some(value.tokens().to_vec()),
        _ => None,
    });
    values.collect()
}

/// Returns an entry of the corpus with some bytes changed, as determined by the seed.
fn mutated(corpus: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = |below: usize| {
        // xorshift64* (Vigna, 2016).
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    };
    let mut bytes = corpus.get(random(corpus.len())).cloned().unwrap_or_default();
    for _ in 0..=random(6) {
        let at = random(bytes.len() + 1).min(bytes.len());
        match random(7) {
            0 if at < bytes.len() => bytes[at] = random(256) as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << random(8),
            // A large length in the encoding of bincode.
            2 => drop(bytes.splice(at..(at + 1).min(bytes.len()), [252, 0xff, 0xff, random(256) as u8, 0])),
            3 => drop(
                bytes.splice(at..(at + 1).min(bytes.len()), [253, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]),
            ),
            4 => bytes.truncate(at),
            5 => {
                let end = (at + random(64)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let times = if random(50) == 0 { 20_000 } else { random(8) };
                drop(bytes.splice(at..at, part.iter().copied().cycle().take(part.len() * times)));
            }
            _ => drop(bytes.drain(at..(at + random(16)).min(bytes.len()))),
        }
    }
    bytes.truncate(4 << 20);
    bytes
}

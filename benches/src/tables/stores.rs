//! stores: what it takes to keep a trace. zerver's writer describes values, hides secrets, finds equal parts and indexes; the
//! others only store the encoded traces, each under its id, a commit for every 2,000.

use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::Connection;
use zerver_recorder::Reader;
use zerver_trace::{Query, Trace};

use crate::load::closed_loop;
use crate::load::traffic::{Requests, Traffic};
use crate::plan::Plan;
use crate::report::{median, print_line};
use crate::servers::process::{self, Server};
use crate::servers::variant::Variant;

/// Number of traces in a commit.
const COMMIT: usize = 2_000;
/// Number of traces that are compressed together, as in a block of zerver.
const COMPRESSED_TOGETHER: usize = 192;
/// Number of traces that are read back to be stored elsewhere.
const MAX_TRACES: usize = 50_000;

/// A trace for the other stores.
struct Encoded {
    id: [u8; 16],
    bytes: Vec<u8>,
}

/// Processor time in microseconds and size in bytes, for each trace.
type Cost = (f64, f64);

type Store = fn(&Path, &[Encoded]) -> Result<(), Box<dyn std::error::Error>>;

const OTHERS: [(&str, Store); 3] = [("fjall 3", fjall), ("SQLite, WAL", sqlite), ("a log with zstd -1", log)];

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::pin_to(1);
    let mut costs = vec![Vec::new(); OTHERS.len() + 1];
    for _ in 0..plan.rounds {
        let (cost, traces) = record(plan)?;
        costs[0].push(cost);
        let folder = std::env::temp_dir().join(format!("zerver-bench-{}-stores", std::process::id()));
        for (costs, (name, store)) in std::iter::zip(&mut costs[1..], OTHERS) {
            fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
            let stored = measure(&folder, &traces, store);
            let _ = fs::remove_dir_all(&folder);
            costs.push(stored.map_err(|error| format!("{name}: {error}"))?);
        }
    }
    print_line(&format!(
        "Traces of 1,000 users, each with a cookie, a trace context and a query; {} rounds of {:?}",
        plan.rounds, plan.time
    ));
    print_line("| store | CPU us/trace | bytes/trace |");
    print_line("|---|---|---|");
    for (name, costs) in std::iter::zip(["zerver"].into_iter().chain(OTHERS.map(|(name, _)| name)), &costs) {
        let (us, bytes) = (costs.iter().map(|cost| cost.0), costs.iter().map(|cost| cost.1));
        print_line(&format!("| {name} | {:.2} | {:.0} |", median(us), median(bytes)));
    }
    Ok(())
}

/// Returns the cost of the writer's thread of a service, and the traces that it recorded.
fn record(plan: &Plan) -> Result<(Cost, Vec<Encoded>), String> {
    let text = |error: std::io::Error| error.to_string();
    let server = Server::start(Variant::All.argument())?;
    let run =
        |time| closed_loop::run(server.addr(), &Requests::new(Traffic::Sessions), plan.connections, time);
    let warm = run(plan.time / 4).map_err(text)?.requests;
    server.cpu_at_rest().map_err(text)?;
    let before = server.thread_cpu("zerver-recorder").map_err(text)?;
    let done = run(plan.time).map_err(text)?.requests;
    server.cpu_at_rest().map_err(text)?;
    let cpu = server.thread_cpu("zerver-recorder").map_err(text)? - before;
    server.stop(|store| {
        let bytes = fs::metadata(store.join("traces.redb")).map_err(text)?.len();
        let reader = Reader::open(store).map_err(|error| error.to_string())?;
        let query =
            Query { flow: Some("todos-item".to_owned()), limit: Some(MAX_TRACES), ..Query::default() };
        let mut traces = Vec::new();
        let mut add = |trace: Trace| {
            traces.push(encode(&trace));
            ControlFlow::Continue(())
        };
        reader.for_each(&query, &mut add).map_err(|error| error.to_string())?;
        let us = cpu.as_secs_f64() * 1e6 / done.max(1) as f64;
        Ok(((us, bytes as f64 / (warm + done).max(1) as f64), traces))
    })
}

/// Encodes what zerver keeps of a trace, without its flow.
fn encode(trace: &Trace) -> Encoded {
    let head = (trace.started_unix_ns, trace.duration_ns, trace.seed, trace.status, trace.worker);
    let request = (&trace.method, &trace.target, &trace.version, &trace.peer);
    let messages =
        (&trace.request_headers, &trace.request_body, &trace.response_headers, &trace.response_body);
    let everything = (head, request, messages, &trace.outcome, &trace.events);
    let bytes = bincode::encode_to_vec(everything, bincode::config::standard()).unwrap_or_default();
    Encoded { id: trace.id.as_u128().to_be_bytes(), bytes }
}

fn measure(folder: &Path, traces: &[Encoded], store: Store) -> Result<Cost, Box<dyn std::error::Error>> {
    let before = process::own_cpu();
    store(folder, traces)?;
    let cpu = process::own_cpu() - before;
    let bytes = size_of_files(folder)?;
    let each = traces.len().max(1) as f64;
    Ok((cpu.as_secs_f64() * 1e6 / each, bytes as f64 / each))
}

fn size_of_files(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        // Files may be longer than what they occupy.
        let on_disk = std::os::unix::fs::MetadataExt::blocks(&found) * 512;
        bytes += if found.is_dir() { size_of_files(&entry.path())? } else { on_disk.min(found.len()) };
    }
    Ok(bytes)
}

fn fjall(folder: &Path, traces: &[Encoded]) -> Result<(), Box<dyn std::error::Error>> {
    let database = fjall::Database::builder(folder).open()?;
    let traces_by_id = database.keyspace("traces", fjall::KeyspaceCreateOptions::default)?;
    for commit in traces.chunks(COMMIT) {
        let mut batch = database.batch();
        for trace in commit {
            batch.insert(&traces_by_id, trace.id, &trace.bytes);
        }
        batch.commit()?;
    }
    database.persist(fjall::PersistMode::SyncAll)?;
    traces_by_id.rotate_memtable_and_wait()?;
    Ok(())
}

fn sqlite(folder: &Path, traces: &[Encoded]) -> Result<(), Box<dyn std::error::Error>> {
    let mut database = Connection::open(folder.join("traces.sqlite"))?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", "normal")?;
    database.execute("create table traces (id blob primary key, bytes blob) without rowid", [])?;
    for commit in traces.chunks(COMMIT) {
        let transaction = database.transaction()?;
        {
            let mut insert = transaction.prepare_cached("insert into traces values (?1, ?2)")?;
            for trace in commit {
                insert.execute((&trace.id[..], &trace.bytes))?;
            }
        }
        transaction.commit()?;
    }
    Ok(())
}

fn log(folder: &Path, traces: &[Encoded]) -> Result<(), Box<dyn std::error::Error>> {
    let mut file = File::create(folder.join("traces.log"))?;
    let (mut compressor, mut raw) = (zstd::bulk::Compressor::new(-1)?, Vec::new());
    for commit in traces.chunks(COMMIT) {
        for together in commit.chunks(COMPRESSED_TOGETHER) {
            raw.clear();
            for trace in together {
                raw.extend_from_slice(&trace.id);
                raw.extend_from_slice(&(trace.bytes.len() as u32).to_le_bytes());
                raw.extend_from_slice(&trace.bytes);
            }
            file.write_all(&compressor.compress(&raw)?)?;
        }
        file.sync_data()?;
    }
    Ok(())
}

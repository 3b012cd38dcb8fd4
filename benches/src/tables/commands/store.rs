//! A store with many recorded requests, as a service would have recorded them.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use zerver_recorder::{Recorder, RecorderOptions};
use zerver_trace::{Answer, Capture, Event, Name, RequestId};

use crate::sample::datum;
use crate::traffic::Traffic;

/// Number of requests that are created at a time.
const CHUNK: usize = 4_000;
/// Time between two requests.
const INTERVAL_NS: u64 = 1_000_000;
/// Effects of the long request; each has three events.
const LONG_EFFECTS: u32 = 3_333;

/// A store in a folder of its own, which is removed at the end.
pub(super) struct Store {
    pub(super) dir: PathBuf,
    /// Number of requests.
    pub(super) count: usize,
    /// Size in bytes.
    pub(super) bytes: u64,
    /// A request in the middle.
    pub(super) middle: RequestId,
    /// A slow request near the end.
    pub(super) slow: RequestId,
    /// The newest request, with 10,000 events.
    pub(super) long: RequestId,
}

impl Store {
    /// Records requests that began a millisecond apart, until a minute ago.
    pub(super) fn record(count: usize) -> Result<Self, String> {
        let dir = std::env::temp_dir().join(format!("zerver-bench-{}-commands", std::process::id()));
        let mut store = Self {
            dir,
            count: count + 1,
            bytes: 0,
            middle: RequestId::from_u128(0),
            slow: RequestId::from_u128(0),
            long: RequestId::from_u128(0),
        };
        let options = RecorderOptions { max_age: None, max_bytes: None, ..RecorderOptions::new(&store.dir) };
        let recorder = Recorder::open(options).map_err(|error| error.to_string())?;
        let traffic = Traffic::new().with_index();
        recorder.declare(traffic.flows());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        let begun = now.saturating_sub(60_000_000_000 + count as u64 * INTERVAL_NS);
        // Every 97th request is slow.
        let slow = count as u64 * 9 / 10 / 97 * 97;
        for from in (0..count).step_by(CHUNK) {
            let numbers = from as u64..count.min(from + CHUNK) as u64;
            for (n, request) in numbers.clone().zip(traffic.requests(numbers)) {
                let mut request = moved(request, begun + n * INTERVAL_NS);
                if n == count as u64 / 2 {
                    store.middle = request.id;
                }
                if n == slow {
                    request.duration_ns = 49_500_000;
                    store.slow = request.id;
                }
                recorder.sink().accept(Box::new(request));
            }
            recorder.flush();
        }
        let last = traffic.requests(count as u64..count as u64 + 1).pop().ok_or("there is no request")?;
        let last = lengthened(moved(last, begun + count as u64 * INTERVAL_NS));
        store.long = last.id;
        recorder.sink().accept(Box::new(last));
        let status = recorder.close();
        if status.recorded != store.count as u64 {
            return Err(format!("{} of {} requests were recorded", status.recorded, store.count));
        }
        store.bytes = status.bytes_on_disk;
        Ok(store)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Returns the request as if it had begun at another time.
fn moved(request: Capture, started_unix_ns: u64) -> Capture {
    let ms = u128::from(started_unix_ns / 1_000_000);
    let id = RequestId::from_u128(request.id.as_u128() & ((1 << 80) - 1) | ms << 80);
    Capture { id, started_unix_ns, ..request }
}

/// Returns the request with effects one after another.
fn lengthened(request: Capture) -> Capture {
    let mut events = request.events;
    let last = events.pop();
    for call in 2..2 + LONG_EFFECTS {
        let at_ns = 10_000 + u64::from(call) * 1_000;
        events.extend([
            Event::EffectRequested {
                call,
                step: 4,
                at_ns,
                kind: Name::from("kv"),
                args: datum(("todo", call)),
                attempt: 1,
                timeout_ns: None,
            },
            Event::EffectStarted { call, at_ns: at_ns + 50 },
            Event::EffectCompleted { call, at_ns: at_ns + 900, answer: Answer::Ok(datum("found it")) },
        ]);
    }
    events.extend(last);
    Capture { events, ..request }
}

//! Performs the slow commands that `update` returns: each runs on its own thread and sends its result back as a
//! message.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use zerver_analysis::display::query_string;
use zerver_analysis::{Baseline, RequestQuery, Timeline, Why};
use zerver_replay::{Edits, ReplayError, Sameness, ValuePath};
use zerver_trace::{PlacedValue, Query, RequestId, SourceError, Trace, TraceSource, ValuePlace};

use super::channel::MessageSender;
use crate::message::Message;
use crate::services::{FlowMeasurement, ReplayResult, Services};
use crate::state::LoadedTrace;

/// Number of requests of the same flow that a request is compared with; the newest are taken.
const COMPARED_REQUESTS: usize = 300;
/// Number of requests from which the typical times of a flow are computed; the newest are taken.
const MEASURED_REQUESTS: usize = 500;
/// Number of requests after which a search in traces reports its progress: several blocks, which are read once.
const SCAN_PIECE: usize = 1024;

/// Starts a thread for each command.
pub(crate) struct CommandRunner {
    services: Arc<dyn Services>,
    source: Arc<dyn TraceSource>,
    sender: MessageSender,
    /// Current slot search; older ones stop.
    latest_scan: Arc<AtomicU64>,
    /// Current replay check; older ones stop.
    latest_check: Arc<AtomicU64>,
    /// Current comparison; older ones stop.
    latest_explain: Arc<AtomicU64>,
}

impl CommandRunner {
    pub(crate) fn new(services: Arc<dyn Services>, sender: MessageSender) -> Self {
        let source = services.trace_source();
        Self {
            services,
            source,
            sender,
            latest_scan: Arc::default(),
            latest_check: Arc::default(),
            latest_explain: Arc::default(),
        }
    }

    /// Calls a service on its own thread.
    fn call_service(&self, work: impl FnOnce(&dyn Services) -> Message + Send + 'static) {
        let (services, sender) = (Arc::clone(&self.services), self.sender.clone());
        thread::spawn(move || sender.send(work(&*services)));
    }

    pub(crate) fn replay(&self, number: u64, id: RequestId, edits: Edits) {
        self.call_service(move |services| Message::Replayed(number, replay(services, id, edits)));
    }

    pub(crate) fn sources(&self, number: u64, id: RequestId, value: ValuePath) {
        self.call_service(move |services| {
            let found = load_for_replay(services, id, "cannot find the sources of a value of")
                .and_then(|trace| services.value_sources(trace, value));
            Message::SourcesFound(number, found.map(Arc::new))
        });
    }

    pub(crate) fn measure(&self, flow: String) {
        self.call_service(move |services| {
            let measured = measure(services, &flow);
            Message::Measured(flow, measured)
        });
    }

    pub(crate) fn health(&self, addr: String) {
        self.call_service(move |services| {
            let health = services.scheduler_status(&addr);
            Message::Status(addr, health)
        });
    }

    pub(crate) fn copy(&self, text: String, description: String) {
        self.call_service(move |services| Message::Copied {
            outcome: services.copy_text(&text),
            description,
        });
    }

    pub(crate) fn go_on(&self) {
        self.sender.send(Message::Continue);
    }

    pub(crate) fn flows(&self) {
        self.call_service(|services| Message::Flows(services.flows()));
    }

    pub(crate) fn load(&self, id: RequestId) {
        let (source, sender) = (Arc::clone(&self.source), self.sender.clone());
        thread::spawn(move || {
            let analyzed = |trace| Arc::new(LoadedTrace::among(trace, &*source));
            let loaded = source.load(id).map(|trace| trace.map(analyzed));
            sender.send(Message::Loaded(id, loaded.map_err(|error| error.to_string())));
        });
    }

    pub(crate) fn queries(&self, ids: Vec<RequestId>) {
        let (source, sender) = (Arc::clone(&self.source), self.sender.clone());
        thread::spawn(move || {
            let nodes = source.nodes(&ids);
            if !nodes.is_empty() {
                sender.send(Message::Nodes(nodes));
            }
            sender.send(Message::Queries(query_strings(&*source, ids)));
        });
    }

    pub(crate) fn read(&self, file: String) {
        self.call_service(move |services| {
            let text = services.source_text(&file);
            Message::SourceText(file, text)
        });
    }

    pub(crate) fn explain(&self, id: RequestId) {
        let (source, sender) = (Arc::clone(&self.source), self.sender.clone());
        let latest = Arc::clone(&self.latest_explain);
        let mine = latest.fetch_add(1, Ordering::AcqRel) + 1;
        thread::spawn(move || {
            let is_wanted = || latest.load(Ordering::Acquire) == mine;
            let why = explain(&*source, id, is_wanted).transpose();
            if let Some(why) = why.filter(|_| is_wanted()) {
                sender.send(Message::Explained(id, why.map(Arc::new).map_err(|error| error.to_string())));
            }
        });
    }

    pub(crate) fn check(&self, number: u64, ids: Vec<RequestId>) {
        let (services, sender) = (Arc::clone(&self.services), self.sender.clone());
        let latest = Arc::clone(&self.latest_check);
        latest.fetch_max(number, Ordering::AcqRel);
        thread::spawn(move || {
            for id in ids {
                if latest.load(Ordering::Acquire) != number {
                    return;
                }
                let replayed = replay(&*services, id, Edits::default()).ok();
                let complete = replayed.filter(|replayed| replayed.report.missing_inputs.is_empty());
                let is_changed = complete.map(|replayed| replayed.report.sameness() == Sameness::Different);
                sender.send(Message::ReplayChecked(number, id, is_changed));
            }
        });
    }

    pub(crate) fn scan(&self, generation: u64, requests: Vec<(i32, RequestId)>, query: Arc<RequestQuery>) {
        let (source, sender) = (Arc::clone(&self.source), self.sender.clone());
        let latest = Arc::clone(&self.latest_scan);
        latest.fetch_max(generation, Ordering::AcqRel);
        thread::spawn(move || {
            let narrowed = query.narrowed(&Query::default());
            for piece in requests.chunks(SCAN_PIECE) {
                if latest.load(Ordering::Acquire) != generation {
                    return;
                }
                let ids: Vec<RequestId> = piece.iter().map(|(_, id)| *id).collect();
                let mut matching = BTreeSet::new();
                // An unreadable trace does not match.
                let _ = source.visit_ids_matching(&ids, &narrowed, &mut |request| {
                    if query.matches_view(request).unwrap_or(false) {
                        matching.insert(request.summary().id);
                    }
                    ControlFlow::Continue(())
                });
                let found =
                    piece.iter().filter(|(_, id)| matching.contains(id)).map(|(seq, _)| *seq).collect();
                sender.send(Message::Scanned { generation, scanned: piece.len(), found });
            }
        });
    }
}

/// Returns the query string of each request; none for a request that is gone or cannot be read.
pub(crate) fn query_strings(source: &dyn TraceSource, ids: Vec<RequestId>) -> Vec<(RequestId, String)> {
    let mut found = HashMap::new();
    // An unreadable trace has no query string here; opening the request reports why.
    let _ = source.visit_ids(&ids, &mut |request| {
        let query = RefCell::new(String::new());
        let _ = request.test_values(ValuePlace::Target, 0, &|value| {
            if let PlacedValue::Value(target) = value {
                *query.borrow_mut() = query_string(target);
            }
            None
        });
        found.insert(request.summary().id, query.into_inner());
        ControlFlow::Continue(())
    });
    ids.into_iter().map(|id| (id, found.remove(&id).unwrap_or_default())).collect()
}

/// Returns `None` if the request is gone or the result is no longer wanted.
fn explain(
    source: &dyn TraceSource,
    id: RequestId,
    is_wanted: impl Fn() -> bool,
) -> Result<Option<Why>, SourceError> {
    let Some(trace) = source.load(id)? else { return Ok(None) };
    let query =
        Query { flow: Some(trace.flow.name.clone()), limit: Some(COMPARED_REQUESTS), ..Query::default() };
    let mut others = Vec::new();
    source.visit(&query, &mut |request| {
        // Traces that cannot be read are skipped.
        others.extend(request.trace().map(Cow::into_owned).ok());
        if is_wanted() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(is_wanted().then(|| Why::of(&trace, &others)))
}

/// Loads a request and replays it.
fn replay(services: &dyn Services, id: RequestId, edits: Edits) -> Result<Arc<ReplayResult>, ReplayError> {
    let trace = load_for_replay(services, id, "cannot replay")?;
    services.replay(trace, edits).map(Arc::new)
}

/// Loads a request. `what` begins the message if it cannot be read.
fn load_for_replay(services: &dyn Services, id: RequestId, what: &str) -> Result<Trace, ReplayError> {
    let refused = |cause: String| ReplayError {
        message: format!("{what} request {id}"),
        causes: vec![cause],
        ..ReplayError::default()
    };
    match services.trace_source().load(id) {
        Ok(Some(trace)) => Ok(trace),
        Ok(None) => Err(refused("it is no longer in the store".to_owned())),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// Computes the typical times of a flow from its newest requests.
fn measure(services: &dyn Services, flow: &str) -> Result<Arc<FlowMeasurement>, String> {
    let source = services.trace_source();
    let query = Query { flow: Some(flow.to_owned()), limit: Some(MEASURED_REQUESTS), ..Query::default() };
    let (mut timelines, mut unreadable) = (Vec::new(), 0);
    let visited = source.visit(&query, &mut |request| {
        match request.trace() {
            Ok(trace) => timelines.push(Timeline::of(&trace)),
            Err(_) => unreadable += 1,
        }
        ControlFlow::Continue(())
    });
    visited.map_err(|error| error.to_string())?;
    Ok(Arc::new(FlowMeasurement { times: Baseline::of(&timelines), unreadable }))
}

//! Does what `update` asks for and takes its time: each on a thread of its own, which sends back a message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use zerver_analysis::Why;
use zerver_replay::{Edits, Sameness};
use zerver_trace::{Query, RequestId, SourceError, TraceSource};

use crate::message::Message;
use crate::run::Remote;
use crate::screen::requests::SlotTerm;
use crate::services::{self, Services};
use crate::shared::Story;

/// A request is compared with so many others of its flow, the newest.
const POPULATION: usize = 300;
/// After so many requests a search tells how far it is.
const SCAN_PIECE: usize = 64;

/// Who does it.
pub(crate) struct Performer {
    services: Arc<dyn Services>,
    source: Arc<dyn TraceSource>,
    remote: Remote,
    /// The search that counts; older ones end.
    generation: Arc<AtomicU64>,
    /// The check of new code that counts.
    checked: Arc<AtomicU64>,
    /// The comparison that counts.
    explained: Arc<AtomicU64>,
}

impl Performer {
    pub(crate) fn new(services: Arc<dyn Services>, remote: Remote) -> Self {
        let source = services.source();
        Self {
            services,
            source,
            remote,
            generation: Arc::default(),
            checked: Arc::default(),
            explained: Arc::default(),
        }
    }

    /// Does something that services do.
    fn serve(&self, work: impl FnOnce(&dyn Services) -> Message + Send + 'static) {
        let (services, remote) = (Arc::clone(&self.services), self.remote.clone());
        thread::spawn(move || remote.send(work(&*services)));
    }

    pub(crate) fn replay(&self, number: u64, id: RequestId, edits: Edits) {
        self.serve(move |services| Message::Replayed(number, services::replay(services, id, edits)));
    }

    pub(crate) fn measure(&self, flow: String) {
        self.serve(move |services| {
            let measured = services::measure(services, &flow);
            Message::Measured(flow, measured)
        });
    }

    pub(crate) fn health(&self, addr: String) {
        self.serve(move |services| {
            let health = services.health(&addr);
            Message::Health(addr, health)
        });
    }

    pub(crate) fn copy(&self, text: String, what: String) {
        self.serve(move |services| Message::Copied { copied: services.copy(&text), what });
    }

    pub(crate) fn go_on(&self) {
        self.remote.send(Message::GoOn);
    }

    pub(crate) fn flows(&self) {
        self.serve(|services| Message::Flows(services.flows()));
    }

    pub(crate) fn load(&self, id: RequestId) {
        let (source, remote) = (Arc::clone(&self.source), self.remote.clone());
        thread::spawn(move || {
            let loaded = source.load(id).map(|trace| trace.map(|trace| Arc::new(Story::of(trace))));
            remote.send(Message::Loaded(id, loaded.map_err(|error| error.to_string())));
        });
    }

    pub(crate) fn read(&self, file: String) {
        self.serve(move |services| {
            let text = services.source_text(&file);
            Message::Source(file, text)
        });
    }

    pub(crate) fn explain(&self, id: RequestId) {
        let (source, remote) = (Arc::clone(&self.source), self.remote.clone());
        let latest = Arc::clone(&self.explained);
        let mine = latest.fetch_add(1, Ordering::AcqRel) + 1;
        thread::spawn(move || {
            let is_wanted = || latest.load(Ordering::Acquire) == mine;
            let why = explain(&*source, id, is_wanted).transpose();
            if let Some(why) = why.filter(|_| is_wanted()) {
                remote.send(Message::Explained(id, why.map(Arc::new).map_err(|error| error.to_string())));
            }
        });
    }

    pub(crate) fn check(&self, number: u64, ids: Vec<RequestId>) {
        let (services, remote) = (Arc::clone(&self.services), self.remote.clone());
        let latest = Arc::clone(&self.checked);
        latest.fetch_max(number, Ordering::AcqRel);
        thread::spawn(move || {
            for id in ids {
                if latest.load(Ordering::Acquire) != number {
                    return;
                }
                // What cannot be run again is not said to be changed.
                if let Ok(replayed) = services::replay(&*services, id, Edits::default())
                    && replayed.report.missing_inputs.is_empty()
                {
                    remote.send(Message::Checked(
                        number,
                        id,
                        replayed.report.sameness() == Sameness::Different,
                    ));
                }
            }
        });
    }

    pub(crate) fn scan(&self, generation: u64, requests: Vec<(i32, RequestId)>, terms: Vec<SlotTerm>) {
        let (source, remote) = (Arc::clone(&self.source), self.remote.clone());
        let latest = Arc::clone(&self.generation);
        latest.fetch_max(generation, Ordering::AcqRel);
        thread::spawn(move || {
            for piece in requests.chunks(SCAN_PIECE) {
                if latest.load(Ordering::Acquire) != generation {
                    return;
                }
                // What cannot be read does not fit.
                let fits = |id: RequestId| {
                    let trace = source.load(id).ok().flatten();
                    trace.is_some_and(|trace| terms.iter().all(|term| term.matches(&trace)))
                };
                let found = piece.iter().filter(|(_, id)| fits(*id)).map(|(seq, _)| *seq).collect();
                remote.send(Message::Scanned { generation, looked: piece.len(), found });
            }
        });
    }
}

/// None if the request is not there, or nobody wants to know any more.
fn explain(
    source: &dyn TraceSource,
    id: RequestId,
    is_wanted: impl Fn() -> bool,
) -> Result<Option<Why>, SourceError> {
    let Some(trace) = source.load(id)? else { return Ok(None) };
    let query = Query { flow: Some(trace.flow.name.clone()), limit: Some(POPULATION), ..Query::default() };
    let mut others = Vec::new();
    for summary in source.list(&query)? {
        if !is_wanted() {
            return Ok(None);
        }
        // One that cannot be read, or has just been removed, is left out.
        others.extend(source.load(summary.id).ok().flatten());
    }
    Ok(Some(Why::of(&trace, &others)))
}

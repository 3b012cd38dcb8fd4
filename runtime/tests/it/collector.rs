//! A sink that collects captures, and functions that start a service with it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use zerver::{App, Server, StartOptions};
use zerver_trace::{Answer, Capture, CaptureSink, Event, MessageInfo, RequestId, Value};

use crate::raw_client::PATIENCE;

#[derive(Default)]
pub(crate) struct Collector {
    captures: Mutex<Vec<Arc<Capture>>>,
    added: Condvar,
}

impl CaptureSink for Collector {
    fn accept(&self, capture: Box<Capture>) {
        self.captures.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::from(capture));
        self.added.notify_all();
    }
}

impl Collector {
    /// Waits until there are `count` captures, and returns all captures.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Arc<Capture>> {
        let captures = self.captures.lock().unwrap();
        let (captures, late) =
            self.added.wait_timeout_while(captures, PATIENCE, |captures| captures.len() < count).unwrap();
        assert!(!late.timed_out(), "{} captures instead of {count}", captures.len());
        captures.clone()
    }

    /// Waits for the capture of this request.
    pub(crate) fn of(&self, id: RequestId) -> Arc<Capture> {
        let mut captures = self.wait_for(1);
        loop {
            if let Some(found) = captures.iter().find(|capture| capture.id == id) {
                return Arc::clone(found);
            }
            captures = self.wait_for(captures.len() + 1);
        }
    }

    /// Waits for a capture, which must be the only one.
    pub(crate) fn one(&self) -> Arc<Capture> {
        let captures = self.wait_for(1);
        assert_eq!(captures.len(), 1);
        Arc::clone(&captures[0])
    }
}

/// Starts a service with two workers on a free port, and collects its captures.
pub(crate) fn start(app: App) -> (Server, Arc<Collector>) {
    start_on(2, app)
}

/// Starts a service like [`start`], with this number of workers.
pub(crate) fn start_on(workers: usize, app: App) -> (Server, Arc<Collector>) {
    let collector = Arc::new(Collector::default());
    let sink: Arc<dyn CaptureSink> = collector.clone();
    let options =
        StartOptions { addr: Some("127.0.0.1:0".to_owned()), sink: Some(sink), ..StartOptions::default() };
    (app.workers(workers).start(options).unwrap(), collector)
}

/// Returns the scheme and the authority in the target of the request.
pub(crate) fn origin(capture: &Capture) -> String {
    match capture.request.describe(0) {
        MessageInfo::Request(request) => request.origin,
        MessageInfo::Response(_) => panic!("a response instead of a request"),
    }
}

/// Returns the target and the body of the request.
pub(crate) fn request(capture: &Capture) -> (String, Vec<u8>) {
    match capture.request.describe(usize::MAX) {
        MessageInfo::Request(request) => (request.target, request.body.bytes),
        MessageInfo::Response(_) => panic!("a response instead of a request"),
    }
}

/// Returns the recorded body and its whole length.
pub(crate) fn response_body(capture: &Capture) -> (String, u64) {
    match capture.response.as_ref().unwrap().describe(usize::MAX) {
        MessageInfo::Response(response) => {
            (String::from_utf8(response.body.bytes).unwrap(), response.body.full_len)
        }
        MessageInfo::Request(_) => panic!("a request"),
    }
}

/// Returns the answer of the last call, as JSON or as the text of its error, and the points of the calls.
pub(crate) fn ended(capture: &Capture) -> (String, Vec<String>) {
    let mut answers = capture.events.iter().filter_map(|event| match event {
        Event::EffectCompleted { answer: Answer::Ok(output), .. } => {
            Some(Value::from_recordable(&**output).unwrap().to_string())
        }
        Event::EffectCompleted { answer: Answer::Err(error), .. } => Some(error.message.clone()),
        Event::EffectCompleted { answer: Answer::Canceled, .. } => Some("canceled".to_owned()),
        _ => None,
    });
    let points = capture.events.iter().filter_map(|event| match event {
        Event::EffectPoint { point, .. } => Some(point.to_string()),
        _ => None,
    });
    (answers.next_back().unwrap_or_default(), points.collect())
}

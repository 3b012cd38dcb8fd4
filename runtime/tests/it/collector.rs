//! A sink that keeps what it is given, and a service to test with it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use zerver::{App, Server, StartOptions};
use zerver_trace::{Capture, CaptureSink, MessageInfo, RequestId};

use crate::raw_client::PATIENCE;

#[derive(Default)]
pub(crate) struct Collector {
    captures: Mutex<Vec<Arc<Capture>>>,
    more: Condvar,
}

impl CaptureSink for Collector {
    fn accept(&self, capture: Box<Capture>) {
        self.captures.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::from(capture));
        self.more.notify_all();
    }
}

impl Collector {
    /// The first `count` captures, as soon as they are there.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Arc<Capture>> {
        let captures = self.captures.lock().unwrap();
        let (captures, late) =
            self.more.wait_timeout_while(captures, PATIENCE, |captures| captures.len() < count).unwrap();
        assert!(!late.timed_out(), "{} captures instead of {count}", captures.len());
        captures.clone()
    }

    /// The one of this request, as soon as it is there.
    pub(crate) fn of(&self, id: RequestId) -> Arc<Capture> {
        let mut captures = self.wait_for(1);
        loop {
            if let Some(found) = captures.iter().find(|capture| capture.id == id) {
                return Arc::clone(found);
            }
            captures = self.wait_for(captures.len() + 1);
        }
    }

    /// The one capture there is.
    pub(crate) fn one(&self) -> Arc<Capture> {
        let captures = self.wait_for(1);
        assert_eq!(captures.len(), 1);
        Arc::clone(&captures[0])
    }
}

/// Starts a service on a free port, and collects what it leaves.
pub(crate) fn start(app: App) -> (Server, Arc<Collector>) {
    start_on(2, app)
}

/// The same, with so many workers.
pub(crate) fn start_on(workers: usize, app: App) -> (Server, Arc<Collector>) {
    let collector = Arc::new(Collector::default());
    let sink: Arc<dyn CaptureSink> = collector.clone();
    let options =
        StartOptions { addr: Some("127.0.0.1:0".to_owned()), sink: Some(sink), ..StartOptions::default() };
    (app.workers(workers).start(options).unwrap(), collector)
}

/// The scheme and the authority that the target of the request names.
pub(crate) fn origin(capture: &Capture) -> String {
    match capture.request.describe(0) {
        MessageInfo::Request(request) => request.origin,
        MessageInfo::Response(_) => panic!("a response in place of a request"),
    }
}

/// The target and the body of the request.
pub(crate) fn request(capture: &Capture) -> (String, Vec<u8>) {
    match capture.request.describe(usize::MAX) {
        MessageInfo::Request(request) => (request.target, request.body.bytes),
        MessageInfo::Response(_) => panic!("a response in place of a request"),
    }
}

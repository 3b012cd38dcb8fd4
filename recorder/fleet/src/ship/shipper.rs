//! The thread that ships.

use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use zerver_recorder::Spool;

use crate::fleet_error::FleetError;
use crate::fleet_url::FleetUrl;
use crate::ship::backoff::Backoff;
use crate::ship::destination::destination;
use crate::ship::rate_quota::RateQuota;
use crate::ship::shipment::{ShipError, Shipment};
use crate::ship::shipper_status::{SharedStatus, ShipperEvent, ShipperStatus};

/// Time to end a round whose time is over.
const GRACE: Duration = Duration::from_millis(200);

/// Settings of a [`Shipper`].
#[derive(Debug, Clone)]
pub struct ShipperOptions {
    /// The fleet.
    pub url: FleetUrl,
    /// Time between two rounds.
    pub every: Duration,
    /// Name of the node: that of its machine or pod.
    pub name: String,
    /// Number of traces that are shipped of each second. Blocks that exceed it stay in the store, and are counted.
    pub max_per_second: u32,
}

/// Ships the closed blocks of a store to a fleet, on a thread of its own. It never touches a request.
#[derive(Debug)]
pub struct Shipper {
    signal: Arc<Signal>,
    status: Arc<SharedStatus>,
    /// Closed when the thread ends.
    ended: Mutex<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The time of the stop, until which the last round may go on.
#[derive(Debug, Default)]
struct Signal {
    until: Mutex<Option<Instant>>,
    changed: Condvar,
}

impl Signal {
    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, until: Instant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        self.changed.notify_all();
    }

    /// Waits for a time. Ends early when the shipper is to stop. Returns false if no time is left.
    fn wait(&self, time: Duration) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(end) = *until else {
            let waited = self.changed.wait_timeout_while(until, time, |until| until.is_none());
            drop(waited);
            return true;
        };
        drop(until);
        let left = end.saturating_duration_since(Instant::now());
        thread::sleep(time.min(left));
        time < left
    }
}

impl Shipper {
    /// Starts to ship. `report` is called on the thread of the shipper, once for each change.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(
        spool: Spool,
        options: ShipperOptions,
        report: impl Fn(&ShipperEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let (signal, status) = (Arc::new(Signal::default()), Arc::new(SharedStatus::default()));
        let ShipperOptions { url, every, name, max_per_second } = options;
        let destination = destination(url, name).map_err(io::Error::other)?;
        let quota = RateQuota::new(max_per_second);
        let shipment = Shipment::new(spool.clone(), destination, quota, Arc::clone(&status));
        let rounds = Rounds {
            signal: Arc::clone(&signal),
            status: Arc::clone(&status),
            spool,
            every,
            shipment,
            report: Box::new(report),
            reported: None,
        };
        let (end, ended) = mpsc::channel();
        let thread = thread::Builder::new().name("zerver-shipper".to_owned()).spawn(move || {
            rounds.run();
            drop(end);
        })?;
        Ok(Self { signal, status, ended: Mutex::new(ended), thread: Some(thread) })
    }

    /// Asks a fleet for the block that it wants next, as a shipper does first.
    ///
    /// # Errors
    /// If the fleet cannot be reached, or does not take what this service ships.
    pub fn check(spool: &Spool, options: &ShipperOptions) -> Result<(), FleetError> {
        let mut destination = destination(options.url.clone(), options.name.clone())?;
        spool.end().node.map_or(Ok(()), |node| destination.wanted(node).map(|_| ()))
    }

    /// Returns the current status. Cheap.
    pub fn status(&self) -> ShipperStatus {
        self.status.get()
    }

    /// Returns a function that returns the status, and may outlive the shipper.
    pub fn watch(&self) -> impl Fn() -> ShipperStatus + Send + Sync + 'static + use<> {
        let status = Arc::clone(&self.status);
        move || status.get()
    }

    /// Ships what the store has now, for at most `limit`, and ends. To be called after the recorder was closed.
    pub fn stop(mut self, limit: Duration) -> ShipperStatus {
        self.end(limit);
        self.status()
    }

    fn end(&mut self, limit: Duration) {
        self.signal.stop(Instant::now() + limit);
        let Some(thread) = self.thread.take() else { return };
        // A fleet that does not answer must not keep the service from ending. The thread ends with the process.
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(limit + GRACE) != Err(mpsc::RecvTimeoutError::Timeout) {
            // The thread has no result.
            let _ = thread.join();
        }
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// The rounds of a shipper.
struct Rounds {
    signal: Arc<Signal>,
    status: Arc<SharedStatus>,
    spool: Spool,
    every: Duration,
    shipment: Shipment,
    report: Box<dyn Fn(&ShipperEvent) + Send>,
    /// The failure that was reported and lasts.
    reported: Option<String>,
}

impl Rounds {
    fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            // Read before the spool: what was recorded before the stop must be shipped.
            let stops = self.signal.until();
            if stops.is_none() {
                self.spool.close_block();
            }
            let was_offline = self.reported.is_some();
            let signal = Arc::clone(&self.signal);
            let result = self.shipment.run(|time| signal.wait(time));
            let is_shipped = result.is_ok();
            let pause = match result {
                Ok(()) => {
                    backoff.reset();
                    self.status.set_online(true);
                    if self.reported.take().is_some() {
                        (self.report)(&ShipperEvent::Online);
                    }
                    self.every
                }
                Err(error) => {
                    self.failed(error);
                    backoff.next_pause()
                }
            };
            if let Some(until) = stops
                // A fleet that was down before need not delay the end of the service.
                && (is_shipped || was_offline || Instant::now() >= until)
            {
                break;
            }
            if !self.signal.wait(pause) && stops.is_some() {
                break;
            }
        }
        let traces = self.status.get().waiting;
        if traces > 0 || self.reported.is_some() {
            (self.report)(&ShipperEvent::Left { traces });
        }
    }

    /// Reports a failure once, and again only if its cause changes to one that lasts.
    fn failed(&mut self, error: ShipError) {
        self.status.failed();
        let FleetError { reason, hint, is_passing } = match error {
            ShipError::Fleet(error) => error,
            ShipError::Spool(error) => FleetError::passing(format!("cannot read the store: {error}")),
        };
        if self.reported.is_none() || (!is_passing && self.reported.as_ref() != Some(&reason)) {
            self.reported = Some(reason.clone());
            (self.report)(&ShipperEvent::Offline { reason, hint });
        }
    }
}

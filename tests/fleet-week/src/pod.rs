//! A pod: a recorder, the store on its disk, and a shipper to each place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use zerver_fleet::{FleetUrl, Shipper, ShipperOptions};
use zerver_recorder::{NodeId, Recorder, RecorderOptions};
use zerver_trace::FlowInfo;

use crate::limits::{PATIENCE, Result};
use crate::schedule::SECOND_BUILD;
use crate::servers::Place;
use crate::traffic::{self, Era, Request};

/// Requests that arrive within ten seconds, and fill a block.
pub(crate) const CLUMP: u32 = 46;
/// Milliseconds between two of them.
const APART_MS: u64 = 200;
const HOUR_MS: u64 = 3_600_000;
/// Requests that are accepted before the pod waits for its recorder, so that none is dropped.
const FLUSH_EVERY: u32 = 2_000;
/// Limit of the store of a pod with a small disk, in bytes.
const SMALL_DISK: u64 = 4 << 20;

/// The times at which requests were accepted, by pod and number.
pub(crate) type AcceptTimes = Arc<Mutex<HashMap<(u16, u32), Instant>>>;

/// Settings that all pods have in common.
#[derive(Debug, Clone)]
pub(crate) struct PodSettings {
    /// By place. Pods do not ship to a place without one.
    pub(crate) urls: [Option<FleetUrl>; 2],
    pub(crate) every: Duration,
    pub(crate) max_per_second: u32,
    /// Slot of the pod with a small disk.
    pub(crate) small_disk: Option<usize>,
}

/// A pod with its disk.
#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) number: u16,
    name: String,
    settings: PodSettings,
    era: Era,
    skew_ms: i64,
    pub(crate) has_small_disk: bool,
    disk: Option<TempDir>,
    pub(crate) node: NodeId,
    recorder: Option<Recorder>,
    flows: Vec<Arc<FlowInfo>>,
    /// By place.
    shippers: [Option<PodShipper>; 2],
    /// Number of requests that it accepted.
    pub(crate) accepted: u32,
    /// Share of a clump that is due.
    due: f64,
    /// Traces that each place acknowledged to shippers that have ended.
    acknowledged: [u64; 2],
}

/// A shipper, and the end of a channel that is closed when its thread has ended.
#[derive(Debug)]
struct PodShipper {
    shipper: Shipper,
    ended: mpsc::Receiver<()>,
}

impl Pod {
    pub(crate) fn start(number: u16, slot: usize, hour: u64, settings: &PodSettings) -> Result<Self> {
        // The clocks differ a little, and one is an hour ahead.
        let skew_ms = if slot == 3 { HOUR_MS as i64 } else { (traffic::mix(slot as u64) % 400) as i64 - 200 };
        let era = if slot.is_multiple_of(2) && hour >= SECOND_BUILD { Era::New } else { Era::Old };
        let mut pod = Self {
            number,
            name: format!("pod-{slot}"),
            settings: settings.clone(),
            era,
            skew_ms,
            has_small_disk: settings.small_disk == Some(slot),
            disk: Some(tempfile::Builder::new().prefix("fleet-week-").tempdir()?),
            node: NodeId(0),
            recorder: None,
            flows: Vec::new(),
            shippers: [None, None],
            accepted: 0,
            due: (slot as f64 * 0.618).fract(),
            acknowledged: [0; 2],
        };
        pod.open()?;
        Ok(pod)
    }

    pub(crate) const fn is_lost(&self) -> bool {
        self.disk.is_none()
    }

    /// Returns the folder of its store.
    pub(crate) fn dir(&self) -> Option<&std::path::Path> {
        self.disk.as_ref().map(TempDir::path)
    }

    fn open(&mut self) -> Result<()> {
        let dir = self.disk.as_ref().ok_or("the pod is lost")?.path();
        let build = if self.era == Era::New { "b2" } else { "b1" };
        let max_bytes = if self.has_small_disk { SMALL_DISK } else { 1 << 30 };
        let options = RecorderOptions {
            max_age: None,
            max_bytes: Some(max_bytes),
            build: build.to_owned(),
            ..RecorderOptions::new(dir)
        };
        let recorder = Recorder::open(options)?;
        self.node = recorder.spool().end().node.ok_or("a store without an id")?;
        self.flows = traffic::flows(self.era);
        recorder.declare(&self.flows);
        self.recorder = Some(recorder);
        Place::ALL.into_iter().try_for_each(|place| self.start_shipper(place))
    }

    fn start_shipper(&mut self, place: Place) -> Result<()> {
        let recorder = self.recorder.as_ref().ok_or("the pod has ended")?;
        let PodSettings { urls, every, max_per_second, .. } = &self.settings;
        let Some(url) = urls[place as usize].clone() else { return Ok(()) };
        let options =
            ShipperOptions { url, every: *every, name: self.name.clone(), max_per_second: *max_per_second };
        let (end, ended) = mpsc::channel::<()>();
        // The thread owns what it reports with.
        let shipper = Shipper::start(recorder.spool(), options, move |_| drop(end.clone()))?;
        self.shippers[place as usize] = Some(PodShipper { shipper, ended });
        Ok(())
    }

    /// Starts to ship to these places.
    pub(crate) fn ship_to(&mut self, urls: [Option<FleetUrl>; 2]) -> Result<()> {
        self.settings.urls = urls;
        Place::ALL.into_iter().try_for_each(|place| self.start_shipper(place))
    }

    fn end_shipper(&mut self, place: Place, limit: Duration) {
        if let Some(PodShipper { shipper, ended }) = self.shippers[place as usize].take() {
            let status = shipper.watch();
            shipper.stop(limit);
            // A process that is killed leaves no thread behind which goes on.
            let _ = ended.recv_timeout(PATIENCE);
            self.acknowledged[place as usize] += status().shipped;
        }
    }

    /// Ends the shippers wherever they are, and starts others, as in a service that was killed.
    pub(crate) fn kill_shippers(&mut self) -> Result<()> {
        Place::ALL.into_iter().for_each(|place| self.end_shipper(place, Duration::ZERO));
        Place::ALL.into_iter().try_for_each(|place| self.start_shipper(place))
    }

    /// Starts the pod again, with the build of this hour. It has no time to ship what is left.
    pub(crate) fn restart(&mut self, hour: u64) -> Result<()> {
        self.close_recorder()?;
        Place::ALL.into_iter().for_each(|place| self.end_shipper(place, Duration::ZERO));
        if hour >= SECOND_BUILD {
            self.era = Era::New;
        }
        self.open()
    }

    /// Ends the pod with its disk.
    pub(crate) fn lose(&mut self) -> Result<()> {
        Place::ALL.into_iter().for_each(|place| self.end_shipper(place, Duration::ZERO));
        self.close_recorder()?;
        self.disk = None;
        Ok(())
    }

    /// Ends the pod, and ships what it has.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.close_recorder()?;
        Place::ALL.into_iter().for_each(|place| self.end_shipper(place, PATIENCE));
        Ok(())
    }

    fn close_recorder(&mut self) -> Result<()> {
        let Some(recorder) = self.recorder.take() else { return Ok(()) };
        let status = recorder.close();
        if status.dropped + status.lost > 0 || status.paused.is_some() {
            return Err(format!("{} did not record everything: {status:?}", self.name).into());
        }
        Ok(())
    }

    /// Returns the traces that a place has acknowledged.
    pub(crate) fn acknowledged(&self, place: Place) -> u64 {
        let shipper = self.shippers[place as usize].as_ref();
        let now = shipper.map_or(0, |running| running.shipper.status().shipped);
        self.acknowledged[place as usize] + now
    }

    /// Returns true if nothing waits to be shipped.
    pub(crate) fn is_shipped(&self) -> bool {
        self.shippers.iter().flatten().all(|running| {
            let status = running.shipper.status();
            status.is_online && status.waiting == 0
        })
    }

    /// Serves the requests of an hour: the clumps that are due.
    pub(crate) fn serve_hour(&mut self, hour_ms: u64, clumps: f64) -> Result<()> {
        self.due += clumps;
        let count = self.due.floor();
        self.due -= count;
        let count = count as u64;
        for clump in 0..count {
            // Not at the edges of the hour, so that a clump is of one hour on each clock.
            let from_ms = hour_ms + 60_000 + clump * 3_000_000 / count.max(1);
            self.serve(from_ms, APART_MS, CLUMP, self.era, None)?;
            self.close_block()?;
        }
        Ok(())
    }

    /// Serves many requests in little time, most of which fail.
    pub(crate) fn serve_outage(&mut self, hour_ms: u64, requests: u32) -> Result<()> {
        self.serve(hour_ms + 60_000, 1, requests, Era::Outage, None)?;
        self.close_block()
    }

    /// Serves a request now, and notes when it was accepted.
    pub(crate) fn serve_now(&mut self, now_ms: u64, times: &AcceptTimes) -> Result<()> {
        self.serve(now_ms, 0, 1, self.era, Some(times))
    }

    fn serve(
        &mut self,
        from_ms: u64,
        apart_ms: u64,
        count: u32,
        era: Era,
        times: Option<&AcceptTimes>,
    ) -> Result<()> {
        let recorder = self.recorder.as_ref().ok_or("the pod has ended")?;
        let sink = recorder.sink();
        for n in 0..count {
            let ms = (from_ms + u64::from(n) * apart_ms).saturating_add_signed(self.skew_ms);
            let request = Request { pod: self.number, n: self.accepted, era, ms };
            if let Some(times) = times {
                let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
                times.insert((self.number, self.accepted), Instant::now());
            }
            sink.accept(Box::new(traffic::capture(request, &self.flows)));
            self.accepted += 1;
            if n % FLUSH_EVERY == FLUSH_EVERY - 1 {
                recorder.flush();
            }
        }
        Ok(())
    }

    fn close_block(&self) -> Result<()> {
        let recorder = self.recorder.as_ref().ok_or("the pod has ended")?;
        recorder.spool().close_block();
        Ok(())
    }
}

//! A recorder, and the shipper that sends what it records to a fleet.

use std::ops::Deref;
use std::time::Duration;

#[cfg(feature = "metrics")]
use zerver_engine::service_docs::FleetMetrics;
#[cfg(feature = "fleet")]
use zerver_fleet::{Shipper, ShipperEvent, ShipperOptions};
use zerver_recorder::{HashKey, Recorder};

use crate::StartError;
use crate::config::LoadedSettings;
#[cfg(feature = "fleet")]
use crate::operator_log;
use crate::program::recorder_startup;

/// A recorder, and the shipper of its store if the service belongs to a fleet.
#[derive(Debug)]
pub(crate) struct ShippedRecorder {
    recorder: Recorder,
    #[cfg(feature = "fleet")]
    shipper: Option<Shipper>,
    /// Time for the last traces.
    drain: Duration,
}

#[cfg(feature = "metrics")]
/// A function that returns how far the shipper is. It may outlive the shipper.
pub(crate) type FleetStatusFn = Box<dyn Fn() -> FleetMetrics + Send + Sync>;

impl ShippedRecorder {
    /// Starts to ship, if the settings name a fleet.
    ///
    /// # Errors
    /// If the URL is invalid, or the thread cannot be started. A fleet that is out of reach is an error only if the settings
    /// say so.
    pub(crate) fn new(recorder: Recorder, loaded: &LoadedSettings) -> Result<Self, StartError> {
        let drain = loaded.config.limits.drain;
        #[cfg(feature = "fleet")]
        let shipper = start(&recorder, loaded)?;
        Ok(Self {
            recorder,
            #[cfg(feature = "fleet")]
            shipper,
            drain,
        })
    }

    /// Returns a function for the metrics, if there is a shipper.
    #[cfg(feature = "metrics")]
    pub(crate) fn watch_fleet(&self) -> Option<FleetStatusFn> {
        #[cfg(feature = "fleet")]
        return self.shipper.as_ref().map(|shipper| {
            let status = shipper.watch();
            Box::new(move || metrics(status())) as FleetStatusFn
        });
        #[cfg(not(feature = "fleet"))]
        None
    }

    /// Writes what the recorder has accepted, and ships it.
    pub(crate) fn close(self) {
        recorder_startup::close(self.recorder);
        #[cfg(feature = "fleet")]
        if let Some(shipper) = self.shipper {
            shipper.stop(self.drain);
        }
        #[cfg(not(feature = "fleet"))]
        let _ = self.drain;
    }
}

impl Deref for ShippedRecorder {
    type Target = Recorder;

    fn deref(&self) -> &Recorder {
        &self.recorder
    }
}

/// Reads the key that the services of the fleet share, if the settings name a fleet and the key.
///
/// # Errors
/// If the file cannot be read, or is no such key.
pub(crate) fn hash_key(loaded: &LoadedSettings) -> Result<Option<HashKey>, StartError> {
    #[cfg(feature = "fleet")]
    if loaded.config.fleet.store.is_some()
        && let Some(path) = &loaded.config.fleet.hash_key
    {
        let place = || loaded.place("fleet.hash_key").unwrap_or("fleet.hash_key").to_owned();
        let wrong = |error: zerver_fleet::KeyFileError| StartError::Setting {
            place: place(),
            reason: error.to_string(),
        };
        return zerver_fleet::read_hash_key(path).map(Some).map_err(wrong);
    }
    let _ = loaded;
    Ok(None)
}

#[cfg(feature = "fleet")]
fn start(recorder: &Recorder, loaded: &LoadedSettings) -> Result<Option<Shipper>, StartError> {
    let fleet = &loaded.config.fleet;
    let place = || loaded.place("fleet.store").unwrap_or("fleet.store").to_owned();
    let Some(url) = &fleet.store else {
        if !fleet.required {
            return Ok(None);
        }
        return Err(StartError::Setting {
            place: loaded.place("fleet.required").unwrap_or("fleet.required").to_owned(),
            reason: "fleet.store names no fleet: set it, or remove fleet.required".to_owned(),
        });
    };
    let url = url.parse().map_err(|error: zerver_fleet::UrlError| StartError::Setting {
        place: place(),
        reason: error.to_string(),
    })?;
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let options = ShipperOptions { url, every: fleet.every, name, max_per_second: fleet.max_per_second };
    if fleet.required {
        Shipper::check(&recorder.spool(), &options).map_err(|error| StartError::Fleet {
            place: place(),
            reason: error.reason,
            hint: error.hint.map(|hint| format!("{hint}; ")).unwrap_or_default(),
        })?;
    }
    let shipper = Shipper::start(recorder.spool(), options, report).map_err(StartError::Worker)?;
    Ok(Some(shipper))
}

#[cfg(all(feature = "fleet", feature = "metrics"))]
const fn metrics(status: zerver_fleet::ShipperStatus) -> FleetMetrics {
    FleetMetrics {
        shipped: status.shipped,
        unshipped: status.unshipped,
        waiting: status.waiting,
        behind_bytes: status.behind_bytes,
        failures: status.failures,
        online: status.is_online,
    }
}

/// Reports a change of the shipper. Called on its thread.
#[cfg(feature = "fleet")]
fn report(event: &ShipperEvent) {
    match event {
        ShipperEvent::Offline { reason, hint } => {
            let hint = hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            operator_log::warn(&format!(
                "the fleet is offline: {reason}{hint}; requests are recorded into the store, and shipped when it is back"
            ));
        }
        ShipperEvent::Online => operator_log::info("the fleet is online again"),
        ShipperEvent::Left { traces: 0 } => {
            operator_log::warn(
                "the fleet is offline; what was recorded is shipped when the service starts again",
            );
        }
        ShipperEvent::Left { traces } => operator_log::warn(&format!(
            "{traces} recorded requests were not shipped; they are when the service starts again"
        )),
    }
}

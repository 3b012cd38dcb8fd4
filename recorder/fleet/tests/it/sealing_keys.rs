//! Keys of a fleet in files, for the tests of sealing.

use std::path::PathBuf;

use tempfile::TempDir;
use zerver_fleet::{FleetUrl, KeyId, NewKey, create_key, read_hash_key};
use zerver_recorder::{HashKey, Reader, Recorder, RecorderOptions};
use zerver_trace::{Capture, Event, Recorded, Trace};

use crate::harness::{PATIENCE, Shipping, reader, with_key};
use crate::sample_traces::{capture, datum, id};

/// The secret of every request.
pub(crate) const NEEDLE: &str = "needle-hunter2-correct-horse";

/// The files of an operator.
pub(crate) struct Operator {
    dir: TempDir,
    url: FleetUrl,
}

impl Operator {
    pub(crate) fn new(url: &FleetUrl) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), url: url.clone() }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a key in a file of this name.
    pub(crate) fn create(&self, name: &str) -> KeyId {
        self.try_create(name, false).unwrap().id
    }

    pub(crate) fn try_create(
        &self,
        name: &str,
        replaces_hash_key: bool,
    ) -> Result<NewKey, zerver_fleet::FleetError> {
        create_key(&self.url, &self.file(name), &self.file("hash"), replaces_hash_key)
    }

    pub(crate) fn hash_key(&self) -> HashKey {
        read_hash_key(&self.file("hash")).unwrap()
    }

    /// Opens a recorder that seals for the fleet.
    pub(crate) fn recorder(&self, dir: &TempDir) -> Recorder {
        let hash_key = Some(self.hash_key());
        let options = RecorderOptions { max_age: None, hash_key, ..RecorderOptions::new(dir.path()) };
        Recorder::open(options).unwrap()
    }

    /// Records a request in a process of its own, and ships it.
    pub(crate) fn ship(&self, dir: &TempDir, n: u64) {
        let service = self.recorder(dir);
        service.sink().accept(Box::new(secret_capture(n)));
        let shipping = Shipping::start(&service, &self.url, "pod");
        service.close();
        assert_eq!(shipping.shipper.stop(PATIENCE).waiting, 0);
    }

    /// Returns a reader that has the private keys in a file.
    pub(crate) fn reader(&self, name: &str) -> Reader {
        reader(&with_key(&format!("{}&keyfile={}", self.url, self.file(name).display())))
    }

    /// Returns a reader with a command that unwraps keys.
    pub(crate) fn reader_with_command(&self, command: &str) -> Reader {
        let text = self.url.to_string();
        let url = FleetUrl::parse_with(&text, &|name| match name {
            "ZERVER_FLEET_UNWRAP_COMMAND" => Some(command.to_owned()),
            "AWS_ACCESS_KEY_ID" => Some(zerver_local_server::S3::KEY.to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some(zerver_local_server::S3::SECRET.to_owned()),
            _ => None,
        });
        reader(&url.unwrap())
    }
}

/// Returns a request with a secret.
pub(crate) fn secret_capture(n: u64) -> Capture {
    let mut request = capture(n);
    // The first slot is secret.
    request.events.push(Event::SlotWritten { step: 0, slot: 0, at_ns: 21, value: datum(NEEDLE) });
    request
}

pub(crate) fn load(reader: &Reader, n: u64) -> Trace {
    reader.load(id(n)).unwrap().unwrap()
}

/// Returns the secret of a request as it is sealed.
pub(crate) fn sealed(trace: &Trace) -> &Recorded {
    let Some(Event::SlotWritten { value, .. }) = trace.events.last() else { panic!("{trace:?}") };
    value
}

/// Reads the secret of a request, or the reason why that is not possible.
pub(crate) fn secret(reader: &Reader, n: u64) -> Result<(), String> {
    let trace = load(reader, n);
    assert!(!format!("{trace:?}").contains("needle"));
    let opened = reader.open_secrets(&trace).map_err(|error| error.to_string())?;
    assert!(format!("{opened:?}").contains(NEEDLE), "{opened:?}");
    let open = reader.unseal(&trace, sealed(&trace)).map_err(|error| error.to_string())?;
    assert!(format!("{open:?}").contains(NEEDLE), "{open:?}");
    Ok(())
}

//! The demo store, whose contents are known, unpacked into a temporary folder.

use serde_json::Value as Json;

use crate::harness::{Place, Ran};

/// The demo store.
pub(crate) struct DemoStore {
    pub(crate) place: Place,
    /// Its folder.
    pub(crate) dir: String,
}

impl DemoStore {
    pub(crate) fn unpack() -> Self {
        let place = Place::new();
        let dir = place.path().join("demo").to_str().unwrap().to_owned();
        let ran = place.zerver(&["demo", "--dir", &dir]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        Self { place, dir }
    }

    /// Runs a command on the store.
    pub(crate) fn zerver(&self, arguments: &[&str]) -> Ran {
        self.place.zerver(&[&["--store", &self.dir], arguments].concat())
    }

    /// Returns the document of a command that must succeed.
    pub(crate) fn json(&self, arguments: &[&str]) -> Json {
        let ran = self.zerver(&[arguments, &["--json"]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        serde_json::from_str(&ran.out).unwrap()
    }

    /// Returns the output of a command that must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.zerver(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        ran.out
    }

    /// Returns the number of requests that a query selects.
    pub(crate) fn count(&self, query: &[&str]) -> u64 {
        self.json(&[&["ls", "--count"], query].concat())["count"].as_u64().unwrap()
    }

    /// Returns a path beside the store.
    pub(crate) fn file(&self, name: &str) -> String {
        self.place.path().join(name).to_str().unwrap().to_owned()
    }
}

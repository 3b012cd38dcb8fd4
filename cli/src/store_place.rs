//! Where a store is: a folder of this machine, or a fleet.

use std::fmt;
use std::path::{Path, PathBuf};

use zerver_fleet::{FleetBlocks, FleetUrl};
use zerver_recorder::{ReadError, Reader};

use crate::error::CommandError;
use crate::paths;

/// Where a store is. Displayed without a password.
#[derive(Debug, Clone)]
pub(crate) enum StorePlace {
    /// A folder, as `--store` or the nearest `.zerver` names it.
    Folder(PathBuf),
    /// A fleet, in a database or a bucket.
    Fleet(Box<FleetUrl>),
}

impl StorePlace {
    /// Returns the place that a user named.
    pub(crate) fn named(name: &Path) -> Result<Self, CommandError> {
        match name.to_str().filter(|text| FleetUrl::is_url(text)) {
            Some(text) => text
                .parse()
                .map(|url| Self::Fleet(Box::new(url)))
                .map_err(|error| CommandError::new("cannot use the URL of --store").caused_by(&error)),
            None => Ok(Self::Folder(name.to_owned())),
        }
    }

    /// Returns the folder, if it is one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(dir) => Some(dir),
            Self::Fleet(_) => None,
        }
    }

    /// Returns the URL, if it is a fleet.
    pub(crate) fn fleet(&self) -> Option<&FleetUrl> {
        match self {
            Self::Folder(_) => None,
            Self::Fleet(url) => Some(url),
        }
    }

    /// Opens the store for reading.
    pub(crate) fn open(&self) -> Result<Reader, ReadError> {
        match self {
            Self::Folder(dir) => Reader::open(dir),
            Self::Fleet(url) => Ok(Reader::of(Box::new(FleetBlocks::open(url)?))),
        }
    }
}

impl Default for StorePlace {
    fn default() -> Self {
        Self::Folder(PathBuf::new())
    }
}

impl From<PathBuf> for StorePlace {
    fn from(dir: PathBuf) -> Self {
        Self::Folder(dir)
    }
}

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(dir) => f.write_str(&paths::display(dir)),
            Self::Fleet(url) => f.write_str(&zerver_trace::text::clean(&url.to_string())),
        }
    }
}

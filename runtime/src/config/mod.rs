//! What of a service can be set, and where that is said: by the program (the methods of `App`), above that by
//! `zerver.toml` (`file`), above that by the environment. `key` has the names, `field` reads and shows their values.

mod field;
mod file;
mod key;
mod layers;

use std::time::Duration;

use zerver_engine::SchedulingSettings;

pub(crate) use field::{MASK, STORE};
pub(crate) use key::variables;
pub(crate) use layers::{Layers, Loaded};

use crate::schedule::Rule;
use crate::{Limits, Recording};

/// All that can be set.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) addr: String,
    pub(crate) hosts: Vec<String>,
    pub(crate) workers: Option<usize>,
    pub(crate) batch_workers: Option<usize>,
    pub(crate) scheduling: SchedulingSettings,
    pub(crate) rules: Vec<Rule>,
    pub(crate) deadline: Duration,
    pub(crate) stuck_after: Duration,
    pub(crate) limits: Limits,
    pub(crate) health: Option<String>,
    pub(crate) metrics: Metrics,
    pub(crate) recording: Recording,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addr: "127.0.0.1:3000".to_owned(),
            hosts: Vec::new(),
            workers: None,
            batch_workers: None,
            scheduling: SchedulingSettings::default(),
            rules: Vec::new(),
            deadline: Duration::from_secs(30),
            stuck_after: Duration::from_secs(1),
            limits: Limits::default(),
            health: Some("/healthz".to_owned()),
            metrics: Metrics { path: Some("/metrics".to_owned()), remote: false },
            recording: Recording::default(),
        }
    }
}

/// Where metrics are told, and to whom.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) path: Option<String>,
    /// Also to other machines.
    pub(crate) remote: bool,
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

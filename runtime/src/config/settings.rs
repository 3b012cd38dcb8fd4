//! All settings of a service and their defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use zerver_engine::SchedulingSettings;

use super::fleet::Fleet;
use super::{
    ChaosSettings, Compression, Cors, Csrf, Egress, Idempotency, Limits, Proxies, Recording, SecurityHeaders,
};
use crate::scheduler::{ClassRule, TargetSettings};

/// All settings of a service.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) addr: String,
    pub(crate) hosts: Vec<String>,
    pub(crate) workers: Option<usize>,
    pub(crate) batch_workers: Option<usize>,
    pub(crate) scheduling: SchedulingSettings,
    pub(crate) rules: Vec<ClassRule>,
    pub(crate) deadline: Duration,
    pub(crate) stuck_after: Duration,
    pub(crate) limits: Limits,
    pub(crate) targets: TargetSettings,
    pub(crate) egress: Egress,
    pub(crate) idempotency: Idempotency,
    pub(crate) compression: Compression,
    pub(crate) proxies: Proxies,
    pub(crate) tls: TlsFiles,
    pub(crate) cors: Cors,
    pub(crate) csrf: Csrf,
    pub(crate) security_headers: SecurityHeaders,
    pub(crate) health: Option<String>,
    pub(crate) metrics: MetricsEndpoint,
    /// Path of the catalog.
    pub(crate) catalog: Option<String>,
    /// Path of the OpenAPI document.
    pub(crate) openapi: Option<String>,
    pub(crate) recording: Recording,
    pub(crate) fleet: Fleet,
    pub(crate) chaos: ChaosSettings,
    /// Servers that `zerver dev` starts, by the variables with their URLs. The service itself does not use them.
    pub(crate) dev_servers: BTreeMap<String, String>,
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
            targets: TargetSettings::default(),
            egress: Egress::default(),
            idempotency: Idempotency::default(),
            compression: Compression::default(),
            proxies: Proxies::default(),
            tls: TlsFiles::default(),
            cors: Cors::default(),
            csrf: Csrf::default(),
            security_headers: SecurityHeaders::default(),
            health: Some("/healthz".to_owned()),
            metrics: MetricsEndpoint {
                path: cfg!(feature = "metrics").then(|| "/metrics".to_owned()),
                remote: false,
            },
            catalog: Some("/_zerver/catalog".to_owned()),
            openapi: None,
            recording: Recording::default(),
            fleet: Fleet::default(),
            chaos: ChaosSettings::default(),
            dev_servers: BTreeMap::new(),
        }
    }
}

/// Files for TLS. Each certificate has its key at the same position. Without any, the service does not use TLS.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsFiles {
    pub(crate) cert: Vec<PathBuf>,
    pub(crate) key: Vec<PathBuf>,
}

/// Settings of the metrics endpoint.
#[derive(Debug, Clone)]
pub(crate) struct MetricsEndpoint {
    pub(crate) path: Option<String>,
    /// True if clients on other machines may read the metrics.
    pub(crate) remote: bool,
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

//! Settings that interpreters apply, above all those of connections to other systems.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::config::{Config, EgressRules, Idempotency};

/// Settings for connections to other systems. An interpreter that opens connections gets it with
/// [`Interpreter::configure`](super::Interpreter::configure), and again whenever the settings change.
#[derive(Debug, Clone, Default)]
pub struct Outbound {
    rules: EgressRules,
    /// Hosts that receive the baggage of requests.
    baggage: EgressRules,
    connect_timeout: Option<Duration>,
    /// Time limits of targets that have one of their own.
    connect_timeouts: BTreeMap<String, Option<Duration>>,
    idempotency: Idempotency,
}

impl Outbound {
    pub(crate) fn new(config: &Config) -> Self {
        let connect_timeouts = config.targets.named.iter();
        Self {
            rules: EgressRules::new(&config.egress),
            baggage: EgressRules::of_hosts(&config.egress.baggage),
            connect_timeout: config.targets.default.connect_timeout,
            connect_timeouts: connect_timeouts
                .map(|(target, policy)| (target.clone(), policy.connect_timeout))
                .collect(),
            idempotency: config.idempotency,
        }
    }

    /// Returns true if the service may connect to any address.
    pub fn is_open(&self) -> bool {
        self.rules.is_open()
    }

    /// Returns true if the service may connect to this host at this address. The address must be the one that is
    /// connected to, not an earlier answer of a name server. The host is in lower case.
    pub fn allows(&self, host: &str, port: u16, address: IpAddr) -> bool {
        self.rules.allows(host, port, address)
    }

    /// Returns true if the service may not connect to this host, whatever its address is.
    pub fn refuses_host(&self, host: &str, port: u16) -> bool {
        self.rules.refuses_host(host, port)
    }

    /// Returns true if this host may receive the `baggage` of requests. The host is in lower case.
    pub fn passes_baggage(&self, host: &str, port: u16) -> bool {
        self.baggage.lists(host, port)
    }

    pub(crate) const fn idempotency(&self) -> &Idempotency {
        &self.idempotency
    }

    /// Returns the time limit for a new connection to a target, if the settings contain one.
    pub fn connect_timeout(&self, target: &str) -> Option<Duration> {
        self.connect_timeouts.get(target).copied().unwrap_or(self.connect_timeout)
    }
}

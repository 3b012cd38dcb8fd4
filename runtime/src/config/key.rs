//! Names of all settings.

use zerver_engine::Class;

use super::field::Field;
use super::list_syntax::Wildcard;
use super::settings::Config;
use super::target_keys::{self, DEFAULT};

/// Name of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// True if the value can change while the service runs.
    pub(super) is_reloadable: bool,
}

const fn fixed(name: &'static str) -> Key {
    Key { name, is_reloadable: false }
}

const fn reloadable(name: &'static str) -> Key {
    Key { name, is_reloadable: true }
}

/// Key of the list of rules, which has no [`Field`].
pub(super) const RULES: Key = reloadable("rules");

pub(super) const KEYS: &[Key] = &[
    fixed("address"),
    fixed("hosts"),
    fixed("workers"),
    reloadable("deadline"),
    fixed("stuck_after"),
    reloadable("interactive.quantum"),
    reloadable("interactive.queue"),
    reloadable("interactive.target"),
    reloadable("interactive.interval"),
    reloadable("interactive.share"),
    reloadable("default.quantum"),
    reloadable("default.queue"),
    reloadable("default.target"),
    reloadable("default.interval"),
    reloadable("default.share"),
    fixed("batch.workers"),
    reloadable("batch.quantum"),
    reloadable("batch.queue"),
    reloadable("batch.target"),
    reloadable("batch.interval"),
    reloadable("batch.share"),
    reloadable("overruns.times"),
    reloadable("overruns.of"),
    reloadable("probation"),
    fixed("limits.target_bytes"),
    fixed("limits.header_bytes"),
    fixed("limits.body_bytes"),
    fixed("limits.head"),
    fixed("limits.keep_alive"),
    fixed("limits.body"),
    fixed("limits.body_stall"),
    fixed("limits.write_stall"),
    fixed("limits.write"),
    fixed("limits.drain"),
    fixed("limits.connections"),
    fixed("limits.effects"),
    reloadable("limits.effects_per_target"),
    reloadable("limits.effects_per_kind"),
    fixed("limits.streams"),
    reloadable("targets.default.timeout"),
    reloadable("targets.default.connect_timeout"),
    reloadable("targets.default.attempts"),
    reloadable("targets.default.pause"),
    reloadable("targets.default.retry_after_max"),
    reloadable("targets.default.retry_budget"),
    reloadable("targets.default.failures"),
    reloadable("targets.default.failing_for"),
    reloadable("targets.default.failure_rate"),
    reloadable("targets.default.open"),
    reloadable("targets.default.open_max"),
    reloadable("targets.default.places"),
    reloadable("targets.default.rate"),
    reloadable("targets.default.burst"),
    reloadable("egress.allow"),
    reloadable("egress.private"),
    fixed("egress.baggage"),
    reloadable("idempotency.keep"),
    reloadable("idempotency.lease"),
    reloadable("idempotency.store"),
    fixed("proxy.trusted"),
    fixed("proxy.forwarded"),
    fixed("proxy.protocol"),
    fixed("compression.responses"),
    fixed("compression.requests"),
    fixed("compression.min_bytes"),
    fixed("tls.cert"),
    fixed("tls.key"),
    fixed("cors.origins"),
    fixed("cors.headers"),
    fixed("cors.expose"),
    fixed("cors.credentials"),
    fixed("cors.max_age"),
    fixed("csrf.protect"),
    fixed("csrf.trusted"),
    fixed("security_headers.add"),
    fixed("security_headers.hsts"),
    fixed("security_headers.policy"),
    fixed("health.path"),
    fixed("metrics.path"),
    fixed("metrics.remote"),
    fixed("catalog.path"),
    fixed("openapi.path"),
    reloadable("recording.keep"),
    fixed("recording.store"),
    reloadable("recording.sample"),
    reloadable("recording.slow_quantile"),
    reloadable("recording.slow_after"),
    reloadable("recording.max_per_second"),
    fixed("recording.max_age"),
    fixed("recording.max_bytes"),
    fixed("recording.queue"),
    fixed("recording.queue_bytes"),
    fixed("recording.body_bytes"),
    fixed("recording.token"),
    fixed("recording.secrets"),
    fixed("recording.clear_headers"),
    fixed("fleet.store"),
    fixed("fleet.every"),
    fixed("fleet.hash_key"),
    fixed("fleet.max_per_second"),
    fixed("fleet.required"),
    fixed("chaos.rules"),
    fixed("chaos.seed"),
    fixed("chaos.allow_outside_dev"),
    fixed("dev.servers"),
];

/// Returns each environment variable twice: under its own name, and under the long name that is derived from its key.
/// The second element is always its own name.
pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
    let names = |key: &Key| [(key.variable(), key.variable()), (key.long_variable(), key.variable())];
    KEYS.iter().flat_map(names)
}

impl Key {
    pub(super) fn named(name: &str) -> Option<Self> {
        KEYS.iter().find(|key| key.name == name).copied()
    }

    /// Name of the environment variable with the value.
    pub(super) fn variable(self) -> String {
        match self.name {
            "address" => "ZERVER_ADDR".to_owned(),
            "recording.keep" => "ZERVER_RECORD".to_owned(),
            "recording.store" => "ZERVER_STORE".to_owned(),
            "recording.token" => "ZERVER_RECORD_TOKEN".to_owned(),
            _ => self.long_variable(),
        }
    }

    fn long_variable(self) -> String {
        format!("ZERVER_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// Returns the Cargo feature that the setting needs, if the program is built without it.
    pub(super) fn missing_feature(self) -> Option<&'static str> {
        let section = self.name.split_once('.').map_or("", |(section, _)| section);
        let features = [
            ("fleet", cfg!(feature = "fleet")),
            ("compression", cfg!(feature = "compression")),
            ("metrics", cfg!(feature = "metrics")),
            ("tls", cfg!(feature = "tls")),
        ];
        features
            .into_iter()
            .find(|(feature, is_built)| *feature == section && !is_built)
            .map(|(feature, _)| feature)
    }

    /// Returns the field of `config` with the value.
    pub(super) fn field(self, config: &mut Config) -> Field<'_> {
        let Config {
            scheduling,
            limits,
            recording,
            fleet,
            targets,
            egress,
            idempotency,
            cors,
            csrf,
            security_headers,
            tls,
            chaos,
            dev_servers,
            ..
        } = config;
        if let Some(name) = self.name.strip_prefix(DEFAULT) {
            return target_keys::field(name, &mut targets.default);
        }
        match self.name {
            "address" => Field::Address(&mut config.addr),
            "hosts" => Field::Hosts(&mut config.hosts),
            "workers" => Field::Threads(&mut config.workers, 1),
            "batch.workers" => Field::Threads(&mut config.batch_workers, 0),
            "deadline" => Field::Time(&mut config.deadline),
            "stuck_after" => Field::Time(&mut config.stuck_after),
            "overruns.times" => Field::Count32(&mut scheduling.overruns.times),
            "overruns.of" => Field::Count64(&mut scheduling.overruns.of),
            "probation" => Field::Ns(&mut scheduling.probation_ns),
            "limits.target_bytes" => Field::Size(&mut limits.target_bytes),
            "limits.header_bytes" => Field::Size(&mut limits.header_bytes),
            "limits.body_bytes" => Field::Size(&mut limits.body_bytes),
            "limits.head" => Field::Time(&mut limits.head),
            "limits.keep_alive" => Field::Time(&mut limits.keep_alive),
            "limits.body" => Field::Time(&mut limits.body),
            "limits.body_stall" => Field::Time(&mut limits.body_stall),
            "limits.write_stall" => Field::Time(&mut limits.write_stall),
            "limits.write" => Field::Time(&mut limits.write),
            "limits.drain" => Field::Time(&mut limits.drain),
            "limits.connections" => Field::Count(&mut limits.connections),
            "limits.effects" => Field::Count(&mut limits.effects),
            "limits.effects_per_target" => Field::Max(&mut limits.effects_per_target),
            "limits.effects_per_kind" => Field::MaxPerName(&mut limits.effects_per_kind),
            "limits.streams" => Field::Count32(&mut limits.streams),
            "egress.allow" => Field::Destinations(&mut egress.allow),
            "idempotency.keep" => Field::Time(&mut idempotency.keep),
            "idempotency.lease" => Field::Time(&mut idempotency.lease),
            "idempotency.store" => Field::KeyStore(&mut idempotency.store),
            "egress.baggage" => Field::Destinations(&mut egress.baggage),
            "egress.private" => Field::Flag(&mut egress.private),
            "proxy.trusted" => Field::Destinations(&mut config.proxies.trusted),
            "proxy.forwarded" => Field::Flag(&mut config.proxies.forwarded),
            "proxy.protocol" => Field::Flag(&mut config.proxies.protocol),
            "compression.responses" => Field::Flag(&mut config.compression.responses),
            "compression.requests" => Field::Flag(&mut config.compression.requests),
            "compression.min_bytes" => Field::Size(&mut config.compression.min_bytes),
            "tls.cert" => Field::Files(&mut tls.cert),
            "tls.key" => Field::Files(&mut tls.key),
            "cors.origins" => Field::Origins(&mut cors.origins, Wildcard::Allowed),
            "cors.headers" => Field::HeaderNames(&mut cors.headers, Wildcard::Allowed),
            "cors.expose" => Field::HeaderNames(&mut cors.expose, Wildcard::Refused),
            "cors.credentials" => Field::Flag(&mut cors.credentials),
            "cors.max_age" => Field::Time(&mut cors.max_age),
            "csrf.protect" => Field::Flag(&mut csrf.protect),
            "csrf.trusted" => Field::Origins(&mut csrf.trusted, Wildcard::Refused),
            "security_headers.add" => Field::Flag(&mut security_headers.add),
            "security_headers.hsts" => Field::OptionalTime(&mut security_headers.hsts),
            "security_headers.policy" => Field::HeaderText(&mut security_headers.policy),
            "health.path" => Field::Path(&mut config.health),
            "metrics.path" => Field::Path(&mut config.metrics.path),
            "metrics.remote" => Field::Flag(&mut config.metrics.remote),
            "catalog.path" => Field::Path(&mut config.catalog),
            "openapi.path" => Field::Path(&mut config.openapi),
            "recording.keep" => Field::Keep(&mut recording.keep),
            "recording.store" => Field::Directory(&mut recording.store),
            "recording.sample" => Field::Fraction(&mut recording.sample),
            "recording.slow_quantile" => Field::Fraction(&mut recording.slow_quantile),
            "recording.slow_after" => Field::Count32(&mut recording.slow_after),
            "recording.max_per_second" => Field::Count32(&mut recording.max_per_second),
            "recording.max_age" => Field::OptionalTime(&mut recording.max_age),
            "recording.max_bytes" => Field::OptionalSize(&mut recording.max_bytes),
            "recording.queue" => Field::Count(&mut recording.queue),
            "recording.queue_bytes" => Field::Size(&mut recording.queue_bytes),
            "recording.body_bytes" => Field::Size(&mut recording.body_bytes),
            "recording.token" => Field::Secret(&mut recording.token),
            "recording.secrets" => Field::Names(&mut recording.secrets),
            "recording.clear_headers" => Field::HeaderNames(&mut recording.clear_headers, Wildcard::Refused),
            "fleet.store" => Field::Secret(&mut fleet.store),
            "fleet.every" => Field::Time(&mut fleet.every),
            "fleet.hash_key" => Field::File(&mut fleet.hash_key),
            "fleet.max_per_second" => Field::Count32(&mut fleet.max_per_second),
            "fleet.required" => Field::Flag(&mut fleet.required),
            "dev.servers" => Field::DevServers(dev_servers),
            "chaos.rules" => Field::ChaosRules(&mut chaos.rules),
            "chaos.seed" => Field::Seed(&mut chaos.seed),
            "chaos.allow_outside_dev" => Field::Flag(&mut chaos.allow_outside_dev),
            name => {
                let (class, name) = name.split_once('.').unwrap_or_default();
                let class = scheduling.class_mut(class.parse().unwrap_or(Class::Default));
                match name {
                    "quantum" => Field::Ns(&mut class.quantum_ns),
                    "queue" => Field::Count(&mut class.queue),
                    "target" => Field::Ns(&mut class.target_ns),
                    "interval" => Field::Ns(&mut class.interval_ns),
                    _ => Field::Share(&mut class.share),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::field::RawValue;
    use super::*;

    #[test]
    fn each_key_has_a_separate_value_that_can_be_parsed_back() {
        let mut seen = BTreeSet::new();
        let mut config = Config::default();
        for key in KEYS {
            assert!(
                seen.insert(key.field(&mut config).address()),
                "{} shares its value with another key",
                key.name
            );
            let shown = key.field(&mut config).show();
            if let Some(raw) = RawValue::from_json(&shown) {
                key.field(&mut config)
                    .set(&raw)
                    .unwrap_or_else(|requirement| panic!("{}: {requirement}", key.name));
                assert_eq!(key.field(&mut config).show(), shown, "{}", key.name);
            }
            assert_eq!(Key::named(key.name), Some(*key));
        }
    }

    #[test]
    fn variables_are_named_after_keys() {
        let variable = |name| Key::named(name).unwrap().variable();
        assert_eq!(variable("interactive.quantum"), "ZERVER_INTERACTIVE_QUANTUM");
        assert_eq!(variable("batch.workers"), "ZERVER_BATCH_WORKERS");
        assert_eq!(variable("address"), "ZERVER_ADDR");
    }
}

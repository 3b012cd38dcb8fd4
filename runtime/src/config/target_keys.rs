//! Settings of the policy of one target: `[targets.default]`, and one section for each target that differs.

use zerver_engine::TargetPolicy;

use super::field::Field;

/// Prefix of the keys of all targets.
pub(super) const TARGETS: &str = "targets.";

/// Prefix of the keys of targets without a section of their own.
pub(super) const DEFAULT: &str = "targets.default.";

/// Names of the settings of a target.
pub(super) const TARGET_KEYS: [&str; 14] = [
    "timeout",
    "connect_timeout",
    "attempts",
    "pause",
    "retry_after_max",
    "retry_budget",
    "failures",
    "failing_for",
    "failure_rate",
    "open",
    "open_max",
    "places",
    "rate",
    "burst",
];

/// Returns the field of a policy with the value of a setting. The name is one of [`TARGET_KEYS`].
pub(super) fn field<'c>(name: &str, policy: &'c mut TargetPolicy) -> Field<'c> {
    match name {
        "timeout" => Field::OptionalTime(&mut policy.timeout),
        "connect_timeout" => Field::OptionalTime(&mut policy.connect_timeout),
        "attempts" => Field::Count16(&mut policy.attempts),
        "pause" => Field::Time(&mut policy.pause),
        "retry_after_max" => Field::Time(&mut policy.retry_after_max),
        "retry_budget" => Field::Fraction(&mut policy.retry_budget),
        "failures" => Field::Max32(&mut policy.failures),
        "failing_for" => Field::Time(&mut policy.failing_for),
        "failure_rate" => Field::Fraction(&mut policy.failure_rate),
        "open" => Field::Time(&mut policy.open),
        "open_max" => Field::Time(&mut policy.open_max),
        "places" => Field::Places(&mut policy.places),
        "rate" => Field::Rate(&mut policy.rate),
        _ => Field::Count32(&mut policy.burst),
    }
}

/// Returns the full key of a setting of a target.
pub(super) fn full_key(target: &str, name: &str) -> String {
    format!("{TARGETS}\"{target}\".{name}")
}

/// Checks the name of a target, which must be written as effects write it, or its settings would never apply.
pub(super) fn check_name(target: &str) -> Result<(), &'static str> {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_ascii_uppercase() && !c.is_control() && c != '/';
    let lacks_port = target.contains('.') && !target.contains(':');
    match !target.is_empty() && target.chars().all(is_plain) && !lacks_port {
        true => Ok(()),
        false => Err("a host and port in lower case, such as \"rates.example.com:443\""),
    }
}

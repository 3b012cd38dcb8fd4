//! Messages to the operator of a service, as `tracing` events with the target `zerver`. Each message is cleaned of control
//! characters, and secrets in it are masked, before a subscriber sees it. This module does not print.

use std::sync::OnceLock;

use zerver_trace::secret::{Author, MASK, Rule};
use zerver_trace::text;

/// Target of the messages.
pub(crate) const TARGET: &str = "zerver";
/// Target of the report of a panic. The report has several lines and is printed as it is.
pub(crate) const PANIC_TARGET: &str = "zerver::panic";

/// Rule for secrets in messages.
static SECRETS: OnceLock<Rule> = OnceLock::new();

/// Sets the rule for secrets in messages. Until then, the built-in rule applies. Only the first call has an effect.
pub(crate) fn mask(secrets: Rule) {
    let _ = SECRETS.set(secrets);
}

/// Reports that something happened as intended.
pub(crate) fn info(message: &str) {
    tracing::info!(target: TARGET, "{}", safe(message));
}

/// Reports that something went wrong, and that the service continues.
pub(crate) fn warn(message: &str) {
    tracing::warn!(target: TARGET, "{}", safe(message));
}

/// Reports why the service ends.
pub(crate) fn error(message: &str) {
    tracing::error!(target: TARGET, "{}", safe(message));
}

/// Reports a panic. The lines must be [safe](safe) already.
pub(crate) fn panic(lines: &str) {
    tracing::error!(target: PANIC_TARGET, "{lines}");
}

/// Returns the text on one line, cleaned and masked.
pub(crate) fn safe(line: &str) -> String {
    let rule = SECRETS.get().cloned().unwrap_or_default();
    let masked = rule.masked(line, Author::Service, |_| MASK.to_owned());
    text::clean(masked.as_deref().unwrap_or(line)).into_owned()
}

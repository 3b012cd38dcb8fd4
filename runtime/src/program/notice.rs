//! What a running service says to the person who started it: on standard error, never on standard output; cleaned, and with
//! secrets masked.

use std::io::Write;
use std::sync::OnceLock;

use zerver_trace::secret::{Author, MASK, Rule};
use zerver_trace::text;

/// What counts as a secret in what is said.
static SECRETS: OnceLock<Rule> = OnceLock::new();

/// Has more masked than the built-in rule says. What was said first counts.
pub(crate) fn mask(secrets: Rule) {
    let _ = SECRETS.set(secrets);
}

/// Something went wrong and the service goes on.
pub(crate) fn warn(text: &str) {
    say(&format!("warning: {text}"));
}

/// Something went wrong and the service ends.
pub(crate) fn error(text: &str) {
    say(&format!("error: {text}"));
}

pub(crate) fn say(text: &str) {
    write(&safe(text));
}

/// The text on one line, cleaned and masked.
pub(crate) fn safe(line: &str) -> String {
    let rule = SECRETS.get().cloned().unwrap_or_default();
    let masked = rule.masked(line, Author::Service, |_| MASK.to_owned());
    text::clean(masked.as_deref().unwrap_or(line)).into_owned()
}

/// Lines that are safe already, in one piece, so that lines of two programs do not mix.
pub(crate) fn write(lines: &str) {
    // Nobody may be listening any more, which is no reason to stop.
    let _ = std::io::stderr().lock().write_all(format!("{lines}\n").as_bytes());
}

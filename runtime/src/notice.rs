//! What a running service says to the person who started it: on standard error, never on standard output.

use std::io::Write;

/// Something went wrong and the service goes on.
pub(crate) fn warn(text: &str) {
    say(&format!("warning: {text}"));
}

/// Something went wrong and the service ends.
pub(crate) fn error(text: &str) {
    say(&format!("error: {text}"));
}

pub(crate) fn say(text: &str) {
    // Nobody may be listening any more, which is no reason to stop.
    // In one piece, so that lines of two programs do not mix.
    let _ = std::io::stderr().lock().write_all(format!("{}\n", zerver_trace::text::clean(text)).as_bytes());
}

//! Colors by meaning.

use anstyle::{AnsiColor, Style};
use zerver_replay::Sameness;
use zerver_trace::is_client_error;

const fn fg(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(color)))
}

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const ID: Style = fg(AnsiColor::Magenta);
pub(crate) const GOOD: Style = fg(AnsiColor::Green);
pub(crate) const NOTED: Style = fg(AnsiColor::Cyan);
pub(crate) const WARN: Style = fg(AnsiColor::Yellow).bold();
pub(crate) const BAD: Style = fg(AnsiColor::Red).bold();
/// Error of a client, which the service refused as it should.
pub(crate) const CLIENT_ERROR: Style = fg(AnsiColor::Yellow);
pub(crate) const HINT: Style = fg(AnsiColor::Cyan).bold();
pub(crate) const CPU: Style = fg(AnsiColor::Green);
pub(crate) const WAIT: Style = fg(AnsiColor::Blue);

/// Returns the style of a comparison.
pub(crate) const fn sameness(sameness: Sameness) -> Style {
    match sameness {
        Sameness::Same => GOOD,
        Sameness::Different => BAD,
        Sameness::Incomplete => WARN,
    }
}

/// Returns the style of a status, by its class.
pub(crate) const fn status(status: u16) -> Style {
    match status {
        200..300 => GOOD,
        300..400 => NOTED,
        400..500 => CLIENT_ERROR,
        _ => BAD,
    }
}

/// Returns the style of a failure: calmer if the client was at fault.
pub(crate) const fn failure(status: u16) -> Style {
    if is_client_error(status) { CLIENT_ERROR } else { BAD }
}

//! What `dev` says, in words and to the terminal UI.

use std::path::Path;

use zerver_tui::State;

use super::event_loop::DRAIN;
use super::plan::Note;
use crate::locate::shown;
use crate::view::{paint, style};

/// What the terminal UI is told.
pub(super) fn state(note: &Note, addr: &str) -> Option<State> {
    match note {
        Note::Listening { .. } => Some(State::Serving(addr.to_owned())),
        Note::BuildFailed { serving } => Some(State::BuildFailed { is_serving: *serving }),
        Note::Ended { how, .. } => Some(State::Ended(how.clone())),
        Note::WaitingForChange | Note::Restarting | Note::Killing | Note::Stopping => None,
    }
}

/// What is said, with styles in it.
pub(super) fn text(note: &Note, addr: &str, store: &Path) -> String {
    match note {
        Note::Listening { is_first: true } => {
            format!("listening on {}\nrecording to {}", paint(style::STRONG, addr), shown(store))
        }
        Note::Listening { is_first: false } => {
            format!("listening on {} again", paint(style::STRONG, addr))
        }
        Note::BuildFailed { serving: true } => {
            format!("{} the last good build keeps serving", paint(style::BAD, "the build failed:"))
        }
        Note::BuildFailed { serving: false } => paint(style::BAD, "the build failed"),
        Note::Ended { how, was_ready } => {
            let when = if *was_ready { "" } else { " before it was ready" };
            paint(style::BAD, &format!("the service ended{when}: {how}"))
        }
        Note::WaitingForChange => "waiting for a change".to_owned(),
        Note::Restarting => "restarting".to_owned(),
        Note::Killing => {
            format!("the service had not finished after {} s, and is killed", DRAIN.as_secs())
        }
        Note::Stopping => "stopping; again to stop at once".to_owned(),
    }
}

//! Messages of `dev`: the text of each notice, and the state that the terminal UI shows for it.

use std::path::Path;

use zerver_tui::ServiceState;

use super::plan::{DRAIN_TIMEOUT, Notice};
use crate::paths;
use crate::view::{paint, style};

/// Returns the state to show in the terminal UI; `None` if it does not change.
pub(super) fn state(notice: &Notice, url: &str) -> Option<ServiceState> {
    match notice {
        Notice::Listening { .. } => Some(ServiceState::Serving(url.to_owned())),
        Notice::BuildFailed { is_serving } => Some(ServiceState::BuildFailed { is_serving: *is_serving }),
        Notice::Ended { how, .. } => Some(ServiceState::Ended(how.clone())),
        Notice::WaitingForChange | Notice::Restarting | Notice::Killing | Notice::Stopping => None,
    }
}

/// Returns the text to print, with styles. `web_url` signs in to the web UI.
pub(super) fn text(notice: &Notice, url: &str, store: &Path, web_url: Option<&str>) -> String {
    match notice {
        Notice::Listening { is_first: true } => {
            let web = web_url.map_or_else(String::new, |url| format!("\nweb UI on {url}"));
            format!("listening on {}\nrecording to {}{web}", paint(style::STRONG, url), paths::display(store))
        }
        Notice::Listening { is_first: false } => {
            format!("listening on {} again", paint(style::STRONG, url))
        }
        Notice::BuildFailed { is_serving: true } => {
            format!("{} the last good build keeps serving", paint(style::BAD, "build failed:"))
        }
        Notice::BuildFailed { is_serving: false } => paint(style::BAD, "build failed"),
        Notice::Ended { how, was_ready } => {
            let when = if *was_ready { "" } else { " before it was ready" };
            paint(style::BAD, &format!("the service ended{when}: {how}"))
        }
        Notice::WaitingForChange => "waiting for a change".to_owned(),
        Notice::Restarting => "restarting".to_owned(),
        Notice::Killing => {
            format!("killing the service: it did not finish within {} s", DRAIN_TIMEOUT.as_secs())
        }
        Notice::Stopping => "stopping; repeat to stop at once".to_owned(),
    }
}

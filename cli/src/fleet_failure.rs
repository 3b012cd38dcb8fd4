//! Errors of a fleet, as those of commands.

use zerver_fleet::{FleetError, FleetUrl};
use zerver_trace::text::clean;

use crate::error::CommandError;

/// Returns the error of a command on a fleet.
pub(crate) fn failed(url: &FleetUrl, action: &str, error: &FleetError) -> CommandError {
    let shown = CommandError::new(format!("cannot {action} the fleet at {}", clean(&url.to_string())));
    let shown = shown.with_cause(clean(&error.reason));
    error.hint.iter().fold(shown, |shown, hint| shown.with_hint(clean(hint)))
}

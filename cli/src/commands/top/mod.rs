//! `zerver top`: live metrics of a running service.

use std::thread;
use std::time::Duration;

use zerver_replay::ServiceMetrics;

use crate::args::Top;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::service::metrics::fetch;
use crate::view;

/// Time between two refreshes, over which rates are computed.
const INTERVAL: Duration = Duration::from_secs(1);
pub(super) fn run(args: &Top, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    if args.once || output.is_json || !output.is_terminal() {
        let now = fetch(&args.addr, &args.path)?;
        if output.is_json {
            output.json(&now)?;
        } else {
            output.print(&view::top::measures(&now, &ServiceMetrics::default(), output.columns()))?;
        }
        return Ok(CommandOutcome::Success);
    }
    let mut before = ServiceMetrics::default();
    let mut last_text: Option<String> = None;
    loop {
        let text = match (fetch(&args.addr, &args.path), &last_text) {
            (Ok(now), _) => {
                // A restarted service counts from zero.
                let since =
                    if before.uptime_ns < now.uptime_ns { &before } else { &ServiceMetrics::default() };
                let text = view::top::measures(&now, since, output.columns());
                (before, last_text) = (now, Some(text.clone()));
                text
            }
            // It may come back.
            (Err(error), Some(last_text)) => view::top::stale(&error.one_line(), last_text),
            (Err(error), None) => return Err(error),
        };
        output.redraw(&text)?;
        thread::sleep(INTERVAL);
    }
}

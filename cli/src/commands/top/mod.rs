//! `zerver top`: live metrics of a running service.

mod keys;
mod page;

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use zerver_replay::ServiceMetrics;

use self::keys::{TopKey, TopKeys};
use self::page::Page;
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
            let none = ServiceMetrics::default();
            output.print(&view::top::measures(&now, &none, args.sort, output.columns()))?;
        }
        return Ok(CommandOutcome::Success);
    }
    // The first error is reported before the terminal changes.
    let mut now = fetch(&args.addr, &args.path)?;
    let mut before = ServiceMetrics::default();
    let mut failure: Option<String> = None;
    let mut order = args.sort;
    let mut page = Page::default();
    let input = TopKeys::open()?;
    loop {
        let next_fetch = Instant::now() + INTERVAL;
        loop {
            let text = view::top::measures(&now, &before, order, output.columns());
            let text = match &failure {
                // It may come back.
                Some(why) => view::top::stale(why, &text),
                None => text,
            };
            // The first row stays.
            let shown = page.of(&text, output.rows().saturating_sub(1));
            let head = view::top::keys(order, page.position());
            output.redraw(&(head + &shown))?;
            match input.keys.recv_timeout(next_fetch.saturating_duration_since(Instant::now())) {
                Ok(TopKey::Quit) => return Ok(CommandOutcome::Success),
                Ok(TopKey::NextOrder) => order = order.next(),
                Ok(TopKey::Scroll(scroll)) => page.scroll(scroll),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        match fetch(&args.addr, &args.path) {
            Ok(newer) => {
                // A restarted service counts from zero.
                before = if now.uptime_ns < newer.uptime_ns { now } else { ServiceMetrics::default() };
                (now, failure) = (newer, None);
            }
            Err(error) => failure = Some(error.one_line()),
        }
    }
}

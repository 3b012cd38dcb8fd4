//! Signals that end `dev`.

use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::CommandError;

/// Calls `signaled` on another thread for each signal that ends us, until it returns false.
pub(super) fn forward(signaled: impl Fn() -> bool + Send + 'static) -> Result<(), CommandError> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| CommandError::new("cannot listen for signals").caused_by(&error))?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if !signaled() {
                return;
            }
        }
    });
    Ok(())
}

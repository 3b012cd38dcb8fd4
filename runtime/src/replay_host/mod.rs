//! A service as the host of replays.

pub(crate) mod host;
mod live_performer;
mod virtual_timers;

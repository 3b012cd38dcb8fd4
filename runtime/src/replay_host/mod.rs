//! Replays inside the program of a service, which hosts them for `zerver`.

pub(crate) mod host;
mod live_performer;
mod virtual_timers;

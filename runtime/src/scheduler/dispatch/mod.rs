//! The path of one request through the scheduler: where it runs, where it moves, and when it is shed.

pub(super) mod dispatcher;
pub(super) mod placement;
pub(super) mod run_here;
pub(super) mod run_stolen;
pub(super) mod shedding;
pub(super) mod stealable_request;

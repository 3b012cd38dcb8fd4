//! Sessions of browsers: a signed cookie names the session, and its data are in a store.

mod data;
mod keys;
mod operation;
mod steps;

pub use data::{NewSession, SessionData, SessionId, end, log_in, removal, update};
pub use keys::SessionKeys;
pub use operation::{Answer, Op, SessionProblem};
pub use steps::{RequireSession, SessionIfAny};

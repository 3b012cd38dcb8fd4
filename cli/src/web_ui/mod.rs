//! The web UI over a store: its socket, and what its pages need from outside.

mod services;
mod socket;

pub(crate) use self::services::services;
pub(crate) use self::socket::{listen, start};

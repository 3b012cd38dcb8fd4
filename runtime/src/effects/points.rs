//! Names of the points that the interpreters of zerver report; see [`report_point`](super::report_point).

pub use super::effect_points::{CONNECTED, CONNECTION, FIRST_BYTE, FIRST_ROW, PREPARED, SENT};

//! Converts the values of [zerver's SQL effects](zerver::effects::sql) to and from those of PostgreSQL. Its drivers share
//! this crate, so that a recording does not depend on the one that performed a statement. Services have no use for it.

#![warn(missing_debug_implementations)]

mod binary_parameter;
mod cell;
pub mod done_table;
mod numeric;
mod parameter;

pub use binary_parameter::to_binary;
pub use cell::RawCell;
pub use parameter::{Parameter, check_count, parameters};
pub use postgres_types::{Kind, Type};

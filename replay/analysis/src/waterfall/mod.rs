//! The waterfall of a request, as data: rows with the uses of their time, and the moments at which something happened.

mod moment_text;
mod moments;
mod row_state;
mod rows;

pub use moment_text::describe_moment;
pub use moments::{Moment, MomentKind, Moments, SlotSnapshot, slots_at};
pub use row_state::RowState;
pub use rows::{RowSubject, TimeUse, WaterfallRow, failing_run, time_uses, waterfall_rows};

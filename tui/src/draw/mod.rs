//! Drawing primitives for the views. All of them clip: nothing is drawn outside the given area.

mod area_split;
mod borders;
mod pen;
mod scroll;
mod sparkline;
mod styled_line;
mod text_width;
mod wrapping;

pub(crate) use area_split::{VerticalSplit, split_columns};
pub(crate) use borders::{border, scrollbar, titled_rule, vertical_line};
pub(crate) use pen::Pen;
pub(crate) use scroll::{MouseHit, Scroll};
pub(crate) use sparkline::{sparkline, sparkline_to};
pub(crate) use styled_line::{StyledLine, Tone};
pub(crate) use text_width::fit_end;
pub use text_width::{fit, prefix, side_by_side, width};
pub(crate) use wrapping::{MAX_WRAPPED, wrapped, wrapped_chars};

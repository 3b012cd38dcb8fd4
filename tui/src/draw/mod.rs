//! What views draw with. Everything clips: no text and no rectangle can reach beyond its area.

mod columns;
mod frame;
mod line;
mod pen;
mod scroll;
mod spark;
mod stack;

pub(crate) use columns::clusters;
pub use columns::{fit, prefix, side_by_side, width};
pub(crate) use frame::{frame, rule, thumb, wall};
pub(crate) use line::{Line, Tone};
pub(crate) use pen::Pen;
pub(crate) use scroll::{Pointed, Scroll};
pub(crate) use spark::{spark, spark_to};
pub(crate) use stack::{Stack, beside};

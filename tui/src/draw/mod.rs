//! What views draw with. Everything clips: no text and no rectangle can reach beyond its area.

mod pen;
mod scroll;

pub(crate) use pen::Pen;
pub(crate) use scroll::Scroll;

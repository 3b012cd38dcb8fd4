//! Compression between the service and its clients: of responses, as the client accepts it, and of the bodies of requests. What
//! steps see, and what is recorded, is not compressed.
//!
//! Without the Cargo feature `compression`, [`Coding`] has no values.

#[cfg(feature = "compression")]
mod decoding;
#[cfg(feature = "compression")]
mod encoder;
#[cfg(feature = "compression")]
mod negotiation;
#[cfg(feature = "compression")]
mod responses;
#[cfg(not(feature = "compression"))]
mod without;

#[cfg(feature = "compression")]
pub(super) use decoding::{decode, is_encoded};
#[cfg(feature = "compression")]
pub(crate) use encoder::{Coding, Encoder};
#[cfg(feature = "compression")]
pub(super) use negotiation::accepted;
#[cfg(feature = "compression")]
pub(crate) use responses::begin_stream;
#[cfg(feature = "compression")]
pub(super) use responses::compress;
#[cfg(not(feature = "compression"))]
pub(crate) use without::{Coding, Encoder, begin_stream};

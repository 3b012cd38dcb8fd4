//! Object storage as effects of [zerver], through the interface of Amazon S3, which many servers have.
//!
//! ```no_run
//! use zerver::prelude::*;
//! use zerver_s3::{self as s3, Bucket};
//!
//! #[slot]
//! struct Page(String);
//!
//! #[step]
//! fn load(request: &Request) -> Decision<Page> {
//!     let key = format!("pages/{}.html", request.param_str("name").unwrap_or_default());
//!     Need(s3::get(&key).or_not_found("page", key).try_map(|object| object.text().map(Page)))
//! }
//!
//! #[step]
//! fn render(page: &Page) -> Response {
//!     Response::text(page.0.clone())
//! }
//!
//! fn app() -> App {
//!     App::new().flow(flow!("page", GET "/{name}", steps: [load, render])).on_startup(|startup| {
//!         let bucket = Bucket::new("https://s3.eu-central-1.amazonaws.com", "eu-central-1", "pages")?;
//!         startup.interpreter(bucket.credentials("key", "secret"));
//!         Ok(())
//!     })
//! }
//! # let _ = app;
//! ```
//!
//! # Sizes
//!
//! An object is read up to a limit, [`DEFAULT_MAX_BYTES`] unless [`get_up_to`] sets another, so that memory stays bounded.
//! A larger object fails as `too_large` before it has been read in full.
//!
//! Of content beyond [`RECORDED_BYTES`], size and hash are recorded in its place. A replay knows that the same content was
//! written, but a step that reads such content ends it.

#![warn(missing_debug_implementations)]

mod bucket;
mod content;
mod operation;
mod s3_error;

pub use bucket::Bucket;
pub use content::{Content, RECORDED_BYTES};
pub use operation::{
    Answer, DEFAULT_MAX_BYTES, Info, Listed, Method, Object, Op, Reply, delete, get, get_up_to, head, list,
    presigned_get, presigned_put, put,
};
pub use s3_error::S3Error;
pub use zerver_s3_connect::SettingsError;

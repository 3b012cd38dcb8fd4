//! Files of a folder as responses of [zerver].
//!
//! ```no_run
//! use zerver::prelude::*;
//! use zerver_files::{Folder, find_file, send_file};
//!
//! fn app() -> App {
//!     App::new()
//!         .flow(flow!("assets", GET "/assets/{*path}", steps: [find_file, send_file]))
//!         .on_startup(|startup| {
//!             Folder::open("public")?.serve(startup);
//!             Ok(())
//!         })
//! }
//! # let _ = app;
//! ```
//!
//! A client that has a file gets 304 (RFC 9110, section 13), and can ask for a part of it (section 14). The file is read while it
//! is sent, so its size does not matter, and the trace has its path, its version and what was sent.
//!
//! # Which files are served
//!
//! Regular files within the folder, whatever the path in the request says. Symbolic links are followed as long as they stay within
//! the folder; this is decided when the file is opened, without a gap in between. Names that begin with a dot are not found, and
//! neither are devices and pipes. The path of a folder stands for the file `index.html` in it.

#![warn(missing_debug_implementations)]

mod file_stream;
mod folder;
mod found_file;

pub use file_stream::FileStream;
pub use folder::Folder;
pub use found_file::{FileInfo, FoundFile, file_info, find_file, send_file};

//! The steps that answer with a file: the first looks for it, the second decides how to send it.

use serde::{Deserialize, Serialize};
use zerver::effects::{EffectContext, EffectResult, Interpreter, Started};
use zerver::prelude::*;

use crate::file_stream::FileStream;
use crate::folder::Folder;

/// Properties of a file, known before it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// Path within the folder.
    pub path: String,
    /// Length, in bytes.
    pub length: u64,
    /// Time of the last change, in seconds since the Unix epoch.
    pub modified_unix_s: u64,
    /// Changes when the file does: made of the time of the last change, in nanoseconds, and the length.
    pub version: String,
    /// `Content-Type`, from the extension of the name.
    pub content_type: String,
}

impl FileInfo {
    /// Returns the response with this file. Conditions and ranges of the request apply.
    pub fn response(&self) -> Response {
        Response::stream(FileStream::new(self))
            .header("content-type", &self.content_type)
            .etag(&self.version)
            .last_modified(self.modified_unix_s)
            .ranges()
    }
}

/// The kind of effect that looks for a file, by its path within the folder.
#[allow(non_camel_case_types, reason = "like the kinds that #[effect] generates")]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct file_info {
    path: String,
}

impl EffectKind for file_info {
    const KIND: &'static str = "file";
    type Output = Option<FileInfo>;

    fn summary(&self) -> String {
        self.path.clone()
    }

    fn output_summary(found: &Self::Output) -> String {
        found.as_ref().map_or_else(|| "not found".to_owned(), |info| format!("{} bytes", info.length))
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    fn is_safe(&self) -> bool {
        true
    }
}

/// Returns the effect that looks for a file. Its output is `None` if there is none that may be served.
pub fn file_info(path: impl Into<String>) -> Effect<Option<FileInfo>> {
    effect(file_info { path: path.into() })
}

impl Interpreter<file_info> for Folder {
    fn start(
        &self,
        file_info { path }: &file_info,
        _context: &EffectContext,
    ) -> Started<EffectResult<file_info>> {
        let (folder, path) = (self.clone(), path.clone());
        Started::Pending(Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || folder.find(&path)).await;
            let error = |error: &dyn std::fmt::Display| {
                EffectError::new(EffectErrorKind::Internal, error.to_string())
            };
            let found = found.map_err(|failed| error(&failed))?.map_err(|failed| error(&failed))?;
            Ok(found.map(|(_, info)| info))
        }))
    }
}

/// The file that a request asks for.
#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
pub struct FoundFile(pub FileInfo);

/// Looks for the file that the parameter `path` of the route names, as in `/assets/{*path}`. Fails with `not_found` if there is none.
#[step]
pub fn find_file(request: &Request) -> Decision<FoundFile> {
    let path = request.param_str("path").unwrap_or_default().to_owned();
    Need(file_info(path.clone()).or_not_found("file", path).map(FoundFile))
}

/// Responds with the file that [`find_file`] has found.
#[step]
pub fn send_file(found: &FoundFile) -> Response {
    found.0.response()
}

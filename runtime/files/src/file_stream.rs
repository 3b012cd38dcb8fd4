//! The stream that reads a file, or a part of it.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use cap_std::fs::{File, FileExt as _};
use serde::{Deserialize, Serialize};
use zerver::effects::stream::perform_stream;
use zerver::effects::{EffectContext, EffectResult, Interpreter, Started};
use zerver::engine::{ResponseStream, StreamEnd, StreamKind};
use zerver::prelude::*;

use crate::folder::Folder;
use crate::found_file::FileInfo;

/// Bytes that are read at a time.
const BLOCK: usize = 128 << 10;

/// Reads a file, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStream {
    /// Path within the folder.
    path: String,
    /// The file must not have changed since it was found.
    version: String,
    from: u64,
    to: u64,
}

impl FileStream {
    /// Returns the stream of a whole file.
    #[expect(clippy::new_ret_no_self, reason = "the kind itself is of no use to a step")]
    pub fn new(info: &FileInfo) -> ResponseStream {
        let FileInfo { path, version, length, .. } = info.clone();
        ResponseStream::new(Self { path, version, from: 0, to: length }).length(length)
    }
}

impl EffectKind for FileStream {
    const KIND: &'static str = "file-content";
    type Output = StreamEnd;

    fn summary(&self) -> String {
        format!("{} bytes {}..{}", self.path, self.from, self.to)
    }

    fn output_summary(end: &StreamEnd) -> String {
        end.summary()
    }

    fn is_safe(&self) -> bool {
        true
    }
}

impl StreamKind for FileStream {
    type Item = Bytes;

    fn part(&self, Range { start, end }: Range<u64>) -> Option<Self> {
        Some(Self { from: self.from + start, to: self.from + end, ..self.clone() })
    }
}

impl Interpreter<FileStream> for Folder {
    fn start(&self, args: &FileStream, context: &EffectContext) -> Started<EffectResult<FileStream>> {
        let (folder, args) = (self.clone(), args.clone());
        Started::Pending(perform_stream(context, |to| async move {
            send(folder, args, to)
                .await
                .map_err(|error| EffectError::new(EffectErrorKind::Internal, error.to_string()))
        }))
    }
}

async fn send(
    folder: Folder,
    FileStream { path, version, from, to: end }: FileStream,
    to: StreamSender<Bytes>,
) -> io::Result<()> {
    let file = tokio::task::spawn_blocking(move || match folder.find(&path)? {
        Some((file, info)) if info.version == version => Ok(file),
        Some(_) => Err(io::Error::other("the file has changed since it was found")),
        None => Err(io::ErrorKind::NotFound.into()),
    });
    let (file, mut at) = (Arc::new(file.await??), from);
    while at < end {
        let (file, len) = (Arc::clone(&file), BLOCK.min(usize::try_from(end - at).unwrap_or(BLOCK)));
        let block = tokio::task::spawn_blocking(move || read(&file, at, len)).await??;
        at += block.len() as u64;
        to.send(block).await;
    }
    Ok(())
}

/// Reads this many bytes.
fn read(file: &File, at: u64, len: usize) -> io::Result<Bytes> {
    let mut block = vec![0; len];
    file.read_exact_at(&mut block, at).map_err(|error| {
        io::Error::new(error.kind(), format!("the file became shorter at byte {at}: {error}"))
    })?;
    Ok(block.into())
}

#[cfg(test)]
mod tests {
    use zerver::effects::Interpreters;

    use super::*;

    #[test]
    fn a_file_that_changes_is_not_mixed_with_its_former_content() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a.txt");
        std::fs::write(&path, "first").unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let (_, info) = folder.find("a.txt").unwrap().unwrap();
        let stream = FileStream { path: info.path, version: info.version, from: 0, to: info.length };
        let mut interpreters = Interpreters::new();
        interpreters.set::<FileStream>(folder);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let context = EffectContext::default();
        let send = || {
            let sending = interpreters.perform(effect(stream.clone()), &context);
            runtime.block_on(sending).map(|end| end.bytes).map_err(|failure| format!("{failure:?}"))
        };
        assert_eq!(send(), Ok(5));
        std::fs::write(&path, "second").unwrap();
        let error = send().unwrap_err();
        assert!(error.contains("the file has changed since it was found"), "{error}");
        std::fs::remove_file(&path).unwrap();
        assert!(send().is_err());
    }
}

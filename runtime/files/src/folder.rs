//! A folder whose files are served, and the way to open them: never outside the folder, and never anything that blocks.

use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, OpenOptions, OpenOptionsExt as _};
use zerver::Startup;

use crate::file_stream::FileStream;
use crate::found_file::{FileInfo, file_info};

/// Name of the file that stands for its folder.
const INDEX: &str = "index.html";

/// A folder of files. Its clones are the same folder.
#[derive(Clone)]
pub struct Folder {
    dir: Arc<Dir>,
    path: PathBuf,
}

impl Folder {
    /// Opens a folder. Relative paths start where the service was started.
    ///
    /// # Errors
    /// If there is no such folder, or it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(named)?;
        Ok(Self { dir: Arc::new(dir), path: path.to_owned() })
    }

    /// Has a service serve the files of this folder: provides what [`find_file`](crate::find_file) and
    /// [`send_file`](crate::send_file) need.
    pub fn serve(self, startup: &mut Startup) {
        startup.resource(self.clone());
        startup.interpreter::<FileStream>(self.clone());
        startup.interpreter::<file_info>(self);
    }

    /// Opens a file. Returns `None` if there is none that may be served. This blocks.
    pub(crate) fn find(&self, path: &str) -> io::Result<Option<(File, FileInfo)>> {
        let Some(path) = relative(path) else { return Ok(None) };
        match self.open_file(&path) {
            Ok((file, metadata)) if metadata.is_file() => Ok(Some((file, info(&path, &metadata)))),
            Ok((_, metadata)) if metadata.is_dir() => {
                let index = path.join(INDEX);
                match self.open_file(&index) {
                    Ok((file, metadata)) if metadata.is_file() => Ok(Some((file, info(&index, &metadata)))),
                    Ok(_) => Ok(None),
                    Err(error) => absent(error),
                }
            }
            // A device, a pipe or a socket.
            Ok(_) => Ok(None),
            Err(error) => absent(error),
        }
    }

    fn open_file(&self, path: &Path) -> io::Result<(File, Metadata)> {
        let mut options = OpenOptions::new();
        // A pipe without a writer would block its reader.
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
        options.read(true).custom_flags(flags);
        let file = self.dir.open_with(path, &options)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Folder").field(&self.path).finish()
    }
}

/// Returns the path within the folder. `None` if it leaves the folder, or has a name that is not served.
fn relative(path: &str) -> Option<PathBuf> {
    let path = path.trim_start_matches('/');
    if path.contains(['\0', '\\']) {
        return None;
    }
    let mut relative = PathBuf::from(".");
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) if !name.as_encoded_bytes().starts_with(b".") => relative.push(name),
            _ => return None,
        }
    }
    Some(relative)
}

/// Returns `None` for an error that means that there is no file to serve: also for a link that leaves the folder.
fn absent<T>(error: io::Error) -> io::Result<Option<T>> {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound | Kind::NotADirectory | Kind::InvalidFilename | Kind::PermissionDenied => Ok(None),
        _ if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => Ok(None),
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => Ok(None),
        _ => Err(error),
    }
}

fn info(path: &Path, metadata: &Metadata) -> FileInfo {
    let modified = metadata.modified().ok().and_then(|time| time.into_std().duration_since(UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default();
    let content_type = mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream");
    // Without a charset, browsers guess one.
    let content_type = match content_type {
        "text/javascript" | "application/javascript" => "text/javascript; charset=utf-8".to_owned(),
        text if text.starts_with("text/") && !text.contains("charset") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    };
    FileInfo {
        path: path.strip_prefix(".").unwrap_or(path).to_string_lossy().into_owned(),
        length: metadata.len(),
        modified_unix_s: modified.as_secs(),
        version: format!("{:x}-{:x}", modified.as_nanos(), metadata.len()),
        content_type,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_within_the_folder() {
        let is_refused = |path: &str| relative(path).is_none();
        for path in ["..", "a/../../b", "a/..", "./../a", "a\0b", ".git/config", "a/.env", "..\\a", "a\\b"] {
            assert!(is_refused(path), "{path}");
        }
        for (path, expected) in
            [("", "."), ("/", "."), ("a/b.txt", "./a/b.txt"), ("//etc/passwd", "./etc/passwd")]
        {
            assert_eq!(relative(path).as_deref(), Some(Path::new(expected)), "{path}");
        }
    }
}

//! Opens every file that zerver reads or writes by name: the files of a store, settings, portable traces, sources.
//!
//! A name may have been chosen by somebody else: a repository that was cloned can hold `.zerver/lock` as a link to any file
//! of the user's, and a device or a FIFO never ends. So a link is not followed, nothing is opened that could block, only
//! a regular file of the right owner is used, and no more than a limit is read. Nothing is truncated and no mode is changed
//! before that has been checked on the open file.
//!
//! Only the last component of a path is protected. A folder that others may write to is reported by the doctor; the
//! checks hold in it all the same, since they look at what was opened and not at its name.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::geteuid;

/// What to do about a link.
const USE_FILE: &str = "use the file that it leads to";
const REMOVE: &str = "remove it";

/// The mode of every file that zerver makes.
const PRIVATE: u32 = 0o600;

/// What a file is opened for, which decides who may own it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The user, root, or for root the owner of the folder that the file is in.
    Read,
    /// The user alone, and under one name only: a hard link would be another file of theirs.
    Write,
}

/// Opens a file for reading.
///
/// # Errors
/// When it is not a regular file of the user that this process runs as, or of root, or cannot be opened. The error names
/// what it is.
pub fn open(path: &Path) -> io::Result<File> {
    open_as(path, OpenOptions::new().read(true), Use::Read)
}

/// Opens a file for reading and writing, as it is.
///
/// # Errors
/// When it is not a regular file of the user that this process runs as, or has a second name, or cannot be opened.
pub fn open_to_write(path: &Path) -> io::Result<File> {
    open_as(path, OpenOptions::new().read(true).write(true), Use::Write)
}

/// The same, but an empty file of mode 0600 is made where there is none.
///
/// # Errors
/// As [`open_to_write`].
pub fn open_or_make(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(PRIVATE);
    open_as(path, &mut options, Use::Write)
}

/// The same, and its mode is 0600 afterwards, whatever it was: for a file that is known to be ours.
///
/// # Errors
/// As [`open_to_write`].
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let file = open_or_make(path)?;
    if file.metadata()?.permissions().mode() & 0o777 != PRIVATE {
        file.set_permissions(Permissions::from_mode(PRIVATE))?;
    }
    Ok(file)
}

/// Makes a file of mode 0600 where there is nothing of this name.
pub(crate) fn make(path: &Path) -> io::Result<File> {
    open_as(path, OpenOptions::new().write(true).create_new(true).mode(PRIVATE), Use::Write)
}

/// Reads the whole of a file which may have at most `limit` bytes. `/dev/stdin` and `/dev/fd/N` are what this process was
/// given open, and are read as they are, up to the same limit.
///
/// # Errors
/// As [`open`], and when it is longer.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = if was_given(path) { File::open(path)? } else { open(path)? };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than the {limit} bytes that it may have"),
        ));
    }
    Ok(bytes)
}

/// The same of a text.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))
}

/// Checks that a folder is one, and no link to one.
///
/// # Errors
/// When it is not, or is not there.
pub fn check_folder(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(without_slash(path))?;
    if found.is_dir() { Ok(()) } else { Err(refused(&found, "a folder", "use the folder that it leads to")) }
}

/// Checks that a file of this name, where there is one, may be replaced by another: that it is a regular file.
///
/// # Errors
/// When it is not.
pub fn check_replaceable(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => Err(refused(&found, "a regular file", USE_FILE)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn open_as(path: &Path, options: &mut OpenOptions, used_to: Use) -> io::Result<File> {
    // Opening some devices does something already, and a socket cannot be opened: their names are enough to refuse them.
    match fs::symlink_metadata(path) {
        Ok(found) => check(&found, path, used_to)?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
    // It may have been replaced meanwhile: what counts is what was opened.
    check(&file.metadata()?, path, used_to)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

fn check(found: &Metadata, path: &Path, used_to: Use) -> io::Result<()> {
    if !found.is_file() {
        let way_on = if used_to == Use::Write { REMOVE } else { USE_FILE };
        return Err(refused(found, "a regular file", way_on));
    }
    let (owner, user) = (found.uid(), geteuid().as_raw());
    let is_trusted = owner == user
        || (used_to == Use::Read && (owner == 0 || (user == 0 && folder_owner(path) == Some(owner))));
    if !is_trusted {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "it belongs to user {owner}, and this process runs as user {user}; run it as that user, or use a copy"
            ),
        ));
    }
    if used_to == Use::Write && found.nlink() > 1 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("it has {} names (hard links), and is another file too; remove this one", found.nlink()),
        ));
    }
    Ok(())
}

fn folder_owner(path: &Path) -> Option<u32> {
    let folder = path.parent()?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::metadata(folder).ok().map(|found| found.uid())
}

fn refused(found: &Metadata, wanted: &str, way_on: &str) -> io::Error {
    let kind = found.file_type();
    let is = if kind.is_symlink() {
        return io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("it is a symbolic link, and links are not followed; {way_on}"),
        );
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else if kind.is_dir() {
        "a folder"
    } else {
        "a file"
    };
    io::Error::new(io::ErrorKind::PermissionDenied, format!("it is {is}, and not {wanted}"))
}

/// Whether a path names a descriptor that this process was given open.
fn was_given(path: &Path) -> bool {
    path == Path::new("/dev/stdin")
        || path
            .parent()
            .is_some_and(|folder| folder == Path::new("/dev/fd") || folder == Path::new("/proc/self/fd"))
}

/// With a slash at its end, a link would be followed.
fn without_slash(path: &Path) -> PathBuf {
    let plain: PathBuf = path.components().collect();
    if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// One of each kind of what is no regular file, and what is said of it.
    fn odd(dir: &Path) -> Vec<(PathBuf, &'static str)> {
        fs::write(dir.join("precious"), "precious").unwrap();
        symlink(dir.join("precious"), dir.join("link")).unwrap();
        symlink(dir.join("nowhere"), dir.join("dangling")).unwrap();
        symlink("/dev/zero", dir.join("endless")).unwrap();
        mknodat(CWD, dir.join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        fs::create_dir(dir.join("folder")).unwrap();
        drop(UnixListener::bind(dir.join("socket")).unwrap());
        [
            ("link", "it is a symbolic link"),
            ("dangling", "it is a symbolic link"),
            ("endless", "it is a symbolic link"),
            ("fifo", "it is a FIFO"),
            ("folder", "it is a folder"),
            ("socket", "it is a socket"),
            ("/dev/zero", "it is a device"),
            ("/dev/full", "it is a device"),
        ]
        .map(|(name, why)| (dir.join(name), why))
        .to_vec()
    }

    #[test]
    fn what_is_no_regular_file_is_refused_by_name_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for (path, why) in odd(dir.path()) {
            let uses: [(&str, io::Result<()>); 5] = [
                ("open", open(&path).map(drop)),
                ("read", read(&path, 10).map(drop)),
                ("open_to_write", open_to_write(&path).map(drop)),
                ("open_or_make", open_or_make(&path).map(drop)),
                ("check_replaceable", check_replaceable(&path)),
            ];
            for (used, result) in uses {
                let error = result.expect_err(&format!("{used} {}", path.display())).to_string();
                assert!(error.starts_with(why), "{used} {}: {error}", path.display());
            }
        }
        assert_eq!(fs::read(dir.path().join("precious")).unwrap(), b"precious");
        assert!(!dir.path().join("nowhere").exists());
    }

    #[test]
    fn a_second_name_of_a_file_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let (precious, lock) = (dir.path().join("precious"), dir.path().join("lock"));
        fs::write(&precious, "precious").unwrap();
        fs::set_permissions(&precious, Permissions::from_mode(0o644)).unwrap();
        fs::hard_link(&precious, &lock).unwrap();
        let error = open_or_make(&lock).unwrap_err().to_string();
        assert!(error.contains("2 names"), "{error}");
        assert_eq!(fs::metadata(&precious).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(read(&lock, 100).unwrap(), b"precious");
    }

    #[test]
    fn a_file_of_somebody_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "a").unwrap();
        // Only root can give a file away; for everybody else a file of root's is foreign enough.
        let (foreign, read_is_refused) = if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
            (path, true)
        } else {
            (PathBuf::from("/etc/passwd"), false)
        };
        let error = open_to_write(&foreign).unwrap_err().to_string();
        assert!(error.starts_with("it belongs to user "), "{error}");
        assert_eq!(read(&foreign, 1 << 20).is_err(), read_is_refused);
    }

    #[test]
    fn no_more_is_read_than_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, [b'a'; 100]).unwrap();
        assert_eq!(read(&path, 100).unwrap().len(), 100);
        assert_eq!(read(&path, 99).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let endless = File::open("/dev/zero").unwrap();
        let given = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&endless));
        assert_eq!(read(Path::new(&given), 1 << 16).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        fs::write(&path, [0xff]).unwrap();
        assert!(read_text(&path, 100).is_err());
    }

    #[test]
    fn a_link_is_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink(dir.path(), &link).unwrap();
        check_folder(dir.path()).unwrap();
        for link in [link.clone(), link.join("")] {
            let error = check_folder(&link).unwrap_err().to_string();
            assert!(error.contains("use the folder that it leads to"), "{error}");
        }
    }
}

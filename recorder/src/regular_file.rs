//! Opens every file that zerver reads or writes by name: the files of a store, settings, portable traces, sources.
//!
//! An attacker may have chosen the name: a cloned repository can contain `.zerver/lock` as a link to any file of the
//! user, and a device or a FIFO never ends. So links are not followed, opening never blocks, the file must be a regular
//! file of a trusted owner, and reading stops at a limit. Nothing is truncated and no mode is changed before the open
//! file has passed these checks.
//!
//! Only the last component of a path is protected. `zerver doctor` reports folders that others may write to. The checks
//! hold in such folders, too, because they apply to the open file and not to its name.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::geteuid;

/// Advice for a symbolic link.
const USE_FILE: &str = "use the file it points to";
const REMOVE: &str = "remove it";

/// Mode of every file that zerver creates.
const PRIVATE: u32 = 0o600;

/// Purpose of opening a file, which decides which owner is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// The owner must be the user or root. If the user is root, the owner of the containing folder is trusted as well.
    Read,
    /// The owner must be the user, and the file must have only one name: a hard link would be another file of theirs.
    Write,
}

/// Opens a file for reading.
///
/// # Errors
/// If it is not a regular file of the current user or of root, or cannot be opened. The error describes the file.
pub fn open(path: &Path) -> io::Result<File> {
    open_as(path, OpenOptions::new().read(true), Access::Read)
}

/// Opens an existing file for reading and writing.
///
/// # Errors
/// If it is not a regular file of the current user, has a second name, or cannot be opened.
pub fn open_to_write(path: &Path) -> io::Result<File> {
    open_as(path, OpenOptions::new().read(true).write(true), Access::Write)
}

/// Opens a file for reading and writing. If there is none, creates an empty one with mode 0600.
///
/// # Errors
/// As for [`open_to_write`].
pub fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(PRIVATE);
    open_as(path, &mut options, Access::Write)
}

/// Opens or creates a file for reading and writing, and sets its mode to 0600. Only for files that belong to zerver.
///
/// # Errors
/// As for [`open_to_write`].
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let file = open_or_create(path)?;
    if file.metadata()?.permissions().mode() & 0o777 != PRIVATE {
        file.set_permissions(Permissions::from_mode(PRIVATE))?;
    }
    Ok(file)
}

/// Creates a file with mode 0600.
///
/// # Errors
/// If the name is taken, or the file cannot be created.
pub fn create(path: &Path) -> io::Result<File> {
    open_as(path, OpenOptions::new().write(true).create_new(true).mode(PRIVATE), Access::Write)
}

/// Reads a whole file of at most `limit` bytes.
///
/// `/dev/stdin` and `/dev/fd/N` name files that this process inherited, and are read without the other checks.
///
/// # Errors
/// As for [`open`], and if the file is longer than the limit.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = if is_inherited(path) { File::open(path)? } else { open(path)? };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("longer than the limit of {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// Reads a whole text file of at most `limit` bytes.
///
/// # Errors
/// As for [`read`], and if the file is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not text in UTF-8"))
}

/// Checks that a path is a folder, and not a link to one.
///
/// # Errors
/// If it is not, or does not exist.
pub fn check_folder(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(without_slash(path))?;
    if found.is_dir() { Ok(()) } else { Err(wrong_kind(&found, "a folder", "use the folder it points to")) }
}

/// Checks that a path may be replaced by a new file: it must be a regular file or not exist.
///
/// # Errors
/// If it is something else.
pub fn check_replaceable(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => Err(wrong_kind(&found, "a regular file", USE_FILE)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn open_as(path: &Path, options: &mut OpenOptions, access: Access) -> io::Result<File> {
    // Opening a device may already have an effect, and a socket cannot be opened. Both are refused by name.
    match fs::symlink_metadata(path) {
        Ok(found) => check(&found, path, access)?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
    // The name may refer to another file by now, so the open file counts.
    check(&file.metadata()?, path, access)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

fn check(found: &Metadata, path: &Path, access: Access) -> io::Result<()> {
    if !found.is_file() {
        let advice = if access == Access::Write { REMOVE } else { USE_FILE };
        return Err(wrong_kind(found, "a regular file", advice));
    }
    let (owner, user) = (found.uid(), geteuid().as_raw());
    let is_trusted = owner == user
        || (access == Access::Read && (owner == 0 || (user == 0 && folder_owner(path) == Some(owner))));
    if !is_trusted {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "owned by user {owner}, but this process runs as user {user}; run it as that user, or use a copy"
            ),
        ));
    }
    if access == Access::Write && found.nlink() > 1 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("one of {} names (hard links) of a file; remove this name", found.nlink()),
        ));
    }
    Ok(())
}

fn folder_owner(path: &Path) -> Option<u32> {
    let folder = path.parent()?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::metadata(folder).ok().map(|found| found.uid())
}

fn wrong_kind(found: &Metadata, wanted: &str, advice: &str) -> io::Error {
    let kind = found.file_type();
    let actual = if kind.is_symlink() {
        return io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("a symbolic link, and links are not followed; {advice}"),
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
    io::Error::new(io::ErrorKind::PermissionDenied, format!("not {wanted} but {actual}"))
}

/// Returns true if a path names an inherited file descriptor.
fn is_inherited(path: &Path) -> bool {
    path == Path::new("/dev/stdin")
        || path
            .parent()
            .is_some_and(|folder| folder == Path::new("/dev/fd") || folder == Path::new("/proc/self/fd"))
}

/// Removes a trailing slash, with which a link would be followed.
fn without_slash(path: &Path) -> PathBuf {
    let plain: PathBuf = path.components().collect();
    if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    /// Returns one path of each kind that is not a regular file, with the start of its error message.
    fn odd(dir: &Path) -> Vec<(PathBuf, &'static str)> {
        fs::write(dir.join("precious"), "precious").unwrap();
        symlink(dir.join("precious"), dir.join("link")).unwrap();
        symlink(dir.join("nowhere"), dir.join("dangling")).unwrap();
        symlink("/dev/zero", dir.join("endless")).unwrap();
        assert!(Command::new("mkfifo").arg(dir.join("fifo")).status().unwrap().success());
        fs::create_dir(dir.join("folder")).unwrap();
        drop(UnixListener::bind(dir.join("socket")).unwrap());
        [
            ("link", "a symbolic link"),
            ("dangling", "a symbolic link"),
            ("endless", "a symbolic link"),
            ("fifo", "not a regular file but a FIFO"),
            ("folder", "not a regular file but a folder"),
            ("socket", "not a regular file but a socket"),
            ("/dev/zero", "not a regular file but a device"),
            ("/dev/null", "not a regular file but a device"),
        ]
        .map(|(name, why)| (dir.join(name), why))
        .to_vec()
    }

    #[test]
    fn anything_but_a_regular_file_is_refused_and_left_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        for (path, why) in odd(dir.path()) {
            let uses: [(&str, io::Result<()>); 5] = [
                ("open", open(&path).map(drop)),
                ("read", read(&path, 10).map(drop)),
                ("open_to_write", open_to_write(&path).map(drop)),
                ("open_or_create", open_or_create(&path).map(drop)),
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
    fn a_file_with_a_second_name_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let (precious, lock) = (dir.path().join("precious"), dir.path().join("lock"));
        fs::write(&precious, "precious").unwrap();
        fs::set_permissions(&precious, Permissions::from_mode(0o644)).unwrap();
        fs::hard_link(&precious, &lock).unwrap();
        let error = open_or_create(&lock).unwrap_err().to_string();
        assert!(error.contains("2 names"), "{error}");
        assert_eq!(fs::metadata(&precious).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(read(&lock, 100).unwrap(), b"precious");
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "a").unwrap();
        // Only root can give a file away. For other users, a file of root is foreign.
        let (foreign, read_is_refused) = if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
            (path, true)
        } else {
            (PathBuf::from("/etc/passwd"), false)
        };
        let error = open_to_write(&foreign).unwrap_err().to_string();
        assert!(error.starts_with("owned by user "), "{error}");
        assert_eq!(read(&foreign, 1 << 20).is_err(), read_is_refused);
    }

    #[test]
    fn reading_stops_at_the_limit() {
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
    fn a_link_to_a_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink(dir.path(), &link).unwrap();
        check_folder(dir.path()).unwrap();
        for link in [link.clone(), link.join("")] {
            let error = check_folder(&link).unwrap_err().to_string();
            assert!(error.contains("use the folder it points to"), "{error}");
        }
    }
}

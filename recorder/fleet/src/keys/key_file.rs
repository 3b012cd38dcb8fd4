//! Files with the keys of a fleet: a line for each key, after `#` come remarks. A file may have several private keys, so that
//! what was sealed before a rotation stays readable.

use std::io::{self, Write as _};
use std::path::Path;

use zerver_recorder::{HashKey, regular_file};

use crate::keys::hex;
use crate::keys::pair::PrivateKey;

/// Start of the lines with a private key, and of those with a hash key.
const PRIVATE: &str = "zerver-private-key-1 ";
const HASH: &str = "zerver-hash-key-1 ";
/// Maximum size of a file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The reason why a file with keys cannot be used. It contains no part of the file.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot use {path}: {reason}")]
pub struct KeyFileError {
    path: String,
    reason: String,
    /// True if there is no file.
    pub(crate) is_missing: bool,
}

impl KeyFileError {
    fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self { path: path.display().to_string(), reason: reason.into(), is_missing: false }
    }
}

/// Reads the private keys in a file.
pub(crate) fn read_private(path: &Path) -> Result<Vec<PrivateKey>, KeyFileError> {
    let wrong =
        || KeyFileError::new(path, format!("it has a line that is no private key of a fleet ({PRIVATE}..)"));
    let keys = lines(path, PRIVATE)?.into_iter().map(|bytes| PrivateKey::new(&bytes?));
    let keys: Option<Vec<_>> = keys.collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(wrong)
}

/// Reads the hash key of a fleet from its file.
///
/// # Errors
/// If the file cannot be read, or has another content.
pub fn read_hash_key(path: &Path) -> Result<HashKey, KeyFileError> {
    let wrong = || KeyFileError::new(path, format!("it is not the hash key of a fleet ({HASH}..)"));
    match &lines(path, HASH)?[..] {
        [Some(bytes)] => Ok(HashKey::new(bytes[..].try_into().map_err(|_| wrong())?)),
        _ => Err(wrong()),
    }
}

/// Returns the bytes after the start of each line that is no remark. `None` for a line that begins otherwise.
fn lines(path: &Path, start: &str) -> Result<Vec<Option<Vec<u8>>>, KeyFileError> {
    let text = regular_file::read_text(path, MAX_FILE).map_err(|error| KeyFileError {
        is_missing: error.kind() == io::ErrorKind::NotFound,
        ..KeyFileError::new(path, error.to_string())
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(|line| hex::decode(line.strip_prefix(start)?.trim())).collect())
}

/// Writes a private key to a new file of mode 0600.
pub(crate) fn write_private(path: &Path, key: &PrivateKey, namespace: &str) -> Result<(), KeyFileError> {
    let remark = format!(
        "# Private half of the key {} of the fleet {namespace}. Nothing else opens the secrets that are sealed for it.",
        key.public().id()
    );
    write(path, &format!("{remark}\n{PRIVATE}{}\n", hex::encode(&key.bytes())))
}

/// Makes a hash key, and writes it to a new file of mode 0600.
pub(crate) fn create_hash_key(path: &Path, namespace: &str) -> Result<HashKey, KeyFileError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| KeyFileError::new(path, error.to_string()))?;
    let remark = format!("# Hash key of the fleet {namespace}, for its services. It opens nothing.");
    write(path, &format!("{remark}\n{HASH}{}\n", hex::encode(&bytes)))?;
    Ok(HashKey::new(bytes))
}

/// Creates a file, which must not exist. What cannot be written is removed again.
fn write(path: &Path, text: &str) -> Result<(), KeyFileError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            KeyFileError::new(path, "it exists, and keys are never overwritten; name another file")
        }
        _ => KeyFileError::new(path, error.to_string()),
    };
    let mut file = regular_file::create(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_written_once_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        let (key, other) = (PrivateKey::random().unwrap(), PrivateKey::random().unwrap());
        write_private(&one, &key, "shop").unwrap();
        write_private(&two, &other, "shop").unwrap();
        assert_eq!(std::fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o600);
        let before = std::fs::read(&one).unwrap();
        let error = write_private(&one, &other, "shop").unwrap_err().to_string();
        assert!(error.contains("never overwritten") && std::fs::read(&one).unwrap() == before, "{error}");
        let both = [before, std::fs::read(&two).unwrap()].concat();
        std::fs::write(&two, both).unwrap();
        let ids: Vec<_> = read_private(&two).unwrap().iter().map(|key| key.public().id()).collect();
        assert_eq!(ids, [key.public().id(), other.public().id()]);
    }

    #[test]
    fn a_file_of_another_kind_is_refused_without_repeating_it() {
        let dir = tempfile::tempdir().unwrap();
        let (private, hash, other) =
            (dir.path().join("private"), dir.path().join("hash"), dir.path().join("other"));
        write_private(&private, &PrivateKey::random().unwrap(), "shop").unwrap();
        let made = create_hash_key(&hash, "shop").unwrap();
        assert_eq!(read_hash_key(&hash).unwrap().id(), made.id());
        assert!(create_hash_key(&hash, "shop").is_err());
        std::fs::write(&other, "hunter2\n").unwrap();
        let errors = [
            read_private(&hash).unwrap_err(),
            read_private(&other).unwrap_err(),
            read_hash_key(&private).unwrap_err(),
            read_hash_key(&other).unwrap_err(),
            read_private(&dir.path().join("none")).unwrap_err(),
        ];
        for error in &errors {
            let error = error.to_string();
            assert!(error.starts_with("cannot use ") && !error.contains("hunter2"), "{error}");
        }
        assert!(errors[4].is_missing && !errors[0].is_missing);
    }
}

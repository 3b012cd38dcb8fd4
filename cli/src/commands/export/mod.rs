//! `zerver export`: one request as a portable file, or as a test.

mod rust_test;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zerver_recorder::{portable, regular_file};
use zerver_replay::Secrets;

use crate::args::{Export, Global};
use crate::error::{Done, Trouble};
use crate::locate::{self, Loaded};
use crate::output::Output;

pub(super) fn run(args: &Export, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let to_stdout = args.output.as_ref().map_or(args.test, |path| path == Path::new("-"));
    if to_stdout && !args.test && output.is_terminal() {
        return Err(Trouble::new("a portable trace is not text, and the standard output is a terminal")
            .hint("name a file with --output FILE, or pipe it on"));
    }
    let loaded = locate::load(global, &args.id)?;
    let bytes = match args.test {
        true => as_test(&loaded, args)?.into_bytes(),
        false => portable::write(&loaded.trace)
            .map_err(|error| Trouble::new(format!("cannot export {}", loaded.trace.id)).because(&error))?,
    };
    if to_stdout {
        output.bytes(&bytes)?;
        return Ok(Done::Fine);
    }
    let named_by_id = || PathBuf::from(format!("{}.zrv", loaded.trace.id.short(loaded.digits())));
    let path = args.output.clone().unwrap_or_else(named_by_id);
    write(&path, &bytes, args.force)?;
    if output.is_json {
        output.json(
            &serde_json::json!({ "id": loaded.trace.id.to_string(), "file": path, "bytes": bytes.len() }),
        )?;
    } else {
        output.print(&format!("{}\n", locate::shown(&path)))?;
    }
    Ok(Done::Fine)
}

/// The text of a test. The key beside the store opens what is sealed; without it, what is secret stays so.
fn as_test(loaded: &Loaded, args: &Export) -> Result<String, Trouble> {
    let with_secrets = args.with_secrets;
    let secrets = match &loaded.reader {
        Some(reader) => reader.secrets(&loaded.trace),
        None if with_secrets => {
            return Err(Trouble::new("a portable file has no secrets in it, only their hashes")
                .hint("name the request in the store that recorded it, or leave --with-secrets out"));
        }
        None => Ok(Default::default()),
    };
    let secrets = match secrets {
        Err(error) if with_secrets => return Err(Trouble::new("the secrets stay sealed").because(&error)),
        secrets => Secrets(secrets.unwrap_or_default()),
    };
    rust_test::test(&loaded.trace, &secrets, with_secrets, args.expect)
}

/// Makes a new file of mode 0600, whole or not at all; with `force`, it takes the place of one that exists.
fn write(path: &Path, bytes: &[u8], force: bool) -> Result<(), Trouble> {
    let trouble = |error: &io::Error| {
        let trouble = Trouble::new(format!("cannot write {}", path.display())).because(error);
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                trouble.hint("--force overwrites it; --output FILE names another")
            }
            _ => trouble,
        }
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let replace = || -> io::Result<()> {
        regular_file::check_replaceable(path)?;
        if !force && path.exists() {
            return Err(rustix::io::Errno::EXIST.into());
        }
        let mut file = tempfile::Builder::new().prefix(".zerver-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        let kept = if force { file.persist(path) } else { file.persist_noclobber(path) };
        kept.map(drop).map_err(|error| error.error)
    };
    replace().map_err(|error| trouble(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_overwritten_only_by_force() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zrv");
        write(&path, b"one", false).unwrap();
        let trouble = write(&path, b"two", false).unwrap_err();
        assert!(trouble.hints[0].contains("--force"), "{trouble:?}");
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write(&path, b"two", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn a_file_is_private_and_no_link_is_written_through() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (path, link, dangling) =
            (dir.path().join("a.zrv"), dir.path().join("link"), dir.path().join("dangling"));
        std::fs::write(&path, b"precious").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &dangling).unwrap();
        for force in [false, true] {
            for (path, why) in [
                (link.as_path(), "a symbolic link"),
                (dangling.as_path(), "a symbolic link"),
                (Path::new("/dev/full"), "a device"),
                (dir.path(), "a folder"),
            ] {
                let trouble = write(path, b"one", force).unwrap_err();
                assert!(trouble.line().contains(why), "{trouble:?}");
            }
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        write(&path, b"two", true).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // Nothing else is left in the folder.
        assert_eq!(dir.path().read_dir().unwrap().count(), 3);
    }
}

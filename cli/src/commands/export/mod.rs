//! `zerver export`: writes one request as a portable file, a Rust test or an HTML file, or requests in the formats of
//! other tools.

mod effect_ends;
mod formats;
mod otlp_endpoint;
#[cfg(feature = "parquet")]
mod parquet_file;
mod rust_test;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zerver_analysis::curl_command;
use zerver_recorder::{portable, regular_file};
use zerver_replay::Secrets;

use crate::args::{Export, Global};
use crate::error::{CommandError, CommandOutcome};
use crate::locate::{self, LoadedTrace};
use crate::output::Output;
use crate::paths;

pub(super) fn run(
    args: &Export,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    if let Some(format) = args.format() {
        return formats::run(args, format, global, output);
    }
    if let Some(path) = &args.parquet {
        return formats::run_table(args, path, global, output);
    }
    let request = args.one_request()?;
    let to_stdout = args.output.as_ref().map_or(args.test || args.curl, |path| path == Path::new("-"));
    if to_stdout && !args.test && !args.curl && !args.html && output.is_terminal() {
        return Err(CommandError::new("a portable trace is binary, and standard output is a terminal")
            .with_hint("name a file with --output FILE, or use a pipe"));
    }
    let loaded = locate::load_trace(global, &request)?;
    let bytes = match (args.test, args.html) {
        (true, _) => as_test(&loaded, args)?.into_bytes(),
        (_, true) => zerver_web::report::request_html(&loaded.trace).into_bytes(),
        _ if args.curl => (curl_command(&loaded.trace).text + "\n").into_bytes(),
        _ => portable::write(&loaded.trace).map_err(|error| {
            CommandError::new(format!("cannot export {}", loaded.trace.id)).caused_by(&error)
        })?,
    };
    if to_stdout {
        output.bytes(&bytes)?;
        return Ok(CommandOutcome::Success);
    }
    let extension = match (args.html, args.curl) {
        (true, _) => "html",
        (_, true) => "sh",
        _ => "zrv",
    };
    let named_by_id = || PathBuf::from(format!("{}.{extension}", loaded.trace.id.short(loaded.digits())));
    let path = args.output.clone().unwrap_or_else(named_by_id);
    write(&path, &bytes, args.force)?;
    if output.is_json {
        output.json(
            &serde_json::json!({ "id": loaded.trace.id.to_string(), "file": path, "bytes": bytes.len() }),
        )?;
    } else {
        output.print(&format!("{}\n", paths::display(&path)))?;
    }
    Ok(CommandOutcome::Success)
}

/// Returns the source of a test. Secrets are decrypted only if the store's key is there.
fn as_test(loaded: &LoadedTrace, args: &Export) -> Result<String, CommandError> {
    loaded.check_recorded("write a test of")?;
    let with_secrets = args.with_secrets;
    let secrets = match &loaded.reader {
        Some(reader) => reader.open_secrets(&loaded.trace),
        None if with_secrets => {
            return Err(CommandError::new("a portable file holds no secrets, only their hashes")
                .with_hint("name the request in the store that recorded it, or leave out --with-secrets"));
        }
        None => Ok(Default::default()),
    };
    let secrets = match secrets {
        Err(error) if with_secrets => {
            return Err(CommandError::new("cannot decrypt the secrets").caused_by(&error));
        }
        secrets => Secrets(secrets.unwrap_or_default()),
    };
    rust_test::rust_test(&loaded.trace, &secrets, with_secrets, args.expect)
}

/// Creates a file of mode 0600, completely or not at all. With `force`, it replaces an existing one.
fn write(path: &Path, bytes: &[u8], force: bool) -> Result<(), CommandError> {
    let failed = |error: &io::Error| {
        let failed = CommandError::new(format!("cannot write {}", path.display())).caused_by(error);
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                failed.with_hint("use --force to overwrite it, or name another file")
            }
            _ => failed,
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
    replace().map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_overwritten_only_with_force() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zrv");
        write(&path, b"one", false).unwrap();
        let error = write(&path, b"two", false).unwrap_err();
        assert!(error.hints[0].contains("--force"), "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write(&path, b"two", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn a_file_is_private_and_no_link_is_followed() {
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
                (Path::new("/dev/zero"), "a device"),
                (dir.path(), "a folder"),
            ] {
                let error = write(path, b"one", force).unwrap_err();
                assert!(error.one_line().contains(why), "{error:?}");
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

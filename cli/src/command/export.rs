//! `zerver export`: one request as a portable file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zerver_recorder::portable;

use crate::args::{Export, Global};
use crate::output::Output;
use crate::place;
use crate::trouble::{Done, Trouble};

pub(super) fn run(args: &Export, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && output.is_terminal() {
        return Err(Trouble::new("a portable trace is not text, and the standard output is a terminal")
            .hint("name a file with --output FILE, or pipe it on"));
    }
    let loaded = place::load(global, &args.id)?;
    let bytes = portable::write(&loaded.trace)
        .map_err(|error| Trouble::new(format!("cannot export {}", loaded.trace.id)).because(&error))?;
    if to_stdout {
        output.bytes(&bytes)?;
        return Ok(Done::Fine);
    }
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.zrv", loaded.trace.id.short(loaded.digits()))));
    write(&path, &bytes, args.force)?;
    if output.is_json {
        output.json(
            &serde_json::json!({ "id": loaded.trace.id.to_string(), "file": path, "bytes": bytes.len() }),
        )?;
    } else {
        output.print(&format!("{}\n", place::shown(&path)))?;
    }
    Ok(Done::Fine)
}

/// Makes a new file; with `force`, one that exists is overwritten.
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
    let opened =
        if force { File::create(path) } else { OpenOptions::new().write(true).create_new(true).open(path) };
    opened.and_then(|mut file| file.write_all(bytes)).map_err(|error| trouble(&error))
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
}

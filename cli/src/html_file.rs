//! HTML files that commands write for a browser.

use std::io::{self, Write};
use std::path::Path;

use zerver_recorder::regular_file;

use crate::error::CommandError;
use crate::output::Output;
use crate::paths;

/// Writes a file of mode 0600, completely or not at all, and prints its name. It replaces an existing file, because a
/// report is written again and again. `-` stands for standard output.
pub(crate) fn write(path: &Path, html: &str, output: &mut Output) -> Result<(), CommandError> {
    if path == Path::new("-") {
        return output.bytes(html.as_bytes());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let replace = || -> io::Result<()> {
        regular_file::check_replaceable(path)?;
        let mut file = tempfile::Builder::new().prefix(".zerver-").tempfile_in(folder)?;
        file.write_all(html.as_bytes())?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    replace()
        .map_err(|error| CommandError::new(format!("cannot write {}", path.display())).caused_by(&error))?;
    if output.is_json {
        return output.json(&serde_json::json!({ "file": path, "bytes": html.len() }));
    }
    output.print(&format!("{}\n", paths::display(path)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a.html"), dir.path().join("link.html"));
        let mut output = Output::plain();
        output.is_quiet = true;
        for text in ["one", "two"] {
            write(&path, text, &mut output).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        symlink(&path, &link).unwrap();
        for (place, why) in [(link.as_path(), "a symbolic link"), (Path::new("/dev/null"), "a device")] {
            let error = write(place, "three", &mut output).unwrap_err();
            assert!(error.one_line().contains(why), "{error:?}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    }
}

//! The user's editor, opened on a file at a line, or on a text of ours.

use std::env;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::NamedTempFile;
use zerver_recorder::regular_file;
use zerver_trace::text::clean;

use crate::error::CommandError;
use crate::paths;
use crate::service::process::spawn_lock;

/// Maximum size of an edited text, in bytes.
const MAX_EDITED: u64 = 16 << 20;

/// Opens `$VISUAL`, `$EDITOR` or vi on a file at a line, counted from 1, and waits until the editor exits. The editor has
/// the terminal meanwhile.
pub(crate) fn open(path: &Path, line: u32) -> Result<(), CommandError> {
    let editor = editor()?;
    // Like git: the variable may hold quoted arguments. What the editor prints is not our result.
    let stdout = if std::io::stdout().is_terminal() { Stdio::inherit() } else { std::io::stderr().into() };
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{editor} \"$@\""), "sh"])
        .args(arguments(&editor, path, line))
        .stdout(stdout);
    let started = {
        let _lock = spawn_lock();
        command.spawn()
    };
    let failed = || {
        CommandError::new(format!("the editor {} failed", clean(&editor)))
            .with_hint("set VISUAL or EDITOR to another editor")
    };
    match started.and_then(|mut child| child.wait()) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed().with_cause(status.to_string())),
        Err(error) => Err(failed().caused_by(&error)),
    }
}

/// Opens a text in the editor. Returns the edited text, and the file that holds it, which is removed when dropped.
pub(crate) fn edit(text: &str, suffix: &str) -> Result<(String, NamedTempFile), CommandError> {
    let file = tempfile::Builder::new().prefix("zerver-").suffix(suffix).tempfile();
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        Ok(file)
    });
    let file =
        written.map_err(|error| CommandError::new("cannot create a file to edit").caused_by(&error))?;
    open(file.path(), 1)?;
    // Many editors replace the file, so read it by name.
    let text = regular_file::read_text(file.path(), MAX_EDITED).map_err(|error| {
        CommandError::new(format!("cannot read {}", paths::display(file.path()))).caused_by(&error)
    })?;
    Ok((text, file))
}

fn editor() -> Result<String, CommandError> {
    let named = |name| env::var(name).ok().filter(|editor| !editor.trim().is_empty());
    match named("VISUAL").or_else(|| named("EDITOR")) {
        Some(editor) => Ok(editor),
        None if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() => Ok("vi".to_owned()),
        None => Err(CommandError::new("cannot open an editor: none is set, and this is not a terminal")
            .with_hint("set VISUAL or EDITOR, or use --set")),
    }
}

/// Returns the arguments that open a file at a line. Editors differ in how they take a line, and some take none.
fn arguments(editor: &str, path: &Path, line: u32) -> Vec<String> {
    let program = editor.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'']);
    let program = Path::new(program).file_stem().and_then(std::ffi::OsStr::to_str);
    let path = path.display().to_string();
    match program {
        Some("code" | "codium" | "cursor") => vec!["--goto".to_owned(), format!("{path}:{line}")],
        Some("hx" | "helix" | "subl" | "zed") => vec![format!("{path}:{line}")],
        Some(
            "vi" | "vim" | "nvim" | "view" | "gvim" | "emacs" | "emacsclient" | "nano" | "pico" | "kak"
            | "micro" | "joe" | "mg" | "ne" | "gedit" | "kate",
        ) if line > 1 => vec![format!("+{line}"), path],
        _ => vec![path],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_editor_gets_the_line_in_its_own_syntax() {
        for (editor, line, wanted) in [
            ("vi", 7, "+7 /a.rs"),
            ("vi", 1, "/a.rs"),
            ("emacs -nw", 7, "+7 /a.rs"),
            ("/usr/bin/code --wait", 7, "--goto /a.rs:7"),
            ("'/usr/bin/hx'", 7, "/a.rs:7"),
            ("./edit.sh --quick", 7, "/a.rs"),
        ] {
            assert_eq!(arguments(editor, Path::new("/a.rs"), line).join(" "), wanted);
        }
    }
}

//! The editor that a person wants, on a file at a line, or on a text of ours.

use std::env;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::NamedTempFile;
use zerver_recorder::regular_file;
use zerver_trace::text::clean;

use crate::error::Trouble;
use crate::locate::shown;
use crate::service::process::alone;

/// A text that was edited may have so many bytes.
const MAX_EDITED: u64 = 16 << 20;

/// Opens `$VISUAL` or `$EDITOR`, else vi, on a file at a line (from 1), and waits for its end. It has the terminal
/// meanwhile.
pub(crate) fn open(path: &Path, line: u32) -> Result<(), Trouble> {
    let editor = editor()?;
    // As git does it: the editor may have arguments, and quotes around them. Its output is none of ours.
    let stdout = if std::io::stdout().is_terminal() { Stdio::inherit() } else { std::io::stderr().into() };
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{editor} \"$@\""), "sh"]).args(at(&editor, path, line)).stdout(stdout);
    let started = {
        let _alone = alone();
        command.spawn()
    };
    let trouble = || {
        Trouble::new(format!("the editor {} failed", clean(&editor)))
            .hint("VISUAL or EDITOR names another editor")
    };
    match started.and_then(|mut child| child.wait()) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let mut trouble = trouble();
            trouble.causes.push(status.to_string());
            Err(trouble)
        }
        Err(error) => Err(trouble().because(&error)),
    }
}

/// Has a person edit a text; gives it as it is then, and the file that it is in, which is removed when dropped.
pub(crate) fn edit(text: &str, suffix: &str) -> Result<(String, NamedTempFile), Trouble> {
    let file = tempfile::Builder::new().prefix("zerver-").suffix(suffix).tempfile();
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        Ok(file)
    });
    let file = written.map_err(|error| Trouble::new("cannot write a file to edit").because(&error))?;
    open(file.path(), 1)?;
    // Many editors put another file in its place, so it is read by its name.
    let text = regular_file::read_text(file.path(), MAX_EDITED)
        .map_err(|error| Trouble::new(format!("cannot read {}", shown(file.path()))).because(&error))?;
    Ok((text, file))
}

fn editor() -> Result<String, Trouble> {
    let named = |name| env::var(name).ok().filter(|editor| !editor.trim().is_empty());
    match named("VISUAL").or_else(|| named("EDITOR")) {
        Some(editor) => Ok(editor),
        None if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() => Ok("vi".to_owned()),
        None => Err(Trouble::new("there is no editor and no terminal to edit in")
            .hint("name one in VISUAL or EDITOR, or use --set")),
    }
}

/// The arguments which name a place: editors are told a line in different ways, and some in none.
fn at(editor: &str, path: &Path, line: u32) -> Vec<String> {
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
    fn editors_are_told_the_line() {
        for (editor, line, wanted) in [
            ("vi", 7, "+7 /a.rs"),
            ("vi", 1, "/a.rs"),
            ("emacs -nw", 7, "+7 /a.rs"),
            ("/usr/bin/code --wait", 7, "--goto /a.rs:7"),
            ("'/usr/bin/hx'", 7, "/a.rs:7"),
            ("./edit.sh --quick", 7, "/a.rs"),
        ] {
            assert_eq!(at(editor, Path::new("/a.rs"), line).join(" "), wanted);
        }
    }
}

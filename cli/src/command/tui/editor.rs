//! Source files, as the compiler saw them: shown, and opened in an editor; and texts of ours in an editor.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use zerver_trace::text::clean;

use crate::command::dev::process;

/// A larger file is no source, in bytes.
const MAX_SOURCE: u64 = 1 << 20;

/// Opens `$VISUAL` or `$EDITOR`, else vi, and waits for its end.
pub(in crate::command) fn edit(store: &Path, file: &str, line: u32) -> Result<(), String> {
    let here = env::current_dir().unwrap_or_default();
    let path = find(file, &[store, &here])
        .ok_or_else(|| format!("{} is not above {} or here", clean(file), store.display()))?;
    open(&path, line)
}

/// Has a person edit a text; gives it as it is then.
pub(in crate::command) fn edit_text(text: &str) -> Result<String, String> {
    let file = tempfile::Builder::new().prefix("zerver-").suffix(".json").tempfile();
    let written = file.and_then(|mut file| {
        writeln!(file, "{text}")?;
        Ok(file)
    });
    let file = written.map_err(|error| format!("cannot write a file to edit: {error}"))?;
    open(file.path(), 1)?;
    // Many editors put another file in its place, so it is read by its name.
    fs::read_to_string(file.path()).map_err(|error| format!("cannot read what was edited: {error}"))
}

fn open(path: &Path, line: u32) -> Result<(), String> {
    let var = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = var("VISUAL").or_else(|| var("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    let words = command(&editor, path, line);
    let Some((program, args)) = words.split_first() else {
        return Err("$EDITOR names no program".to_owned());
    };
    let started = {
        let _alone = process::alone();
        Command::new(program).args(args).spawn()
    };
    match started.and_then(|mut child| child.wait()) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{editor} ended with {status}")),
        Err(error) => Err(format!("cannot run {editor}: {error}; $EDITOR names the editor")),
    }
}

/// The text of a file, as the compiler saw it.
pub(super) fn text(store: &Path, file: &str) -> Option<String> {
    let path = find(file, &[store, &env::current_dir().unwrap_or_default()])?;
    let is_small = fs::metadata(&path).is_ok_and(|found| found.len() <= MAX_SOURCE);
    fs::read_to_string(path).ok().filter(|_| is_small)
}

/// The file, as the compiler saw it: from the root of its workspace, which is above the store or above us.
fn find(file: &str, below: &[&Path]) -> Option<PathBuf> {
    let file = Path::new(file);
    // A trace may come from anywhere, and could name any file.
    if file.extension().is_none_or(|extension| extension != "rs") {
        return None;
    }
    if file.is_absolute() {
        return file.is_file().then(|| file.to_owned());
    }
    let roots = below.iter().flat_map(|path| path.ancestors());
    roots.map(|root| root.join(file)).find(|path| path.is_file())
}

/// The program and its arguments: editors are told a line in different ways.
fn command(editor: &str, path: &Path, line: u32) -> Vec<String> {
    let mut words: Vec<String> = editor.split_whitespace().map(str::to_owned).collect();
    let program = words.first().map(|word| Path::new(word).file_stem().unwrap_or_default().to_owned());
    let path = path.display().to_string();
    match program.as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("code" | "codium" | "cursor") => words.extend(["--goto".to_owned(), format!("{path}:{line}")]),
        Some("hx" | "helix" | "subl" | "zed") => words.push(format!("{path}:{line}")),
        _ => words.extend([format!("+{line}"), path]),
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editors_are_told_the_line() {
        for (editor, wanted) in [
            ("vi", "vi +7 /a.rs"),
            ("emacs -nw", "emacs -nw +7 /a.rs"),
            ("/usr/bin/code --wait", "/usr/bin/code --wait --goto /a.rs:7"),
            ("hx", "hx /a.rs:7"),
        ] {
            assert_eq!(command(editor, Path::new("/a.rs"), 7).join(" "), wanted);
        }
    }

    #[test]
    fn a_file_is_found_from_the_root_of_its_workspace() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("examples/todos/.zerver");
        let file = dir.path().join("examples/todos/src/main.rs");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();
        for name in ["examples/todos/src/main.rs", "src/main.rs", &file.display().to_string()] {
            assert_eq!(find(name, &[&store]), Some(file.clone()), "{name}");
        }
        for name in ["src/other.rs", "", "src", "/etc/passwd"] {
            assert_eq!(find(name, &[&store]), None, "{name}");
        }
    }
}

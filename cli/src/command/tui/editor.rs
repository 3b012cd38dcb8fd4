//! The editor that somebody wants, on a text of ours.

use std::env;
use std::io::Write;
use std::process::Command;

/// Has a person edit a text; gives it as it is then.
pub(super) fn edit(text: &str) -> Result<String, String> {
    let named = |name| env::var(name).ok().filter(|editor| !editor.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    let file = tempfile::Builder::new().prefix("zerver-").suffix(".json").tempfile();
    let written = file.and_then(|mut file| {
        writeln!(file, "{text}")?;
        Ok(file)
    });
    let file = written.map_err(|error| format!("cannot write a file to edit: {error}"))?;
    // As git does it: the editor may have arguments, and quotes around them.
    let status = Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file.path()).status();
    match status {
        // Many editors put another file in its place, so it is read by its name.
        Ok(status) if status.success() => std::fs::read_to_string(file.path())
            .map_err(|error| format!("cannot read what was edited: {error}")),
        Ok(status) => Err(format!("the editor {editor} failed: {status}; VISUAL or EDITOR names another")),
        Err(error) => Err(format!("the editor {editor} cannot be run: {error}")),
    }
}

//! Source files as they are now, and where the functions of steps are in them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use zerver_analysis::function_line;

use crate::recordings::Recordings;

/// Source files that have been looked for, by the name that the compiler was given.
#[derive(Default)]
pub(crate) struct SourceFiles(BTreeMap<String, Option<SourceFile>>);

struct SourceFile {
    path: PathBuf,
    /// Path without links, for comparisons.
    resolved: PathBuf,
    lines: Vec<String>,
}

/// A function in a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionPlace {
    pub(crate) path: PathBuf,
    /// Path without links.
    pub(crate) resolved: PathBuf,
    /// First and last line, from 1.
    pub(crate) lines: RangeInclusive<u32>,
}

impl SourceFiles {
    /// Finds a function that was recorded at a line of a file. Code above it may have changed since.
    pub(crate) fn function(
        &mut self,
        recordings: &dyn Recordings,
        file: &str,
        name: &str,
        recorded: u32,
    ) -> Option<FunctionPlace> {
        let found = self.0.entry(file.to_owned()).or_insert_with(|| {
            let source = recordings.source(file)?;
            Some(SourceFile {
                resolved: resolved(&source.path),
                path: source.path,
                lines: source.text.lines().map(str::to_owned).collect(),
            })
        });
        let found = found.as_ref()?;
        let first = function_line(&found.lines, name, recorded);
        Some(FunctionPlace {
            path: found.path.clone(),
            resolved: found.resolved.clone(),
            lines: first..=last_line(&found.lines, first),
        })
    }
}

/// Returns a path without links, as editors may name a file by another path than Cargo.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Returns the last line of the function that begins at a line: the first brace below it that is indented as the line is.
fn last_line(lines: &[String], first: u32) -> u32 {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let at = usize::try_from(first).unwrap_or(usize::MAX);
    let Some(line) = at.checked_sub(1).and_then(|at| lines.get(at)) else { return first };
    if line.trim_end().ends_with('}') {
        return first;
    }
    let wanted = indent(line);
    let below = (first..).zip(lines.iter().skip(at.saturating_sub(1))).skip(1);
    let mut ends = below.filter(|(_, line)| line.trim_end() == format!("{}}}", " ".repeat(wanted)));
    ends.next().map_or(first, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_ends_at_its_own_brace() {
        let text = "fn a() -> A {\n    if x {\n    }\n}\nmod m {\n    fn b(\n        x: X,\n    ) {\n    }\n}\nfn c() {}\n";
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (first, last) in [(1, 4), (6, 9), (11, 11), (99, 99), (0, 0)] {
            assert_eq!(last_line(&lines, first), last, "{first}");
        }
    }
}

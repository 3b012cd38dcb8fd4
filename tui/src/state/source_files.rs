//! Source files loaded for the inspector.

use std::collections::HashMap;

/// Lines by file; `None` for files that were not found.
#[derive(Debug, Default)]
pub(crate) struct SourceFiles(HashMap<String, Option<Vec<String>>>);

impl SourceFiles {
    pub(crate) fn insert(&mut self, file: String, text: Option<&str>) {
        self.0.insert(file, text.map(|text| text.lines().map(str::to_owned).collect()));
    }

    pub(crate) fn contains(&self, file: &str) -> bool {
        self.0.contains_key(file)
    }

    pub(crate) fn get(&self, file: &str) -> Option<&[String]> {
        self.0.get(file)?.as_deref()
    }

    /// Returns the line, from 1, at which a step's function begins now, or the recorded line if that is unknown.
    pub(crate) fn line_of(&self, file: &str, function: &str, recorded: u32) -> u32 {
        zerver_analysis::function_line(self.get(file).unwrap_or_default(), function, recorded)
    }

    /// Forgets all files, because they may have changed.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

//! Source files as far as they were asked for.

use std::collections::HashMap;

/// The lines of source files, as far as they were asked for; none where a file is not to be found.
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

    /// They may have changed.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

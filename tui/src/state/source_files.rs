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

    /// Returns the line, from 1, at which a step's function begins now: code above it may have changed since the recording.
    /// Prefers the nearest function of that name; without one, or without the file, returns the recorded line.
    pub(crate) fn line_of(&self, file: &str, function: &str, recorded: u32) -> u32 {
        let lines = self.get(file).unwrap_or_default();
        let found = (1..).zip(lines).filter(|(_, line)| is_function(line, function)).map(|(at, _)| at);
        found.min_by_key(|at: &u32| at.abs_diff(recorded)).unwrap_or(recorded)
    }

    /// Forgets all files, because they may have changed.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Returns true if a function of this name begins on the line.
fn is_function(line: &str, name: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| *word != "fn").skip(1);
    let rest = words.next().and_then(|word| word.strip_prefix(name));
    rest.is_some_and(|rest| rest.starts_with(['(', '<']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_after_it_has_moved() {
        let text = "// fn load in a comment is not followed by a parenthesis\n\
                    fn load_all() {}\n\
                    \n\
                    pub fn load(id: &Id) -> Todo {\n\
                    }\n\
                    mod more {\n\
                    \x20   pub(super) fn load<'a>(id: &'a Id) {}\n\
                    }\n";
        let mut files = SourceFiles::default();
        files.insert("a.rs".to_owned(), Some(text));
        assert_eq!(files.line_of("a.rs", "load", 2), 4);
        assert_eq!(files.line_of("a.rs", "load", 40), 7);
        assert_eq!(files.line_of("a.rs", "removed", 2), 2);
        assert_eq!(files.line_of("b.rs", "load", 2), 2);
    }
}

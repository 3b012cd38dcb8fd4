//! Strings by number: a table of the few that repeat, and packed storage for paths.

use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher};

/// Stands for every string after the first 65,535.
const OTHER: &str = "…";
/// Maximum length of a path, in bytes; longer ones are truncated.
const MAX_PATH: usize = 255;
/// Number of recent paths remembered, to store repeated ones once.
const RECENT: usize = 1 << 16;

/// Table of flow, method and outcome names.
#[derive(Debug, Clone, Default)]
pub(super) struct StringTable {
    texts: Vec<String>,
    numbers: HashMap<String, u16>,
}

impl StringTable {
    pub(super) fn number(&mut self, text: &str) -> u16 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let Ok(number) = u16::try_from(self.texts.len()) else { return u16::MAX };
        let text = if number == u16::MAX { OTHER } else { text };
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    pub(super) fn get(&self, number: u16) -> &str {
        self.texts.get(usize::from(number)).map_or(OTHER, String::as_str)
    }
}

/// Paths stored back to back, each preceded by its length as a character.
#[derive(Debug, Default)]
pub(super) struct PathTable {
    text: String,
    /// Offset plus one of the last path with a given hash; 0 means none.
    recent: Vec<u32>,
    hasher: std::hash::BuildHasherDefault<DefaultHasher>,
}

impl PathTable {
    pub(super) fn number(&mut self, path: &str) -> u32 {
        let path = cut(path);
        if self.recent.is_empty() {
            self.recent = vec![0; RECENT];
        }
        let slot = self.hasher.hash_one(path) as usize % RECENT;
        if let Some(at) = self.recent[slot].checked_sub(1)
            && self.get(at) == path
        {
            return at;
        }
        // Above 4 GiB of paths, the last one with this hash stands for the rest.
        let Ok(at) = u32::try_from(self.text.len()) else { return self.recent[slot].saturating_sub(1) };
        self.text.push(path.len() as u8 as char);
        self.text.push_str(path);
        self.recent[slot] = at.saturating_add(1);
        at
    }

    pub(super) fn get(&self, number: u32) -> &str {
        let at = number as usize;
        let Some(len) = self.text.get(at..).and_then(|rest| rest.chars().next()) else { return "" };
        let start = at + len.len_utf8();
        self.text.get(start..start + len as usize).unwrap_or("")
    }
}

fn cut(path: &str) -> &str {
    &path[..path.floor_char_boundary(MAX_PATH)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_paths_are_found_by_number() {
        let (mut words, mut paths) = (StringTable::default(), PathTable::default());
        let long = "/漢字".repeat(100);
        for text in ["", "GET", "/todos/1", long.as_str(), "GET", "/todos/1"] {
            let (word, path) = (words.number(text), paths.number(text));
            assert_eq!(words.get(word), text);
            assert_eq!(paths.get(path), cut(text));
        }
        assert_eq!(words.texts.len(), 4);
        assert_eq!(paths.text.len(), 5 + 3 + 8 + cut(&long).len());
        for n in 0..70_000 {
            words.number(&n.to_string());
        }
        let another = words.number("another");
        assert_eq!(words.get(another), OTHER);
    }
}

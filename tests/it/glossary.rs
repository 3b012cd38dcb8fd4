//! The glossary in `docs/glossary.md`: each term is defined once, and the types it names exist.

use std::collections::BTreeSet;
use std::fs;

use crate::harness::root;
use crate::sources::{crates, files};

fn glossary() -> String {
    fs::read_to_string(root().join("docs/glossary.md")).unwrap()
}

#[test]
fn every_term_of_the_glossary_is_defined_once() {
    let text = glossary();
    let mut terms = BTreeSet::new();
    for line in text.lines() {
        if let Some((term, _)) =
            line.trim_start_matches("- ").strip_prefix("**").and_then(|rest| rest.split_once("**"))
        {
            assert!(terms.insert(term.to_lowercase()), "{term} is defined twice");
        }
    }
    assert!(terms.len() > 40, "found only {} terms", terms.len());
}

#[test]
fn the_types_that_the_glossary_names_exist() {
    let code: Vec<_> = crates()
        .iter()
        .flat_map(|src| files(src, &["rs"]))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let text = glossary();
    let quoted = text.split('`').skip(1).step_by(2);
    let is_type = |name: &&str| {
        name.starts_with(char::is_uppercase)
            && name.contains(char::is_lowercase)
            && name.chars().all(|c| c.is_alphanumeric() || c == ':')
    };
    for path in quoted.filter(is_type) {
        let mut names = path.split("::");
        let name = names.next().unwrap_or_default();
        let declarations = ["struct", "enum", "trait", "type"].map(|kind| format!("{kind} {name}"));
        let declares = |code: &&String| {
            declarations.iter().any(|declaration| {
                code.match_indices(declaration).any(|(at, found)| {
                    !code[at + found.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            })
        };
        let file = code.iter().find(declares);
        let file = file.unwrap_or_else(|| panic!("the glossary names `{path}`, but there is no type {name}"));
        for member in names {
            assert!(file.contains(member), "the glossary names `{path}`, but {name} has no {member}");
        }
    }
}

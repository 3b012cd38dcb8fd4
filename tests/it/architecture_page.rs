//! ARCHITECTURE.md is true of the code: its paths exist, its walks lead through the functions that they name, and its
//! table of crates is the workspace.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value as Json;

use crate::architecture::metadata;
use crate::harness::root;
use crate::sources::{crates, files};

/// Mark of a line on which a walk enters a folder that it has left.
const BACK: &str = "↩ ";

fn page() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// Returns the text below a heading, up to the next heading of the same level.
fn section<'t>(page: &'t str, heading: &str) -> &'t str {
    let (level, _) = heading.split_once(' ').unwrap();
    let text = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}")).1;
    text.split(&format!("\n{level} ")).next().unwrap()
}

/// Returns the texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// A row of the table of crates.
pub(crate) struct CrateRow {
    pub(crate) folder: String,
    pub(crate) name: String,
    /// Names of the crates that it depends on.
    pub(crate) dependencies: BTreeSet<String>,
}

/// Returns the rows of the table of crates, in order.
pub(crate) fn crate_table() -> Vec<CrateRow> {
    let page = page();
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [folder, name, _, dependencies] = cells[..] else { panic!("not four columns: {line}") };
        let full_name = |name: &str| match name {
            "zerver" => name.to_owned(),
            name => format!("zerver-{name}"),
        };
        CrateRow {
            folder: folder.trim_matches('`').to_owned(),
            name: name.trim_matches('`').to_owned(),
            dependencies: dependencies.split(", ").filter(|name| *name != "none").map(full_name).collect(),
        }
    };
    section(&page, "## Crates").lines().filter(|line| line.starts_with("| `")).map(row).collect()
}

#[test]
fn the_table_of_crates_lists_the_members_of_the_workspace() {
    let metadata = metadata();
    let member = |package: &Json| {
        let manifest = package["manifest_path"].as_str().unwrap();
        let folder = manifest.strip_suffix("/Cargo.toml").unwrap();
        let folder = folder.strip_prefix(root().to_str().unwrap()).unwrap().trim_start_matches('/');
        (folder.to_owned(), package["name"].as_str().unwrap().to_owned())
    };
    let members: BTreeSet<_> = metadata["packages"].as_array().unwrap().iter().map(member).collect();
    let rows = crate_table();
    let listed: BTreeSet<_> = rows.iter().map(|row| (row.folder.clone(), row.name.clone())).collect();
    assert_eq!(listed, members, "left: the table, right: the workspace");
    assert_eq!(rows.len(), listed.len(), "a crate is listed twice");
}

#[test]
fn every_path_on_the_page_exists() {
    let page = page();
    let is_path_char = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let is_path = |text: &&str| {
        let is_file = [".rs", ".md"].iter().any(|extension| text.ends_with(extension));
        text.chars().all(is_path_char) && (text.contains('/') || is_file) && !text.starts_with('/')
    };
    let paths: BTreeSet<_> = quoted(&page).filter(is_path).collect();
    assert!(paths.len() > 80, "found only {} paths", paths.len());
    let missing: Vec<_> = paths.into_iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "not in the repository (paths start at its root): {missing:#?}");
}

#[test]
fn the_types_and_functions_on_the_page_exist() {
    // Of the standard library, of serde and of HTTP.
    let foreign = ["Serialize", "Host"];
    let code: Vec<_> = crates()
        .iter()
        .flat_map(|src| files(src, &["rs"]))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let page = page();
    let is_name = |text: &&str| {
        let is_path = text.starts_with(char::is_uppercase) && text.contains(char::is_lowercase);
        is_path && text.chars().all(|c| c.is_alphanumeric() || "_:".contains(c)) && !foreign.contains(text)
    };
    let names: BTreeSet<_> = quoted(&page).filter(is_name).flat_map(|path| path.split("::")).collect();
    assert!(names.len() > 60, "found only {} names", names.len());
    let is_variant = |code: &str, name: &str| {
        let mut lines = code.lines().filter_map(|line| line.trim_start().strip_prefix(name));
        lines.any(|rest| rest.starts_with(',') || rest.starts_with('(') || rest.starts_with(" {"))
    };
    let kinds = ["fn", "struct", "enum", "trait", "type"];
    let exists = |name: &str| code.iter().any(|code| defines(code, &kinds, name) || is_variant(code, name));
    let missing: Vec<_> = names.into_iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "not in the code: {missing:?}");
}

/// Returns true if code declares an item of one of these kinds with this name.
fn defines(code: &str, kinds: &[&str], name: &str) -> bool {
    let is_end = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let defines = |kind: &&str| {
        let item = format!("{kind} {name}");
        code.match_indices(&item).any(|(at, _)| is_end(&code[at + item.len()..]))
    };
    !name.is_empty() && kinds.iter().any(defines)
}

/// A line of a walk.
struct WalkLine {
    number: usize,
    text: String,
    is_back: bool,
    path: String,
    /// Function or type, without the type that it belongs to.
    name: String,
}

/// Returns the lines of each walk.
fn walks() -> Vec<Vec<WalkLine>> {
    let page = page();
    let line = |text: &str| {
        let (number, rest) = text.split_once(". ")?;
        let number = number.parse().ok()?;
        let mut names = quoted(rest);
        Some(WalkLine {
            number,
            text: text.to_owned(),
            is_back: rest.starts_with(BACK),
            path: names.next().unwrap_or_else(|| panic!("no path: {text}")).to_owned(),
            name: names.next().and_then(|name| name.rsplit("::").next()).unwrap_or_default().to_owned(),
        })
    };
    let walks = section(&page, "## Five walks").split("\n### ").skip(1);
    walks.map(|walk| walk.lines().filter_map(line).collect()).collect()
}

#[test]
fn every_line_of_a_walk_names_a_function_of_its_file() {
    let walks = walks();
    assert_eq!(walks.len(), 5);
    let mut wrong = Vec::new();
    for (number, line) in walks.iter().flat_map(|walk| (1..).zip(walk)) {
        assert_eq!(line.number, number, "{}", line.text);
        let code = fs::read_to_string(root().join(&line.path)).unwrap_or_default();
        if !defines(&code, &["fn", "struct"], &line.name) {
            wrong.push(&line.text);
        }
    }
    assert!(wrong.is_empty(), "not in the file: {wrong:#?}");
}

#[test]
fn each_walk_marks_where_it_goes_back() {
    for walk in walks() {
        let places: Vec<_> = walk.iter().map(|line| place(&line.path)).collect();
        for (at, line) in walk.iter().enumerate() {
            let goes_on = at > 0 && is_same_place(places[at - 1], places[at]);
            let was_there = places[..at].iter().any(|earlier| is_same_place(earlier, places[at]));
            let goes_back = was_there && !goes_on;
            assert_eq!(line.is_back, goes_back, "{}", line.text);
        }
    }
}

/// Returns the folder of a file, or the file itself if it lies directly in `src`.
fn place(path: &str) -> &str {
    let (folder, _) = path.rsplit_once('/').unwrap();
    if folder.ends_with("/src") { path } else { folder }
}

/// Returns true if one place is the other, or lies in it.
fn is_same_place(one: &str, other: &str) -> bool {
    let contains = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    contains(one, other) || contains(other, one)
}

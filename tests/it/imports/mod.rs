//! Import cycles: files that need each other, directly or through others, can only be understood together. Methods and
//! trait implementations are not imports, and neither is code behind `#[cfg(test)]`.

mod code;
mod graph;
mod paths;

use std::fmt::Write;

use crate::harness::root;
use crate::sources::{crates, relative};

/// Maximum number of files in a cycle.
const MAX_CYCLE: usize = 4;

#[test]
fn no_import_cycle_has_more_than_four_files() {
    let mut report = String::new();
    for src in crates() {
        let edges = graph::Crate::read(&root().join(src)).edges();
        for component in graph::components(&edges).into_iter().filter(|files| files.len() > MAX_CYCLE) {
            _ = writeln!(report, "\na cycle of {} files:", component.len());
            for from in &component {
                for (to, names) in edges[from].iter().filter(|(to, _)| component.contains(to)) {
                    let names: Vec<_> = names.iter().map(String::as_str).collect();
                    _ = writeln!(report, "  {} -> {}: {}", relative(from), relative(to), names.join(", "));
                }
            }
        }
    }
    assert!(report.is_empty(), "move the shared items down into a file of their own:{report}");
}

#[test]
fn imports_are_resolved_through_maps_and_without_tests() {
    let src = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("lib.rs", "mod a;\nmod shared;\npub use a::{Thing, one};\n"),
        ("shared.rs", "pub const N: u8 = 1;\n"),
        ("a/mod.rs", "//! A map.\nmod one;\nmod two;\npub use one::one;\npub use two::*;\n"),
        (
            "a/one.rs",
            "use super::Thing;\npub fn one(_: Thing) {}\n#[cfg(test)]\nmod tests { use crate::shared; }\n",
        ),
        (
            "a/two.rs",
            "use crate::shared as s; // use super::one;\npub struct Thing;\nfn f() { s::N; \"super::one::one\"; }\n",
        ),
    ] {
        let path = src.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let edges = graph::Crate::read(src.path()).edges();
    let name = |path: &std::path::Path| path.strip_prefix(src.path()).unwrap().display().to_string();
    let found: Vec<_> = edges
        .iter()
        .flat_map(|(from, to)| to.keys().map(|to| format!("{} -> {}", name(from), name(to))))
        .collect();
    assert_eq!(
        found,
        [
            "a/mod.rs -> a/one.rs",
            "a/mod.rs -> a/two.rs",
            "a/one.rs -> a/two.rs",
            "a/two.rs -> shared.rs",
            "lib.rs -> a/one.rs",
            "lib.rs -> a/two.rs",
        ]
    );
    assert!(graph::components(&edges).is_empty());
}

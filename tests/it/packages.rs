//! Every crate that can be published has what a registry asks for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::harness::root;

/// Returns the published packages, as `cargo metadata` describes them.
fn published_packages() -> Vec<Json> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Json = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let published: Vec<_> = packages.iter().filter(|package| package["publish"].is_null()).cloned().collect();
    assert!(published.len() >= 8, "only {} packages are published", published.len());
    published
}

#[test]
fn published_crates_have_metadata_and_versioned_dependencies() {
    for package in published_packages() {
        let name = &package["name"];
        for key in ["description", "license", "repository", "readme", "rust_version"] {
            assert!(package[key].is_string(), "{name} has no {key}");
        }
        for key in ["keywords", "categories"] {
            assert!(package[key].as_array().is_some_and(|list| !list.is_empty()), "{name} has no {key}");
        }
        assert!(package["metadata"]["docs"]["rs"].is_object(), "{name} has no settings for docs.rs");
        for dependency in package["dependencies"].as_array().unwrap() {
            let is_local_and_kept = dependency["path"].is_string() && dependency["kind"] != "dev";
            assert!(
                !is_local_and_kept || dependency["req"] != "*",
                "{name} depends on {} without a version",
                dependency["name"]
            );
        }
    }
}

/// Returns the Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// A package contains the files of its own folder only. What tests of several crates share is in `tests/testkit`.
#[test]
fn published_crates_include_no_file_from_outside_of_their_folder() {
    for package in published_packages() {
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
        for path in sources(&folder.join("src")) {
            let text = fs::read_to_string(&path).unwrap();
            let included = ["include_str!(\"", "include_bytes!(\"", "#[path = \""]
                .map(|begin| text.split(begin).skip(1));
            for rest in included.into_iter().flatten() {
                let included = rest.split('"').next().unwrap();
                let target = path.parent().unwrap().join(included).canonicalize().unwrap();
                assert!(target.starts_with(&folder), "{} includes {included}", path.display());
            }
        }
    }
}

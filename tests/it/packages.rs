//! Every crate that can be published has what a registry asks for.

use std::process::Command;

use serde_json::Value as Json;

use crate::harness::root;

#[test]
fn published_crates_have_metadata_and_versioned_dependencies() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Json = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let is_published = |package: &Json| package["publish"].is_null();
    assert!(packages.iter().filter(|package| is_published(package)).count() >= 8);
    for package in packages.iter().filter(|package| is_published(package)) {
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

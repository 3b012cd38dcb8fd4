//! `zerver new`: what it writes compiles, passes its own tests, and nothing is overwritten.

use std::fs;

use serde_json::json;

use crate::harness::{OtherBuilds, Place, cargo, root};

#[test]
fn every_template_compiles_and_passes_its_tests() {
    let place = Place::new();
    let builds = OtherBuilds::begin();
    for template in ["hello", "sqlite", "axum"] {
        let name = format!("new-{template}");
        let ran = place.zerver(&["new", &name, "--template", template]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let folder = place.path().join(&name);
        // The versions that are known to work here, without asking the registry.
        fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        let output = cargo()
            .args(["test", "--offline"])
            .current_dir(&folder)
            .envs(builds.environment())
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{template}: {err}\n{out}");
        assert!(out.contains("1 passed"), "{template}: {out}");
        assert!(!err.contains("warning"), "{template}: {err}");
    }
}

#[test]
fn what_exists_is_never_changed() {
    let place = Place::new();
    let folder = place.path().join("service");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("notes"), "mine").unwrap();
    let ran = place.zerver(&["new", "service"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("service is not empty"), "{ran:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    fs::write(place.path().join("file"), "").unwrap();
    let ran = place.zerver(&["new", "file"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("cannot create file"), "{ran:?}");
}

#[test]
fn a_workspace_around_the_package_is_named() {
    let place = Place::new();
    fs::write(place.path().join("Cargo.toml"), "[workspace]\nmembers = []\n").unwrap();
    let ran = place.zerver(&["new", "service"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("add it to the members of the workspace in"), "{ran:?}");
    let created = place.json(&["new", "other", "--json"]);
    assert_eq!(created["files"], json!(["Cargo.toml", ".gitignore", "zerver.toml", "src/main.rs"]));
    let ran = place.zerver(&["new", "third", "--zerver", "."]);
    assert!(ran.code == Some(2) && ran.err.contains("is not a clone of zerver"), "{ran:?}");
}

//! The lints for services in `docs/clippy.toml` name what a step must not use.

use std::fs;
use std::process::Command;

use crate::harness::root;

const SOURCE: &str = "
pub fn pure(n: u64) -> u64 { n + 1 }
pub fn clock() -> std::time::Instant { std::time::Instant::now() }
pub fn order(n: u64) -> Vec<u64> { std::collections::HashMap::from([(n, n)]).into_keys().collect() }
pub fn place() -> Option<String> { std::env::var(\"PLACE\").ok() }
";

const MANIFEST: &str = "[package]\nname = \"impure\"\nedition = \"2024\"\n[workspace]\n
[lints.clippy]\ndisallowed_methods = \"deny\"\ndisallowed_types = \"deny\"\n";

#[test]
fn clippy_with_the_lints_for_services_names_what_is_impure() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    if !Command::new(&cargo).args(["clippy", "--version"]).output().is_ok_and(|o| o.status.success()) {
        // A toolchain without clippy.
        return;
    }
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("src")).unwrap();
    fs::write(place.path().join("Cargo.toml"), MANIFEST).unwrap();
    fs::write(place.path().join("src/lib.rs"), SOURCE).unwrap();
    fs::copy(root().join("docs/clippy.toml"), place.path().join("clippy.toml")).unwrap();
    let output = Command::new(&cargo)
        .args(["clippy", "--offline", "--quiet", "--message-format=short"])
        .current_dir(place.path())
        .env("CARGO_TARGET_DIR", place.path().join("target"))
        .env_remove("RUSTFLAGS")
        .env_remove("CLIPPY_CONF_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(101), "{said}");
    for (line, what) in [(3, "Instant::now"), (4, "HashMap"), (5, "env::var")] {
        let is_named = |said: &str| said.starts_with(&format!("src/lib.rs:{line}:")) && said.contains(what);
        assert!(said.lines().any(is_named), "{what}: {said}");
    }
    // Neither the pure function nor a line of the file itself.
    assert!(!said.contains("src/lib.rs:2:") && !said.contains("clippy.toml"), "{said}");
}

//! Dependencies between crates and files, as ARCHITECTURE.md describes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The dependencies of each crate of the workspace, those for tests and builds aside.
fn dependencies() -> Vec<(String, BTreeSet<String>)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Json = serde_json::from_slice(&output.stdout).unwrap();
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let package = |package: &Json| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let normal = dependencies.filter(|dependency| dependency["kind"].is_null());
        (text(&package["name"]), normal.map(|dependency| text(&dependency["name"])).collect())
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

#[test]
fn each_crate_names_only_those_below_it() {
    let may_name: &[(&str, &[&str])] = &[
        ("zerver-trace", &[]),
        ("zerver-macros", &[]),
        ("zerver-engine", &["zerver-trace", "zerver-macros"]),
        ("zerver-recorder", &["zerver-trace"]),
        ("zerver-replay", &["zerver-trace", "zerver-engine"]),
        ("zerver-analysis", &["zerver-trace", "zerver-engine", "zerver-replay"]),
        ("zerver", &["zerver-trace", "zerver-engine", "zerver-recorder", "zerver-replay"]),
        ("zerver-tui", &["zerver-trace", "zerver-replay", "zerver-analysis"]),
        (
            "zerver-cli",
            &["zerver-trace", "zerver-recorder", "zerver-replay", "zerver-analysis", "zerver-tui"],
        ),
        ("zerver-fixtures", &[]),
        ("zerver-example-ladder", &["zerver"]),
        ("zerver-example-links", &["zerver"]),
        ("zerver-example-orders", &["zerver"]),
        ("zerver-example-todos", &["zerver"]),
        ("zerver-benches", &["zerver", "zerver-recorder", "zerver-replay", "zerver-trace"]),
        ("zerver-tests", &["zerver"]),
        ("zerver-threads", &[]),
    ];
    let dependencies = dependencies();
    let known: BTreeSet<_> = may_name.iter().map(|(name, _)| *name).collect();
    let present: BTreeSet<_> = dependencies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(known, present, "a crate that is not in this list, or no longer there");
    for (name, names) in &dependencies {
        let allowed = may_name.iter().find(|(known, _)| known == name).unwrap().1;
        let ours = names.iter().filter(|named| named.starts_with("zerver"));
        for named in ours {
            assert!(allowed.contains(&named.as_str()), "{name} names {named}");
        }
    }
}

#[test]
fn the_lower_crates_stay_small_and_without_io() {
    let outside = |name: &str| -> BTreeSet<String> {
        let (_, names) = dependencies().into_iter().find(|(known, _)| known == name).unwrap();
        names.into_iter().filter(|named| !named.starts_with("zerver")).collect()
    };
    let check = |name: &str, allowed: &[&str]| {
        let allowed: BTreeSet<_> = allowed.iter().map(ToString::to_string).collect();
        let extra: Vec<_> = outside(name).difference(&allowed).cloned().collect();
        assert!(extra.is_empty(), "{name} names {extra:?}");
    };
    check("zerver-trace", &["bincode", "serde"]);
    check("zerver-engine", &["bytes", "form_urlencoded", "http", "serde", "serde_json", "smallvec"]);
    check("zerver-replay", &["bincode", "http", "serde", "serde_json", "thiserror"]);
    check("zerver-analysis", &["serde", "similar", "thiserror"]);
    for name in ["zerver-cli", "zerver-tui"] {
        assert!(!outside(name).contains("redb") && !outside(name).contains("hyper"), "{name}");
    }
}

/// The source files below a folder, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let (mut files, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    assert!(!files.is_empty(), "no sources below {folder}");
    files
}

/// The code of a file, without its comments and without what follows `#[cfg(test)]`.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn nobody_says(folder: &str, words: &[&str], but: &[&str]) {
    for (path, text) in sources(folder) {
        if but.iter().any(|file| path.ends_with(file)) {
            continue;
        }
        let code = code(&text);
        for word in words {
            assert!(!code.contains(word), "{} says `{word}`", path.display());
        }
    }
}

#[test]
fn the_engine_knows_no_world_outside() {
    let world = [
        "Instant",
        "SystemTime::now",
        "std::env",
        "std::fs",
        "std::net::Tcp",
        "HashMap",
        "HashSet",
        "std::thread",
        "thread_local!",
    ];
    // Thread-locals without a trace in any result: only a panic hook learns where a panic was, and has nowhere else to
    // leave that for the job; and the drop of a long chain of effects must not recurse.
    let thread_locals = ["runtime/engine/src/panics.rs", "runtime/engine/src/effect/program.rs"];
    nobody_says("runtime/engine/src", &world, &thread_locals);
    nobody_says("recorder/trace/src", &world, &[]);
    nobody_says("replay/src", &world, &[]);
    nobody_says("replay/analysis/src", &world, &[]);
}

/// A wall clock that is set moves no deadline: what a service waits for is counted on the monotonic one.
#[test]
fn the_wall_clock_is_looked_at_in_few_places() {
    let told = ["runtime/src/time/service_clock.rs", "effects/clock.rs", "effects/kv/expiry.rs"];
    nobody_says("runtime/src", &["SystemTime::now", "UNIX_EPOCH.elapsed"], &told);
    nobody_says(
        "recorder/src",
        &["SystemTime::now"],
        &["recorder/src/write/retention.rs", "recorder/src/maintenance/repair.rs"],
    );
}

#[test]
fn one_file_names_the_store_and_one_the_codec() {
    let database = ["read_store", "snapshot", "storage_file", "store_error", "table", "write_store"]
        .map(|name| format!("recorder/src/backend/{name}.rs"));
    nobody_says("recorder/src", &["redb::"], &database.each_ref().map(String::as_str));
    // Deriving is not naming the format.
    let codec = ["bincode::config", "bincode::encode", "bincode::decode", "bincode::enc", "bincode::de"];
    nobody_says("recorder/src", &codec, &["recorder/src/format/codec.rs"]);
    nobody_says("replay/src", &codec, &["replay/src/wire.rs"]);
    nobody_says("replay/analysis/src", &["bincode::"], &[]);
    // What could reach anything outside: a replay has no network by type.
    for folder in ["replay/src", "replay/analysis/src"] {
        nobody_says(folder, &["TcpStream", "UnixStream", "UdpSocket", "File::", "tokio"], &[]);
    }
}

#[test]
fn only_the_command_line_prints() {
    let folders = [
        "recorder/src",
        "recorder/trace/src",
        "replay/src",
        "replay/analysis/src",
        "runtime/engine/src",
        "tui/src",
    ];
    for folder in folders {
        nobody_says(folder, &["println!", "eprintln!", "std::env::", "process::exit"], &[]);
    }
}

#[test]
fn every_file_says_what_it_is_for_and_is_one_noun() {
    for folder in
        ["recorder", "runtime", "replay", "tui/src", "cli/src", "fixtures/src", "examples", "benches/src"]
    {
        for (path, text) in sources(folder) {
            if path
                .components()
                .any(|part| matches!(part.as_os_str().to_str(), Some("compile_fail" | "target")))
            {
                continue;
            }
            assert!(text.starts_with("//!"), "{} does not open with its purpose", path.display());
            if path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs") {
                continue;
            }
            let lines = code(&text).lines().count();
            assert!(lines <= 420, "{} has {lines} lines: is it one noun?", path.display());
        }
    }
}

//! Dependencies between crates and files, as ARCHITECTURE.md describes them.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value as Json;

use crate::architecture_page::crate_table;
use crate::harness::root;
use crate::sources::{files, relative};

/// Returns the description of the workspace by Cargo.
pub(crate) fn metadata() -> Json {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the dependencies of each crate of the workspace, except those of tests and builds.
fn dependencies() -> Vec<(String, BTreeSet<String>)> {
    let metadata = metadata();
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let package = |package: &Json| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let normal = dependencies.filter(|dependency| dependency["kind"].is_null());
        (text(&package["name"]), normal.map(|dependency| text(&dependency["name"])).collect())
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

/// `architecture_page` checks that the table lists each crate.
#[test]
fn each_crate_names_only_those_below_it() {
    let rows = crate_table();
    for (name, names) in dependencies() {
        let at =
            rows.iter().position(|row| row.name == name).unwrap_or_else(|| panic!("{name} is not listed"));
        let ours: BTreeSet<_> = names.into_iter().filter(|named| named.starts_with("zerver")).collect();
        assert_eq!(rows[at].dependencies, ours, "{name}: left: ARCHITECTURE.md, right: Cargo.toml");
        let lower: BTreeSet<_> = rows[..at].iter().map(|row| row.name.as_str()).collect();
        for named in &ours {
            assert!(lower.contains(named.as_str()), "{name} names {named}, which is not listed before it");
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
    let engine = [
        "bytes",
        "form_urlencoded",
        "http",
        "httpdate",
        "percent-encoding",
        "serde",
        "serde_html_form",
        "serde_json",
        "serde_path_to_error",
        "smallvec",
    ];
    check("zerver-engine", &engine);
    check("zerver-replay", &["bincode", "http", "serde", "serde_json", "thiserror"]);
    check("zerver-analysis", &["http", "jiff", "libm", "serde", "similar", "thiserror"]);
    let fleet = [
        "blake3",
        "bytes",
        "futures-util",
        "getrandom",
        "hpke",
        "http",
        "http-body-util",
        "hyper",
        "jiff",
        "serde",
        "serde_json",
        "thiserror",
        "tokio",
        "tokio-postgres",
    ];
    check("zerver-fleet", &fleet);
    check("zerver-otel", &["base64", "serde", "serde_json", "thiserror"]);
    for name in ["zerver-cli", "zerver-tui"] {
        assert!(!outside(name).contains("redb") && !outside(name).contains("hyper"), "{name}");
    }
}

/// Returns the code of a file without its comments and its tests.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Checks that no source file below a folder contains one of these words, except for some files.
fn check_absent(folder: &str, words: &[&str], exceptions: &[&str]) {
    let files = files(folder, &["rs"]);
    assert!(!files.is_empty(), "no sources below {folder}");
    for path in files {
        if exceptions.iter().any(|file| path.ends_with(file)) {
            continue;
        }
        let code = code(&fs::read_to_string(&path).unwrap());
        for word in words {
            assert!(!code.contains(word), "{} contains `{word}`", relative(&path));
        }
    }
}

#[test]
fn the_lower_crates_reach_nothing_outside() {
    let outside = [
        "Instant",
        "SystemTime::now",
        "std::env",
        "std::fs",
        "std::net::Tcp",
        "HashMap",
        "HashSet",
        "std::thread",
    ];
    // No result depends on these: a panic hook has no other place to leave the location of a panic for the job, the drop of
    // a long chain of effects must not recurse, and a name is classified the same way whether it is remembered or not.
    let thread_locals = [
        "runtime/engine/src/panics.rs",
        "runtime/engine/src/effect/program.rs",
        "recorder/trace/src/secret/names/name_memo.rs",
    ];
    let folders = [
        "runtime/engine/src",
        "recorder/trace/src",
        "recorder/otel/src",
        "replay/src",
        "replay/analysis/src",
    ];
    for folder in folders {
        check_absent(folder, &outside, &[]);
        check_absent(folder, &["thread_local!"], &thread_locals);
    }
}

/// Setting the wall clock moves no deadline, because a service measures time with the monotonic clock.
#[test]
fn the_wall_clock_is_read_in_few_files() {
    let readers = ["runtime/src/time/service_clock.rs", "effects/clock.rs", "effects/kv/expiry.rs"];
    check_absent("runtime/src", &["SystemTime::now", "UNIX_EPOCH.elapsed"], &readers);
    let readers = ["recorder/src/write/retention.rs", "recorder/src/maintenance/repair.rs"];
    check_absent("recorder/src", &["SystemTime::now"], &readers);
}

#[test]
fn redb_and_bincode_are_named_in_few_files() {
    let database = ["read_store", "snapshot", "storage_file", "store_error", "table", "write_store"]
        .map(|name| format!("recorder/src/backend/{name}.rs"));
    check_absent("recorder/src", &["redb::"], &database.each_ref().map(String::as_str));
    // Types may derive the traits of bincode anywhere.
    let codec = ["bincode::config", "bincode::encode", "bincode::decode", "bincode::enc", "bincode::de"];
    check_absent("recorder/src", &codec, &["recorder/src/format/codec.rs"]);
    check_absent("replay/src", &codec, &["replay/src/wire.rs"]);
    check_absent("replay/analysis/src", &["bincode::"], &[]);
}

/// A statement is data, and a driver is a choice of the service.
#[test]
fn drivers_are_named_by_services_only() {
    let drivers: Vec<_> =
        crate_table().into_iter().filter(|row| row.folder.starts_with("runtime/drivers/")).collect();
    assert!(drivers.len() >= 3);
    for driver in &drivers {
        let ours: Vec<_> = driver.dependencies.iter().map(String::as_str).collect();
        let may_name = [
            &["zerver"][..],
            &["zerver", "zerver-postgres-values"],
            &["zerver", "zerver-postgres-connect", "zerver-postgres-values"],
            &["zerver", "zerver-s3-connect"],
        ];
        assert!(ours.is_empty() || may_name.contains(&&*ours), "{} names {ours:?}", driver.name);
    }
    for (name, names) in dependencies() {
        let named: Vec<_> = drivers.iter().filter(|driver| names.contains(&driver.name)).collect();
        // Benchmarks compare drivers with others.
        let may_name =
            name.starts_with("zerver-example") || ["zerver-benches", "zerver-tests"].contains(&&*name);
        let is_shared = |name: &str| {
            ["zerver-postgres-connect", "zerver-postgres-values", "zerver-s3-connect"].contains(&name)
        };
        let shares_values = named.iter().all(|driver| is_shared(&driver.name));
        // They start servers for services or tests, and talk to none of them through a driver.
        let starts_servers = ["zerver-cli", "zerver-fleet-week"].contains(&&*name)
            && named.iter().all(|driver| driver.name == "zerver-local-server");
        assert!(named.is_empty() || may_name || shares_values || starts_servers, "{name} names a driver");
    }
    for folder in ["runtime/src", "runtime/engine/src", "recorder/trace/src", "replay/src"] {
        check_absent(
            folder,
            &["postgres::", "rusqlite", "deadpool", "redis::", "lettre", "rusty_s3", "sqlx"],
            &[],
        );
    }
}

#[test]
fn a_replay_has_no_network() {
    for folder in ["replay/src", "replay/analysis/src"] {
        check_absent(folder, &["TcpStream", "UnixStream", "UdpSocket", "File::", "tokio"], &[]);
    }
}

#[test]
fn linux_is_named_in_one_module_of_each_crate() {
    for folder in ["runtime/src", "cli/src", "tui/src", "web/src"] {
        let platform = ["linux", "mod"].map(|name| format!("{folder}/platform/{name}.rs"));
        let words = ["target_os", "os::linux", "\"/proc"];
        check_absent(folder, &words, &platform.each_ref().map(String::as_str));
    }
}

#[test]
fn only_programs_print() {
    let folders = [
        "recorder/src",
        "recorder/trace/src",
        "replay/src",
        "replay/analysis/src",
        "runtime/engine/src",
        "tui/src",
        "web/src",
    ];
    let words = ["println!", "eprintln!", "std::env::", "process::exit"];
    for folder in folders {
        check_absent(folder, &words, &[]);
    }
    // The part of the runtime that makes a service a program.
    let program = ["environment", "layer_recorder", "log_printer", "recorder_startup", "run"]
        .map(|name| format!("runtime/src/program/{name}.rs"));
    let words = [&words[..], &["io::stdout", "io::stderr"]].concat();
    check_absent("runtime/src", &words, &program.each_ref().map(String::as_str));
}

#[test]
fn every_source_file_opens_with_its_purpose_and_is_short() {
    let folders = [
        "recorder",
        "runtime",
        "replay",
        "tui/src",
        "web",
        "cli/src",
        "fixtures/src",
        "examples",
        "benches/src",
        "tests/fleet-week",
        "tests/testkit",
    ];
    for folder in folders {
        for path in files(folder, &["rs"]) {
            let has_part = |part: &str| path.components().any(|found| found.as_os_str() == part);
            if has_part("compile_fail") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//!"), "{} does not open with its purpose", relative(&path));
            let lines = code(&text).lines().count();
            let is_test = has_part("tests") || has_part("tests.rs");
            assert!(is_test || lines <= 420, "{} has {lines} lines: split it", relative(&path));
        }
    }
}

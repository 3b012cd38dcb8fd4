//! The disk: when it is full, requests continue, and recording pauses, reports it, and resumes by itself. Only the
//! owner can read what is recorded.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::harness::{Dev, Place};

/// Limits the size of files that a process writes, so that writes fail as on a full disk. `None` lifts the limit.
/// Unlike a small file system, this needs no privileges. Only Linux limits another process.
#[cfg(target_os = "linux")]
fn limit_files(of: &Dev, bytes: Option<u64>) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = Pid::from_raw(of.id() as i32);
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_pauses_recording_and_space_resumes_it() {
    let place = Place::new();
    let mut service = Dev::start(place.service());
    for _ in 0..3 {
        assert_eq!(service.get("/todos").status, 200);
    }
    let before = place.wait_for(3);

    limit_files(&service, Some(4096));
    for _ in 0..20 {
        assert_eq!(service.get("/todos").status, 200, "requests go on");
    }
    let paused = service.wait_for_line("recording paused");
    assert!(paused.contains("traces.redb: ") && paused.contains("requests are still served"), "{paused}");
    assert_eq!(service.get("/todos").status, 200);
    assert_eq!(place.wait_for(3), before, "what is there can be read meanwhile");
    let trace = place.zerver(&["trace", before[2]["id"].as_str().unwrap()]);
    assert_eq!(trace.code, Some(0), "{trace:?}");

    limit_files(&service, None);
    let resumed = service.wait_for_line("recording resumed");
    assert!(resumed.ends_with("nothing was lost"), "{resumed}");
    let last = service.get("/todos").id().to_owned();
    let after = place.wait_for(25);
    assert!(after.len() == 25 && after[0]["id"] == last && after[22..] == before, "{after:?}");
    assert_eq!(service.stop().code(), Some(0));
    assert_eq!(place.json(&["doctor", "--json"])["healthy"], true);
}

/// Sets the most permissive umask.
#[test]
fn recordings_are_private_to_their_owner_under_any_umask() {
    let place = Place::new();
    let service = place.service();
    let mut careless = Command::new("/bin/sh");
    careless.args(["-c", "umask 000; exec \"$0\""]).arg(service.get_program()).current_dir(place.path());
    careless.envs(service.get_envs().filter_map(|(name, value)| Some((name, value?))));
    careless.env("TODOS_DATA", place.store().join("data"));
    let service = Dev::start(careless);
    assert_eq!(service.ask("POST", "/todos").json(serde_json::json!({ "title": "mine" })).send().status, 201);
    place.wait_for(1);
    let look = |least: usize| {
        let found = below(&place.store());
        assert!(found.len() >= least, "{found:?}");
        for (path, mode) in found {
            let wanted = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, wanted, "{} is {mode:o}", path.display());
        }
    };
    look(4);
    assert_eq!(service.stop().code(), Some(0));
    // The files that a repair creates and moves aside are not more accessible either.
    let file = place.store().join("traces.redb");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4096..8192].iter_mut().for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&file, bytes).unwrap();
    let repair = place.command(&["doctor", "--repair"]);
    let mut careless = Command::new("/bin/sh");
    careless.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(repair.get_program()).args(repair.get_args());
    let output = careless.env("ZERVER_STORE", place.store()).output().unwrap();
    assert!(output.status.code().is_some_and(|code| code <= 1), "{output:?}");
    look(5);
}

/// Returns everything below a folder, with its permissions.
fn below(path: &Path) -> Vec<(std::path::PathBuf, u32)> {
    let mode = std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
    let mut found = vec![(path.to_owned(), mode)];
    if path.is_dir() {
        found.extend(std::fs::read_dir(path).unwrap().flat_map(|entry| below(&entry.unwrap().path())));
    }
    found
}

#[test]
fn requests_lost_to_a_full_disk_at_the_end_are_reported() {
    let place = Place::new();
    let mut service = Dev::start(place.service());
    service.get("/todos");
    let before = place.wait_for(1);
    limit_files(&service, Some(4096));
    service.get("/todos");
    service.wait_for_line("recording paused");
    service.get("/todos");
    service.signal("-TERM");
    service.wait_for_line("2 requests were not recorded");
    assert_eq!(service.wait().code(), Some(0));
    assert_eq!(place.wait_for(1), before);
}

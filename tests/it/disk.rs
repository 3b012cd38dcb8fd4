//! A disk that takes nothing more: requests go on, recording pauses and says so, and resumes by itself.

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::harness::{Dev, Place};

/// Makes every write of the process past so many bytes of a file fail, as on a full disk; none lifts it. Unlike a small
/// file system, that needs no privilege.
fn limit_files(of: &Dev, bytes: Option<u64>) {
    let pid = Pid::from_raw(of.id() as i32);
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

#[test]
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
    assert!(paused.contains("traces.redb: ") && paused.contains("requests go on"), "{paused}");
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

#[test]
fn what_a_full_disk_takes_along_at_the_end_is_said() {
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

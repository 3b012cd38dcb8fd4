//! Invalid input, hostile bytes and missing files: the errors are clear, and nothing is lost.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::harness::{Dev, PATIENCE, Place, Ran, programs};
use crate::other_process::program_name;

#[test]
fn an_unknown_id_names_the_nearest() {
    let place = Place::new();
    let dev = place.dev();
    let id = dev.get("/todos").id().to_owned();
    place.wait_for(1);
    let other = format!("{}{}", &id[..35], if id.ends_with('0') { '1' } else { '0' });
    let unknown = place.zerver(&["trace", &other]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains(&id[..23]) && unknown.out.is_empty(), "{unknown:?}");
    let wrong = place.zerver(&["trace", "xyz"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("xyz"), "{wrong:?}");
}

#[test]
fn a_file_that_is_not_a_store_is_named_and_left_unchanged() {
    let place = Place::new();
    let nothing = place.zerver(&["ls"]);
    assert!(nothing.code == Some(2) && nothing.err.contains("zerver dev"), "{nothing:?}");
    assert!(!place.store().exists(), "reading makes nothing");

    fs::create_dir(place.store()).unwrap();
    let file = place.store().join("traces.redb");
    let todos = programs().todos.to_str().unwrap();
    for content in [b"SQLite format 3\0 and so on".repeat(400), vec![0; 65536], b"short".to_vec()] {
        fs::write(&file, &content).unwrap();
        for arguments in [
            &["ls"][..],
            &["trace", "@last"],
            &["doctor"],
            &["dev", "--exe", todos, "--no-watch", "--addr", "127.0.0.1:0"],
        ] {
            let ran = place.zerver(arguments);
            assert!(matches!(ran.code, Some(1 | 2)), "{arguments:?}: {ran:?}");
            assert!(!ran.err.contains("panicked"), "{arguments:?}: {ran:?}");
        }
        assert_eq!(fs::read(&file).unwrap(), content, "it was changed");
    }
}

#[test]
fn a_store_that_cannot_be_created_is_named_at_once() {
    let place = Place::new();
    let file = place.path().join("file");
    fs::write(&file, "mine").unwrap();
    let todos = programs().todos.to_str().unwrap();
    let dev = ["dev", "--exe", todos, "--no-watch", "--addr", "127.0.0.1:0"];
    let check = |store: &std::path::Path, arguments: &[&str], word: &str| {
        let ran = Ran::of(place.command(arguments).env("ZERVER_STORE", store).output().unwrap());
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(
            ran.err.contains(store.to_str().unwrap()) && ran.err.contains(word),
            "{arguments:?}: {ran:?}"
        );
    };
    for arguments in [&["ls"][..], &["doctor"], &dev] {
        check(&file, arguments, "is not a folder");
    }
    // Nothing can be created there, not even by root. Other systems have no such folder.
    #[cfg(target_os = "linux")]
    check("/proc/self/store".as_ref(), &dev, "cannot record");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

/// Flips bytes in the store of a service, or truncates it. The doctor saves what is readable.
#[test]
fn a_damaged_store_is_repaired_and_the_damaged_file_put_aside() {
    type Damage = fn(&mut Vec<u8>);
    // With the number of requests that must remain; those in the truncated part are lost.
    let damages: [(&str, Damage, u64); 2] = [
        ("flipped", |bytes| bytes[4096..8192].iter_mut().for_each(|byte| *byte ^= 0x5a), 40),
        ("cut off", |bytes| bytes.truncate(12 << 10), 0),
    ];
    let made = Place::new();
    let service = Dev::start(made.service());
    for _ in 0..40 {
        service.get("/todos");
    }
    made.wait_for(40);
    assert_eq!(service.stop().code(), Some(0));
    let good = fs::read(made.store().join("traces.redb")).unwrap();
    for (what, damage, left) in damages {
        let mut bytes = good.clone();
        damage(&mut bytes);
        fs::write(made.store().join("traces.redb"), &bytes).unwrap();
        let found = made.zerver(&["doctor"]);
        assert!(found.code == Some(1) && found.err.contains("--repair"), "{what}: {found:?}");
        assert_eq!(fs::read(made.store().join("traces.redb")).unwrap(), bytes, "looking changes nothing");
        let repaired = made.json(&["doctor", "--repair", "--json"]);
        let aside = repaired["moved_to"].as_str().unwrap_or_else(|| panic!("{what}: {repaired}"));
        assert_eq!(fs::read(aside).unwrap(), bytes, "{what}");
        assert_eq!(repaired["healthy"], true, "{what}: {repaired}");
        let traces = repaired["traces"].as_u64().unwrap();
        assert!((left..=40).contains(&traces) && repaired["salvaged"] == traces, "{what}: {repaired}");
        assert_eq!(made.wait_for(traces as usize).len() as u64, traces);
    }
}

/// A service that was started without a terminal does not end on a hangup.
#[test]
fn a_hang_up_does_no_harm() {
    let place = Place::new();
    let service = Dev::start(place.service());
    service.signal("-HUP");
    assert_eq!(service.get("/todos").status, 200);
    assert_eq!(service.stop().code(), Some(0));
    assert_eq!(place.wait_for(1).len(), 1);
}

#[test]
fn dev_without_a_reader_lets_the_service_finish() {
    let place = Place::new();
    let todos = programs().todos.to_str().unwrap();
    let mut command = place.command(&["dev", "--exe", todos, "--no-watch", "--addr", "127.0.0.1:0"]);
    let mut dev = Dev::start_unread(&mut command);
    let mut slow = TcpStream::connect(&dev.addr).unwrap();
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    slow.write_all(b"GET /reports/todos?latency_ms=3000 HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    // There is no reader for the line about this request.
    assert_eq!(dev.get("/todos").status, 200);
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(dev.wait().code(), Some(0));
    assert_eq!(place.wait_for(2).len(), 2);
}

#[test]
fn a_second_writer_is_refused_with_the_id_of_the_first() {
    let place = Place::new();
    let dev = place.dev();
    dev.get("/todos");
    place.wait_for(1);
    let todos = programs().todos.to_str().unwrap();
    let second = place.zerver(&["dev", "--exe", todos, "--no-watch", "--addr", "127.0.0.1:0"]);
    assert_eq!(second.code, Some(2), "{second:?}");
    let doctor = place.zerver(&["doctor"]);
    let holder = doctor.out.split_once("process ").unwrap_or_else(|| panic!("{doctor:?}")).1;
    let holder: u32 = holder.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    let name = program_name(holder);
    assert_eq!(Some(name.as_ref()), programs().todos.file_name(), "the service that dev runs");
    assert!(
        second.err.contains(&format!("process {holder};")) && second.err.contains("--store"),
        "{second:?}"
    );
    assert_eq!(dev.get("/todos").status, 200, "the first goes on");
}

#[test]
fn a_port_in_use_is_named() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let todos = programs().todos.to_str().unwrap();
    let ran = place.zerver(&["dev", "--exe", todos, "--no-watch", "--addr", &addr]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.err.contains(&addr.rsplit(':').next().unwrap().to_owned()) && ran.err.contains("in use"),
        "{ran:?}"
    );
}

#[test]
fn hostile_bytes_never_reach_the_terminal_raw() {
    let place = Place::new();
    let dev = place.dev();
    // A title with an escape sequence, a direction override and a C1 control; also in a header and a query.
    let evil = "\u{1b}]52;c;AAAA\u{7}\u{202e}\u{9b}31m";
    let made = dev.ask("POST", "/todos").json(serde_json::json!({ "title": evil })).send();
    assert_eq!(made.status, 201);
    let mut stream = TcpStream::connect(&dev.addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let raw = b"GET /todos/\xc2\x9b31m?x=\xc2\x9b HTTP/1.1\r\nhost: x\r\nx-evil: \xc2\x9b31m\xe2\x80\xae\r\nconnection: close\r\n\r\n";
    stream.write_all(raw).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    dev.get("/todos/%1b%5b2J");
    dev.get("/todos");
    let listed = place.wait_for(3);
    let bad = |text: &str| text.chars().any(|c| zerver_trace::text::is_dangerous(c) && c != '\n');
    let mut commands: Vec<Vec<String>> =
        vec![vec!["ls".into()], vec!["doctor".into()], vec!["catalog".into()]];
    for request in &listed {
        let id = request["id"].as_str().unwrap().to_owned();
        commands.push(vec!["trace".into(), id.clone()]);
        commands.push(vec!["trace".into(), "-v".into(), id.clone()]);
        commands.push(vec!["trace".into(), "--json".into(), id.clone()]);
        commands.push(["replay", "--exe", programs().todos.to_str().unwrap(), &id].map(Into::into).into());
        let first = listed[0]["id"].as_str().unwrap();
        commands.push(["diff", "--no-tui", "--all-headers", first, &id].map(Into::into).into());
    }
    for more in [&["ls", "--json"][..], &["simulate"], &["top", "--addr", &dev.addr], &["trace", "\u{9b}31m"]]
    {
        commands.push(more.iter().map(|&word| word.to_owned()).collect());
    }
    commands.push(["config", "--exe", programs().todos.to_str().unwrap()].map(Into::into).into());
    for command in commands {
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        // A variable that nothing reads is reported by its name.
        let ran =
            Ran::of(place.command(&arguments).env("ZERVER_\u{1b}]52;c;AAAA\u{7}", evil).output().unwrap());
        assert!(!bad(&ran.out) && !bad(&ran.err), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_missing_terminal_and_a_closed_pipe_are_not_errors() {
    let place = Place::new();
    let dev = place.dev();
    dev.get("/todos");
    place.wait_for(1);
    let mut child = place.command(&["ls"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    let help = place.zerver(&["--help"]);
    assert!(
        help.code == Some(0) && help.out.contains("trace") && help.out.to_lowercase().contains("exit"),
        "{help:?}"
    );
    let wrong = place.zerver(&["trase"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("trace"), "{wrong:?}");
}

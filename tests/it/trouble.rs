//! Wrong input, hostile bytes, and things that are not there: a clear word, and nothing lost.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::harness::{PATIENCE, Place, programs};

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
fn a_store_that_is_none_is_named_and_left_alone() {
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
fn a_second_writer_is_told_who_writes() {
    let place = Place::new();
    let dev = place.dev();
    dev.get("/todos");
    place.wait_for(1);
    let todos = programs().todos.to_str().unwrap();
    let second = place.zerver(&["dev", "--exe", todos, "--no-watch", "--addr", "127.0.0.1:0"]);
    assert_eq!(second.code, Some(2), "{second:?}");
    assert!(second.err.contains("pid") || second.err.contains("process"), "{second:?}");
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
    // A title with an escape sequence, an override of direction, and a C1 control; a header and a query alike.
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
        commands.push(vec!["trace".into(), "--json".into(), id]);
    }
    for command in commands {
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        let ran = place.zerver(&arguments);
        assert!(!bad(&ran.out) && !bad(&ran.err), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn no_terminal_and_a_closed_pipe_are_no_trouble() {
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

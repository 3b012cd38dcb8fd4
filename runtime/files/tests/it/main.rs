//! Files over a socket, as clients ask for them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;
use zerver::prelude::*;
use zerver::{Server, StartOptions};
use zerver_files::{Folder, find_file, send_file};

fn serve(folder: &Path) -> Server {
    let folder = folder.to_owned();
    let app = App::new()
        .flow(flow!("assets", GET "/assets/{*path}", steps: [find_file, send_file]))
        .flow(flow!("root", GET "/", steps: [find_file, send_file]))
        .workers(1)
        .on_startup(move |startup| {
            Folder::open(&folder)?.serve(startup);
            Ok(())
        });
    let options = StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..StartOptions::default() };
    app.start(options).unwrap()
}

/// Returns the head and the body of the response to one request.
fn fetch(addr: SocketAddr, method: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut socket = TcpStream::connect(addr).unwrap();
    write!(socket, "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n")
        .unwrap();
    let mut received = Vec::new();
    socket.read_to_end(&mut received).unwrap();
    let end = received.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = received.split_off(end);
    (String::from_utf8(received).unwrap(), body)
}

fn status(addr: SocketAddr, path: &str) -> u16 {
    fetch(addr, "GET", path, "").0[9..12].parse().unwrap()
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn folder() -> TempDir {
    let temporary = tempfile::tempdir().unwrap();
    let root = temporary.path();
    fs::create_dir_all(root.join("docs/empty")).unwrap();
    fs::write(root.join("index.html"), "<h1>home</h1>").unwrap();
    fs::write(root.join("docs/index.html"), "<h1>docs</h1>").unwrap();
    fs::write(root.join("app.js"), "0123456789").unwrap();
    fs::write(root.join("empty.txt"), "").unwrap();
    fs::write(root.join("raw"), [0, 159, 146, 150]).unwrap();
    fs::write(root.join("with space.txt"), "space").unwrap();
    fs::write(root.join(".secret"), "secret").unwrap();
    temporary
}

#[test]
fn files_are_sent_with_what_clients_expect() {
    let temporary = folder();
    let server = serve(temporary.path());
    let addr = server.addr();
    let (head, body) = fetch(addr, "GET", "/assets/app.js", "");
    assert_eq!(body, b"0123456789");
    assert_eq!(header(&head, "content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(
        (header(&head, "content-length"), header(&head, "accept-ranges")),
        (Some("10"), Some("bytes"))
    );
    let etag = header(&head, "etag").unwrap().to_owned();
    let modified = header(&head, "last-modified").unwrap().to_owned();
    let (head, body) = fetch(addr, "HEAD", "/assets/app.js", "");
    assert_eq!((header(&head, "content-length"), body.len()), (Some("10"), 0));
    for condition in [format!("if-none-match: {etag}\r\n"), format!("if-modified-since: {modified}\r\n")] {
        let (head, body) = fetch(addr, "GET", "/assets/app.js", &condition);
        assert!(head.starts_with("HTTP/1.1 304") && body.is_empty(), "{condition}: {head}");
    }
    for (range, status, body) in [
        ("bytes=2-4", 206, "234"),
        ("bytes=-3", 206, "789"),
        ("bytes=8-100", 206, "89"),
        ("bytes=0-0,5-5", 200, "0123456789"),
        ("bytes=4-2", 200, "0123456789"),
        ("lines=1-2", 200, "0123456789"),
        ("bytes=10-", 416, ""),
    ] {
        let (head, sent) = fetch(addr, "GET", "/assets/app.js", &format!("range: {range}\r\n"));
        assert_eq!((head[9..12].parse(), &*String::from_utf8(sent).unwrap()), (Ok(status), body), "{range}");
    }
    let resumed = |tag: &str| {
        fetch(addr, "GET", "/assets/app.js", &format!("range: bytes=5-\r\nif-range: {tag}\r\n")).1
    };
    assert_eq!((resumed(&etag), resumed("\"other\"")), (b"56789".to_vec(), b"0123456789".to_vec()));
    assert_eq!(fetch(addr, "GET", "/", "").1, b"<h1>home</h1>");
    assert_eq!(fetch(addr, "GET", "/assets/docs", "").1, b"<h1>docs</h1>");
    assert_eq!(fetch(addr, "GET", "/assets/with%20space.txt", "").1, b"space");
    let (head, body) = fetch(addr, "GET", "/assets/empty.txt", "");
    assert!(
        head.starts_with("HTTP/1.1 200") && header(&head, "content-length") == Some("0") && body.is_empty()
    );
    let (head, body) = fetch(addr, "GET", "/assets/raw", "");
    assert_eq!(header(&head, "content-type"), Some("application/octet-stream"));
    assert_eq!(body, [0, 159, 146, 150]);
}

#[test]
fn nothing_else_is_served() {
    let temporary = folder();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("passwd"), "root").unwrap();
    let root = temporary.path();
    symlink(outside.path().join("passwd"), root.join("absolute-link")).unwrap();
    symlink(outside.path(), root.join("folder-link")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("app.js", root.join("inner-link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let server = serve(root);
    for path in [
        "nothing.txt",
        "app.js/more",
        ".secret",
        "docs/empty",
        "../passwd",
        "%2e%2e/passwd",
        "%2e%2e%2fpasswd",
        "..%5cpasswd",
        "docs/../../passwd",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "absolute-link",
        "folder-link/passwd",
        "loop",
        "pipe",
        &"a/".repeat(500),
        &"a".repeat(2_000),
    ] {
        assert_eq!(status(server.addr(), &format!("/assets/{path}")), 404, "{path}");
    }
    assert_eq!(fetch(server.addr(), "GET", "/assets/inner-link", "").1, b"0123456789");
}

#[test]
fn a_large_file_is_sent_in_blocks() {
    let temporary = folder();
    let path = temporary.path().join("large");
    let length = 40 << 20;
    fs::File::create(&path).unwrap().set_len(length).unwrap();
    let server = serve(temporary.path());
    let (head, body) = fetch(server.addr(), "GET", "/assets/large", "");
    assert_eq!(header(&head, "content-length"), Some(&*length.to_string()));
    assert!(body.len() as u64 == length && body.iter().all(|byte| *byte == 0));
}

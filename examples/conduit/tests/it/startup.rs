//! The program: its settings, and the data that it inserts.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{new_database, send};

const PATIENCE: Duration = Duration::from_secs(300);

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zerver-example-conduit"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("ZERVER_ADDR", "127.0.0.1:0").env("ZERVER_RECORD", "off").stdin(Stdio::null());
    command
}

/// A program that is killed at the end.
struct Running {
    child: Child,
    addr: SocketAddr,
}

impl Running {
    fn start(mut command: Command, addr: SocketAddr) -> Self {
        let child = command.env("ZERVER_ADDR", addr.to_string()).stderr(Stdio::null()).spawn().unwrap();
        let running = Self { child, addr };
        wait_until(|| {
            let up = std::net::TcpStream::connect(addr).is_ok();
            up && send(addr, "GET", "/healthz", "", b"").status == 200
        });
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn missing_settings_are_named() {
    let refused = |command: &mut Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let key = refused(&mut program());
    assert!(key.contains("CONDUIT_KEY is not set"), "{key}");
    let url = refused(program().env("CONDUIT_KEY", "k"));
    assert!(url.contains("DATABASE_URL is not set"), "{url}");
    let unreachable =
        refused(program().env("CONDUIT_KEY", "k").env("DATABASE_URL", "postgresql://127.0.0.1:1/x"));
    assert!(unreachable.contains("cannot connect to the database"), "{unreachable}");
}

#[test]
fn data_can_be_inserted_twice() {
    let url = new_database();
    for _ in 0..2 {
        let output =
            program().arg("seed").env("CONDUIT_KEY", "k").env("DATABASE_URL", &url).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // A database that `zerver dev` has started gets the same data.
    let mut command = program();
    command.env("ZERVER_DEV", "1").env("ZERVER_DEV_STARTED", "OTHER,DATABASE_URL").env("DATABASE_URL", &url);
    let running = Running::start(command, free_address());
    let articles = send(running.addr, "GET", "/api/articles", "", b"");
    assert_eq!(articles.json["articlesCount"], 3);
    let login = json!({ "user": { "email": "bob@example.com", "password": "conduit-demo" } }).to_string();
    assert_eq!(send(running.addr, "POST", "/api/users/login", "", login.as_bytes()).status, 200);
}

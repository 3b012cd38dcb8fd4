//! Pages of the web UI over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::measured_process::Zerver;

/// A running `zerver web`, which ends with this value.
pub(super) struct WebServer {
    child: Child,
    host: String,
    cookie: String,
}

impl WebServer {
    /// Starts the server, and signs in.
    pub(super) fn start(zerver: &Zerver, store: &Path) -> Result<Self, String> {
        let mut command = zerver.command(store, &["--json", "web", "--addr", "127.0.0.1:0"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut server = Self {
            child: child.map_err(|error| error.to_string())?,
            host: String::new(),
            cookie: String::new(),
        };
        let mut line = String::new();
        if let Some(stdout) = server.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        }
        let unexpected = || format!("zerver web printed {line:?} instead of its address");
        let document: serde_json::Value = serde_json::from_str(&line).map_err(|_| unexpected())?;
        let url = document["url"].as_str().and_then(|url| url.strip_prefix("http://"));
        let (host, rest) = url.and_then(|url| url.split_once('/')).ok_or_else(unexpected)?;
        server.host = host.to_owned();
        let answer = server.ask(&format!("/{rest}"))?;
        let cookie = answer.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("set-cookie").then(|| value.split(';').next().unwrap_or(value))
        });
        server.cookie = cookie.ok_or("zerver web set no cookie")?.to_owned();
        Ok(server)
    }

    /// Fetches a page, and returns how long that took.
    pub(super) fn get(&self, path: &str) -> Result<Duration, String> {
        let begun = Instant::now();
        let answer = self.ask(path)?;
        let took = begun.elapsed();
        match answer.lines().next() {
            Some(line) if line.contains(" 200 ") => Ok(took),
            other => Err(format!("{path}: {}", other.unwrap_or("no answer"))),
        }
    }

    fn ask(&self, path: &str) -> Result<String, String> {
        let text = |error: std::io::Error| format!("{path}: {error}");
        let mut stream = TcpStream::connect(&self.host).map_err(text)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\nconnection: close\r\n\r\n",
            self.host, self.cookie
        );
        stream.write_all(request.as_bytes()).map_err(text)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(text)?;
        Ok(answer)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A client for a server under test: requests as they are written, over a real socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use zerver_web::{WebOptions, WebServer};

use crate::sample_service::SampleService;

/// Maximum time for an answer. Nothing should come close.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server over sample traces, and a browser that has signed in.
pub(crate) struct Site {
    pub(crate) service: Arc<SampleService>,
    pub(crate) server: WebServer,
    pub(crate) cookie: String,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    /// Returns the values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

impl Site {
    pub(crate) fn start() -> Self {
        Self::with(SampleService::default())
    }

    pub(crate) fn with(service: SampleService) -> Self {
        let service = Arc::new(service);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = WebServer::start(listener, &WebOptions::default(), service.clone()).unwrap();
        let mut site = Self { service, server, cookie: String::new() };
        let url = site.server.url();
        let (_, target) = url.split_at(url.find("/?").unwrap());
        let signed_in = site.send(&format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", site.host()));
        assert_eq!((signed_in.status, signed_in.header("location")), (303, vec!["/"]));
        let [cookie] = signed_in.header("set-cookie")[..] else { panic!("no cookie: {}", signed_in.head) };
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        site.cookie = cookie.split(';').next().unwrap().to_owned();
        site
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    pub(crate) fn host(&self) -> String {
        self.addr().to_string()
    }

    /// Sends bytes, and reads the response. The connection is closed by the server.
    pub(crate) fn send(&self, request: &str) -> Response {
        let request = request.replacen("\r\n", "\r\nconnection: close\r\n", 1);
        let mut socket = TcpStream::connect(self.addr()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // A server that refuses a request may stop reading it.
        let _ = socket.write_all(request.as_bytes());
        let mut received = Vec::new();
        let _ = socket.read_to_end(&mut received);
        let text = String::from_utf8(received).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a response: {text:?}"));
        let response = Response { status, head: head.to_owned(), body: body.to_owned() };
        for name in [
            "access-control-allow-origin",
            "access-control-allow-credentials",
            "access-control-allow-methods",
        ] {
            assert!(response.header(name).is_empty(), "{name} in {head}");
        }
        response
    }

    /// Gets a page as the browser that has signed in.
    pub(crate) fn get(&self, target: &str) -> Response {
        self.send(&format!(
            "GET {target} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n",
            self.host(),
            self.cookie
        ))
    }

    /// Sends a form as the browser that has signed in, from a page of the server.
    pub(crate) fn post(&self, target: &str, form: &str) -> Response {
        self.post_from(target, form, &format!("origin: http://{}\r\n", self.host()))
    }

    /// Sends a form with these headers about its origin.
    pub(crate) fn post_from(&self, target: &str, form: &str, headers: &str) -> Response {
        self.send(&format!(
            "POST {target} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n{headers}\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            self.host(),
            self.cookie,
            form.len()
        ))
    }
}

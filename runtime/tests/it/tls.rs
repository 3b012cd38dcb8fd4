//! TLS: certificates of several names, replaced while the service runs, and clients that misbehave.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use zerver::prelude::*;
use zerver::{Limits, Server};

use crate::collector::start;
use crate::raw_client::{Client, PATIENCE};

#[step]
fn echo(request: &Request) -> Response {
    Response::text(format!("{:?} {}", request.version, request.body.len()))
}

#[step]
fn large() -> Response {
    Response::text("0".repeat(64 << 20))
}

fn app() -> App {
    App::new()
        .flow(flow!("echo", POST "/echo", steps: [echo]))
        .flow(flow!("large", GET "/large", steps: [large]))
}

/// An authority, and files with certificates that it has issued.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { folder: tempfile::tempdir().unwrap(), issuer: rcgen::Issuer::new(params, key), pem }
    }

    /// Writes the files for a certificate of a name. The files are named after `file`.
    pub(crate) fn issue(&self, file: &str, name: &str, until_year: i32) -> (PathBuf, PathBuf) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
        // OpenSSL takes a certificate whose names are those of its issuer for a self-signed one.
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (cert_file, key_file) = (self.path(&format!("{file}.crt")), self.path(&format!("{file}.key")));
        fs::write(&cert_file, certificate.pem()).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        (cert_file, key_file)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn client(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }

    pub(crate) fn connect(
        &self,
        addr: SocketAddr,
        name: &str,
    ) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
        self.handshake(TcpStream::connect(addr)?, name)
    }

    pub(crate) fn handshake(
        &self,
        socket: TcpStream,
        name: &str,
    ) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
        socket.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(self.client(&[b"http/1.1"]), name).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }
}

fn serve(files: &[&(PathBuf, PathBuf)], limits: Limits) -> Server {
    start(files.iter().fold(app().limits(limits), |app, (cert, key)| app.tls(cert, key))).0
}

/// Sends a request, and returns the answer up to its end.
fn ask(stream: &mut (impl Read + Write), body: &str) -> String {
    let length = body.len();
    write!(stream, "POST /echo HTTP/1.1\r\nhost: a.example\r\ncontent-length: {length}\r\n\r\n{body}")
        .unwrap();
    stream.flush().unwrap();
    let (mut answer, mut some) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(format!("HTTP/1.1 {length}").as_bytes()) {
        let read = stream.read(&mut some).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&some[..read]);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn requests_come_over_tls_and_the_connection_stays_open() {
    let authority = Authority::new();
    let server = serve(&[&authority.issue("a", "a.example", 4000)], Limits::default());
    assert!(server.uses_tls());
    let mut stream = authority.connect(server.addr(), "a.example").unwrap();
    for length in [0, 1, 100_000] {
        assert!(ask(&mut stream, &"x".repeat(length)).starts_with("HTTP/1.1 200"));
    }
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    // A malformed request gets the answer of the service here, too.
    stream.write_all(b"nonsense\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    server.stop();
}

#[test]
fn a_client_gets_the_certificate_of_the_name_that_it_asks_for() {
    let authority = Authority::new();
    let (a, b) = (authority.issue("a", "a.example", 4000), authority.issue("b", "*.b.example", 4000));
    let server = serve(&[&a, &b], Limits::default());
    for name in ["a.example", "x.b.example"] {
        assert!(ask(&mut authority.connect(server.addr(), name).unwrap(), "1").contains("200"), "{name}");
    }
    for other in ["c.example", "b.example", "127.0.0.1"] {
        let error = authority.connect(server.addr(), other).unwrap_err();
        assert!(error.to_string().contains("not valid for name"), "{other}: {error}");
    }
    server.stop();
}

#[test]
fn certificates_are_replaced_without_closing_connections() {
    let authority = Authority::new();
    let files = authority.issue("a", "a.example", 4000);
    let server = serve(&[&files], Limits::default());
    let mut old = authority.connect(server.addr(), "a.example").unwrap();
    assert!(ask(&mut old, "1").contains("200"));
    authority.issue("a", "new.example", 4000);
    server.reload_certificates();
    // Another thread reads the files.
    let began = Instant::now();
    let mut new = loop {
        match authority.connect(server.addr(), "new.example") {
            Ok(stream) => break stream,
            Err(error) => assert!(error.to_string().contains("not valid for name"), "{error}"),
        }
        assert!(began.elapsed() < PATIENCE, "the new certificate is not used");
        std::thread::yield_now();
    };
    assert!(ask(&mut new, "1").contains("200") && ask(&mut old, "22").contains("200"));
    server.stop();
}

#[test]
fn an_expired_certificate_is_served_and_refused_by_the_client() {
    let authority = Authority::new();
    let server = serve(&[&authority.issue("a", "a.example", 2001)], Limits::default());
    let error = authority.connect(server.addr(), "a.example").unwrap_err();
    assert!(error.to_string().contains("certificate expired"), "{error}");
    server.stop();
}

#[test]
fn a_missing_file_is_an_error_at_the_start() {
    let error = app().tls("/nonexistent/a.crt", "/nonexistent/a.key").start(zerver::StartOptions::default());
    assert_eq!(error.unwrap_err().to_string(), "cannot read /nonexistent/a.crt");
}

#[test]
fn clients_that_stop_in_the_handshake_keep_nobody_waiting() {
    let authority = Authority::new();
    let files = authority.issue("a", "a.example", 4000);
    let limits = Limits { head: Duration::from_millis(300), ..Limits::default() };
    let server = start(app().limits(limits).workers(1).tls(&files.0, &files.1)).0;
    // The head of a record that never comes, and nothing at all.
    let mut silent: Vec<_> = (0..20).map(|_| Client::connect(server.addr())).collect();
    silent.iter_mut().step_by(2).for_each(|client| client.send([0x16, 3, 1, 2, 0, 1]));
    assert!(ask(&mut authority.connect(server.addr(), "a.example").unwrap(), "1").contains("200"));
    for client in &mut silent {
        assert!(client.is_closed(), "the time limit of a head includes the handshake");
    }
    // What is no TLS ends the connection.
    let mut broken = Client::connect(server.addr());
    broken.send([0x16, 3, 1, 0, 4, 9, 9, 9, 9]);
    broken.drain();
    server.stop();
}

#[test]
fn plain_http_is_told_what_the_port_speaks() {
    let authority = Authority::new();
    let server = serve(&[&authority.issue("a", "a.example", 4000)], Limits::default());
    let answer = Client::connect(server.addr()).request("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    assert!(answer.status == 400 && answer.body.contains("https://"), "{}", answer.body);
    server.stop();
}

#[test]
fn a_client_that_does_not_read_is_disconnected() {
    let authority = Authority::new();
    let limits = Limits { write_stall: Duration::from_millis(200), ..Limits::default() };
    let (cert, key) = authority.issue("a", "a.example", 4000);
    let (server, collector) = start(app().limits(limits).tls(cert, key));
    let mut stream = authority.connect(server.addr(), "a.example").unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: a.example\r\n\r\n").unwrap();
    stream.flush().unwrap();
    let capture = collector.one();
    assert_eq!((capture.status, capture.is_undelivered), (200, true));
    server.stop();
}

/// Runs curl, if it is there.
fn curl(authority: &Path, addr: SocketAddr, arguments: &[&str]) -> Option<String> {
    let resolve = format!("a.example:{}:127.0.0.1", addr.port());
    let url = format!("https://a.example:{}/echo", addr.port());
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60", "--noproxy", "*", "--data", "abc"])
        .args(["--resolve", &resolve, "--cacert"])
        .arg(authority)
        .args(arguments)
        .arg(url)
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn curl_negotiates_http2() {
    let authority = Authority::new();
    let server = serve(&[&authority.issue("a", "a.example", 4000)], Limits::default());
    fs::write(authority.path("ca.pem"), &authority.pem).unwrap();
    for (arguments, expected) in [
        (&["--http2"][..], "HTTP/2.0 3"),
        (&["--http1.1"], "HTTP/1.1 3"),
        (&["--http2", "--tls-max", "1.2"], "HTTP/2.0 3"),
    ] {
        if let Some(shown) = curl(&authority.path("ca.pem"), server.addr(), arguments) {
            assert_eq!(shown, expected, "{arguments:?}");
        }
    }
    server.stop();
}

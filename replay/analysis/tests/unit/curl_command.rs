//! Runs the commands with bash and curl against a listener that captures each request.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use zerver_testkit::sample;
use zerver_trace::{Header, Masked, RecordedBody, Value};

use super::curl_command as command;
use super::*;
use crate::curl_command::shell_quoting::printf;

/// Time after which a hanging request fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

fn trace(method: &str, target: &[u8], headers: &[(&str, &[u8])], body: &[u8]) -> Trace {
    let mut trace = sample::slow();
    trace.method = method.to_owned();
    trace.target = sample::wire(target);
    let header =
        |(name, value): &(&str, &[u8])| Header { name: (*name).to_owned(), value: sample::wire(value) };
    trace.request_headers = headers.iter().map(header).collect();
    let len = body.len() as u64;
    trace.request_body = RecordedBody { full_len: len, kept_len: len, bytes: sample::wire(body) };
    trace
}

/// Returns the output of a script, which must succeed.
fn bash(script: &str) -> Result<Vec<u8>, String> {
    // The script may be longer than an argument can be.
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(script.as_bytes()).unwrap();
    let mut command = Command::new("bash");
    command.arg(file.path()).env_remove("http_proxy").stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("these tests need bash: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(output.stdout) } else { Err(format!("{} {said}", output.status)) }
}

/// A request as it arrived: the first line, the headers in order with lower-case names, and the body.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    first: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
    }
}

fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    bytes.truncate(bytes.len() - end.len());
    bytes
}

fn take(stream: &mut TcpStream) -> Got {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = read_until(stream, b"\r\n\r\n");
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().unwrap().to_vec();
    let header = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':').unwrap();
        let name = String::from_utf8(line[..colon].to_ascii_lowercase()).unwrap();
        (name, line[colon + 1..].trim_ascii().to_vec())
    };
    let mut got = Got { first, headers: lines.map(header).collect(), body: Vec::new() };
    if got.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    if got.header("transfer-encoding") == Some(b"chunked") {
        loop {
            let size = read_until(stream, b"\r\n");
            let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap(), 16).unwrap();
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk).unwrap();
            read_until(stream, b"\r\n");
            got.body.extend(chunk);
            if size == 0 {
                break;
            }
        }
    } else if let Some(len) = got.header("content-length") {
        got.body = vec![0; std::str::from_utf8(len).unwrap().parse().unwrap()];
        // A HEAD request has no body, whatever its headers announce.
        if !got.first.starts_with(b"HEAD") {
            stream.read_exact(&mut got.body).unwrap();
        }
    }
    got
}

/// Runs the command for a trace against a listener, and returns all requests that arrived until it ended.
fn run(trace: &mut Trace) -> (Vec<Got>, CurlCommand) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let at = trace.request_headers.iter().position(|header| header.name == "host");
    if at.is_none_or(|at| text(&trace.request_headers[at].value).unwrap() == "HERE") {
        trace.request_headers.retain(|header| header.name != "host");
        let value = sample::wire(format!("127.0.0.1:{port}").as_bytes());
        trace.request_headers.insert(at.unwrap_or(0), Header { name: "host".to_owned(), value });
    }
    let curl = command(trace);
    let got = thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut all = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().unwrap();
                let mut first = [0];
                // An empty connection marks the end of the test.
                if stream.peek(&mut first).unwrap() == 0 {
                    return all;
                }
                all.push(take(&mut stream));
                // The same length as for GET, so that a client which waits for the body of a HEAD response would hang.
                let len = if all[all.len() - 1].first.starts_with(b"HEAD") { 5 } else { 0 };
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let script =
            format!("curl() {{ command curl -sS -o /dev/null --max-time {} \"$@\"; }}\n", PATIENCE.as_secs());
        let ran = bash(&format!(
            "command -v curl >/dev/null || {{ echo 'these tests need curl' >&2; exit 1; }}\n{script}{}",
            curl.text
        ));
        drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
        let got = server.join().unwrap();
        ran.unwrap_or_else(|error| panic!("{error}: {curl:?}"));
        got
    });
    (got, curl)
}

/// Checks that the command makes exactly one request, equal to the recorded one.
fn check(method: &str, target: &[u8], headers: &[(&str, &[u8])], body: &[u8]) -> CurlCommand {
    let mut trace = trace(method, target, headers, body);
    let (got, curl) = run(&mut trace);
    let [got] = &got[..] else { panic!("{} requests: {curl:?}", got.len()) };
    let mut first = [method.as_bytes(), b" ", target, b" HTTP/1.1"].concat();
    if trace.version == "HTTP/1.0" {
        first.pop();
        first.push(b'0');
    }
    assert_eq!(String::from_utf8_lossy(&got.first), String::from_utf8_lossy(&first), "{curl:?}");
    // curl chooses the position of the headers that it derives; all others must keep their order.
    let split = |headers: &[(String, Vec<u8>)]| {
        let (mut made, others): (Vec<_>, Vec<_>) =
            headers.iter().cloned().partition(|(name, _)| MADE.contains(&name.as_str()));
        made.sort();
        (made, others)
    };
    let recorded: Vec<(String, Vec<u8>)> = trace
        .request_headers
        .iter()
        .map(|header| (header.name.clone(), bytes(&header.value).unwrap()))
        .collect();
    assert_eq!(split(&got.headers), split(&recorded), "{curl:?}");
    assert!(got.body == body || method == "HEAD", "{:?} {curl:?}", String::from_utf8_lossy(&got.body));
    assert!(!curl.is_partial, "{curl:?}");
    curl
}

#[test]
fn a_request_becomes_a_curl_command() {
    let mut trace = sample::slow();
    insta::assert_snapshot!(command(&trace).text, @r"
    # header authorization is a secret: replace SECRET
    curl 'http://localhost:3000/v1/todos/456?full=1' -H 'authorization: SECRET' -H accept: -H user-agent:
    ");
    trace.method = "PATCH".into();
    trace.request_body =
        RecordedBody { full_len: 9, kept_len: 9, bytes: sample::wire("it's \u{1b}[31m".as_bytes()) };
    insta::assert_snapshot!(command(&trace).text, @r"
    # header authorization is a secret: replace SECRET
    curl -X PATCH 'http://localhost:3000/v1/todos/456?full=1' -H 'authorization: SECRET' -H accept: -H user-agent: --data-raw $'it\047s \033[31m' -H content-type:
    ");
}

#[test]
fn targets_arrive_unchanged() {
    for target in [
        &b"/todos"[..],
        b"/todos?ids={1,2}",
        b"/todos?user[name]=a&x=[1-3]",
        b"/v1/../todos/./1",
        b"/%2e%2e/a%2Fb/..%2f",
        b"//double//slash",
        b"/a?b=\"c\"&d=<e>^`{|}\\",
        b"/it's;$HOME!!&`id`$(id)*",
        b"/\xc3\xa4\xff",
        b"*",
        b"http://example.com/absolute?x=1",
        b"/#fragment",
    ] {
        check("GET", target, &[("host", b"HERE")], b"");
    }
}

#[test]
fn methods_arrive_unchanged_and_head_does_not_hang() {
    for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "get", "M-SEARCH", "-X", "A'B"] {
        check(method, b"/", &[], b"");
        check(method, b"/", &[("content-length", b"0")], b"");
        if method != "HEAD" {
            check(method, b"/", &[("content-length", b"3")], b"a b");
        }
    }
}

#[test]
fn headers_arrive_unchanged_and_none_are_added() {
    let long = vec![b'x'; 5000];
    for headers in [
        &[("accept", &b"*/*"[..]), ("user-agent", b"curl/8"), ("accept", b"text/html"), ("user-agent", b"b")]
            [..],
        &[("x-e", b""), ("x-a", b"1"), ("x-e", b"2"), ("x-a", b"3")],
        &[("x-b", b"\xff\xfe caf\xc3\xa9\tx"), ("x-q", b"it's \"$HOME\" `id` $(id) !! \\n ;")],
        &[("x-c", b";"), ("x-d", b"@/etc/hostname"), ("x'!`$&", b":")],
        &[("connection", b"close"), ("te", b"trailers"), ("accept-encoding", b"gzip, br")],
        &[("cookie", b"a=b"), ("cookie", b"c=d"), ("content-type", b"a/b"), ("x-long", &long)],
    ] {
        check("GET", b"/", headers, b"");
    }
}

#[test]
fn hosts_are_kept() {
    let mut trace = trace("GET", b"/", &[("host", b"EXAMPLE.com:80")], b"");
    for (host, wanted) in [
        ("EXAMPLE.com:8080", "curl http://EXAMPLE.com:8080/ -H accept: -H user-agent:"),
        ("a.example:80", "curl http://a.example:80/ -H 'host: a.example:80' -H accept: -H user-agent:"),
        ("127.1:3000", "curl http://127.1:3000/ -H 'host: 127.1:3000' -H accept: -H user-agent:"),
        ("[::1]:3000", "curl 'http://[::1]:3000/' -H accept: -H user-agent:"),
        (
            "user@evil.example",
            "# insert the address of the service: the recorded host cannot be part of a URL\n\
             curl http://localhost/ -H 'host: user@evil.example' -H accept: -H user-agent:",
        ),
    ] {
        trace.request_headers[0].value = sample::wire(host.as_bytes());
        assert_eq!(command(&trace).text, wanted);
    }
    trace.request_headers.clear();
    assert!(command(&trace).text.starts_with("# the host was not recorded"), "{}", command(&trace).text);
    trace.target = sample::wire(b"http://shop.example:81/a");
    let wanted =
        "curl http://shop.example:81/ --request-target http://shop.example:81/a -H accept: -H user-agent:";
    assert_eq!(command(&trace).text, wanted);
}

#[test]
fn bodies_arrive_unchanged() {
    let large = vec![b'x'; MAX_ARGUMENT];
    let huge: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
    for body in [
        &b"@/etc/hostname"[..],
        b"{\"title\": \"it's\"}",
        b"\x00\xff\xfe\x80abc",
        b"-n %s \\x41 %d",
        b"-v\x00",
        b"a\r\nb\n",
        b"!! !x 'y' \x1b[31m",
        "ünï 漢字 \u{202e}".as_bytes(),
        &large,
        &huge,
    ] {
        let len = body.len().to_string();
        check("POST", b"/", &[("content-length", len.as_bytes())], body);
        check("PUT", b"/", &[("content-type", b"a/b"), ("content-length", len.as_bytes())], body);
        check("GET", b"/", &[("transfer-encoding", b"chunked")], body);
    }
    check("POST", b"/", &[("transfer-encoding", b"chunked")], b"");
    check("POST", b"/", &[("expect", b"100-continue"), ("content-length", b"1")], b"a");
}

#[test]
fn other_http_versions_are_supported() {
    let mut old = trace("GET", b"/", &[], b"");
    old.version = "HTTP/1.0".to_owned();
    let (got, _) = run(&mut old);
    assert_eq!(got[0].first, b"GET / HTTP/1.0");
    let mut new = trace("GET", b"/", &[("host", b"a.example:3000")], b"");
    new.version = "HTTP/2.0".to_owned();
    let wanted = "curl --http2-prior-knowledge http://a.example:3000/ -H accept: -H user-agent:";
    assert_eq!(command(&new).text, wanted);
}

#[test]
fn the_origin_of_a_target_is_kept() {
    let origin = |text: &str| Origin::Named(sample::wire(text.as_bytes()));
    let mut absolute = trace("GET", b"/a?b=c", &[], b"");
    absolute.origin = origin("http://shop.example:81");
    let (got, _) = run(&mut absolute);
    assert_eq!(got[0].first, b"GET http://shop.example:81/a?b=c HTTP/1.1");
    // In HTTP/2, the origin is the address, including its port.
    absolute.request_headers.clear();
    absolute.version = "HTTP/2.0".to_owned();
    let wanted = "curl --http2-prior-knowledge 'http://shop.example:81/a?b=c' -H accept: -H user-agent:";
    assert_eq!(command(&absolute).text, wanted);
}

#[test]
fn missing_parts_are_named_in_comments() {
    let check = |trace: &Trace, wanted: &str| {
        let curl = command(trace);
        assert!(curl.is_partial && curl.text.starts_with(&format!("# {wanted}\n")), "{}", curl.text);
    };
    let post = || trace("POST", b"/", &[("host", b"a.example"), ("content-length", b"3")], b"abc");
    let mut cut = post();
    cut.request_body.full_len = 70_000;
    check(&cut, "only 3 of 70000 bytes of the body were recorded");
    let mut masked = post();
    let shown = Masked { value: Value::from_bytes(b"/?token=<secret:3f9a2c71d0e4>").unwrap(), summary: None };
    masked.target = Recorded::Sealed { hash: [0; 16], sealed: Vec::new(), masked: Some(Box::new(shown)) };
    check(&masked, "the target contains a masked secret");
    let mut sealed = post();
    sealed.request_body.bytes = sample::sealed();
    check(&sealed, "the body is a secret: replace SECRET");
    let mut missing = post();
    missing.request_body.bytes = Recorded::Missing(zerver_trace::MissingReason::TooLarge);
    check(&missing, "the body was not recorded");
    check(
        &trace("HEAD", b"/", &[("host", b"a")], b"x"),
        "the body of the HEAD request is left out: curl would wait for a response body",
    );
    // A file edited by hand can hold what no request can.
    check(&trace("A B\r\n", b"/", &[("host", b"a")], b""), "the method is invalid and left out");
    check(
        &trace("GET", b"/", &[("host", b"a"), ("x\ny", b"")], b""),
        "a header with an invalid name is left out",
    );
    check(
        &trace("GET", b"/", &[("host", b"a"), ("x'$(id)", b"a\r\nb: c")], b""),
        "a header with an invalid name is left out",
    );
    check(
        &trace("GET", b"/", &[("host", b"a"), ("x'$", b"a\r\nb: c")], b""),
        "header x__ has an invalid value and is left out",
    );
    check(
        &trace("GET", b"/\r\nb: c", &[("host", b"a")], b""),
        "control characters in the target are percent-encoded",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn quoting_is_undone_by_the_shell(
        texts in prop::collection::vec("\\PC{0,12}|[ -~\n\t\r\u{1b}\u{202e}é]{0,24}|'!'!", 1..20),
        raw in prop::collection::vec(prop::collection::vec(1u8.., 0..24), 0..20),
        nul in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let all: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).chain(raw).collect();
        let words: Vec<String> = all.iter().map(|bytes| word(bytes)).collect();
        for word in &words {
            prop_assert!(!word.chars().any(zerver_trace::text::is_dangerous), "{word:?}");
        }
        let got = bash(&format!("printf '%s\\0' {}", words.join(" "))).unwrap();
        let wanted: Vec<u8> = all.iter().flat_map(|bytes| bytes.iter().copied().chain([0])).collect();
        prop_assert_eq!(got, wanted);
        prop_assert_eq!(bash(&printf(&nul)).unwrap(), nul);
    }
}

//! Builds a curl command that repeats a recorded request exactly. Comments above the command name what it cannot
//! repeat: secrets, and parts that were not recorded.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::{HeaderName, HeaderValue, Method};
use zerver_trace::{Node, Origin, Recorded, Trace};

use super::shell_quoting::{printf, word};

/// Placeholder for a secret.
const SECRET: &str = "SECRET";
/// Host used if the recorded one is unknown.
const NO_HOST: &str = "localhost";
/// Headers that curl derives from the body and the URL.
const MADE: [&str; 2] = ["host", "content-length"];
/// Headers that curl adds unless they are disabled.
const ADDED: [&str; 2] = ["accept", "user-agent"];
/// Largest body passed as an argument, in bytes; larger ones are piped. Linux limits an argument to 128 KiB.
const MAX_ARGUMENT: usize = 100_000;
/// Largest body, in bytes, for which no version of curl waits for `100 Continue` first.
const MAX_UNASKED: usize = 1024;

/// Returns the text of a recorded value with its secrets masked, or `None` if all of it is secret or missing.
pub fn text(recorded: &Recorded) -> Option<String> {
    Some(String::from_utf8_lossy(&bytes(recorded)?).into_owned())
}

fn bytes(recorded: &Recorded) -> Option<Vec<u8>> {
    match recorded.value()?.root() {
        Node::Bytes(bytes) => Some(bytes.to_vec()),
        other => other.as_bytes().map(std::borrow::Cow::into_owned),
    }
}

/// A command for bash, zsh or ksh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurlCommand {
    /// Command, preceded by comments.
    pub text: String,
    /// True if the command lacks a part of the request; the comments name it.
    pub is_partial: bool,
}

/// Returns the command that repeats a request.
pub fn curl_command(trace: &Trace) -> CurlCommand {
    let mut making = CurlBuilder { trace, arguments: Vec::new(), lacks: Vec::new() };
    making.address();
    let method = making.method();
    making.headers();
    let input = making.body();
    let CurlBuilder { arguments, lacks, .. } = making;
    let mut text: String = lacks.iter().map(|lack| format!("# {lack}\n")).collect();
    if let Some(input) = input {
        text += &format!("{} | ", printf(&input));
    }
    text += "curl";
    for argument in method.into_iter().chain(arguments) {
        text.push(' ');
        text += &argument;
    }
    CurlCommand { text, is_partial: !lacks.is_empty() }
}

struct CurlBuilder<'t> {
    trace: &'t Trace,
    /// Arguments, already quoted.
    arguments: Vec<String>,
    /// Parts of the request that the command cannot repeat: one line each, without quotes.
    lacks: Vec<String>,
}

impl CurlBuilder<'_> {
    fn argument(&mut self, option: &str, value: &[u8]) {
        self.arguments.push(format!("{option} {}", word(value)));
    }

    /// Notes a part of the request that the command cannot repeat. Some shells do not accept comments on their command
    /// line, so the note contains no quotes and nothing that is expanded.
    fn lack(&mut self, what: impl AsRef<str>) {
        let is_harmless = |c: &char| c.is_ascii_alphanumeric() || " ,.:-_%".contains(*c);
        let harmless = |c: char| Some(c).filter(is_harmless).unwrap_or('_');
        self.lacks.push(what.as_ref().chars().map(harmless).collect());
    }

    /// Returns the bytes of a value with its secrets masked. Anything masked or missing is noted under `name`.
    fn known(&mut self, name: &str, recorded: &Recorded) -> Option<Vec<u8>> {
        match (bytes(recorded), recorded) {
            (Some(bytes), Recorded::Plain { .. }) => Some(bytes),
            (Some(bytes), _) => {
                self.lack(format!("{name} contains a masked secret"));
                Some(bytes)
            }
            (None, Recorded::Missing(_)) => {
                self.lack(format!("{name} was not recorded"));
                None
            }
            (None, _) => {
                self.lack(format!("{name} is a secret: replace {SECRET}"));
                Some(SECRET.into())
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.trace.request_headers.iter().any(|header| header.name == name)
    }

    /// Adds the HTTP version, the URL, and the request target if it is not a plain path.
    fn address(&mut self) {
        let trace = self.trace;
        match trace.version.as_str() {
            "HTTP/1.0" => self.arguments.push("--http1.0".to_owned()),
            "HTTP/2.0" => self.arguments.push("--http2-prior-knowledge".to_owned()),
            _ => {}
        }
        let mut target = self.known("the target", &trace.target).unwrap_or_else(|| trace.path.clone().into());
        let origin = match &trace.origin {
            Origin::Named(origin) => self.known("the origin of the target", origin),
            Origin::NotRecorded | Origin::Absent => None,
        };
        let named = origin.as_deref().and_then(authority);
        if let Some(origin) = origin.filter(|_| trace.version != "HTTP/2.0") {
            // The absolute form of RFC 9112, section 3.2.2.
            target = [origin, target].concat();
        }
        let named = named.or_else(|| authority(&target));
        let (target, is_clean) = without_controls(&target);
        if !is_clean {
            self.lack("control characters in the target are percent-encoded");
        }
        let host = trace.request_headers.iter().find(|header| header.name == "host");
        let host = host.and_then(|host| self.known("the host", &host.value)).or(named);
        if host.is_none() {
            self.lack("the host was not recorded: insert the address of the service");
        }
        let text = host.as_deref().and_then(|host| std::str::from_utf8(host).ok());
        let address = text.and_then(address);
        if host.is_some() && address.is_none() {
            self.lack("insert the address of the service: the recorded host cannot be part of a URL");
        }
        let (address, is_kept) = address.unwrap_or((NO_HOST, host.is_none()));
        let url = format!("http://{address}");
        if is_plain_path(&target) {
            if target.iter().any(|byte| b"[]{}".contains(byte)) {
                self.arguments.push("--globoff".to_owned());
            }
            let has_dots = target.windows(2).any(|pair| pair == b"/.")
                || target.to_ascii_lowercase().windows(3).any(|three| three == b"%2e");
            if has_dots {
                self.arguments.push("--path-as-is".to_owned());
            }
            self.arguments.push(word(&[url.as_bytes(), &target].concat()));
        } else {
            self.arguments.push(word(format!("{url}/").as_bytes()));
            self.argument("--request-target", &target);
        }
        if let Some(host) = host.filter(|_| !is_kept) {
            self.header("host", &host);
        }
    }

    /// Returns the option for the method, if one is needed.
    fn method(&mut self) -> Option<String> {
        let (method, has_body) = (self.trace.method.as_str(), self.has_body());
        match method {
            "GET" if !has_body => None,
            "POST" if has_body => None,
            "HEAD" => {
                if self.trace.request_body.full_len > 0 {
                    self.lack(
                        "the body of the HEAD request is left out: curl would wait for a response body",
                    );
                }
                Some("-I".to_owned())
            }
            _ if Method::from_bytes(method.as_bytes()).is_ok() => {
                Some(format!("-X {}", word(method.as_bytes())))
            }
            _ => {
                self.lack("the method is invalid and left out");
                None
            }
        }
    }

    fn headers(&mut self) {
        let trace = self.trace;
        let is_head = trace.method == "HEAD";
        for header in &trace.request_headers {
            match header.name.as_str() {
                // With this header, curl would wait for a body.
                "transfer-encoding" if is_head => {
                    self.lack("header transfer-encoding is left out");
                    continue;
                }
                "content-length" if is_head && trace.request_body.full_len == 0 => {}
                name if MADE.contains(&name) => continue,
                _ => {}
            }
            // Such a header name can only come from a file that was edited by hand.
            if HeaderName::from_bytes(header.name.as_bytes()).is_err() {
                self.lack("a header with an invalid name is left out");
                continue;
            }
            let name = format!("header {}", header.name);
            if let Some(value) = self.known(&name, &header.value) {
                self.header(&header.name, &value);
            }
        }
        for name in ADDED.into_iter().filter(|name| !self.has(name)).collect::<Vec<_>>() {
            self.argument("-H", format!("{name}:").as_bytes());
        }
        if self.has("accept-encoding") {
            // Makes the response readable.
            self.arguments.push("--compressed".to_owned());
        }
    }

    fn header(&mut self, name: &str, value: &[u8]) {
        let value = value.trim_ascii();
        if HeaderValue::from_bytes(value).is_err() {
            self.lack(format!("header {name} has an invalid value and is left out"));
        } else if value.is_empty() {
            self.argument("-H", format!("{name};").as_bytes());
        } else {
            self.argument("-H", &[name.as_bytes(), b": ", value].concat());
        }
    }

    /// Returns true if the request had a body, even an empty one.
    fn has_body(&self) -> bool {
        let is_said = self.has("content-length") || self.has("transfer-encoding");
        self.trace.method != "HEAD" && (self.trace.request_body.full_len > 0 || is_said)
    }

    /// Adds the body as arguments, or returns the bytes that must be piped in.
    fn body(&mut self) -> Option<Vec<u8>> {
        if !self.has_body() {
            return None;
        }
        let body = &self.trace.request_body;
        let known = if body.full_len > 0 { self.known("the body", &body.bytes) } else { None };
        if body.kept_len < body.full_len && known.is_some() {
            self.lack(format!("only {} of {} bytes of the body were recorded", body.kept_len, body.full_len));
        }
        let known = known.unwrap_or_default();
        let is_argument =
            known.len() <= MAX_ARGUMENT && !known.contains(&0) && std::str::from_utf8(&known).is_ok();
        if is_argument {
            self.argument("--data-raw", &known);
        } else {
            self.arguments.push("--data-binary @-".to_owned());
        }
        if !self.has("content-type") {
            self.argument("-H", b"content-type:");
        }
        if known.len() > MAX_UNASKED && !self.has("expect") {
            self.argument("-H", b"expect:");
        }
        (!is_argument).then_some(known)
    }
}

/// Returns the host of a target in absolute form.
fn authority(target: &[u8]) -> Option<Vec<u8>> {
    let rest = ["http://", "https://"].iter().find_map(|scheme| target.strip_prefix(scheme.as_bytes()))?;
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    Some(rest[..end].to_vec())
}

/// Returns the host as written in a URL, and whether curl sends it unchanged as `Host`; `None` if it cannot be part of
/// a URL. curl normalizes some hosts (`127.1`, port 80), which then need a header of their own.
fn address(host: &str) -> Option<(&str, bool)> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return None;
    }
    let is_default = port.is_some_and(|port| port == "80" || port.starts_with(['0', '+']));
    if let Some(inner) = name.strip_prefix('[') {
        let inner = inner.strip_suffix(']')?;
        let parsed: Ipv6Addr = inner.parse().ok()?;
        return Some((host, !is_default && parsed.to_string() == inner));
    }
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || name.starts_with(['-', '.']) || !name.bytes().all(is_name_byte) {
        return None;
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    // A numeric last label means an IPv4 address, or an invalid host.
    let is_numeric = last.is_empty() || last.starts_with(|c: char| c.is_ascii_digit());
    let is_canonical = !is_numeric || name.parse::<Ipv4Addr>().is_ok_and(|parsed| parsed.to_string() == name);
    Some((host, !is_default && is_canonical))
}

/// Returns true if curl sends this target unchanged as part of a URL.
fn is_plain_path(target: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"#\"\\<>^`|".contains(byte);
    target.starts_with(b"/") && target.iter().all(is_plain)
}

/// Percent-encodes control characters and spaces; also returns true if there were none.
fn without_controls(target: &[u8]) -> (Vec<u8>, bool) {
    let is_clean = !target.iter().any(|byte| byte.is_ascii_control() || *byte == b' ');
    let mut out = Vec::with_capacity(target.len());
    for byte in target {
        match byte {
            byte if byte.is_ascii_control() || *byte == b' ' => {
                out.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
            byte => out.push(*byte),
        }
    }
    (out, is_clean)
}

// Outside of the sources, which use neither processes nor sockets: the tests run curl.
#[cfg(test)]
#[path = "../../tests/unit/curl_command.rs"]
mod tests;

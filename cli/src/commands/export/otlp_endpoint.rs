//! The endpoint of a collector: sends spans with OTLP over HTTP, and repeats what the collector asks to repeat.

use std::time::{Duration, Instant};

use http::{HeaderMap, Response, Uri, header};
use serde_json::Value;
use ureq::Agent;
use zerver_otel::protobuf;
use zerver_trace::duration;
use zerver_trace::secret::percent_decoded;

use crate::error::CommandError;
use crate::output::Output;

/// Path of the endpoint (OTLP 1.x, "OTLP/HTTP request").
const PATH: &str = "/v1/traces";
/// Pause before the first repetition, which doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Maximum length of an answer that is read, in bytes.
const MAX_ANSWER: u64 = 64 << 10;
/// Maximum length of an answer in an error, in characters.
const MAX_SHOWN: usize = 200;

/// Endpoint of a collector.
pub(super) struct OtlpEndpoint {
    url: String,
    headers: Vec<(String, String)>,
    timeout: Duration,
    agent: Agent,
}

/// Answer of a collector that has not accepted all spans, or has a warning.
pub(super) struct PartialSuccess {
    pub(super) rejected_spans: u64,
    pub(super) message: String,
}

impl OtlpEndpoint {
    /// Returns true if a destination is a URL and not a file.
    pub(super) fn is_url(destination: &str) -> bool {
        let scheme = destination.split_once("://").map_or("", |(scheme, _)| scheme);
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    }

    /// Returns the endpoint if the destination is a URL. A path that does not end in `/v1/traces` gets it.
    pub(super) fn parse(
        destination: &str,
        headers: &[(String, String)],
        timeout: Duration,
    ) -> Result<Option<Self>, CommandError> {
        if !Self::is_url(destination) {
            return match destination.split_once("://") {
                Some((scheme, _)) => Err(CommandError::new(format!("cannot send spans with {scheme}"))
                    .with_hint("name an endpoint for OTLP over HTTP, such as http://localhost:4318")),
                None => Ok(None),
            };
        }
        let invalid = |cause: &str| {
            CommandError::new("the URL of --otlp is invalid")
                .with_cause(cause)
                .with_hint("write it like http://localhost:4318")
        };
        let uri: Uri =
            destination.parse().map_err(|error: http::uri::InvalidUri| invalid(&error.to_string()))?;
        let authority = uri.authority().ok_or_else(|| invalid("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("it contains credentials").with_hint("send them with --otlp-header"));
        }
        let is_port = |(host, _): (&str, &str)| !host.contains(':') || host.ends_with(']');
        if authority.as_str().rsplit_once(':').is_some_and(is_port) && authority.port_u16().is_none() {
            return Err(invalid("its port is not a number"));
        }
        let path = uri.path().trim_end_matches('/');
        let path = if path.ends_with(PATH) { path.to_owned() } else { format!("{path}{PATH}") };
        let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
        let url = format!("{}://{authority}{path}{query}", uri.scheme_str().unwrap_or("http"));
        // Values in the variable of OpenTelemetry are percent-encoded.
        let decoded = |(name, value): &(String, String)| {
            // Here, a plus sign is not a blank.
            let value = value.replace('+', "%2B");
            let value = percent_decoded(value.as_bytes());
            (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned())
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("zerver/", env!("CARGO_PKG_VERSION")))
            .build();
        let headers = headers.iter().map(decoded).collect();
        Ok(Some(Self { url, headers, timeout, agent: Agent::new_with_config(config) }))
    }

    pub(super) fn url(&self) -> &str {
        // The query may contain a key.
        self.url.split('?').next().unwrap_or_default()
    }

    /// Sends one message. Repeats it while the collector is overloaded or being replaced, within the time limit.
    pub(super) fn post(
        &self,
        body: &[u8],
        media_type: &str,
        output: &mut Output,
    ) -> Result<Option<PartialSuccess>, CommandError> {
        let failed = || CommandError::new(format!("cannot send the spans to {}", self.url()));
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let left = self.timeout.saturating_sub(begun.elapsed());
            let mut request = self.agent.post(&self.url).header(header::CONTENT_TYPE, media_type);
            for (name, value) in &self.headers {
                request = request.header(name, value);
            }
            let request = request.config().timeout_global(Some(left.max(Duration::from_millis(1)))).build();
            let mut response = request.send(body).map_err(|error| self.unreachable(failed(), &error))?;
            let status = response.status().as_u16();
            if (200..300).contains(&status) {
                return Ok(partial_success(&mut response));
            }
            let answered = format!("it answered {status}{}", shown_body(&mut response));
            if !matches!(status, 429 | 502..=504) {
                return Err(explained(failed().with_cause(answered), status));
            }
            let wait = retry_after(response.headers()).unwrap_or(pause);
            let left = self.timeout.saturating_sub(begun.elapsed());
            if wait >= left {
                let asks = duration::show(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
                let limit = duration::show(u64::try_from(self.timeout.as_nanos()).unwrap_or(u64::MAX));
                return Err(failed()
                    .with_cause(answered)
                    .with_cause(format!(
                        "the next attempt would be in {asks}, beyond the time limit of {limit}"
                    ))
                    .with_hint("allow more with --timeout"));
            }
            output.progress(&format!("{} answered {status}; trying again", self.url()));
            std::thread::sleep(wait);
            pause = (pause * 2).min(Duration::from_secs(8));
        }
    }

    fn unreachable(&self, failed: CommandError, error: &ureq::Error) -> CommandError {
        let failed = match error {
            ureq::Error::Timeout(_) => {
                let limit = duration::show(u64::try_from(self.timeout.as_nanos()).unwrap_or(u64::MAX));
                return failed
                    .with_cause(format!("it has not answered within {limit}"))
                    .with_hint("allow more with --timeout");
            }
            error => failed.caused_by(error),
        };
        let hint = if self.url.contains(":4317/") {
            "4317 is usually the port of OTLP over gRPC; OTLP over HTTP has port 4318"
        } else {
            "is a collector listening there? OTLP over HTTP usually has port 4318"
        };
        failed.with_hint(hint)
    }
}

/// Adds what to do about a status.
fn explained(error: CommandError, status: u16) -> CommandError {
    match status {
        300..=399 => error.with_hint("it redirects; name the URL to which it does"),
        401 | 403 => error.with_hint("send credentials with --otlp-header NAME=VALUE"),
        404 | 405 => error.with_hint("is this the endpoint for traces of OTLP over HTTP?"),
        413 => error.with_hint("export fewer requests, or leave out --slots"),
        415 => error.with_hint("try the other encoding, with --otlp-format json or protobuf"),
        _ => error,
    }
}

/// Returns the beginning of an answer, which is text or a message of Protocol Buffers.
fn shown_body(response: &mut Response<ureq::Body>) -> String {
    let is_text =
        content_type(response.headers()).is_some_and(|it| it.contains("json") || it.starts_with("text/"));
    let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let message = serde_json::from_str::<Value>(&text).ok();
    let message = message.as_ref().and_then(|json| json.get("message")?.as_str()).unwrap_or(&text).trim();
    if !is_text || message.is_empty() {
        return String::new();
    }
    format!(": {}", message.chars().take(MAX_SHOWN).collect::<String>())
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()
}

/// Returns what a collector says about spans that it has not accepted, and its warnings.
fn partial_success(response: &mut Response<ureq::Body>) -> Option<PartialSuccess> {
    let is_json = content_type(response.headers()).is_some_and(|it| it.contains("json"));
    let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().ok()?;
    let (rejected_spans, message) = if is_json {
        let document: Value = serde_json::from_slice(&body).ok()?;
        let partial = document.get("partialSuccess").or_else(|| document.get("partial_success"))?;
        let field = |names: [&str; 2]| names.iter().find_map(|name| partial.get(*name));
        let rejected = field(["rejectedSpans", "rejected_spans"]);
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let message = field(["errorMessage", "error_message"]).and_then(Value::as_str);
        (rejected.and_then(number).unwrap_or_default(), message.unwrap_or_default().to_owned())
    } else {
        protobuf::decode_partial_success(&body)?
    };
    (rejected_spans > 0 || !message.is_empty()).then_some(PartialSuccess { rejected_spans, message })
}

/// Returns the time that an answer asks to wait (RFC 9110, section 10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp().as_second());
    // The date of the answer is the clock of the collector, so that clocks which differ do no harm.
    let sent = headers.get(header::DATE).and_then(|value| date(value.to_str().ok()?));
    let sent = sent.unwrap_or_else(|| jiff::Timestamp::now().as_second());
    Some(Duration::from_secs(u64::try_from(date(text)? - sent).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Result<Option<OtlpEndpoint>, CommandError> {
        OtlpEndpoint::parse(url, &[("X-Key".into(), "a%20b".into())], Duration::from_secs(1))
    }

    #[test]
    fn a_url_without_the_path_for_traces_gets_it() {
        for (given, expected) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("HTTPS://api.example/otlp", "https://api.example/otlp/v1/traces"),
            ("http://[::1]:4318/v1/traces", "http://[::1]:4318/v1/traces"),
            ("http://h/v1/traces/?key=x", "http://h/v1/traces?key=x"),
        ] {
            let endpoint = endpoint(given).unwrap().unwrap();
            assert_eq!(endpoint.url, expected);
            assert_eq!(endpoint.headers, [("x-key".to_owned(), "a b".to_owned())]);
            assert!(!endpoint.url().contains("key"), "the query may contain a key");
        }
        for file in ["spans.json", "./http/x", "-", "a:b"] {
            assert!(endpoint(file).unwrap().is_none(), "{file}");
        }
        for wrong in ["grpc://localhost:4317", "http://", "http://user:pass@h", "http://h:port"] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }

    /// A collector that gives these answers, one for each connection. Returns its URL and the requests that it receives.
    fn collector(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serve = move || answers.iter().map(|answer| answer_one(&listener, answer)).collect();
        (url, std::thread::spawn(serve))
    }

    fn answer_one(listener: &std::net::TcpListener, answer: &str) -> String {
        use std::io::{Read, Write};
        let (mut socket, _) = listener.accept().unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"the spans") {
            let mut bytes = [0; 1024];
            let len = socket.read(&mut bytes).unwrap();
            assert!(len > 0, "closed after {}", String::from_utf8_lossy(&received));
            received.extend_from_slice(&bytes[..len]);
        }
        let (head, body) = answer.split_once("\n\n").unwrap_or((answer, ""));
        let head = head.replace('\n', "\r\n");
        let len = body.len();
        write!(socket, "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {len}\r\n\r\n{body}")
            .unwrap();
        String::from_utf8(received).unwrap()
    }

    fn post(url: &str) -> Result<Option<PartialSuccess>, CommandError> {
        let endpoint =
            OtlpEndpoint::parse(url, &[("X-Key".into(), "k".into())], Duration::from_secs(60))?.unwrap();
        endpoint.post(b"the spans", "application/json", &mut Output::plain())
    }

    #[test]
    fn what_a_collector_asks_to_repeat_is_repeated() {
        let (url, collector) = collector(&[
            "429 Too Many Requests\nretry-after: 0",
            "502 Bad Gateway\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT",
            "503 Service Unavailable\nretry-after: 0",
            "504 Gateway Timeout\nretry-after: 0",
            "200 OK\ncontent-type: application/json\n\n{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"old\"}}",
        ]);
        let partial = post(&url).unwrap().unwrap();
        assert_eq!((partial.rejected_spans, partial.message.as_str()), (2, "old"));
        let requests = collector.join().unwrap();
        assert_eq!(requests.len(), 5);
        for request in requests {
            let head = request.to_ascii_lowercase();
            assert!(
                head.starts_with("post /v1/traces http/1.1\r\n") && head.contains("\r\nx-key: k\r\n"),
                "{head}"
            );
            assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
        }
    }

    #[test]
    fn other_errors_are_not_repeated_and_say_what_to_do() {
        let check = |answers: &'static [&'static str], texts: &[&str]| {
            let (url, collector) = collector(answers);
            let error = post(&url).map(drop).unwrap_err();
            let all = format!("{} {}", error.one_line(), error.hints.join(" "));
            texts.iter().for_each(|text| assert!(all.contains(text), "{all}"));
            assert_eq!(collector.join().unwrap().len(), 1);
        };
        check(&["401 Unauthorized"], &["answered 401", "--otlp-header"]);
        check(&["500 Oops\ncontent-type: text/plain\n\nno disk"], &["answered 500: no disk"]);
        check(&["302 Found\nlocation: http://elsewhere/"], &["answered 302", "redirects"]);
        check(&["503 Busy\nretry-after: 3600"], &["answered 503", "beyond the time limit", "--timeout"]);
        let (url, collector) = collector(&["200 OK"]);
        assert!(post(&url).unwrap().is_none());
        collector.join().unwrap();
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = post(&format!("http://{unused}")).map(drop).unwrap_err();
        assert!(error.hints[0].contains("4318"), "{error:?}");
    }

    #[test]
    fn the_time_to_wait_is_a_number_of_seconds_or_a_date() {
        let wait = |lines: &[(header::HeaderName, &str)]| {
            let headers = lines.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        let sent = (header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wait(&[(header::RETRY_AFTER, "7")]), Some(7));
        assert_eq!(wait(&[(header::RETRY_AFTER, "Sun, 06 Nov 1994 08:50:07 GMT"), sent.clone()]), Some(30));
        assert_eq!(wait(&[(header::RETRY_AFTER, "Sun, 06 Nov 1994 08:40:07 GMT"), sent.clone()]), Some(0));
        assert_eq!(wait(&[(header::RETRY_AFTER, "soon"), sent]), None);
        assert_eq!(wait(&[]), None);
    }
}

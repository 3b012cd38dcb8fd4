//! Opening handshakes of WebSockets (RFC 6455, section 4.2): which requests a session may answer.

use http::{HeaderName, Method, StatusCode, Version, header};

use super::request::Request;
use super::response::Response;
use crate::failure::Failure;
use crate::stream::WebSocketRules;

/// The only version of the protocol.
const VERSION: &str = "13";

/// Returns the response to send: this one, with the protocol of the session, or one that says what the request lacks.
///
/// # Errors
/// If the request is no valid handshake, or comes from a page that may not open a session.
pub(super) fn evaluate(request: &Request, mut response: Response) -> Result<Response, Failure> {
    let Some(rules) = response.stream.as_ref().and_then(|stream| stream.web_socket_rules()) else {
        return Ok(response);
    };
    let invalid = |message: &str| Failure::invalid("websocket").message(message);
    if request.version != Version::HTTP_11 {
        return Err(invalid("a WebSocket needs HTTP/1.1: this service opens none over other versions"));
    }
    if request.method != Method::GET {
        return Err(invalid("a WebSocket is opened with GET"));
    }
    if !has_token(request, &header::UPGRADE, "websocket")
        || !has_token(request, &header::CONNECTION, "upgrade")
    {
        return Ok(upgrade_required(
            "this address speaks WebSocket only: the request has no `Upgrade: websocket`",
        ));
    }
    if single(request, &header::SEC_WEBSOCKET_VERSION) != Some(VERSION) {
        return Ok(upgrade_required("this service speaks version 13 of the WebSocket protocol"));
    }
    if !single(request, &header::SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        return Err(invalid("the `Sec-WebSocket-Key` is not 16 bytes in base64"));
    }
    if !request.body.is_empty() || request.received.is_some() {
        return Err(invalid("a request for a WebSocket has no body"));
    }
    if !allows_origin(rules, request) {
        return Err(Failure::forbidden("websocket").message("the page that opens it is of another site"));
    }
    let protocol = rules.protocols.iter().find(|name| offers(request, name)).copied();
    response.status = StatusCode::SWITCHING_PROTOCOLS;
    Ok(match protocol {
        Some(protocol) => response.header(header::SEC_WEBSOCKET_PROTOCOL.as_str(), protocol),
        // A client fails if the service names a protocol that it has not offered.
        None => {
            response.headers.remove(header::SEC_WEBSOCKET_PROTOCOL);
            response
        }
    })
}

fn upgrade_required(message: &str) -> Response {
    let failure = Failure::invalid("websocket").message(message);
    let response = failure.to_response_as(StatusCode::UPGRADE_REQUIRED).header("upgrade", "websocket");
    response.header("connection", "upgrade").header("sec-websocket-version", VERSION)
}

/// Returns the value of a header that is there once.
fn single<'r>(request: &'r Request, name: &HeaderName) -> Option<&'r str> {
    let mut values = request.headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    Some(value.to_str().ok()?.trim_ascii())
}

/// Returns the elements of a list (RFC 9110, section 5.6.1).
fn elements<'r>(request: &'r Request, name: &HeaderName) -> impl Iterator<Item = &'r str> {
    let values = request.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim_ascii)
}

fn has_token(request: &Request, name: &HeaderName, token: &str) -> bool {
    elements(request, name).any(|element| element.eq_ignore_ascii_case(token))
}

/// Returns true if the client offers this protocol. Names are compared exactly.
fn offers(request: &Request, protocol: &str) -> bool {
    elements(request, &header::SEC_WEBSOCKET_PROTOCOL).any(|offered| offered == protocol)
}

/// Returns true for 16 bytes in base64: 22 digits, of which the last has 2 significant bits, and padding.
fn is_key(key: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let Some(digits) = key.strip_suffix("==") else { return false };
    digits.len() == 22 && digits.bytes().all(is_digit) && digits.ends_with(['A', 'Q', 'g', 'w'])
}

fn allows_origin(rules: &WebSocketRules, request: &Request) -> bool {
    if rules.allows_any_origin || !request.is_cross_origin() {
        return true;
    }
    single(request, &header::ORIGIN).is_some_and(|origin| rules.origins.iter().any(|known| known == origin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::EffectKind;
    use crate::stream::{WebSocketEnd, WebSocketKind, WebSocketSession};

    #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
    struct Chat;

    impl EffectKind for Chat {
        const KIND: &'static str = "chat";
        type Output = WebSocketEnd;
    }

    impl WebSocketKind for Chat {}

    /// The example of RFC 6455, section 1.3.
    const VALID: [(&str, &str); 5] = [
        ("host", "server.example"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ];

    /// Returns a valid request in which these headers replace others. An empty value removes one.
    fn request(changed: &[(&'static str, &str)]) -> Request {
        let mut request = Request::get("/chat");
        for (name, value) in VALID {
            if !changed.iter().any(|(other, _)| *other == name) {
                request = request.with_header(name, value);
            }
        }
        for (name, value) in changed.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.with_header(name, value);
        }
        request
    }

    fn check(session: WebSocketSession, request: &Request) -> (u16, String) {
        match evaluate(request, Response::websocket(session)) {
            Ok(response) => {
                let protocol = response.headers.get("sec-websocket-protocol");
                let protocol = protocol.map_or("", |value| value.to_str().unwrap());
                (response.status.as_u16(), protocol.to_owned())
            }
            Err(failure) => (failure.status(), String::new()),
        }
    }

    fn status(changed: &[(&'static str, &str)]) -> u16 {
        check(WebSocketSession::new(Chat), &request(changed)).0
    }

    #[test]
    fn only_a_valid_handshake_is_answered_by_a_session() {
        for (changed, expected) in [
            (&[][..], 101),
            (&[("upgrade", "h2c, WebSocket"), ("connection", "keep-alive, UPGRADE")], 101),
            (&[("upgrade", "")], 426),
            (&[("upgrade", "websocket2")], 426),
            (&[("connection", "keep-alive")], 426),
            (&[("sec-websocket-version", "")], 426),
            (&[("sec-websocket-version", "8")], 426),
            (&[("sec-websocket-version", "13"), ("sec-websocket-version", "8")], 426),
            (&[("sec-websocket-key", "")], 400),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ")], 400),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZR==")], 400),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-key", "x")], 400),
        ] {
            assert_eq!(status(changed), expected, "{changed:?}");
        }
        let session = || WebSocketSession::new(Chat);
        let post = Request { method: Method::POST, ..request(&[]) };
        assert_eq!(check(session(), &post).0, 400);
        let http2 = Request { version: Version::HTTP_2, ..request(&[]) };
        assert_eq!(check(session(), &http2).0, 400);
        let with_body = Request { body: "body".into(), ..request(&[]) };
        assert_eq!(check(session(), &with_body).0, 400);
    }

    #[test]
    fn a_refused_version_says_which_one_is_spoken() {
        let response = evaluate(
            &request(&[("sec-websocket-version", "8")]),
            Response::websocket(WebSocketSession::new(Chat)),
        );
        let response = response.unwrap();
        assert_eq!(response.headers["sec-websocket-version"], "13");
        assert_eq!(response.headers["upgrade"], "websocket");
        assert!(response.stream.is_none());
    }

    #[test]
    fn pages_of_other_sites_are_refused_unless_they_are_known() {
        assert_eq!(status(&[("origin", "https://server.example")]), 101);
        assert_eq!(status(&[("origin", "https://evil.example")]), 403);
        assert_eq!(status(&[("origin", "null")]), 403);
        assert_eq!(status(&[("sec-fetch-site", "cross-site")]), 403);
        let app = [("origin", "https://app.example"), ("sec-fetch-site", "cross-site")];
        let session = || WebSocketSession::new(Chat).origin("https://app.example");
        assert_eq!(check(session(), &request(&app)).0, 101);
        assert_eq!(check(session(), &request(&[("origin", "https://evil.example")])).0, 403);
        assert_eq!(check(session().any_origin(), &request(&[("origin", "https://evil.example")])).0, 101);
    }

    #[test]
    fn the_first_known_protocol_is_chosen() {
        let session = || WebSocketSession::new(Chat).protocols(&["v2", "v1"]);
        for (offered, expected) in [("v1, v2", "v2"), ("v1", "v1"), ("V2", ""), ("", "")] {
            let request = request(&[("sec-websocket-protocol", offered)]);
            assert_eq!(check(session(), &request), (101, expected.to_owned()), "{offered}");
        }
    }
}

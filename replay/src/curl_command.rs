//! A recorded request as a command line of curl.

use std::fmt::Write;

use crate::missing_input::MissingInput;
use crate::rebuilt_request::RebuiltRequest;

/// Maximum length of a body in the command. Linux limits one argument to 128 KiB.
const MAX_BODY: usize = 64 << 10;

impl RebuiltRequest {
    /// Returns a command for a POSIX shell that sends the request with curl. Bytes that are not text need bash or zsh.
    ///
    /// A secret header is a variable, such as `"authorization: $AUTHORIZATION"`, for the user to set. If a part of the body is
    /// missing, or it cannot be an argument, it is read from the file `body`.
    pub fn curl_command(&self, default_host: &str) -> String {
        let scheme = self.target.scheme_str().unwrap_or("http");
        let host = self.host().unwrap_or(default_host);
        let mut command = match self.sent_target() {
            "*" => format!("curl --request-target '*' {}", quote(format!("{scheme}://{host}/").as_bytes())),
            target => format!("curl {}", quote(format!("{scheme}://{host}{target}").as_bytes())),
        };
        let has_body = !self.body.is_empty() || self.is_body_missing();
        let default_method = if has_body { "POST" } else { "GET" };
        match self.method.as_str() {
            "HEAD" => command.push_str(" --head"),
            method if method != default_method => {
                let _ = write!(command, " -X {}", quote(method.as_bytes()));
            }
            _ => {}
        }
        for (name, value) in self.sent_headers() {
            // curl leaves out a header without a value, unless it ends with a semicolon.
            let separator: &[u8] = if value.is_empty() { b";" } else { b": " };
            let line = [name.as_str().as_bytes(), separator, value.as_bytes()].concat();
            let _ = write!(command, " \\\n  -H {}", quote(&line));
        }
        for missing in &self.missing {
            if let MissingInput::Header { name, .. } = missing {
                let _ = write!(command, " \\\n  -H \"{name}: ${}\"", variable(name));
            }
        }
        if has_body {
            if !self.headers.contains_key("content-type") {
                // Otherwise curl sends one of its own.
                command.push_str(" \\\n  -H 'content-type:'");
            }
            // No argument of a program can contain a null byte.
            let is_argument = self.body.len() <= MAX_BODY && !self.body.contains(&0);
            let is_whole = is_argument && !self.is_body_missing();
            match is_whole {
                true => {
                    let _ = write!(command, " \\\n  --data-raw {}", quote(&self.body));
                }
                false => command.push_str(" \\\n  --data-binary @body"),
            }
        }
        command
    }

    fn is_body_missing(&self) -> bool {
        self.missing.iter().any(|missing| matches!(missing, MissingInput::Body { .. }))
    }
}

/// Returns the name of a shell variable for a header.
fn variable(header: &str) -> String {
    let name = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    header.chars().map(name).collect()
}

/// Quotes an argument.
fn quote(argument: &[u8]) -> String {
    match std::str::from_utf8(argument) {
        Ok(text) if !text.chars().any(|c| c.is_control() && c != '\n') => {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
        _ => {
            let mut quoted = "$'".to_owned();
            for byte in argument {
                match byte {
                    b'\'' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
                    b' '..=b'~' => quoted.push(char::from(*byte)),
                    _ => {
                        let _ = write!(quoted, "\\x{byte:02x}");
                    }
                }
            }
            quoted + "'"
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, Method};

    use super::*;

    fn request(method: Method, target: &str, headers: &[(&str, &[u8])], body: &[u8]) -> RebuiltRequest {
        let pairs = headers.iter().map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), http::HeaderValue::from_bytes(value).unwrap())
        });
        let headers: HeaderMap = pairs.collect();
        let missing =
            vec![MissingInput::Header { name: "authorization".to_owned(), reason: "secret".to_owned() }];
        RebuiltRequest { method, target: target.parse().unwrap(), headers, body: body.to_vec(), missing }
    }

    #[test]
    fn a_request_with_everything() {
        let headers: &[(&str, &[u8])] = &[
            ("host", b"api.example:8080"),
            ("x-note", b"it's"),
            ("x-empty", b""),
            ("x-bytes", b"\xff"),
            ("connection", b"close"),
            ("content-type", b"application/json"),
        ];
        let request = request(Method::PUT, "/a?b='c", headers, br#"{"a": "it's"}"#);
        insta::assert_snapshot!(request.curl_command("localhost"), @r#"
        curl 'http://api.example:8080/a?b='\''c' -X 'PUT' \
          -H 'x-note: it'\''s' \
          -H 'x-empty;' \
          -H $'x-bytes: \xff' \
          -H 'content-type: application/json' \
          -H "authorization: $AUTHORIZATION" \
          --data-raw '{"a": "it'\''s"}'
        "#);
    }

    #[test]
    fn a_plain_request_is_a_short_command() {
        let mut plain = request(Method::GET, "/todos", &[], b"");
        plain.missing.clear();
        assert_eq!(plain.curl_command("localhost:3000"), "curl 'http://localhost:3000/todos'");
        plain.method = Method::HEAD;
        assert_eq!(plain.curl_command("localhost:3000"), "curl 'http://localhost:3000/todos' --head");
        plain.method = Method::OPTIONS;
        plain.target = "/*".parse().unwrap();
        let asterisk = "curl --request-target '*' 'http://localhost:3000/' -X 'OPTIONS'";
        assert_eq!(plain.curl_command("localhost:3000"), asterisk);
    }

    #[test]
    fn a_body_that_is_not_there_is_a_file() {
        let mut cut = request(Method::POST, "/", &[], b"first");
        cut.missing = vec![MissingInput::Body { reason: "cut".to_owned() }];
        assert!(cut.curl_command("h").ends_with("--data-binary @body"), "{}", cut.curl_command("h"));
        let long = request(Method::POST, "/", &[], &vec![b'a'; MAX_BODY + 1]);
        assert!(long.curl_command("h").ends_with("--data-binary @body"));
        let control = request(Method::POST, "/", &[], b"@a\x01b");
        assert!(control.curl_command("h").ends_with("-H 'content-type:' \\\n  --data-raw $'@a\\x01b'"));
        let null = request(Method::POST, "/", &[], b"a\0b");
        assert!(null.curl_command("h").ends_with("--data-binary @body"));
    }
}

//! A recorded request as a command line for curl. Secrets are not in it: their places are named.

use zerver_trace::{Node, Recorded, Trace};

/// What stands for a secret.
const SECRET: &str = "SECRET";
/// Headers that curl makes by itself, or that would be wrong.
const LEFT_OUT: [&str; 4] = ["host", "content-length", "connection", "accept-encoding"];

/// The text of a recorded value, with masks in the place of secrets; none where all of it is secret or missing.
pub(crate) fn text(recorded: &Recorded) -> Option<String> {
    let root = recorded.value()?.root();
    let bytes = match &root {
        Node::Bytes(bytes) => std::borrow::Cow::Borrowed(*bytes),
        other => other.as_bytes()?,
    };
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The command, for a shell of POSIX.
pub(crate) fn command(trace: &Trace) -> String {
    let header = |name: &str| trace.request_headers.iter().find(|header| header.name == name);
    let host = header("host").and_then(|header| text(&header.value)).unwrap_or("localhost".to_owned());
    let target = text(&trace.target).unwrap_or_else(|| trace.path.clone());
    let mut command =
        format!("curl -X {} {}", quoted(&trace.method), quoted(&format!("http://{host}{target}")));
    for header in &trace.request_headers {
        if !LEFT_OUT.contains(&header.name.as_str()) {
            let value = text(&header.value).unwrap_or_else(|| SECRET.to_owned());
            command += &format!(" -H {}", quoted(&format!("{}: {value}", header.name)));
        }
    }
    if trace.request_body.full_len > 0 {
        let body = text(&trace.request_body.bytes).unwrap_or_else(|| SECRET.to_owned());
        command += &format!(" --data-binary {}", quoted(&body));
    }
    command
}

/// A word for a shell: nothing in it means anything, and nothing in it moves a cursor.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if text.chars().all(|c| !zerver_trace::text::is_dangerous(c)) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let mut out = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if zerver_trace::text::is_dangerous(c) => {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
            }
            c => out.push(c),
        }
    }
    out + "'"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_request_as_a_command() {
        let mut trace = sample::slow();
        insta::assert_snapshot!(command(&trace), @"curl -X GET 'http://localhost:3000/v1/todos/456?full=1' -H 'authorization: SECRET'");
        trace.method = "POST;".into();
        trace.request_body.full_len = 9;
        trace.request_body.bytes = sample::wire("it's \u{1b}[31m".as_bytes());
        insta::assert_snapshot!(command(&trace), @r"
        curl -X 'POST;' 'http://localhost:3000/v1/todos/456?full=1' -H 'authorization: SECRET' --data-binary $'it\'s \x1b[31m'
        ");
    }
}

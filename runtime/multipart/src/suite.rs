//! The forms with which python-multipart is tested (<https://github.com/Kludex/python-multipart>, Apache-2.0). In `suite.json`, each
//! character of a body stands for one byte.

use bytes::Bytes;
use serde::Deserialize;
use zerver::prelude::{FromRequest, Request};

use crate::Multipart;

#[derive(Deserialize)]
struct Case {
    name: String,
    boundary: String,
    body: String,
    /// `None` if the form is refused.
    parts: Option<Vec<ExpectedPart>>,
}

#[derive(Deserialize)]
struct ExpectedPart {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
    data: String,
}

/// Cases that end without the closing boundary: that parser reports what it has read so far. Here the whole body has arrived, so that
/// the form is incomplete, and refused.
const INCOMPLETE: [&str; 4] = [
    "almost_match_boundary_without_CR",
    "almost_match_boundary_without_LF",
    "almost_match_boundary_without_final_hyphen",
    "single_field_blocks",
];

/// Cases with a `Content-Transfer-Encoding`, which forms no longer have (RFC 7578, section 4.7): it is ignored.
const ENCODED: [&str; 5] = [
    "base64_encoding",
    "base64_encoding_whitespace",
    "mixed_case_headers",
    "mixed_plain_and_base64_encoding",
    "quoted_printable_encoding",
];

/// Text before the first boundary is a preamble, which is ignored (RFC 2046, section 5.1.1). That parser refuses it.
const PREAMBLE: &str = "bad_initial_boundary";

/// Returns the bytes for which the characters stand.
fn bytes(text: &str) -> Bytes {
    text.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect()
}

#[test]
fn the_forms_of_python_multipart() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("suite.json")).unwrap();
    assert_eq!(cases.len(), 33);
    for Case { name, boundary, body, parts } in &cases {
        let request = Request::get("/")
            .with_header("content-type", &format!("multipart/form-data; boundary={boundary}"))
            .with_body(bytes(body));
        let parsed = Multipart::from_request(&request);
        let Some(expected) = parts.as_ref().filter(|_| !INCOMPLETE.contains(&name.as_str())) else {
            match name.as_str() {
                PREAMBLE => assert_eq!(parsed.unwrap().parts(), []),
                _ => assert_eq!(parsed.unwrap_err().status(), 400, "{name}"),
            }
            continue;
        };
        let form = parsed.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!(form.parts().len(), expected.len(), "{name}");
        for (part, expected) in std::iter::zip(form.parts(), expected) {
            assert_eq!(
                (part.name(), part.file_name()),
                (&*expected.name, expected.file_name.as_deref()),
                "{name}"
            );
            if let (Some(media_type), Some(_)) = (&expected.content_type, part.file_name()) {
                assert_eq!(part.media_type(), Some(media_type.as_str()), "{name}");
            }
            if !ENCODED.contains(&name.as_str()) {
                assert_eq!(*part.body(), bytes(&expected.data), "{name}");
            }
        }
    }
}

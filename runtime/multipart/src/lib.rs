//! Forms with files: bodies of type `multipart/form-data` (RFC 7578), as a parameter of a step of [`zerver`].
//!
//! ```
//! use zerver::prelude::*;
//! use zerver_multipart::Multipart;
//!
//! #[step]
//! fn upload(form: Multipart) -> Result<Response, Failure> {
//!     let (title, photo) = (form.text("title")?, form.file("photo")?);
//!     Ok(Response::text(format!("{title}: {} bytes", photo.body().len())))
//! }
//!
//! let app = App::new().flow(flow!("photo-add", POST "/photos", steps: [upload]));
//! let body = "--x\r\ncontent-disposition: form-data; name=\"title\"\r\n\r\nCat\r\n--x\r\n\
//!             content-disposition: form-data; name=\"photo\"; filename=\"cat.png\"\r\n\r\n123\r\n--x--\r\n";
//! let request = app.test("photo-add").request("POST", "/photos").header("content-type", "multipart/form-data; boundary=x");
//! assert_eq!(request.body(body).run().text(), "Cat: 3 bytes");
//! ```
//!
//! The whole body is in memory, within the limits of the service (`limits.body_bytes`), and is recorded like any other body. For
//! larger files, have clients send them to an object storage.

#![warn(missing_debug_implementations)]

#[cfg(test)]
mod suite;

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream;
use zerver::engine::{InputDesc, InputPart, Shape};
use zerver::prelude::{Failure, FromRequest, Request};

/// Maximum number of parts. Each costs more than its bytes.
const MAX_PARTS: usize = 1_000;

/// Maximum length of a boundary (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The parts of a form, in the order in which the client sent them.
///
/// A request of another type fails with 415, and one whose body is not such a form with 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipart(Vec<Part>);

/// A part of a form: a field or a file. All of it is what the client says, including the type and the name of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    name: String,
    file_name: Option<String>,
    media_type: Option<String>,
    body: Bytes,
}

impl Part {
    /// Returns the name of the field.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of the file on the client's machine. It may contain path separators and anything else: never use it as a
    /// path.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// Returns the media type, such as `image/png`.
    pub fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// Returns the content. Cloning it does not copy it.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }
}

impl Multipart {
    /// Returns all parts.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// Returns the parts with this name, of which there may be several.
    pub fn all<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m Part> {
        self.0.iter().filter(move |part| part.name == name)
    }

    fn first(&self, name: &str) -> Result<&Part, Failure> {
        self.0.iter().find(|part| part.name == name).ok_or_else(|| invalid(name, "is missing"))
    }

    /// Returns the text of the first field with this name.
    ///
    /// # Errors
    /// `unprocessable`, with the field, if there is none, or if it is not UTF-8.
    pub fn text(&self, name: &str) -> Result<&str, Failure> {
        let part = self.first(name)?;
        std::str::from_utf8(&part.body).map_err(|_| invalid(name, "is not UTF-8"))
    }

    /// Returns the first file with this name.
    ///
    /// # Errors
    /// `unprocessable`, with the field, if there is none, or if it is a field without a file name.
    pub fn file(&self, name: &str) -> Result<&Part, Failure> {
        let part = self.first(name)?;
        match part.file_name {
            Some(_) => Ok(part),
            None => Err(invalid(name, "is not a file")),
        }
    }
}

fn invalid(name: &str, message: &str) -> Failure {
    Failure::unprocessable("form").field(name, message)
}

impl FromRequest for Multipart {
    const DESC: Option<InputDesc> =
        Some(InputDesc { part: InputPart::Body("multipart/form-data"), shape: || Shape::Object });

    fn from_request(request: &Request) -> Result<Self, Failure> {
        let header = request.header("content-type").unwrap_or_default();
        let boundary = multer::parse_boundary(header).map_err(|_| {
            let found = if header.is_empty() { "none" } else { header };
            Failure::unsupported_media_type("body")
                .message(format!("the content-type is {found}; expected multipart/form-data with a boundary"))
        })?;
        if boundary.len() > MAX_BOUNDARY {
            let message = format!("the boundary has {} characters, more than {MAX_BOUNDARY}", boundary.len());
            return Err(Failure::invalid("body").message(message));
        }
        let whole = stream::iter([Ok::<_, Infallible>(request.body.clone())]);
        // The whole body is there, so that nothing waits.
        let parts = read_parts(multer::Multipart::new(whole, boundary)).now_or_never();
        match parts {
            Some(Ok(parts)) => Ok(Self(parts)),
            Some(Err(reason)) => Err(Failure::invalid("body").message(reason)),
            None => Err(Failure::invalid("body").message("the form is incomplete")),
        }
    }
}

async fn read_parts(mut form: multer::Multipart<'_>) -> Result<Vec<Part>, String> {
    let not_a_form = |error: multer::Error| format!("not a multipart form: {error}");
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.map_err(not_a_form)? {
        if parts.len() == MAX_PARTS {
            return Err(format!("more than {MAX_PARTS} parts"));
        }
        let Some(name) = field.name().map(str::to_owned) else {
            return Err(format!("part {} has no name", parts.len() + 1));
        };
        let file_name = field.file_name().map(str::to_owned);
        let media_type = field.content_type().map(ToString::to_string);
        let body = field.bytes().await.map_err(not_a_form)?;
        parts.push(Part { name, file_name, media_type, body });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(content_type: &str, body: impl Into<Bytes>) -> Result<Multipart, (u16, String)> {
        let request = Request::get("/").with_header("content-type", content_type).with_body(body);
        Multipart::from_request(&request).map_err(|failure| (failure.status(), failure.to_string()))
    }

    fn form(boundary: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (disposition, content) in parts {
            body.extend(
                format!("--{boundary}\r\ncontent-disposition: form-data; {disposition}\r\n\r\n").bytes(),
            );
            body.extend(*content);
            body.extend(b"\r\n");
        }
        body.extend(format!("--{boundary}--\r\n").bytes());
        body
    }

    #[test]
    fn fields_and_files() {
        let body = form(
            "b",
            &[
                ("name=\"title\"", "Café".as_bytes()),
                (
                    "name=\"photo\"; filename=\"../cat.png\"\r\ncontent-type: image/png",
                    &[0, 255, b'\r', b'\n'],
                ),
                ("name=\"tag\"", b"a"),
                ("name=\"tag\"", b""),
            ],
        );
        let form = parse("multipart/form-data; boundary=b", body).unwrap();
        assert_eq!(form.text("title"), Ok("Café"));
        let photo = form.file("photo").unwrap();
        assert_eq!((photo.file_name(), photo.media_type()), (Some("../cat.png"), Some("image/png")));
        assert_eq!(&photo.body()[..], [0, 255, b'\r', b'\n']);
        assert_eq!(form.all("tag").map(|part| part.body().len()).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(form.parts().len(), 4);
        let text = |result: Result<_, Failure>| result.map(|_: &Part| ()).unwrap_err().to_string();
        assert_eq!(text(form.file("title")), "unprocessable form: title is not a file");
        assert_eq!(text(form.file("none")), "unprocessable form: none is missing");
        assert_eq!(form.text("photo").unwrap_err().to_string(), "unprocessable form: photo is not UTF-8");
    }

    #[test]
    fn other_types_are_refused() {
        for content_type in ["application/json", "multipart/form-data", "multipart/mixed; boundary=x", ""] {
            assert_eq!(parse(content_type, "").unwrap_err().0, 415, "{content_type}");
        }
    }

    #[test]
    fn hostile_forms_are_refused() {
        let refused = |content_type: &str, body: Vec<u8>| {
            let (status, text) = parse(content_type, body).unwrap_err();
            assert_eq!(status, 400, "{text}");
            text
        };
        let header = "multipart/form-data; boundary=b";
        let long = "b".repeat(71);
        assert_eq!(
            refused(&format!("multipart/form-data; boundary={long}"), form(&long, &[])),
            "invalid body: the boundary has 71 characters, more than 70"
        );
        let part: (&str, &[u8]) = ("name=\"a\"", b"");
        assert_eq!(refused(header, form("b", &vec![part; 1_001])), "invalid body: more than 1000 parts");
        assert_eq!(parse(header, form("b", &vec![part; 1_000])).unwrap().parts().len(), 1_000);
        assert_eq!(refused(header, form("b", &[("", b"")])), "invalid body: part 1 has no name");
        // Without its end, a part that is cut off would look whole.
        let whole = form("b", &[("name=\"a\"", b"content")]);
        for end in 0..whole.len() - 4 {
            refused(header, whole[..end].to_vec());
        }
        let many_headers = format!("--b\r\n{}\r\n--b--\r\n", "x: y\r\n".repeat(100_000));
        refused(header, many_headers.into_bytes());
    }

    #[test]
    fn nested_forms_are_content() {
        let inner = form("inner", &[("name=\"x\"", b"y")]);
        let outer = form("b", &[("name=\"files\"\r\ncontent-type: multipart/mixed; boundary=inner", &inner)]);
        let parsed = parse("multipart/form-data; boundary=b", outer).unwrap();
        assert_eq!(parsed.parts().len(), 1);
        assert_eq!(parsed.parts()[0].body(), &inner);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(body: Vec<u8>, boundary in "[a-z]{1,3}") {
            let _ = parse(&format!("multipart/form-data; boundary={boundary}"), body);
        }

        #[test]
        fn what_is_written_is_read(parts in proptest::collection::vec(("[a-zé ]{1,9}", "[^-]{0,50}"), 0..9)) {
            let written: Vec<_> = parts.iter().map(|(name, text)| (format!("name=\"{name}\""), text.as_bytes())).collect();
            let written: Vec<_> = written.iter().map(|(name, text)| (name.as_str(), *text)).collect();
            let read = parse("multipart/form-data; boundary=----b", form("----b", &written)).unwrap();
            let read: Vec<_> = read.0.into_iter().map(|part| (part.name, part.body)).collect();
            let expected: Vec<_> = parts.into_iter().map(|(name, text)| (name, Bytes::from(text))).collect();
            prop_assert_eq!(read, expected);
        }
    }
}

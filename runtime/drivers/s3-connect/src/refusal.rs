//! The answer with which a server refuses a request.

/// Longest name and message that is kept, in characters.
const MAX_TEXT: usize = 500;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Name of the error: `AccessDenied`, `NoSuchBucket`. It is empty if the server has given none.
    pub code: String,
    /// Message of the server.
    pub message: String,
}

impl Refusal {
    /// Reads the refusal from the body of an answer.
    pub fn parse(body: &str) -> Self {
        let tag = |name: &str| {
            let (_, rest) = body.split_once(&format!("<{name}>"))?;
            Some(rest.split_once("</")?.0.chars().take(MAX_TEXT).collect::<String>())
        };
        Self { code: tag("Code").unwrap_or_default(), message: tag("Message").unwrap_or_default() }
    }
}

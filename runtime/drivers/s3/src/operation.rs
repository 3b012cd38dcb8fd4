//! Operations of a bucket and their answers: the effect of kind `s3`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zerver::engine::Call;
use zerver::prelude::*;

use crate::content::Content;
use crate::s3_error::S3Error;

/// Largest object that [`get`] reads: 8 MiB.
pub const DEFAULT_MAX_BYTES: u64 = 8 * 1024 * 1024;

/// An operation of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Writes an object.
    Put {
        /// Key.
        key: String,
        /// Media type.
        media_type: String,
        /// Content.
        content: Content,
    },
    /// Reads an object.
    Get {
        /// Key.
        key: String,
        /// Largest size.
        max_bytes: u64,
    },
    /// Reads what is known about an object, without its content.
    Head {
        /// Key.
        key: String,
    },
    /// Deletes an object.
    Delete {
        /// Key.
        key: String,
    },
    /// Lists objects in the order of their keys.
    List {
        /// Start of the keys.
        prefix: String,
        /// Key after which the list starts.
        after: Option<String>,
        /// Maximum number.
        limit: u16,
    },
    /// Creates a URL with which anyone can read or write an object for a while.
    Presign {
        /// Action that the URL allows.
        method: Method,
        /// Key.
        key: String,
        /// Time for which it is valid, in seconds.
        valid_s: u64,
    },
}

/// Action that a URL allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Reading.
    Get,
    /// Writing.
    Put,
}

/// Metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Size in bytes.
    pub size: u64,
    /// Version of the content, as the server names it.
    #[serde(default)]
    pub etag: Option<String>,
    /// Media type.
    #[serde(default)]
    pub media_type: Option<String>,
}

/// An object with its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Metadata.
    pub info: Info,
    /// Content.
    pub content: Content,
}

impl Object {
    /// Returns the content as text.
    ///
    /// # Errors
    /// `bad_upstream` if it is not UTF-8; `internal` if it was not recorded.
    pub fn text(&self) -> Result<String, Failure> {
        let bytes = self.content.bytes()?;
        let text = str::from_utf8(bytes).map_err(|error| Failure::bad_upstream("s3").because(&error))?;
        Ok(text.to_owned())
    }
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Key.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
}

/// Result of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The object was written or deleted.
    Done,
    /// There is no such object.
    Absent,
    /// An object.
    Object(Object),
    /// Metadata of an object.
    Info(Info),
    /// A list of objects.
    Objects(Vec<Listed>),
    /// A URL. It lets anyone in who has it, so its recorded form has a name that the rule for secrets recognizes.
    Url {
        /// URL.
        secret: String,
    },
}

/// Answer of a server: the output of the effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The result.
    Answer(Answer),
    /// The server refused the request.
    Refused(S3Error),
}

/// Writes an object. It replaces an earlier one.
pub fn put(key: impl Into<String>, media_type: impl Into<String>, content: impl Into<Content>) -> Effect<()> {
    let op = Op::Put { key: key.into(), media_type: media_type.into(), content: content.into() };
    perform(op, |answer| matches!(answer, Answer::Done).then_some(()))
}

/// Reads an object of at most [`DEFAULT_MAX_BYTES`], or `None` if there is none.
pub fn get(key: impl Into<String>) -> Effect<Option<Object>> {
    get_up_to(DEFAULT_MAX_BYTES, key)
}

/// Reads an object of at most this size, or `None` if there is none.
pub fn get_up_to(max_bytes: u64, key: impl Into<String>) -> Effect<Option<Object>> {
    perform(Op::Get { key: key.into(), max_bytes }, |answer| match answer {
        Answer::Object(object) => Some(Some(object.clone())),
        Answer::Absent => Some(None),
        _ => None,
    })
}

/// Reads what is known about an object, or `None` if there is none.
pub fn head(key: impl Into<String>) -> Effect<Option<Info>> {
    perform(Op::Head { key: key.into() }, |answer| match answer {
        Answer::Info(info) => Some(Some(info.clone())),
        Answer::Absent => Some(None),
        _ => None,
    })
}

/// Deletes an object, if there is one.
pub fn delete(key: impl Into<String>) -> Effect<()> {
    perform(Op::Delete { key: key.into() }, |answer| matches!(answer, Answer::Done).then_some(()))
}

/// Lists at most `limit` objects (1,000 at most) whose keys start with `prefix` and come after `after`, the last key of the
/// previous list.
pub fn list(prefix: impl Into<String>, after: Option<String>, limit: u16) -> Effect<Vec<Listed>> {
    perform(Op::List { prefix: prefix.into(), after, limit }, |answer| match answer {
        Answer::Objects(objects) => Some(objects.clone()),
        _ => None,
    })
}

/// Creates a URL with which anyone can read an object for this time, at most 7 days. Nothing is sent.
pub fn presigned_get(key: impl Into<String>, valid: Duration) -> Effect<String> {
    presigned(Method::Get, key.into(), valid)
}

/// Creates a URL with which anyone can write an object for this time, at most 7 days. Nothing is sent.
pub fn presigned_put(key: impl Into<String>, valid: Duration) -> Effect<String> {
    presigned(Method::Put, key.into(), valid)
}

fn presigned(method: Method, key: String, valid: Duration) -> Effect<String> {
    perform(Op::Presign { method, key, valid_s: valid.as_secs().max(1) }, |answer| match answer {
        Answer::Url { secret } => Some(secret.clone()),
        _ => None,
    })
}

fn perform<T: Send + 'static>(op: Op, read: impl Fn(&Answer) -> Option<T> + Send + 'static) -> Effect<T> {
    Effect::from_call::<Op>(Call::new(op), move |reply: Result<&Reply, EffectError>| match reply {
        Ok(Reply::Answer(answer)) => {
            read(answer).ok_or_else(|| Failure::internal(Op::KIND).message("unexpected answer"))
        }
        Ok(Reply::Refused(error)) => Err(error.clone().into()),
        Err(error) => Err(Failure::from_effect(Op::KIND, &error)),
    })
}

impl EffectKind for Op {
    const KIND: &'static str = "s3";
    type Output = Reply;

    fn summary(&self) -> String {
        self.to_string()
    }

    fn output_summary(reply: &Reply) -> String {
        match reply {
            Reply::Refused(error) => format!("refused: {error}"),
            Reply::Answer(answer) => match answer {
                Answer::Done => "done".to_owned(),
                Answer::Absent => "absent".to_owned(),
                Answer::Object(Object { info, .. }) | Answer::Info(info) => format!("{} bytes", info.size),
                Answer::Objects(objects) => format!("{} objects", objects.len()),
                Answer::Url { .. } => "a URL".to_owned(),
            },
        }
    }

    fn target(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Presign { .. } => None,
            _ => Some(Cow::Borrowed("s3")),
        }
    }

    /// Returns true: an object that is written or deleted twice is in the same state as after the first time.
    fn is_idempotent(&self) -> bool {
        true
    }

    fn is_safe(&self) -> bool {
        !matches!(self, Self::Put { .. } | Self::Delete { .. })
    }

    fn is_temporary(reply: &Reply) -> bool {
        matches!(reply, Reply::Refused(error) if error.is_temporary())
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, content, .. } => write!(f, "put {key}, {content:?}"),
            Self::Get { key, .. } => write!(f, "get {key}"),
            Self::Head { key } => write!(f, "head {key}"),
            Self::Delete { key } => write!(f, "delete {key}"),
            Self::List { prefix, after: None, .. } => write!(f, "list {prefix}"),
            Self::List { prefix, after: Some(after), .. } => write!(f, "list {prefix} after {after}"),
            Self::Presign { method: Method::Get, key, .. } => write!(f, "presign get {key}"),
            Self::Presign { method: Method::Put, key, .. } => write!(f, "presign put {key}"),
        }
    }
}

//! Mails as a kind of effect.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zerver::engine::Call;
use zerver::prelude::*;

use crate::mail_error::MailError;

/// A mail. [`send`](Self::send) completes it. Addresses have the form `ann@example.com` or `Ann <ann@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[must_use = "a mail does nothing until it is sent"]
pub struct Mail {
    /// Sender.
    pub from: String,
    /// Recipients.
    pub to: Vec<String>,
    /// Recipients of copies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
    /// Recipients whom the others do not see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<String>,
    /// Address for answers, if it is not the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Subject.
    pub subject: String,
    /// Text.
    pub text: Body,
    /// The same as HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<Body>,
    /// Attachments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// Text of a mail.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Text that is recorded.
    Plain(String),
    /// Text that recordings seal, such as one with a link to reset a password. Its name is one that the rule for secrets
    /// recognizes.
    Secret(String),
}

/// Attachment of a mail.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attachment {
    /// Name of the file.
    pub name: String,
    /// Media type: `application/pdf`.
    pub media_type: String,
    /// Content.
    #[serde(with = "content")]
    pub content: Bytes,
}

/// Serializes content as bytes, not as a list of numbers.
mod content {
    use bytes::Bytes;
    use serde::de::{SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(content: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(content)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct BytesVisitor;

        impl<'de> Visitor<'de> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes::copy_from_slice(bytes))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bytes, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = items.next_element()? {
                    bytes.push(byte);
                }
                Ok(bytes.into())
            }
        }

        deserializer.deserialize_any(BytesVisitor)
    }
}

/// Result of a mail that the server has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Id of the message, without angle brackets.
    pub message_id: String,
    /// Answer of the server, which often contains the number of the mail in its queue.
    pub answer: String,
}

/// Answer of a server: the output of the effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The server has accepted the mail.
    Sent(Sent),
    /// The server has refused it.
    Refused(MailError),
}

impl Mail {
    /// Creates a mail to one recipient.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: vec![to.into()],
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: None,
            subject: String::new(),
            text: Body::Plain(String::new()),
            html: None,
            attachments: Vec::new(),
        }
    }

    /// Adds a recipient.
    pub fn to(mut self, address: impl Into<String>) -> Self {
        self.to.push(address.into());
        self
    }

    /// Adds the recipient of a copy.
    pub fn cc(mut self, address: impl Into<String>) -> Self {
        self.cc.push(address.into());
        self
    }

    /// Adds a recipient whom the others do not see.
    pub fn bcc(mut self, address: impl Into<String>) -> Self {
        self.bcc.push(address.into());
        self
    }

    /// Sets the address for answers.
    pub fn reply_to(mut self, address: impl Into<String>) -> Self {
        self.reply_to = Some(address.into());
        self
    }

    /// Sets the subject.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Sets the text.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Body::Plain(text.into());
        self
    }

    /// Sets a text that recordings seal.
    pub fn secret_text(mut self, text: impl Into<String>) -> Self {
        self.text = Body::Secret(text.into());
        self
    }

    /// Sets the same text as HTML, for programs that show it.
    pub fn html(mut self, html: impl Into<String>) -> Self {
        self.html = Some(Body::Plain(html.into()));
        self
    }

    /// Sets an HTML text that recordings seal.
    pub fn secret_html(mut self, html: impl Into<String>) -> Self {
        self.html = Some(Body::Secret(html.into()));
        self
    }

    /// Adds an attachment.
    pub fn attach(
        mut self,
        name: impl Into<String>,
        media_type: impl Into<String>,
        content: impl Into<Bytes>,
    ) -> Self {
        let (name, media_type, content) = (name.into(), media_type.into(), content.into());
        self.attachments.push(Attachment { name, media_type, content });
        self
    }

    /// Creates the effect that sends the mail. If the server refuses one recipient, none gets it.
    pub fn send(self) -> Effect<Sent> {
        Effect::from_call::<Self>(Call::new(self), |reply: Result<&Reply, EffectError>| match reply {
            Ok(Reply::Sent(sent)) => Ok(sent.clone()),
            Ok(Reply::Refused(error)) => Err(error.clone().into()),
            Err(error) => Err(Failure::from_effect(Self::KIND, &error)),
        })
    }
}

impl EffectKind for Mail {
    const KIND: &'static str = "mail";
    type Output = Reply;

    /// Returns the recipient and the subject.
    fn summary(&self) -> String {
        let others = self.to.len() + self.cc.len() + self.bcc.len();
        let first = self.to.first().map(String::as_str).unwrap_or_default();
        match others {
            0 | 1 => format!("to {first}: {}", self.subject),
            _ => format!("to {first} and {} more: {}", others - 1, self.subject),
        }
    }

    fn output_summary(reply: &Reply) -> String {
        match reply {
            Reply::Sent(_) => "sent".to_owned(),
            Reply::Refused(error) => format!("refused: {error}"),
        }
    }

    fn is_temporary(reply: &Reply) -> bool {
        matches!(reply, Reply::Refused(error) if error.is_temporary())
    }
}

impl Body {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Secret(text) => text,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => text.fmt(f),
            Self::Secret(_) => f.write_str("<secret>"),
        }
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {} bytes)", self.name, self.media_type, self.content.len())
    }
}

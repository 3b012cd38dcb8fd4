//! Mails as messages of the internet (RFC 5322), and their ids.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::SystemTime;

use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use zerver::effects::EffectContext;
use zerver::prelude::*;

use crate::mail::Mail;

/// A message that is ready to be sent.
pub(crate) struct Outgoing {
    pub(crate) message: Message,
    /// Id without angle brackets.
    pub(crate) id: String,
}

/// Builds the message of a mail.
pub(crate) fn build(mail: &Mail, context: &EffectContext) -> Result<Outgoing, EffectError> {
    let from = mailbox(&mail.from)?;
    let id = message_id(mail, context, from.email.domain());
    let mut builder = Message::builder()
        .from(from)
        .subject(&mail.subject)
        .date(SystemTime::now())
        .message_id(Some(format!("<{id}>")));
    for to in &mail.to {
        builder = builder.to(mailbox(to)?);
    }
    for cc in &mail.cc {
        builder = builder.cc(mailbox(cc)?);
    }
    for bcc in &mail.bcc {
        builder = builder.bcc(mailbox(bcc)?);
    }
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(mailbox(reply_to)?);
    }
    let text = SinglePart::plain(mail.text.as_str().to_owned());
    let html = mail.html.as_ref().map(|html| SinglePart::html(html.as_str().to_owned()));
    let message = match (html, mail.attachments.as_slice()) {
        (None, []) => builder.singlepart(text),
        (Some(html), []) => builder.multipart(alternatives(text, html)),
        (html, attachments) => {
            let mut parts = match html {
                Some(html) => MultiPart::mixed().multipart(alternatives(text, html)),
                None => MultiPart::mixed().singlepart(text),
            };
            for attachment in attachments {
                let media_type = ContentType::parse(&attachment.media_type)
                    .map_err(|_| invalid(format!("{} is not a media type", attachment.media_type)))?;
                let content = attachment.content.to_vec();
                parts = parts.singlepart(Attachment::new(attachment.name.clone()).body(content, media_type));
            }
            builder.multipart(parts)
        }
    };
    let message = message.map_err(|error| invalid(format!("the mail cannot be sent: {error}")))?;
    Ok(Outgoing { message, id })
}

fn alternatives(text: SinglePart, html: SinglePart) -> MultiPart {
    MultiPart::alternative().singlepart(text).singlepart(html)
}

fn mailbox(address: &str) -> Result<Mailbox, EffectError> {
    address.parse().map_err(|error| invalid(format!("{address:?} is not an address: {error}")))
}

fn invalid(message: String) -> EffectError {
    EffectError::new(EffectErrorKind::Invalid, message)
}

/// Returns the id of the message. Attempts of the same request to send the same mail have the same one.
fn message_id(mail: &Mail, context: &EffectContext, domain: &str) -> String {
    let mut hasher = DefaultHasher::new();
    mail.hash(&mut hasher);
    let request = match context.request_id {
        Some(id) => id.to_string(),
        // Outside of a request there are no attempts to recognize.
        None => SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos().to_string(),
    };
    format!("{request}.{:016x}@{domain}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use zerver::engine::RequestId;

    use super::*;

    fn context() -> EffectContext {
        let request_id = Some("019aa4c2-0000-7000-8000-000000000001".parse::<RequestId>().unwrap());
        EffectContext { request_id, ..EffectContext::default() }
    }

    #[test]
    fn each_mail_of_a_request_has_its_own_id_in_every_attempt() {
        let mail = |to: &str| Mail::new("Shop <shop@example.com>", to).subject("Hi");
        let id = |mail: &Mail| build(mail, &context()).unwrap().id;
        assert_eq!(id(&mail("a@b.c")), id(&mail("a@b.c")));
        assert_ne!(id(&mail("a@b.c")), id(&mail("a@b.d")));
        assert!(id(&mail("a@b.c")).starts_with("019aa4c2-"));
        assert!(id(&mail("a@b.c")).ends_with("@example.com"));
    }

    #[test]
    fn what_cannot_be_sent_is_invalid() {
        let cases = [
            Mail::new("nobody", "a@b.c"),
            Mail::new("a@b.c", "a@b.c\r\nBcc: x@y.z"),
            Mail::new("a@b.c", "a@b.c").attach("x", "no type", "x"),
        ];
        for mail in cases {
            let error = build(&mail, &context()).err().unwrap();
            assert_eq!(error.kind, EffectErrorKind::Invalid, "{error}");
        }
        let smuggled = Mail::new("a@b.c", "d@e.f").subject("x\r\nBcc: evil@example.com");
        let text = String::from_utf8(build(&smuggled, &context()).unwrap().message.formatted()).unwrap();
        assert!(!text.contains("\nBcc:"), "{text}");
    }
}

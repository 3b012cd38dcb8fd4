//! Mail as an effect of [zerver], sent through an SMTP server.
//!
//! ```no_run
//! use zerver::prelude::*;
//! use zerver_mail::{Mail, Smtp};
//!
//! #[slot]
//! struct Sent(String);
//!
//! #[step]
//! fn welcome(request: &Request) -> Decision<Sent> {
//!     let to = request.param_str("address").unwrap_or_default();
//!     let mail = Mail::new("Shop <shop@example.com>", to).subject("Welcome").text("Nice to have you.");
//!     Need(mail.send().map(|sent| Sent(sent.message_id)))
//! }
//!
//! #[step]
//! fn render(sent: &Sent) -> Response {
//!     Response::text(sent.0.clone())
//! }
//!
//! fn app() -> App {
//!     App::new().flow(flow!("welcome", POST "/welcome/{address}", steps: [welcome, render])).on_startup(|startup| {
//!         startup.interpreter(Smtp::starttls("mail.internal").login("shop", "password").connect()?);
//!         Ok(())
//!     })
//! }
//! # let _ = app;
//! ```
//!
//! An answer of the server that refuses the mail is a [`MailError`], which a step can catch. It is temporary (a code of 4xx)
//! or permanent (5xx). If the server cannot be reached, the effect fails as `unreachable`. If the connection is lost after
//! the content was sent, it fails as `unknown_outcome`, because the server may deliver the mail.
//!
//! # Retries
//!
//! The message id derives from the id of the request and from the mail. Another attempt within the request sends the same
//! one, by which mail systems recognize a duplicate. As they need not, the effect does not count as idempotent:
//! `.retry(Retry::attempts(3).even_if_not_idempotent())` retries it.

#![warn(missing_debug_implementations)]

mod mail;
mod mail_error;
mod message;
mod smtp;
mod smtp_settings;

pub use mail::{Attachment, Body, Mail, Reply, Sent};
pub use mail_error::MailError;
pub use smtp::Smtp;
pub use smtp_settings::{Credentials, SettingsError, SmtpSettings};

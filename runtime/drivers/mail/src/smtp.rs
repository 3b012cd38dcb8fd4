//! A server: its connections, and the interpreter of mails.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailCommand, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use zerver::effects::{EffectContext, EffectResult, Interpreter, Started, points, report_point};
use zerver::prelude::*;

use crate::mail::{Mail, Reply, Sent};
use crate::mail_error::MailError;
use crate::message::{Outgoing, build};
use crate::smtp_settings::{Encryption, SmtpSettings};

/// Limit of the time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for which an unused connection is kept. Servers close them after minutes.
const IDLE: Duration = Duration::from_secs(30);

/// Maximum number of unused connections.
const MAX_IDLE: usize = 4;

/// An SMTP server: performs the effects of [`Mail`]. A clone is another handle of the same connections.
#[derive(Clone)]
pub struct Smtp(Arc<Inner>);

struct Inner {
    settings: SmtpSettings,
    tls: TlsParameters,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

/// Reason why a mail was not sent, or may have been.
enum Stop {
    /// The server has answered with an error.
    Refused(MailError),
    /// The connection failed.
    Lost(String),
}

impl Smtp {
    /// Describes a server with TLS from the start, on port 465.
    pub fn tls(host: &str) -> SmtpSettings {
        SmtpSettings::new(host, 465, Encryption::Tls)
    }

    /// Describes a server with TLS after the greeting, on port 587. A server that does not offer it is not used.
    pub fn starttls(host: &str) -> SmtpSettings {
        SmtpSettings::new(host, 587, Encryption::Starttls)
    }

    /// Describes a server without encryption, on port 25. Mails and passwords can be read on the way.
    pub fn unencrypted(host: &str) -> SmtpSettings {
        SmtpSettings::new(host, 25, Encryption::None)
    }

    pub(crate) fn of(settings: SmtpSettings, tls: TlsParameters) -> Self {
        Self(Arc::new(Inner { settings, tls, idle: Mutex::default() }))
    }

    /// Connects to the server and logs in, to learn at the start of a service whether that works.
    ///
    /// # Errors
    /// `unreachable`, with the reason.
    pub async fn check(&self) -> Result<(), EffectError> {
        let connection = self.connection().await?;
        self.keep(connection);
        Ok(())
    }

    /// Returns a connection that works.
    async fn connection(&self) -> Result<AsyncSmtpConnection, EffectError> {
        while let Some(mut connection) = self.take_idle() {
            // The server may have closed it meanwhile.
            if connection.test_connected().await {
                return Ok(connection);
            }
        }
        match tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await {
            Ok(Ok(connection)) => {
                report_point(points::CONNECTED);
                Ok(connection)
            }
            Ok(Err(error)) => Err(self.unreachable(&chain(&error))),
            Err(_) => Err(self.unreachable(&format!("no connection within {CONNECT_TIMEOUT:?}"))),
        }
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let SmtpSettings { host, port, encryption, credentials, .. } = &self.0.settings;
        let (server, name) = ((host.as_str(), *port), ClientId::default());
        let tls = || self.0.tls.clone();
        let wrapped = (*encryption == Encryption::Tls).then(tls);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_TIMEOUT), &name, wrapped, None).await?;
        if *encryption == Encryption::Starttls {
            connection.starttls(tls(), &name).await?;
        }
        if let Some(credentials) = credentials {
            connection.auth(DEFAULT_MECHANISMS, &credentials.inner).await?;
        }
        Ok(connection)
    }

    fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !connection.has_broken() && idle.len() < MAX_IDLE {
            idle.push((connection, Instant::now()));
        }
    }

    fn unreachable(&self, reason: &str) -> EffectError {
        let SmtpSettings { host, port, .. } = &self.0.settings;
        EffectError::new(EffectErrorKind::Unreachable, format!("{host}:{port}: {reason}"))
    }

    async fn perform(self, outgoing: Outgoing) -> EffectResult<Mail> {
        let mut connection = self.connection().await?;
        let content = outgoing.message.formatted();
        match offer(&mut connection, &outgoing, !content.is_ascii()).await {
            Ok(()) => {}
            Err(Stop::Refused(error)) => return Ok(Reply::Refused(error)),
            // Nothing is delivered before the content is complete.
            Err(Stop::Lost(reason)) => return Err(self.unreachable(&reason)),
        }
        report_point(points::SENT);
        match connection.message(&content).await.map_err(|error| stop(&error)) {
            Ok(response) => {
                self.keep(connection);
                let answer = response.message().collect::<Vec<_>>().join(" ");
                Ok(Reply::Sent(Sent { message_id: outgoing.id, answer }))
            }
            Err(Stop::Refused(error)) => Ok(Reply::Refused(error)),
            Err(Stop::Lost(reason)) => Err(EffectError::new(
                EffectErrorKind::UnknownOutcome,
                format!("the connection was lost while the mail was sent, so it may be delivered: {reason}"),
            )),
        }
    }
}

/// Tells the server sender and recipients.
async fn offer(
    connection: &mut AsyncSmtpConnection,
    outgoing: &Outgoing,
    has_8_bits: bool,
) -> Result<(), Stop> {
    let envelope = outgoing.message.envelope();
    let info = connection.server_info();
    let mut parameters = Vec::new();
    let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    let is_plain = envelope.to().iter().chain(envelope.from()).all(is_ascii);
    if !is_plain && info.supports_feature(Extension::SmtpUtfEight) {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if has_8_bits && info.supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let sender = MailCommand::new(envelope.from().cloned(), parameters);
    connection.command(sender).await.map_err(|error| stop(&error))?;
    for recipient in envelope.to() {
        let command = Rcpt::new(recipient.clone(), Vec::new());
        connection.command(command).await.map_err(|error| match stop(&error) {
            Stop::Refused(error) => {
                Stop::Refused(MailError { recipient: Some(recipient.to_string()), ..error })
            }
            lost @ Stop::Lost(_) => lost,
        })?;
    }
    connection.command(Data).await.map(drop).map_err(|error| stop(&error))
}

fn stop(error: &SmtpError) -> Stop {
    match error.status() {
        Some(code) => {
            let message = std::error::Error::source(error).map(ToString::to_string);
            Stop::Refused(MailError::new(code.into(), message.unwrap_or_default()))
        }
        None => Stop::Lost(chain(error)),
    }
}

/// Returns an error with its sources on one line.
fn chain(error: &SmtpError) -> String {
    let sources = std::iter::successors(std::error::Error::source(error), |error| (*error).source());
    let mut texts: Vec<_> =
        std::iter::once(error.to_string()).chain(sources.map(ToString::to_string)).collect();
    // The text of some errors includes their sources.
    texts.dedup_by(|later, earlier| earlier.ends_with(later.as_str()));
    texts.join(": ")
}

impl Interpreter<Mail> for Smtp {
    fn start(&self, mail: &Mail, context: &EffectContext) -> Started<EffectResult<Mail>> {
        match build(mail, context) {
            Ok(outgoing) => Started::Pending(Box::pin(self.clone().perform(outgoing))),
            Err(error) => Started::Ready(Err(error)),
        }
    }
}

/// Shows neither name nor password.
impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SmtpSettings { host, port, .. } = &self.0.settings;
        write!(f, "Smtp({host}:{port})")
    }
}

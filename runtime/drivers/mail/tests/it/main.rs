//! Tests against a real SMTP server, which they start.

use std::fs;
use std::sync::Arc;

use serde_json::Value as Json;
use tokio::runtime::Runtime;
use zerver::effects::{EffectContext, Interpreters};
use zerver::engine::RequestId;
use zerver::prelude::*;
use zerver_local_server as local;
use zerver_mail::{Mail, MailError, Reply, Sent, Smtp, SmtpSettings};

fn server(settings: &[&str]) -> local::Smtp {
    local::Smtp::start(settings).unwrap_or_else(|error| panic!("{error}"))
}

fn plain(server: &local::Smtp) -> SmtpSettings {
    Smtp::unencrypted("127.0.0.1").port(server.port())
}

/// A service without HTTP.
struct Client {
    interpreters: Interpreters,
    runtime: Arc<Runtime>,
}

impl Client {
    fn new(settings: SmtpSettings) -> Self {
        let mut interpreters = Interpreters::new();
        interpreters.set(settings.connect().unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self { interpreters, runtime: Arc::new(runtime.unwrap()) }
    }

    fn send_in(&self, mail: Mail, context: &EffectContext) -> Result<Sent, Failure> {
        self.runtime.block_on(self.interpreters.perform(mail.send(), context))
    }

    fn send(&self, mail: Mail) -> Result<Sent, Failure> {
        self.send_in(mail, &EffectContext::default())
    }
}

fn mail(to: &str) -> Mail {
    Mail::new("Shop <shop@example.com>", to).subject("Grüße").text("Hello,\n.\nbye")
}

fn mails(server: &local::Smtp) -> Vec<Json> {
    server.mails().unwrap().iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[test]
fn mails_arrive_with_all_their_parts() {
    let server = server(&[]);
    let client = Client::new(plain(&server));
    let sent = client.send(mail("ann@example.com")).unwrap();
    assert!(sent.answer.contains("queued as 1"), "{sent:?}");
    let rich = mail("ann@example.com")
        .to("Bob <bob@example.com>")
        .cc("cy@example.com")
        .bcc("dan@example.com")
        .reply_to("help@example.com")
        .html("<p>Hello</p>")
        .attach("a.bin", "application/octet-stream", vec![0, 255, 10]);
    client.send(rich).unwrap();
    let mails = mails(&server);
    let content = mails[0]["content"].as_str().unwrap();
    assert!(content.contains(&format!("Message-ID: <{}>", sent.message_id)), "{content}");
    assert!(
        content.contains("From: Shop <shop@example.com>") || content.contains("From: \"Shop\""),
        "{content}"
    );
    assert!(content.contains("Hello,\r\n.\r\nbye"), "{content}");
    let rich = mails[1]["content"].as_str().unwrap();
    assert!(
        rich.contains("<p>Hello</p>") && rich.contains("AP8K") && rich.contains("Reply-To: help@"),
        "{rich}"
    );
    assert!(!rich.contains("dan@example.com"), "nobody sees the hidden recipient: {rich}");
    let recipients: Vec<_> =
        mails[1]["to"].as_array().unwrap().iter().map(|to| to.as_str().unwrap()).collect();
    assert_eq!(recipients, ["ann@example.com", "bob@example.com", "cy@example.com", "dan@example.com"]);
}

#[test]
fn attempts_of_one_request_have_the_same_message_id() {
    let server = server(&[]);
    let client = Client::new(plain(&server));
    let context = EffectContext {
        request_id: Some("019aa4c2-0000-7000-8000-000000000001".parse::<RequestId>().unwrap()),
        ..EffectContext::default()
    };
    let first = client.send_in(mail("ann@example.com"), &context).unwrap();
    let second = client.send_in(mail("ann@example.com"), &context).unwrap();
    let other = client.send_in(mail("bob@example.com"), &context).unwrap();
    assert_eq!(first.message_id, second.message_id);
    assert_ne!(first.message_id, other.message_id);
}

#[test]
fn refusals_are_temporary_or_permanent() {
    let server = server(&[]);
    let client = Client::new(plain(&server));
    for (to, code, status, is_temporary) in [
        ("busy@example.com", 451, 503, true),
        ("absent@example.com", 550, 500, false),
        ("spam@example.com", 554, 500, false),
    ] {
        let failure = client.send(mail("ann@example.com").to(to)).unwrap_err();
        assert_eq!(failure.status(), status, "{failure}");
        let error = failure.error::<MailError>().unwrap();
        assert_eq!((error.code, error.is_temporary()), (code, is_temporary), "{error}");
        assert_eq!(error.recipient.is_some(), code != 554, "{error}");
    }
    assert!(mails(&server).is_empty(), "nobody got anything");
    client.send(mail("ann@example.com")).unwrap();
}

#[test]
fn outages_are_told_apart_from_lost_answers() {
    let mut server = server(&[]);
    let client = Client::new(plain(&server));
    client.send(mail("ann@example.com")).unwrap();
    let lost = client.send(mail("vanish@example.com")).unwrap_err().causes().join("; ");
    assert!(lost.starts_with("unknown_outcome: the connection was lost while the mail was sent"), "{lost}");
    client.send(mail("ann@example.com")).unwrap();
    server.stop();
    let down = client.send(mail("ann@example.com")).unwrap_err();
    assert_eq!(down.status(), 503);
    assert!(down.causes().join("; ").starts_with("unreachable: 127.0.0.1:"), "{down:?}");
    server.resume().unwrap();
    client.send(mail("ann@example.com")).unwrap();
}

#[test]
fn mails_are_encrypted_and_the_sender_logs_in() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let files = ["--certificate", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()];
    for encryption in ["starttls", "tls"] {
        let login = ["--encryption", encryption, "--login", "ann:hunter2"];
        let server = server(&[&files[..], &login[..]].concat());
        let settings = || match encryption {
            "tls" => Smtp::tls("localhost").port(server.port()),
            _ => Smtp::starttls("localhost").port(server.port()),
        };
        let trusting = || settings().root_certificates(&certificate);
        Client::new(trusting().login("ann", "hunter2")).send(mail("ann@example.com")).unwrap();
        let received = mails(&server);
        assert_eq!(
            (&received[0]["is_encrypted"], &received[0]["user"]),
            (&Json::Bool(true), &Json::from("ann"))
        );
        let refused = |settings: SmtpSettings| {
            let failure = Client::new(settings).send(mail("ann@example.com")).unwrap_err();
            assert_eq!(failure.status(), 503);
            failure.causes().join("; ")
        };
        let wrong = refused(trusting().login("ann", "wrong"));
        assert!(wrong.contains("535") && !wrong.contains("wrong"), "{wrong}");
        let untrusted = refused(settings().login("ann", "hunter2"));
        assert!(untrusted.contains("certificate"), "{untrusted}");
    }
    let unencrypted = server(&[]);
    let failure = Client::new(Smtp::starttls("127.0.0.1").port(unencrypted.port())).send(mail("a@b.c"));
    assert_eq!(failure.unwrap_err().status(), 503, "a server without STARTTLS is not used");
}

#[slot]
#[derive(Debug, Clone)]
struct Outcome(Option<String>);

fn reset() -> Mail {
    mail("ann@example.com").secret_text("https://example.com/reset/c4n4ry")
}

#[step]
fn send_reset() -> Decision<Outcome> {
    Need(
        reset()
            .send()
            .catch::<MailError>()
            .map(|result| Outcome(result.err().map(|error| error.to_string()))),
    )
}

#[step]
fn render(outcome: &Outcome) -> Response {
    Response::text(outcome.0.clone().unwrap_or_default())
}

#[test]
fn a_flow_that_sends_mail_is_tested_without_a_server() {
    let test = || {
        App::new()
            .flow(flow!("reset", POST "/reset", steps: [send_reset, render]))
            .test("reset")
            .post("/reset", &())
    };
    let sent = Reply::Sent(Sent { message_id: "1@example.com".to_owned(), answer: "ok".to_owned() });
    assert_eq!(test().answer(reset().send(), sent).run().text(), "");
    let refused = Reply::Refused(MailError::new(550, "no such user"));
    assert_eq!(test().answer(reset().send(), refused).run().text(), "550 no such user");
    assert!(!format!("{:?}", reset()).contains("c4n4ry"));
}
